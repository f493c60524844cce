//! The end of a node: reported once, by whoever sees it first. The process is expected to exit with a defined code there.

use std::sync::{Arc, Mutex, PoisonError};

/// Why this node must stop. It never goes on after one: it neither retries, skips nor guesses.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// The write-ahead log could not write, sync or read.
    #[error("the write-ahead log has failed")]
    Log(#[from] leasehold_wal::Failure),
    /// Consensus stopped: the state machine refused an entry, storage failed under it, or it broke.
    #[error("consensus has stopped: {reason}")]
    Consensus {
        /// What stopped it.
        reason: String,
    },
}

/// Called once, from any thread, with the first fault. It must not block.
pub type OnFault = Box<dyn FnOnce(Fault) + Send>;

/// Fires the hook at most once.
#[derive(Clone)]
pub(crate) struct Alarm(Arc<Mutex<Option<OnFault>>>);

impl Alarm {
    pub(crate) fn new(hook: OnFault) -> Self {
        Self(Arc::new(Mutex::new(Some(hook))))
    }

    pub(crate) fn raise(&self, fault: Fault) {
        let hook = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(hook) = hook {
            tracing::error!(error = &fault as &dyn std::error::Error, "node must stop");
            hook(fault);
        }
    }
}
