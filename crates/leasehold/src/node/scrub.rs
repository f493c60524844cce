//! Reads the ledger through in the background, slowly, so that damage is found long before anybody asks for what is damaged. What it finds stops the
//! node: see [`Ledger::scrub`].

use std::sync::atomic::{AtomicU64, Ordering};

use leasehold_ledger::{Ledger, Scrub};
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

/// Between two steps, each of at most 4 MiB or 256 lines: a pass over 8 GB takes some ten minutes, and one over a hundred million lines a day.
const STEP_EVERY: Duration = Duration::from_millis(250);
/// Between two passes.
const PASS_EVERY: Duration = Duration::from_secs(3600);

/// How far it has come since the start.
#[derive(Default)]
pub struct Scrubbed {
    steps: AtomicU64,
    passes: AtomicU64,
}

impl Scrubbed {
    /// Steps that found nothing damaged.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Passes over everything that found nothing damaged.
    pub fn passes(&self) -> u64 {
        self.passes.load(Ordering::Relaxed)
    }
}

/// Goes on until it is told to stop, or the ledger has stopped.
pub async fn run(ledger: Ledger, scrubbed: &Scrubbed, stop: CancellationToken) {
    let mut from = Scrub::default();
    loop {
        let ledger = ledger.clone();
        let step = tokio::task::spawn_blocking(move || ledger.scrub(from));
        // A fault has told the node already that it must end.
        let Ok(Ok(next)) = step.await else { return };
        scrubbed.steps.fetch_add(1, Ordering::Relaxed);
        let pause = if next.is_some() { STEP_EVERY } else { PASS_EVERY };
        if next.is_none() {
            scrubbed.passes.fetch_add(1, Ordering::Relaxed);
        }
        from = next.unwrap_or_default();
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
        }
    }
}
