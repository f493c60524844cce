//! A lease that is being held, as those see it who use it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use secrecy::SecretString;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::lease::Lease;

/// A lease out of a [`LeaseHolder`](crate::LeaseHolder). Clones share it; while one exists, the lease is renewed.
#[derive(Clone)]
pub struct HeldLease(Arc<Shared>);

struct Shared {
    lease: Lease,
    /// Moves as the lease is renewed.
    expires_at: Mutex<Instant>,
    ended: CancellationToken,
}

impl HeldLease {
    pub(super) fn new(lease: Lease) -> Self {
        let expires_at = Mutex::new(lease.expires_at);
        Self(Arc::new(Shared { lease, expires_at, ended: CancellationToken::new() }))
    }

    /// The access token. Look at [`Self::is_live`] before using one that was kept for a while.
    pub fn access_token(&self) -> &SecretString {
        &self.0.lease.access_token
    }

    /// How the provider wants the token to be presented; usually `Bearer`.
    pub fn token_type(&self) -> &str {
        &self.0.lease.token_type
    }

    /// The lease's id: a name, and never a capability.
    pub fn lease_id(&self) -> &str {
        &self.0.lease.lease_id
    }

    /// The grant it is of.
    pub fn grant(&self) -> &str {
        &self.0.lease.grant
    }

    /// The scopes that the token really carries.
    pub fn scopes(&self) -> &[String] {
        &self.0.lease.scopes
    }

    /// What the provider says beside the token.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.0.lease.metadata
    }

    /// What the cluster warned of when it gave the lease out.
    pub fn warnings(&self) -> &[String] {
        &self.0.lease.warnings
    }

    /// When it ends unless it is renewed or ended before.
    pub fn expires_at(&self) -> Instant {
        *self.0.expires_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the token ends, where the provider states it.
    pub fn token_expires_at(&self) -> Option<Instant> {
        self.0.lease.token_expires_at
    }

    /// Whether the token may still be used.
    pub fn is_live(&self) -> bool {
        !self.0.ended.is_cancelled() && Instant::now() < self.expires_at()
    }

    /// Waits until the token is not to be used any more: the lease was ended or ran out, or the holder does not follow it any more. Whoever
    /// keeps a request to the provider open ends it then.
    pub async fn ended(&self) {
        loop {
            let expires_at = self.expires_at();
            if self.0.ended.is_cancelled() || expires_at <= Instant::now() {
                return;
            }
            // A renewal may have moved the end meanwhile.
            let _ = tokio::time::timeout_at(expires_at, self.0.ended.cancelled()).await;
        }
    }

    pub(super) fn end(&self) {
        self.0.ended.cancel();
    }

    pub(super) fn live_until(&self, at: Instant) {
        *self.0.expires_at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Whether anybody but the holder has it.
    pub(super) fn is_in_hand(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl fmt::Debug for HeldLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lease.fmt(f)
    }
}
