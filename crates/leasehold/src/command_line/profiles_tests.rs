//! Profiles on disk: who can read them, and what survives being written.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;

fn profile(address: &str) -> Profile {
    Profile {
        address: address.to_owned(),
        credential: Some("lh_ad_x.y".into()),
        ca_file: Some(PathBuf::from("/etc/it's \"here\"/ca.pem")),
        ..Profile::default()
    }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/profiles.toml");
    (folder, path)
}

#[test]
fn a_profile_is_read_as_it_was_written_and_the_others_stay() {
    let (_folder, path) = folder();
    write_to(&path, "admin", profile("https://one:1")).unwrap();
    write_to(&path, "demo-gateway", profile("https://two:2")).unwrap();
    write_to(&path, "admin", profile("https://three:3")).unwrap();
    let profiles = read_from(&path).unwrap();
    assert_eq!(profiles.keys().collect::<Vec<_>>(), ["admin", "demo-gateway"]);
    let admin = &profiles["admin"];
    assert_eq!(admin.address, "https://three:3");
    assert_eq!(admin.credential.as_ref().unwrap().expose_secret(), "lh_ad_x.y");
    assert_eq!(admin.ca_file.as_deref(), Some(Path::new("/etc/it's \"here\"/ca.pem")));
    assert!(admin.key_file.is_none());
}

#[test]
fn the_file_and_its_folder_are_the_owners_alone() {
    let (_folder, path) = folder();
    write_to(&path, "admin", profile("https://one:1")).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn a_file_that_others_can_read_is_refused_for_reading_and_for_writing() {
    let (_folder, path) = folder();
    write_to(&path, "admin", profile("https://one:1")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(read_from(&path), Err(ProfilesError::Read { .. })));
    assert!(matches!(write_to(&path, "other", profile("https://two:2")), Err(ProfilesError::Read { .. })));
}

#[test]
fn no_file_means_no_profiles() {
    let (_folder, path) = folder();
    assert!(read_from(&path).unwrap().is_empty());
}

#[test]
fn what_is_wrong_with_the_file_is_said_without_quoting_it() {
    for (text, problem) in [
        ("[admin]\naddress = \"x\"\ncredential = s3cret", "not TOML at line 3"),
        ("admin = 's3cret'", "admin is not a profile: profiles are tables"),
        ("[admin]\ncredential = 3", "credential of the profile admin is not text"),
        ("[admin]\npassword = 's3cret'", "the profile admin has a key that no profile has: password"),
    ] {
        assert_eq!(parse(text, Path::new("")).unwrap_err(), problem);
    }
}

#[test]
fn paths_are_relative_to_the_files_own_folder() {
    let profiles = parse("[a]\nca_file = 'ca.pem'\nkey_file = '/k.pem'", Path::new("/home/x")).unwrap();
    assert_eq!(profiles["a"].ca_file.as_deref(), Some(Path::new("/home/x/ca.pem")));
    assert_eq!(profiles["a"].key_file.as_deref(), Some(Path::new("/k.pem")));
}

#[test]
fn a_name_or_a_credential_that_would_change_the_file_is_refused() {
    let (_folder, path) = folder();
    for name in ["", "a.b", "a]\n[b", "ü"] {
        assert!(matches!(write_to(&path, name, profile("x")), Err(ProfilesError::Unwritable(_))), "{name:?}");
    }
    let sly = Profile { credential: Some("x'\nverifier = 'y".into()), ..profile("x") };
    assert!(matches!(write_to(&path, "admin", sly), Err(ProfilesError::Unwritable(_))));
    assert!(!path.exists());
}

#[test]
fn a_profiles_debug_prints_no_credential() {
    assert!(!format!("{:?}", profile("x")).contains("lh_ad_x"));
}
