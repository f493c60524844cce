//! Somebody who runs the program.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::process::Command;

/// A place for a user's files, and the program run there.
pub(crate) struct User {
    folder: TempDir,
    address: String,
}

/// What a run left behind.
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl User {
    pub(crate) fn of(address: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), address: address.to_owned() }
    }

    /// Runs the program with arguments that have no spaces in them.
    pub(crate) async fn run(&self, arguments: &str) -> Ran {
        self.run_with(arguments, true).await
    }

    /// Runs it without a word about where the cluster is.
    pub(crate) async fn run_with_profiles(&self, arguments: &str) -> Ran {
        self.run_with(arguments, false).await
    }

    async fn run_with(&self, arguments: &str, addressed: bool) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leasehold"));
        command
            .env_clear()
            .env("LEASEHOLD_CONFIG", self.path("profiles.toml"))
            .current_dir(self.folder.path());
        if addressed {
            command.env("LEASEHOLD_ADDRESS", &self.address);
        }
        command.args(arguments.split_whitespace()).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.unwrap();
        Ran {
            exit: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write_secret(&self, name: &str, secret: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(name);
        std::fs::write(&path, secret).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}
