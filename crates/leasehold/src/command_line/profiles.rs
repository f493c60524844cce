//! Profiles: where a cluster is and who calls it, under a name, in one file that only its owner can read.
//!
//! The file is `$LEASEHOLD_CONFIG`, or `leasehold/profiles.toml` in the user's configuration folder. It has a table for each profile.
//! Paths in it are relative to its own folder.

use std::{
    collections::BTreeMap,
    env, fs, io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret as _, SecretString};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::private_file::{self, Audience, ReadPrivateError};

/// The profile that is used where none is named.
pub const DEFAULT: &str = "admin";

/// The longest file of profiles, in bytes.
const FILE_LEN_MAX: u64 = 1024 * 1024;
/// The longest name of a profile.
const NAME_LEN_MAX: usize = 64;

/// A profile. Its `Debug` prints no credential.
#[derive(Debug, Default)]
pub struct Profile {
    /// The cluster's address.
    pub address: String,
    /// The API credential itself.
    pub credential: Option<SecretString>,
    /// A file with the API credential.
    pub credential_file: Option<PathBuf>,
    /// The certificate authorities to believe, as PEM; the machine's own where there is none.
    pub ca_file: Option<PathBuf>,
    /// The client certificate, as PEM.
    pub certificate_file: Option<PathBuf>,
    /// Its private key, as PEM.
    pub key_file: Option<PathBuf>,
    /// The key that `audit verify` verifies checkpoints with.
    pub verifier: Option<String>,
}

/// Why profiles were not read or written.
#[derive(Debug, Error)]
pub enum ProfilesError {
    /// Nothing says where the file is.
    #[error("neither LEASEHOLD_CONFIG, XDG_CONFIG_HOME nor HOME says where profiles are kept")]
    NoFolder,
    /// The file cannot be used.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<ReadPrivateError>,
    },
    /// The file is not what it should be. Says where, and nothing of what stands there: credentials do.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
    /// The name or a value cannot stand in the file.
    #[error("{0}")]
    Unwritable(&'static str),
    /// The file system.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes a profile under a name, in place of the one that has it, and leaves the others as they are.
///
/// # Errors
/// [`ProfilesError`]; the file is then as it was.
pub fn write(name: &str, profile: Profile) -> Result<(), ProfilesError> {
    write_to(&file()?, name, profile)
}

/// The profile of this name, if there is one.
///
/// # Errors
/// [`ProfilesError`].
pub fn read(name: &str) -> Result<Option<Profile>, ProfilesError> {
    Ok(read_from(&file()?)?.remove(name))
}

/// Finds out whether a profile could be written now, before something is done that cannot be done again.
///
/// # Errors
/// [`ProfilesError`].
pub(super) fn check_writable() -> Result<(), ProfilesError> {
    change(&file()?, |_| {})
}

fn file() -> Result<PathBuf, ProfilesError> {
    let folder = |name, rest: &str| {
        env::var_os(name).filter(|value| !value.is_empty()).map(|value| {
            let folder = PathBuf::from(value);
            if rest.is_empty() { folder } else { folder.join(rest) }
        })
    };
    folder("LEASEHOLD_CONFIG", "")
        .or_else(|| folder("XDG_CONFIG_HOME", "leasehold/profiles.toml"))
        .or_else(|| folder("HOME", ".config/leasehold/profiles.toml"))
        .ok_or(ProfilesError::NoFolder)
}

fn read_from(path: &Path) -> Result<BTreeMap<String, Profile>, ProfilesError> {
    let text = match private_file::read(path, Audience::Owner, FILE_LEN_MAX) {
        Ok(text) => text,
        Err(ReadPrivateError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(BTreeMap::new());
        }
        Err(source) => return Err(ProfilesError::Read { path: path.to_owned(), source: Box::new(source) }),
    };
    parse(&text, path.parent().unwrap_or(Path::new("")))
        .map_err(|problem| ProfilesError::Malformed { path: path.to_owned(), problem })
}

fn parse(text: &str, folder: &Path) -> Result<BTreeMap<String, Profile>, String> {
    // The parser's own message quotes the line, which may hold a credential.
    let tables: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
        format!("not TOML at line {}", before.matches('\n').count() + 1)
    })?;
    let mut profiles = BTreeMap::new();
    for (name, table) in tables {
        let toml::Value::Table(table) = table else {
            return Err(format!("{name} is not a profile: profiles are tables"));
        };
        let mut profile = Profile::default();
        for (key, value) in table {
            let toml::Value::String(value) = value else {
                return Err(format!("{key} of the profile {name} is not text"));
            };
            match key.as_str() {
                "address" => profile.address = value,
                "credential" => profile.credential = Some(value.into()),
                "credential_file" => profile.credential_file = Some(folder.join(value)),
                "ca_file" => profile.ca_file = Some(folder.join(value)),
                "certificate_file" => profile.certificate_file = Some(folder.join(value)),
                "key_file" => profile.key_file = Some(folder.join(value)),
                "verifier" => profile.verifier = Some(value),
                _ => return Err(format!("the profile {name} has a key that no profile has: {key}")),
            }
        }
        profiles.insert(name, profile);
    }
    Ok(profiles)
}

