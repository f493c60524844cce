//! The root key: the one secret that the cluster is given from outside, and that no file, log, snapshot or backup of ours holds.
//!
//! It does nothing but wrap the keyring. Its text form is one line, `leasehold-root-key-v1:` and 32 bytes in base64.

use std::{fmt, io, path::PathBuf, process::ExitStatus};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use leasehold_domain::id::OrganisationId;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use crate::{
    cipher::{CHECK_LEN, CipherKey, KEY_LEN, KeyMaterial},
    entropy::Entropy,
    frame::Frame,
};

mod command;
mod file;

const PREFIX: &str = "leasehold-root-key-v1:";
/// Bytes of a root key's text: its prefix and 44 characters of base64.
const TEXT_LEN: usize = PREFIX.len() + KEY_LEN.div_ceil(3) * 4;
/// Bytes read from a file or a command before giving up: more than any root key's line, so that a longer source shows.
const READ_LEN_MAX: usize = 128;

/// The root key. Wiped when dropped; without `Debug`, `Clone` or `PartialEq`.
pub struct RootKey(KeyMaterial);

impl RootKey {
    /// Draws a new root key.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        Self(KeyMaterial::draw(entropy))
    }

    /// Draws a new root key and writes it to a new file of mode 0600, durably: file and directory are synced before it returns.
    ///
    /// # Errors
    /// [`CreateRootKeyError::Exists`] when anything has that name, which is left as it is; [`CreateRootKeyError::Write`] when the
    /// system refuses, in which case what was begun is removed.
    pub fn create_file(path: &std::path::Path, entropy: &dyn Entropy) -> Result<Self, CreateRootKeyError> {
        let key = Self::draw(entropy);
        file::create(path, key.line().as_bytes())?;
        Ok(key)
    }

    /// The check value of this key for an organisation: it may be stored, and tells a wrong root key from damage.
    pub fn check(&self, organisation: OrganisationId) -> RootKeyCheck {
        RootKeyCheck(self.wrapping(organisation).check())
    }

    /// The key that wraps an organisation's keyring.
    pub(crate) fn wrapping(&self, organisation: OrganisationId) -> CipherKey {
        let info = Frame::new("leasehold/v1/root/wrapping").field(&organisation.to_bytes());
        CipherKey::derive(&self.0, &info)
    }

    /// Reads the text form: exactly one line, with or without its newline.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let digits = text.strip_prefix(PREFIX.as_bytes())?;
        // One byte more than a key: the decoder asks for room for whole groups.
        let mut bytes = Zeroizing::new([0; KEY_LEN + 1]);
        let len = STANDARD.decode_slice(digits, bytes.as_mut_slice()).ok()?;
        KeyMaterial::copy_of(bytes.get(..len)?).map(Self)
    }

    /// The text form with its newline.
    fn line(&self) -> Zeroizing<String> {
        // The exact capacity: growing would leave a copy behind, unwiped.
        let mut line = Zeroizing::new(String::with_capacity(TEXT_LEN + 1));
        line.push_str(PREFIX);
        STANDARD.encode_string(self.0.expose(), &mut line);
        line.push('\n');
        line
    }
}

/// The check value of a root key. Equal check values mean equal root keys; the value tells nothing else about the key.
#[derive(Clone, Copy)]
pub struct RootKeyCheck([u8; CHECK_LEN]);

impl RootKeyCheck {
    /// A check value as it was stored.
    pub const fn from_bytes(bytes: [u8; CHECK_LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub const fn to_bytes(self) -> [u8; CHECK_LEN] {
        self.0
    }
}

impl PartialEq for RootKeyCheck {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for RootKeyCheck {}

impl fmt::Debug for RootKeyCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKeyCheck({:032x})", u128::from_be_bytes(self.0))
    }
}

/// Where the root key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootKeySource {
    /// A file that nobody but its owner may read.
    File(PathBuf),
    /// An environment variable. Weaker than a file: whoever may look at the process may read its environment.
    Environment(String),
    /// A program and its arguments, run without a shell, which prints the key: the way to a secret store.
    Command(Vec<String>),
}

impl RootKeySource {
    /// Reads the root key. Blocks: a file for as long as its disk takes, a command for at most ten seconds until
    /// its output is complete and as long until it ends.
    ///
    /// # Errors
    /// [`LoadRootKeyError`], which says what to do; it never carries what was read.
    pub fn load(&self) -> Result<RootKey, LoadRootKeyError> {
        let text = match self {
            Self::File(path) => file::read(path)?,
            Self::Environment(name) => environment(name)?,
            Self::Command(argv) => command::run(argv, command::LIMIT)?,
        };
        RootKey::parse(&text).ok_or_else(|| LoadRootKeyError::Malformed { origin: self.to_string() })
    }
}

impl fmt::Display for RootKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            // The arguments stay out: an operator may have put a password among them.
            Self::Command(argv) => write!(f, "the command {}", argv.first().map_or("", String::as_str)),
        }
    }
}

