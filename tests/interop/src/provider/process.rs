//! The server's process: its ready line, the end of its log, its death with this value.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::install::PreparedNode;
use crate::run::tail;

const READY_LIMIT: Duration = Duration::from_secs(30);
const READY_LINE_LIMIT: u64 = 4096;
const LOG_LIMIT: usize = 64 * 1024;

/// Why a server did not become ready. Each has the end of its log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// It could not be started.
    #[error("starting the provider's process")]
    Spawn(#[source] io::Error),
    /// It said nothing for half a minute, and was killed.
    #[error("the provider was not ready after {} s; its log: {log}", READY_LIMIT.as_secs())]
    TimedOut {
        /// The end of its log.
        log: String,
    },
    /// It ended, or said something that is not a ready line.
    #[error("the provider did not become ready; its log: {log}")]
    NotReady {
        /// The end of its log.
        log: String,
    },
}

/// A running server. Dropped, it is killed; and should this process be killed instead, the server sees its standard
/// input close and ends by itself.
pub(super) struct Process {
    child: Child,
    log: Log,
    _lifeline: Option<ChildStdin>,
}

impl Process {
    /// Runs the server with `config` and waits for its ready line.
    pub(super) async fn start<T: DeserializeOwned>(
        prepared: &PreparedNode,
        config: &Path,
    ) -> Result<(Self, T), ProcessError> {
        let mut child = Command::new(prepared.node())
            .args([prepared.server(), config])
            .current_dir(prepared.folder())
            .env_remove("NODE_OPTIONS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(ProcessError::Spawn)?;
        let lifeline = child.stdin.take();
        let log = Log::default();
        let errors = child.stderr.take().map(|stderr| log.follow(stderr));
        let ready = match child.stdout.take() {
            Some(stdout) => timeout(READY_LIMIT, ready_line(stdout, &log)).await,
            None => Ok(None),
        };
        if let Ok(Some(ready)) = ready {
            return Ok((Self { child, log, _lifeline: lifeline }, ready));
        }

        // The log is complete once the process is dead and its standard error at the end. That the kill fails
        // means that it is dead already.
        let _ = child.kill().await;
        if let Some(errors) = errors {
            let _ = timeout(Duration::from_secs(5), errors).await;
        }
        let log = log.text();
        Err(if ready.is_err() { ProcessError::TimedOut { log } } else { ProcessError::NotReady { log } })
    }

    pub(super) fn log(&self) -> String {
        self.log.text()
    }

    pub(super) async fn stop(mut self) {
        // It fails only where the process is gone already.
        let _ = self.child.kill().await;
    }
}

async fn ready_line<T: DeserializeOwned>(stdout: ChildStdout, log: &Log) -> Option<T> {
    let mut reader = BufReader::new(stdout);
    let mut line = Vec::new();
    (&mut reader).take(READY_LINE_LIMIT).read_until(b'\n', &mut line).await.ok()?;
    let Ok(ready) = serde_json::from_slice(&line) else {
        log.push(&line);
        return None;
    };
    // Whatever else it says must be read, lest it blocks.
    log.follow(reader);
    Some(ready)
}

/// The end of what was written, at most `LOG_LIMIT` bytes of it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn follow(&self, mut from: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<()> {
        let log = self.clone();
        tokio::spawn(async move {
            let mut chunk = vec![0; 4096];
            while let Ok(read) = from.read(&mut chunk).await {
                if read == 0 {
                    break;
                }
                log.push(chunk.get(..read).unwrap_or_default());
            }
        })
    }

    fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(bytes);
        let excess = kept.len().saturating_sub(LOG_LIMIT);
        kept.drain(..excess);
    }

    fn text(&self) -> String {
        tail(&self.0.lock().unwrap_or_else(PoisonError::into_inner), LOG_LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_keeps_its_end_and_no_more_than_its_limit() {
        let log = Log::default();
        log.push(&vec![b'a'; LOG_LIMIT]);
        log.push(b"the end");
        let text = log.text();
        assert_eq!(text.len(), LOG_LIMIT);
        assert!(text.ends_with("the end"));
    }
}