fn write_to(path: &Path, name: &str, profile: Profile) -> Result<(), ProfilesError> {
    if !is_name(name) {
        return Err(ProfilesError::Unwritable(
            "a profile's name has 1 to 64 letters, digits, dashes and underscores",
        ));
    }
    change(path, |profiles| {
        profiles.insert(name.to_owned(), profile);
    })
}

fn change(path: &Path, change: impl FnOnce(&mut BTreeMap<String, Profile>)) -> Result<(), ProfilesError> {
    let failed = |source| ProfilesError::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    // Held until the file was replaced: what somebody else writes meanwhile would be lost.
    let lock = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path.with_extension("lock"))
        .map_err(failed)?;
    lock.lock().map_err(failed)?;
    let mut profiles = read_from(path)?;
    change(&mut profiles);
    private_file::replace(path, &render(&profiles)?).map_err(failed)
}

/// Whether a name can stand in the file without quotes.
pub(super) fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(fits)
}

fn render(profiles: &BTreeMap<String, Profile>) -> Result<Zeroizing<String>, ProfilesError> {
    let mut text = Zeroizing::new(String::new());
    for (name, profile) in profiles {
        let Profile { address, credential, credential_file, ca_file, certificate_file, key_file, verifier } =
            profile;
        let file = |file: &Option<PathBuf>| file.as_ref().map(|file| file.to_str().map(str::to_owned));
        let lines = [
            ("address", Some(Some(address.clone()))),
            ("credential_file", file(credential_file)),
            ("ca_file", file(ca_file)),
            ("certificate_file", file(certificate_file)),
            ("key_file", file(key_file)),
            ("verifier", verifier.clone().map(Some)),
        ];
        let separator = if text.is_empty() { "" } else { "\n" };
        text.push_str(&format!("{separator}[{}]\n", toml_key(name)));
        for (key, value) in lines {
            if let Some(value) = value {
                let value = value.ok_or(ProfilesError::Unwritable("a path in a profile is not UTF-8"))?;
                text.push_str(&format!("{key} = {}\n", toml::Value::String(value)));
            }
        }
        if let Some(credential) = credential {
            let credential = credential.expose_secret();
            if credential.contains(|letter: char| !letter.is_ascii_graphic() || letter == '\'') {
                return Err(ProfilesError::Unwritable(
                    "the credential has characters that no credential has",
                ));
            }
            ["credential = '", credential, "'\n"].into_iter().for_each(|part| text.push_str(part));
        }
    }
    Ok(text)
}

/// A name as a key: names written by hand may need quotes.
fn toml_key(name: &str) -> String {
    if is_name(name) { name.to_owned() } else { toml::Value::String(name.to_owned()).to_string() }
}

#[cfg(test)]
#[path = "profiles_tests.rs"]
mod tests;
