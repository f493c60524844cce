//! The processes of the demo: the development node, and this binary as the command line.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    time::{Duration, Instant, sleep, timeout},
};

/// How long a node may take to be ready.
const READY_MAX: Duration = Duration::from_secs(90);
/// How long one command may take.
const COMMAND_MAX: Duration = Duration::from_secs(60);

/// This binary.
#[derive(Debug, Clone)]
pub struct Binary(PathBuf);

impl Binary {
    /// The binary that is running.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn this() -> anyhow::Result<Self> {
        std::env::current_exe().map(Self).context("cannot find this binary")
    }

    /// A binary at a path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// A command with these profiles, and nothing of the caller's own configuration.
    pub fn command(&self, profiles: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.0);
        command
            .args(arguments)
            .env_remove("LEASEHOLD_PROFILE")
            .env_remove("LEASEHOLD_ADDRESS")
            .env_remove("LEASEHOLD_CREDENTIAL_FILE")
            .env("LEASEHOLD_CONFIG", profiles)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// Where it does not start or does not end in time. How it ends is in the answer.
    pub async fn run(&self, profiles: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
        let running = self.command(profiles, arguments).output();
        timeout(COMMAND_MAX, running)
            .await
            .with_context(|| format!("`leasehold {}` did not end in time", arguments.join(" ")))?
            .with_context(|| format!("`leasehold {}` did not start", arguments.join(" ")))
    }
}

/// A running `leasehold dev`.
pub struct DevProcess {
    child: Child,
    described: Value,
    /// The sandbox's secrets.
    secrets: toml::Table,
}

impl DevProcess {
    /// Starts it on ephemeral ports, and waits until it is ready.
    ///
    /// # Errors
    /// Where it ends, or is not ready in time.
    pub async fn start(binary: &Binary, data: &Path) -> anyhow::Result<Self> {
        Self::start_on(binary, data, 0).await
    }

    /// Starts it again on the same data, after it has ended, with gRPC at the same port.
    ///
    /// # Errors
    /// Where it ends, or is not ready in time.
    pub async fn start_after(binary: &Binary, data: &Path, grpc_port: u16) -> anyhow::Result<Self> {
        match fs::remove_file(data.join("dev.json")) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).context("cannot remove dev.json"),
        }
        Self::start_on(binary, data, grpc_port).await
    }

    /// The port at which gRPC listens.
    ///
    /// # Errors
    /// Where `dev.json` does not say.
    pub fn grpc_port(&self) -> anyhow::Result<u16> {
        let (_, port) = self.says("grpc")?.rsplit_once(':').context("gRPC has no port")?;
        port.parse().context("gRPC has no port")
    }

    async fn start_on(binary: &Binary, data: &Path, grpc_port: u16) -> anyhow::Result<Self> {
        let data_text = data.to_str().context("the data directory's path is no text")?;
        let (listen, any) = (format!("127.0.0.1:{grpc_port}"), "127.0.0.1:0");
        let arguments = [
            "dev",
            "--data-dir",
            data_text,
            "--listen",
            &listen,
            "--console-listen",
            any,
            "--exchange-listen",
            any,
            "--operations-listen",
            any,
            "--sandbox-listen",
            any,
        ];
        let log = fs::File::create(log_file(data)).context("cannot make the log file")?;
        let mut child = binary
            .command(&profiles_file(data), &arguments)
            .env("RUST_LOG", "info")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("`leasehold dev` did not start")?;
        let described = data.join("dev.json");
        let deadline = Instant::now() + READY_MAX;
        while !described.exists() {
            if let Some(status) = child.try_wait().context("cannot ask after `leasehold dev`")? {
                let log = fs::read_to_string(log_file(data)).unwrap_or_default();
                bail!("`leasehold dev` ended with {status}:\n{log}");
            }
            if Instant::now() > deadline {
                bail!("`leasehold dev` was not ready in {} s", READY_MAX.as_secs());
            }
            sleep(Duration::from_millis(50)).await;
        }
        let described =
            serde_json::from_str(&fs::read_to_string(&described)?).context("cannot read dev.json")?;
        let secrets = toml::from_str(&fs::read_to_string(data.join("sandbox.toml"))?)
            .context("cannot read sandbox.toml")?;
        Ok(Self { child, described, secrets })
    }

    /// What `dev.json` says under a name.
    ///
    /// # Errors
    /// Where it says nothing.
    pub fn says(&self, name: &str) -> anyhow::Result<&str> {
        self.described
            .get(name)
            .and_then(Value::as_str)
            .with_context(|| format!("dev.json does not say {name}"))
    }

    /// A secret of the sandbox's.
    ///
    /// # Errors
    /// Where there is none.
    pub fn secret(&self, name: &str) -> anyhow::Result<&str> {
        self.secrets
            .get(name)
            .and_then(toml::Value::as_str)
            .with_context(|| format!("sandbox.toml does not hold {name}"))
    }

    /// Its process id.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it as Ctrl-C does, and waits until it has ended in order.
    ///
    /// # Errors
    /// Where it does not end in time, or not well.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().context("`leasehold dev` has ended by itself")?;
        let status =
            Command::new("kill").args(["-INT", &pid.to_string()]).status().await.context("cannot signal")?;
        if !status.success() {
            bail!("`leasehold dev` could not be told to end");
        }
        let ended = timeout(Duration::from_secs(30), self.child.wait()).await;
        let status = ended
            .context("`leasehold dev` did not end in 30 s")?
            .context("cannot wait for `leasehold dev`")?;
        if !status.success() {
            bail!("`leasehold dev` ended with {status}");
        }
        Ok(())
    }

    /// Ends it at once, as a power cut would.
    ///
    /// # Errors
    /// Where it cannot be killed.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("cannot kill `leasehold dev`")
    }
}

/// Where the command line's profiles of a demo are.
pub fn profiles_file(data: &Path) -> PathBuf {
    data.join("profiles.toml")
}

/// Where the log of a demo's node goes.
pub fn log_file(data: &Path) -> PathBuf {
    data.join("dev.log")
}
