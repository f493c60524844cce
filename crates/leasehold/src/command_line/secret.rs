//! Secrets that a command takes: from standard input, a file or the environment, and never as an argument, which every process on the
//! machine could read.

use std::{
    env, io,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use super::failure::Failure;
use crate::private_file::{self, Audience, ReadPrivateError};

/// The longest secret, in bytes: client secrets, subject tokens and credentials are far shorter.
const SECRET_LEN_MAX: u64 = 64 * 1024;

/// Reads a secret from a file, or from standard input where the file is `-`. A newline at its end is not part of it.
///
/// # Errors
/// A [`Failure`] that says what the secret is, and nothing of it.
pub(super) fn from_file(what: &str, path: &Path) -> Result<SecretString, Failure> {
    let attempted = || format!("read {what} from {}", path.display());
    let read = if path == Path::new("-") {
        private_file::read_text(io::stdin().lock(), SECRET_LEN_MAX)
    } else {
        private_file::read(path, Audience::OwnerAndGroup, SECRET_LEN_MAX)
    };
    let text = read.map_err(|error| refused(attempted(), &error))?;
    trimmed(&text).ok_or_else(|| Failure::local(attempted(), "SECRET_EMPTY", "there is nothing in it"))
}

/// Reads a secret from a file, or from an environment variable; one of the two at most.
///
/// # Errors
/// A [`Failure`] that says what the secret is, and nothing of it.
pub(super) fn from_either(
    what: &str,
    file: Option<&PathBuf>,
    variable: Option<&String>,
) -> Result<Option<SecretString>, Failure> {
    match (file, variable) {
        (Some(path), _) => from_file(what, path).map(Some),
        (None, Some(name)) => from_variable(what, name, env::var(name).ok()).map(Some),
        (None, None) => Ok(None),
    }
}

fn from_variable(what: &str, name: &str, value: Option<String>) -> Result<SecretString, Failure> {
    let value = value.and_then(|value| trimmed(&zeroize::Zeroizing::new(value)));
    value.ok_or_else(|| {
        Failure::local(
            format!("read {what}"),
            "SECRET_EMPTY",
            format!("the variable {name} is not set, or is empty"),
        )
    })
}

pub(super) fn refused(attempted: String, error: &ReadPrivateError) -> Failure {
    let code = match error {
        ReadPrivateError::Readable { .. } => "SECRET_READABLE",
        ReadPrivateError::TooLong { .. } | ReadPrivateError::NotText => "SECRET_MALFORMED",
        ReadPrivateError::Io(_) => "IO",
    };
    Failure::local(attempted, code, error.to_string())
}

fn trimmed(text: &str) -> Option<SecretString> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    Some(text).filter(|text| !text.is_empty()).map(Into::into)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use secrecy::ExposeSecret;

    use super::*;

    fn file(mode: u32, contents: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn one_newline_at_the_end_is_not_part_of_a_secret() {
        for (contents, secret) in
            [("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), ("s3cret \n\n", "s3cret \n")]
        {
            let (_folder, path) = file(0o600, contents);
            assert_eq!(from_file("a secret", &path).unwrap().expose_secret(), secret);
        }
    }

    #[test]
    fn a_secret_that_everybody_can_read_is_refused_without_a_word_of_it() {
        let (_folder, path) = file(0o644, "s3cret");
        let failure = from_file("the client secret", &path).unwrap_err();
        assert_eq!(failure.code(), "SECRET_READABLE");
        let text = failure.to_string();
        assert!(text.contains("read the client secret from") && !text.contains("s3cret"), "{text}");
    }

    #[test]
    fn an_empty_secret_is_refused() {
        let (_folder, path) = file(0o600, "\n");
        assert_eq!(from_file("a secret", &path).unwrap_err().code(), "SECRET_EMPTY");
        for value in [None, Some(String::new()), Some("\n".to_owned())] {
            assert_eq!(from_variable("a secret", "NAME", value).unwrap_err().code(), "SECRET_EMPTY");
        }
        assert_eq!(from_variable("a secret", "NAME", Some("x".to_owned())).unwrap().expose_secret(), "x");
        assert!(from_either("a secret", None, None).unwrap().is_none());
    }
}
