//! Runs a program to its end, within a time limit, and keeps what it wrote.

use std::io;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

/// Why a program gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// It could not be started or waited for.
    #[error("running {program}")]
    Io {
        /// What was run.
        program: String,
        /// The system's answer.
        source: io::Error,
    },
    /// It ran past its limit and was killed.
    #[error("{program} ran longer than {} s", limit.as_secs())]
    TimedOut {
        /// What was run.
        program: String,
        /// How long it was given.
        limit: Duration,
    },
    /// It ended in a way that its contract does not name.
    #[error("{program} ended with {status}: {stderr}")]
    Failed {
        /// What was run.
        program: String,
        /// Its exit status.
        status: String,
        /// The end of what it wrote to standard error.
        stderr: String,
    },
    /// This machine does not have it.
    #[error("{0} is missing")]
    Missing(crate::Tool),
}

/// Runs `command` with no input. It is killed when `limit` has passed or when the returned future is dropped.
pub(crate) async fn run(command: &mut Command, limit: Duration) -> Result<Output, RunError> {
    let program = program_of(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    match tokio::time::timeout(limit, command.output()).await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(source)) => Err(RunError::Io { program, source }),
        Err(_elapsed) => Err(RunError::TimedOut { program, limit }),
    }
}

/// The error for an `output` of `command` that should not have been.
pub(crate) fn failure(command: &Command, output: &Output) -> RunError {
    RunError::Failed {
        program: program_of(command),
        status: output.status.to_string(),
        stderr: tail(&output.stderr, 4096),
    }
}

fn program_of(command: &Command) -> String {
    command.as_std().get_program().to_string_lossy().into_owned()
}

/// At most the last `limit` bytes, as text.
pub(crate) fn tail(bytes: &[u8], limit: usize) -> String {
    let skipped = bytes.len().saturating_sub(limit);
    String::from_utf8_lossy(bytes.get(skipped..).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_does_not_end_is_killed_at_its_limit() {
        let error = run(Command::new("sleep").arg("600"), Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(error, RunError::TimedOut { .. }), "{error}");
    }

    #[test]
    fn a_tail_keeps_the_end() {
        assert_eq!(tail(b"abcdef", 2), "ef");
        assert_eq!(tail(b"abcdef", 9), "abcdef");
    }
}
