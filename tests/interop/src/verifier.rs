//! Runs the auditor's check of a ledger, `python/verify_ledger.py`, and reads its verdict.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::run::{RunError, failure, run};
use crate::toolchain::{Tool, Toolchain};

const LIMIT: Duration = Duration::from_secs(120);

/// What the check said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The ledger is the one that the checkpoint signs.
    Verified {
        /// The number of lines.
        size: u64,
        /// The Merkle root, in base64.
        root: String,
    },
    /// It is not, for this reason.
    Refused(String),
}

/// Where the Python programs are.
#[must_use]
pub fn python_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

/// Checks the exported `ledger` against the signed `checkpoint` with the verifier key `vkey`.
///
/// # Errors
///
/// If Python is missing, or the program ended without a verdict; a traceback is never taken for a refusal.
pub async fn verify_ledger(
    toolchain: &Toolchain,
    ledger: &Path,
    checkpoint: &Path,
    vkey: &str,
) -> Result<Verdict, RunError> {
    let python = toolchain.path(Tool::Python).ok_or(RunError::Missing(Tool::Python))?;
    let mut command = Command::new(python);
    // -B: no byte code into the source tree.
    command.arg("-B").arg(python_folder().join("verify_ledger.py")).args([ledger, checkpoint]).arg(vkey);
    let output = run(&mut command, LIMIT).await?;
    verdict(output.status.code(), &output.stdout, &output.stderr).ok_or_else(|| failure(&command, &output))
}

fn verdict(code: Option<i32>, stdout: &[u8], stderr: &[u8]) -> Option<Verdict> {
    match code? {
        0 => {
            let (size, root) =
                str::from_utf8(stdout).ok()?.trim_end().strip_prefix("ok ")?.split_once(' ')?;
            Some(Verdict::Verified { size: size.parse().ok()?, root: root.to_owned() })
        }
        1 => Some(Verdict::Refused(
            str::from_utf8(stderr).ok()?.strip_prefix("refused: ")?.trim_end().to_owned(),
        )),
        _other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceback_is_no_refusal() {
        assert_eq!(verdict(Some(1), b"", b"Traceback (most recent call last):\n"), None);
        assert_eq!(
            verdict(Some(1), b"", b"refused: because\n"),
            Some(Verdict::Refused("because".to_owned()))
        );
    }

    #[test]
    fn a_success_without_size_and_root_is_no_verdict() {
        assert_eq!(verdict(Some(0), b"ok\n", b""), None);
        assert_eq!(
            verdict(Some(0), b"ok 2 cm9vdA==\n", b""),
            Some(Verdict::Verified { size: 2, root: "cm9vdA==".to_owned() })
        );
    }
}
