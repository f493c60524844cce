//! Somebody who runs the program.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, process::Command};

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
        self.run_with(arguments, true, &[]).await
    }

    /// Runs it without a word about where the cluster is.
    pub(crate) async fn run_with_profiles(&self, arguments: &str) -> Ran {
        self.run_with(arguments, false, &[]).await
    }

    /// Runs it with variables in the environment.
    pub(crate) async fn run_in(&self, environment: &[(&str, &str)], arguments: &str) -> Ran {
        self.run_with(arguments, true, environment).await
    }

    /// Runs it with a terminal on all sides, at which somebody types. What it prints is all in one.
    pub(crate) async fn run_on_terminal(
        &self,
        environment: &[(&str, &str)],
        arguments: &str,
        typed: &str,
    ) -> Ran {
        let mut command = Command::new("script");
        let program = format!("'{}' {arguments}", env!("CARGO_BIN_EXE_leasehold"));
        command.args(["--quiet", "--return", "--command", &program, "/dev/null"]);
        self.place(&mut command, true, environment);
        let mut running = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("util-linux has `script`");
        let mut keyboard = running.stdin.take().unwrap();
        keyboard.write_all(typed.as_bytes()).await.unwrap();
        let output = running.wait_with_output().await.unwrap();
        drop(keyboard);
        Ran {
            exit: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::new(),
        }
    }

    /// Puts a command where the user's files are.
    fn place(&self, command: &mut Command, addressed: bool, environment: &[(&str, &str)]) {
        command
            .env_clear()
            .env("LEASEHOLD_CONFIG", self.path("profiles.toml"))
            .envs(environment.iter().copied())
            .current_dir(self.folder.path());
        if addressed {
            command.env("LEASEHOLD_ADDRESS", &self.address);
        }
    }

    async fn run_with(&self, arguments: &str, addressed: bool, environment: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leasehold"));
        self.place(&mut command, addressed, environment);
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
