//! Arguments that several commands take.

use std::{
    fs::Permissions,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::NamedTempFile;

use super::{
    failure::Failure,
    record::{Record, Value},
    secret,
};

/// Under which name a command may be repeated.
#[derive(Debug, Args)]
pub(super) struct Repeat {
    /// A name of yours for this request: the same name with the same request has the same outcome
    #[arg(long, default_value = "", hide_default_value = true, value_name = "ID")]
    pub(super) request_id: String,
}

/// A client secret that a provider gave.
#[derive(Debug, Args)]
pub(super) struct ClientSecret {
    /// A file with the client secret; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "client_secret_env")]
    client_secret_file: Option<PathBuf>,
    /// The environment variable with the client secret
    #[arg(long, value_name = "VARIABLE")]
    client_secret_env: Option<String>,
}

impl ClientSecret {
    /// The secret, if one was named.
    pub(super) fn read(&self) -> Result<Option<SecretString>, Failure> {
        secret::from_either(
            "the client secret",
            self.client_secret_file.as_ref(),
            self.client_secret_env.as_ref(),
        )
    }

    /// The secret, which has to be there.
    pub(super) fn demand(&self, attempted: &str) -> Result<SecretString, Failure> {
        self.read()?.ok_or_else(|| {
            Failure::usage(attempted, "it needs a client secret: --client-secret-file or --client-secret-env")
        })
    }
}

/// Where a secret that is shown once goes.
#[derive(Debug, Args)]
pub(super) struct ShownOnce {
    /// Write the secret to a new file that only you can read, in place of printing it
    #[arg(long, value_name = "FILE")]
    secret_out: Option<PathBuf>,
}

/// A place that a secret will be written to. Opened before the secret exists, so that none is lost to a full or forbidden folder.
#[derive(Debug)]
pub(super) enum Destination {
    Answer,
    File(NamedTempFile, PathBuf),
}

impl ShownOnce {
    pub(super) fn open(&self) -> Result<Destination, Failure> {
        let Some(path) = &self.secret_out else { return Ok(Destination::Answer) };
        let attempted = || format!("open {} for the secret", path.display());
        if path.exists() {
            return Err(Failure::local(attempted(), "FILE_EXISTS", "there is such a file already"));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(folder)
            .map_err(|error| Failure::io(attempted(), &error))?;
        Ok(Destination::File(file, path.clone()))
    }
}

impl Destination {
    /// Adds the secret to the answer, or the name of the file that has it.
    pub(super) fn place(self, record: Record, secret: SecretString) -> Result<Record, Failure> {
        let (mut file, path) = match self {
            Self::Answer => return Ok(record.with("secret", Value::Once(secret))),
            Self::File(file, path) => (file, path),
        };
        let written = file
            .write_all(secret.expose_secret().as_bytes())
            .and_then(|()| file.as_file().sync_all())
            .and_then(|()| file.persist_noclobber(&path).map_err(|error| error.error));
        written.map_err(|error| {
            Failure::io(format!("write the secret to {}", path.display()), &error)
                .and_next("the secret is lost: retire it, and add another")
        })?;
        Ok(record.with("secret_file", path.display().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _};

    use super::*;

    #[test]
    fn a_secret_goes_to_a_new_file_that_only_its_owner_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.credential");
        let once = ShownOnce { secret_out: Some(path.clone()) };
        let record = once.open().unwrap().place(Record::default(), "lh_wk_1.2".into()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "lh_wk_1.2");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(record.field("secret").is_none());
        assert_eq!(record.field("secret_file").unwrap().text(), path.display().to_string());
    }

    #[test]
    fn a_file_that_exists_is_refused_before_a_secret_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::write(&path, "precious").unwrap();
        let refused = ShownOnce { secret_out: Some(path.clone()) }.open().unwrap_err();
        assert_eq!(refused.code(), "FILE_EXISTS");
        let elsewhere = ShownOnce { secret_out: Some(folder.path().join("none/file")) };
        assert_eq!(elsewhere.open().unwrap_err().code(), "IO");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn nothing_is_left_of_a_destination_that_was_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let once = ShownOnce { secret_out: Some(folder.path().join("unused")) };
        drop(once.open().unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn without_a_file_the_secret_is_in_the_answer() {
        let record =
            ShownOnce { secret_out: None }.open().unwrap().place(Record::default(), "x".into()).unwrap();
        assert!(matches!(record.field("secret"), Some(Value::Once(_))));
    }
}
