//! Keeps a program's leases: acquires, renews those in use, and drops what the cluster ends.
//!
//! What it promises to whoever calls [`LeaseHolder::lease`]:
//!
//! - A token out of its memory belongs to a lease that has not ended, by a push or by time, and the pushes it would have heard of an end
//!   by have not been silent for longer than the cluster's grace.
//! - When they have, everything held is dropped. Until they are heard again each call asks the cluster, and nothing is kept.
//! - An answer that a push overtook is not believed: a lease that ended while its answer was on the way is asked for again.
//! - Callers who want the same at the same time cause one call.
//!
//! Renewal: at about half of a lease's remaining life, spread at random so that many holders do not move in step, and only if somebody
//! still has the lease or asked for it since; the others lapse. Bounds: leases held, renewals under way, ends remembered.
//!
//! `table` has every rule and neither clock nor connection; `watching` and `keeping` are the two tasks that drive it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use leasehold_proto::v1::ConsentRequired;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{client::Client, error::Error, lease::Outcome};

mod held;
mod jitter;
mod keeping;
mod table;
mod want;
mod watching;

pub use held::HeldLease;
use table::{Acquired, Table};
pub use want::{Want, Whose};

/// How often a lease is asked for again because a push overtook the answer.
const OVERTAKEN_MAX: usize = 3;

/// Bounds of a holder.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many leases are held at most, 1,024 by default. At the bound, the one that was asked for least recently is let go.
    pub leases_max: usize,
    /// How many renewals are under way at most, 8 by default.
    pub renewals_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { leases_max: 1024, renewals_max: 8 }
    }
}

/// What a holder answers with.
#[derive(Debug)]
pub enum Held {
    /// A lease to use.
    Lease(HeldLease),
    /// The subject has to consent first.
    ConsentRequired(ConsentRequired),
}

/// The leases of a program. Clones share them; when the last one is dropped, its tasks end and its leases lapse.
#[derive(Clone)]
pub struct LeaseHolder {
    shared: Arc<Shared>,
    _stop: Arc<DropGuard>,
}

/// What the holder and its tasks share.
struct Shared {
    client: Client,
    table: Mutex<Table>,
    /// Rung when the table has changed in a way that moves the next deadline.
    changed: Notify,
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        // No code panics half-way through a change of the table.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LeaseHolder {
    /// Starts to hold leases. Needs a tokio runtime.
    pub fn start(client: Client, options: Options) -> Self {
        let table = Mutex::new(Table::new(options.leases_max));
        let shared = Arc::new(Shared { client, table, changed: Notify::new() });
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(watching::run(Arc::clone(&shared))));
        tokio::spawn(
            stop.clone().run_until_cancelled_owned(keeping::run(Arc::clone(&shared), options.renewals_max)),
        );
        Self { shared, _stop: Arc::new(stop.drop_guard()) }
    }

    /// A lease for what is wanted: one that is held, or a new one.
    ///
    /// # Errors
    /// [`Error`], from the cluster; [`Error::is_retryable`] says whether the same call may succeed later.
    pub async fn lease(&self, want: &Want) -> Result<Held, Error> {
        let key = want.key();
        if let Some(held) = self.held(&key, want.min_validity) {
            return Ok(Held::Lease(held));
        }
        let turn = self.shared.table().turn(&key);
        let _turn = turn.lock().await;
        if let Some(held) = self.held(&key, want.min_validity) {
            return Ok(Held::Lease(held));
        }
        let mut rounds = 0;
        loop {
            let epoch = self.shared.table().epoch();
            let lease = match self.shared.client.acquire(want.request()).await? {
                Outcome::Lease(lease) => lease,
                Outcome::ConsentRequired(consent) => return Ok(Held::ConsentRequired(consent)),
            };
            let acquired = self.shared.table().acquired(&key, want.ttl, lease, epoch, Instant::now());
            match acquired {
                Acquired::Held(held) => {
                    self.shared.changed.notify_one();
                    return Ok(Held::Lease(held));
                }
                Acquired::Unwatched(held) => return Ok(Held::Lease(held)),
                Acquired::Overtaken if rounds < OVERTAKEN_MAX => rounds += 1,
                Acquired::Overtaken => return Err(Error::overtaken()),
            }
        }
    }

    /// Says that the provider refused a lease's token, and lets the lease go: the next [`Self::lease`] asks the cluster, which will have
    /// looked into it.
    ///
    /// # Errors
    /// [`Error`]; the lease is let go in any case.
    pub async fn report_rejected(
        &self,
        lease: &HeldLease,
        status: u16,
        challenge: &str,
    ) -> Result<(), Error> {
        self.shared.table().let_go(lease.lease_id());
        self.shared.client.report_rejected(lease.lease_id(), status, challenge).await
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// [`Error`]; the lease is let go in any case.
    pub async fn release(&self, lease: &HeldLease) -> Result<(), Error> {
        self.shared.table().let_go(lease.lease_id());
        self.shared.client.release(lease.lease_id()).await
    }

    /// Whether pushes are being heard, so that leases are held at all.
    pub fn is_watching(&self) -> bool {
        self.shared.table().is_watching(Instant::now())
    }

    fn held(&self, key: &want::Key, min_validity: Duration) -> Option<HeldLease> {
        self.shared.table().find(key, min_validity, Instant::now())
    }
}

#[cfg(test)]
mod tests;
