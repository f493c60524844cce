//! What the product is measured beside, on the same machine in the same run.

pub(crate) mod disk;
pub(crate) mod etcd;
pub(crate) mod health;
pub(crate) mod postgres;

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// How long a peer may take to be ready, or to end.
const READY_MAX: Duration = Duration::from_secs(30);

/// A peer's process, in a folder of its own.
pub(crate) struct Peer {
    child: Child,
    name: &'static str,
    _folder: tempfile::TempDir,
}

impl Peer {
    /// Ends it as its operator would, and waits until it has ended.
    ///
    /// # Errors
    /// Where it goes on.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().with_context(|| format!("{} has ended by itself", self.name))?;
        let told = Command::new("kill").args(["-INT", &pid.to_string()]).status().await?;
        ensure!(told.success(), "{} could not be told to end", self.name);
        timeout(READY_MAX, self.child.wait()).await.with_context(|| format!("{} goes on", self.name))??;
        Ok(())
    }
}

/// The first of these files that is there.
fn installed(candidates: &[&str]) -> Option<PathBuf> {
    candidates.iter().map(Path::new).find(|path| path.is_file()).map(Path::to_owned)
}

/// A loopback port that nobody listens on at the moment.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Tries until it succeeds, or the process ends, or it takes too long.
async fn until_ready<T>(
    child: &mut Child,
    name: &str,
    mut attempt: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + READY_MAX;
    loop {
        if let Some(status) = child.try_wait()? {
            bail!("{name} ended with {status}");
        }
        match attempt().await {
            Ok(ready) => return Ok(ready),
            Err(error) if Instant::now() > deadline => {
                return Err(error).with_context(|| format!("{name} was not ready in time"));
            }
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}
