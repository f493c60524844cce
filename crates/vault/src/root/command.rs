//! The root key printed by a program, for secret stores that have one.

use std::{
    io,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use zeroize::Zeroizing;

use super::{LoadRootKeyError, read_bounded};

/// How long a program may take.
pub(super) const LIMIT: Duration = Duration::from_secs(10);
/// How often a program that has closed its output is asked whether it has ended.
const POLL: Duration = Duration::from_millis(5);

/// Runs a program without a shell and returns what it printed, if it ended with success and in time. Its error output goes where
/// this process's goes, so that the operator sees it.
pub(super) fn run(argv: &[String], limit: Duration) -> Result<Zeroizing<Vec<u8>>, LoadRootKeyError> {
    let (program, arguments) = argv.split_first().ok_or(LoadRootKeyError::CommandEmpty)?;
    let unusable = |source| LoadRootKeyError::CommandUnusable { program: program.clone(), source };
    let timed_out =
        || LoadRootKeyError::CommandTimedOut { program: program.clone(), seconds: limit.as_secs() };

    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = Killed(command.spawn().map_err(unusable)?);
    let stdout = child.0.stdout.take().ok_or_else(|| unusable(io::ErrorKind::BrokenPipe.into()))?;

    let output = read_within(stdout, limit).ok_or_else(timed_out)?.map_err(unusable)?;
    let status = child.ended_within(limit).map_err(unusable)?.ok_or_else(timed_out)?;
    if status.success() {
        Ok(output)
    } else {
        Err(LoadRootKeyError::CommandFailed { program: program.clone(), status })
    }
}

/// Reads on a thread of its own, for a pipe cannot be read with a deadline. Where the deadline passes, that thread ends with the
/// pipe, that is with the last process that holds it.
fn read_within(stdout: ChildStdout, limit: Duration) -> Option<io::Result<Zeroizing<Vec<u8>>>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        // Nobody listens any more where the deadline has passed.
        let _ = sender.send(read_bounded(stdout));
    });
    receiver.recv_timeout(limit).ok()
}

/// A child that does not outlive the attempt: where it has not ended by itself it is killed and reaped.
struct Killed(Child);

impl Killed {
    fn ended_within(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let mut waited = Duration::ZERO;
        loop {
            let ended = self.0.try_wait()?;
            if ended.is_some() || waited >= limit {
                return Ok(ended);
            }
            thread::park_timeout(POLL);
            waited += POLL;
        }
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail only when the child has ended and was reaped before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        RootKey, RootKeySource,
        testing::{Counting, ORGANISATION},
    };

    fn shell(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_command_that_prints_a_root_key_is_believed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("root.key");
        let created = RootKey::create_file(&path, &Counting::new()).unwrap();
        let argv = vec!["cat".to_owned(), path.display().to_string()];
        let loaded = RootKeySource::Command(argv).load().unwrap();
        assert_eq!(loaded.check(ORGANISATION), created.check(ORGANISATION));
    }

    #[test]
    fn a_command_that_fails_is_refused_whatever_it_printed() {
        let argv = shell("printf 'leasehold-root-key-v1:%s\n' \"$(head -c 32 /dev/zero | base64)\"; exit 3");
        let error = RootKeySource::Command(argv).load().err().unwrap();
        assert!(matches!(&error, LoadRootKeyError::CommandFailed { status, .. } if status.code() == Some(3)));
    }

    #[test]
    fn a_command_that_prints_something_else_is_refused_without_repeating_it() {
        for script in ["echo hunter2", "true", "cat /dev/zero"] {
            let refused = RootKeySource::Command(shell(script)).load().err().unwrap();
            let told = refused.to_string();
            assert!(
                told.contains("/bin/sh") && !told.contains("hunter2") && !told.contains(script),
                "{told}"
            );
        }
    }

    #[test]
    fn a_command_that_does_not_end_is_killed() {
        // The first keeps its output open, the second closes it and goes on.
        for script in ["exec cat /dev/fd/3 3<>\"$0\"", "exec >/dev/null; exec cat /dev/fd/3 3<>\"$0\""] {
            let directory = tempfile::tempdir().unwrap();
            let pipe = directory.path().join("pipe");
            assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
            let mut argv = shell(script);
            argv.push(pipe.display().to_string());
            let refused = run(&argv, Duration::from_millis(50)).err();
            assert!(matches!(refused, Some(LoadRootKeyError::CommandTimedOut { .. })), "{script}");
        }
    }

    #[test]
    fn a_command_that_is_missing_or_empty_is_refused() {
        assert!(matches!(RootKeySource::Command(Vec::new()).load(), Err(LoadRootKeyError::CommandEmpty)));
        let missing = RootKeySource::Command(vec!["/nonexistent/program".to_owned()]).load();
        assert!(matches!(missing, Err(LoadRootKeyError::CommandUnusable { .. })));
    }
}