/// Why the root key could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadRootKeyError {
    /// The source was read, and does not hold one root key and nothing else.
    #[error(
        "{origin} does not hold a root key: it must be one line, `{PREFIX}` and 32 bytes in base64; a new one comes from \
         `printf '{PREFIX}%s\\n' \"$(head -c 32 /dev/urandom | base64)\"`"
    )]
    Malformed {
        /// Which source.
        origin: String,
    },
    /// The file's mode allows more than reading and writing by its owner.
    #[error("the root key file {path} has mode {mode:04o}, wider than 0600: run `chmod 600 {path}`")]
    FileOpenToOthers {
        /// Which file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// The path names something else than a file.
    #[error("the root key path {path} is not a regular file: name a file")]
    NotAFile {
        /// Which path.
        path: String,
    },
    /// The system refused to open or read the file.
    #[error(
        "cannot read the root key file {path}: check that it exists and that its owner runs this process"
    )]
    ReadFile {
        /// Which file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such variable.
    #[error(
        "the environment variable {name} is not set: set it to the root key, or configure a file or a command"
    )]
    EnvironmentUnset {
        /// Which variable.
        name: String,
    },
    /// The configured command has no program.
    #[error("the root key command is empty: configure a program and its arguments")]
    CommandEmpty,
    /// The program could not be started or read from.
    #[error("cannot run the root key command {program}: check that it is installed and executable")]
    CommandUnusable {
        /// Which program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// The program did not end in time, and was killed.
    #[error(
        "the root key command {program} did not end within {seconds} s: run it by hand to see what it waits for"
    )]
    CommandTimedOut {
        /// Which program.
        program: String,
        /// The limit.
        seconds: u64,
    },
    /// The program ended with something else than success.
    #[error("the root key command {program} failed ({status}): run it by hand to see why")]
    CommandFailed {
        /// Which program.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
}

/// Why a root key file could not be created.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreateRootKeyError {
    /// Something has that name already.
    #[error("{path} exists, and a root key is never overwritten: name another file, or move this one away")]
    Exists {
        /// Which file.
        path: String,
    },
    /// The system refused to create, write or sync the file.
    #[error("cannot write the root key file {path}: check that its directory exists and can be written to")]
    Write {
        /// Which file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

fn environment(name: &str) -> Result<Zeroizing<Vec<u8>>, LoadRootKeyError> {
    std::env::var_os(name)
        .map(|value| Zeroizing::new(value.into_encoded_bytes()))
        .ok_or_else(|| LoadRootKeyError::EnvironmentUnset { name: name.to_owned() })
}

/// Reads to the end, or until there is more than a root key can have: what comes back is then too long to parse.
fn read_bounded(mut from: impl io::Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // A buffer of fixed size: growing would leave copies behind, unwiped.
    let mut buffer = Zeroizing::new(vec![0; READ_LEN_MAX]);
    let mut filled = 0;
    while let Some(free) = buffer.get_mut(filled..).filter(|free| !free.is_empty()) {
        match from.read(free) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if let Some(unused) = buffer.get_mut(filled..) {
        unused.zeroize();
    }
    buffer.truncate(filled);
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Counting, ORGANISATION, root_key};

    #[test]
    fn a_root_key_reads_back_from_its_line() {
        let key = root_key();
        let line = key.line();
        assert_eq!(line.len(), TEXT_LEN + 1);
        assert!(RootKey::parse(line.as_bytes()).is_some_and(|read| read.0.matches(&key.0)));
        assert!(RootKey::parse(line.trim_end().as_bytes()).is_some_and(|read| read.0.matches(&key.0)));
    }

    #[test]
    fn anything_but_one_line_with_one_key_is_refused() {
        let line = root_key().line();
        let text = line.trim_end();
        let digits = &text[PREFIX.len()..];
        for bad in [
            String::new(),
            PREFIX.to_owned(),
            digits.to_owned(),
            format!(" {text}"),
            format!("{text} "),
            format!("{text}\n\n"),
            format!("{text}\r\n"),
            format!("{text}\n{text}\n"),
            text.replace("-v1:", "-v2:"),
            text[..text.len() - 4].to_owned(),
            format!("{PREFIX}{}", "A".repeat(48)),
            // A last digit with bits that no byte takes: a second spelling of the same key.
            format!("{PREFIX}{}B=", "A".repeat(42)),
        ] {
            assert!(RootKey::parse(bad.as_bytes()).is_none(), "{} bytes", bad.len());
        }
    }

    #[test]
    fn the_check_value_differs_by_key_and_by_organisation() {
        let entropy = Counting::new();
        let (first, second) = (RootKey::draw(&entropy), RootKey::draw(&entropy));
        let other = OrganisationId::from_bytes([1; 16]);
        assert_eq!(first.check(ORGANISATION), RootKeyCheck::from_bytes(first.check(ORGANISATION).to_bytes()));
        assert_ne!(first.check(ORGANISATION), second.check(ORGANISATION));
        assert_ne!(first.check(ORGANISATION), first.check(other));
    }

    #[test]
    fn an_environment_variable_that_is_missing_or_no_key_is_refused_by_name() {
        let missing =
            RootKeySource::Environment("LEASEHOLD_TEST_NO_SUCH_VARIABLE".to_owned()).load().err().unwrap();
        assert!(matches!(missing, LoadRootKeyError::EnvironmentUnset { .. }));
        let path = RootKeySource::Environment("PATH".to_owned()).load().err().unwrap();
        assert!(path.to_string().starts_with("the environment variable PATH does not hold a root key"));
        assert!(!path.to_string().contains("/bin"), "the value is not repeated");
    }

    #[test]
    fn reading_stops_at_the_bound() {
        let read = read_bounded(io::repeat(b'x')).unwrap();
        assert_eq!(read.len(), READ_LEN_MAX);
        assert!(RootKey::parse(&read).is_none());
    }

    proptest! {
        #[test]
        fn every_key_round_trips_through_its_line(bytes: [u8; 32]) {
            let key = RootKey(KeyMaterial::copy_of(&bytes).unwrap());
            prop_assert!(RootKey::parse(key.line().as_bytes()).is_some_and(|read| read.0.matches(&key.0)));
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..160)) {
            let _ = RootKey::parse(&bytes);
            let _ = RootKey::parse(&[PREFIX.as_bytes(), &bytes].concat());
        }
    }
}
