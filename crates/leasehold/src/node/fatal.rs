//! The end of a node whose disk cannot be relied on any more, while it runs or when it starts: last words that name the file and say what to do, and
//! one exit code.

use std::{error::Error, fmt, io, sync::Arc};

use leasehold_consensus::StartError;
use leasehold_control::OutboxError;
use leasehold_ledger as ledger;
use leasehold_wal as wal;

/// The exit code of a node whose disk cannot be relied on any more. A supervisor that starts it again at once only repeats it.
pub const EXIT_DISK: i32 = 70;

/// What whoever runs the node has to do then.
pub const NEXT: &str = "make room or mend the disk, then start the node again on the same data: everything acknowledged is there. Where a file in \
     `ledger` is damaged, move that folder away: the node makes it again from its log. A damaged file in `outbox`, moved away, counts as an answer \
     that never came. Damage to anything else, the log above all, a lone node cannot mend: put back a copy of the whole data directory that was \
     made while the node was stopped, or start anew; without such a copy what was in it is lost";

/// Says why the node ends, and what to do, and ends it.
pub fn stop(reason: &str) -> ! {
    tracing::error!(reason, next = NEXT, "the node stops: its disk cannot be relied on");
    std::process::exit(EXIT_DISK)
}

/// An error with what led to it.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(source) = next {
            write!(f, ": {source}")?;
            next = source.source();
        }
        Ok(())
    }
}

/// Whether what kept a node from starting, or from ending in order, is its disk.
pub(crate) fn is_disk(error: &anyhow::Error) -> bool {
    error.chain().any(is_disk_itself)
}

fn is_disk_itself(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return has_failed(error);
    }
    if let Some(error) = error.downcast_ref::<Arc<io::Error>>() {
        return has_failed(error);
    }
    if let Some(error) = error.downcast_ref::<ledger::OpenError>() {
        return matches!(error, ledger::OpenError::Damaged { .. } | ledger::OpenError::Store { .. });
    }
    if let Some(error) = error.downcast_ref::<ledger::Fault>() {
        return matches!(error, ledger::Fault::Disk { .. } | ledger::Fault::Damaged { .. });
    }
    if let Some(error) = error.downcast_ref::<wal::OpenError>() {
        return matches!(
            error,
            wal::OpenError::Damaged { .. }
                | wal::OpenError::Missing { .. }
                | wal::OpenError::Short { .. }
                | wal::OpenError::VoteLost { .. }
        );
    }
    if let Some(error) = error.downcast_ref::<StartError>() {
        return matches!(error, StartError::OtherEntry { .. } | StartError::LedgerBehind { .. });
    }
    matches!(error.downcast_ref::<OutboxError>(), Some(OutboxError::Damaged { .. }))
}

/// Whether the disk did not do what it was told, or has no room: not a name that is wrong or a permission that is missing.
fn has_failed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::ReadOnlyFilesystem
    ) || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fails_or_is_full_is_told_from_a_file_that_is_not_there() {
        let of = |error: io::Error| is_disk(&anyhow::Error::new(error).context("cannot write node.toml"));
        assert!(of(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error())));
        assert!(of(io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error())));
        assert!(!of(io::ErrorKind::NotFound.into()));
        assert!(!of(io::ErrorKind::PermissionDenied.into()));
    }

    #[test]
    fn a_failed_log_says_which_file_and_why() {
        let source = Arc::new(io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error()));
        let failure = wal::Failure::Io { action: "write", file: "/data/log/1.seg".into(), source };
        let words = Chain(&leasehold_consensus::Fault::from(failure.clone())).to_string();
        assert!(words.contains("cannot write /data/log/1.seg: No space left on device"), "{words}");
        assert!(is_disk(&anyhow::Error::new(StartError::Log(failure.into()))));
    }
}
