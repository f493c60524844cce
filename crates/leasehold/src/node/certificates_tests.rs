use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;

/// 2030-01-01.
const NOW: Timestamp = Timestamp::from_millis(1_893_456_000_000);

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write_pair(2031);
        folder
    }

    fn files(&self) -> TlsFiles {
        let path = |name: &str| self.0.path().join(name);
        TlsFiles { certificate_file: path("c.pem"), key_file: path("k.pem"), client_ca_file: None }
    }

    fn write(&self, name: &str, contents: &str) {
        let path = self.0.path().join(name);
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }

    /// Writes a certificate that ends with the year before this one, and its key.
    fn write_pair(&self, until: i32) {
        let (certificate, key) = pair(until);
        self.write("c.pem", &certificate);
        self.write("k.pem", &key);
    }

    fn load(&self) -> Certificates {
        Certificates::load("grpc", Protocol::Grpc, self.files(), NOW).unwrap()
    }
}

fn pair(until: i32) -> (String, String) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2029, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn counted(certificates: &Certificates) -> (u64, u64, u64) {
    let shown = certificates.shown();
    let until = OffsetDateTime::from_unix_timestamp(i64::try_from(shown.expires_at()).unwrap()).unwrap();
    (shown.taken(), shown.refused(), u64::try_from(until.year()).unwrap())
}

#[test]
fn new_files_are_taken_at_the_next_look_and_the_same_ones_are_not() {
    let folder = Folder::new();
    let mut certificates = folder.load();
    certificates.look(Occasion::Interval, NOW);
    certificates.look(Occasion::Asked, NOW);
    assert_eq!(counted(&certificates), (0, 0, 2031));
    folder.write_pair(2032);
    certificates.look(Occasion::Interval, NOW);
    assert_eq!(counted(&certificates), (1, 0, 2032));
}

#[test]
fn a_pair_that_is_replaced_one_file_after_the_other_is_no_refusal() {
    let folder = Folder::new();
    let mut certificates = folder.load();
    let (certificate, key) = pair(2032);
    folder.write("c.pem", &certificate);
    certificates.look(Occasion::Interval, NOW);
    assert_eq!(counted(&certificates), (0, 0, 2031));
    folder.write("k.pem", &key);
    certificates.look(Occasion::Interval, NOW);
    assert_eq!(counted(&certificates), (1, 0, 2032));
}

#[test]
fn what_cannot_be_used_is_refused_once_and_the_old_stays() {
    let folder = Folder::new();
    let mut certificates = folder.load();
    folder.write("k.pem", &pair(2032).1);
    for _ in 0..5 {
        certificates.look(Occasion::Interval, NOW);
    }
    assert_eq!(counted(&certificates), (0, 1, 2031));
    // Whoever asks is told each time.
    certificates.look(Occasion::Asked, NOW);
    certificates.look(Occasion::Interval, NOW);
    assert_eq!(counted(&certificates), (0, 2, 2031));
    folder.write_pair(2033);
    certificates.look(Occasion::Interval, NOW);
    assert_eq!(counted(&certificates), (1, 2, 2033));
}

#[test]
fn expired_missing_and_readable_files_are_refused() {
    let folder = Folder::new();
    let mut certificates = folder.load();
    folder.write_pair(2030);
    let late = Timestamp::from_millis(NOW.as_millis() + 86_400_000);
    certificates.look(Occasion::Asked, late);
    assert_eq!(counted(&certificates), (0, 1, 2031));
    fs::remove_file(folder.files().certificate_file).unwrap();
    certificates.look(Occasion::Asked, NOW);
    assert_eq!(counted(&certificates), (0, 2, 2031));
    folder.write_pair(2032);
    fs::set_permissions(folder.files().key_file, Permissions::from_mode(0o644)).unwrap();
    certificates.look(Occasion::Asked, NOW);
    assert_eq!(counted(&certificates), (0, 3, 2031));
}

#[test]
fn a_refusal_names_the_files_and_the_reason() {
    let folder = Folder::new();
    folder.write("k.pem", &pair(2032).1);
    let refused = Certificates::load("grpc", Protocol::Grpc, folder.files(), NOW).err().unwrap();
    let text = format!("{refused:#}");
    assert!(text.contains("c.pem and ") && text.contains("does not fit the certificate"), "{text}");
}
