//! Metadata that is kept: fetched when it is needed, again when it is old, and its keys when a token names one that is not there.
//!
//! For each identity provider at most one fetch is under way, and at most one begins in [`RETRY`], whatever tokens strangers present.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use leasehold_domain::{
    id::IdentityProviderId,
    identity_provider::IdentityProvider,
    time::{Span, Timestamp},
};
use leasehold_upstream::transport::Transport;

use super::{Metadata, MetadataError};

/// For how long metadata is used without looking again.
const FRESH: Span = Span::from_mins(60);
/// For how long it is used while the identity provider cannot be reached. A key that was withdrawn is believed no longer than this.
const USABLE: Span = Span::from_mins(4 * 60);
/// The least time between the beginnings of two fetches.
const RETRY: Span = Span::from_secs(10);

/// The metadata of every identity provider that was asked for.
pub struct MetadataCache {
    transport: Transport,
    slots: Mutex<BTreeMap<IdentityProviderId, Arc<Slot>>>,
}

#[derive(Default)]
struct Slot {
    kept: Mutex<Option<Kept>>,
    /// Held while fetching; when the last fetch began.
    fetching: tokio::sync::Mutex<Option<Timestamp>>,
}

#[derive(Clone)]
struct Kept {
    metadata: Arc<Metadata>,
    fetched_at: Timestamp,
}

impl MetadataCache {
    /// A cache that keeps nothing yet and fetches over `transport`.
    pub fn new(transport: Transport) -> Self {
        Self { transport, slots: Mutex::default() }
    }

    /// The transport, for what a sign-in asks of the identity provider besides.
    pub(crate) const fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The metadata of an identity provider: at most an hour old, or at most four while it cannot be fetched.
    ///
    /// # Errors
    /// [`MetadataError`] where there is none of that age.
    pub async fn current(
        &self,
        provider: &IdentityProvider,
        now: Timestamp,
    ) -> Result<Arc<Metadata>, MetadataError> {
        let slot = self.slot(provider.id);
        if let Some(fresh) = slot.younger_than(FRESH, now) {
            return Ok(fresh);
        }
        let mut began_at = match slot.younger_than(USABLE, now) {
            // Whoever fetches already brings it for the next caller.
            Some(usable) => match slot.fetching.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Ok(usable),
            },
            None => slot.fetching.lock().await,
        };
        if let Some(fresh) = slot.younger_than(FRESH, now) {
            return Ok(fresh);
        }
        let error = if is_due(*began_at, now) {
            *began_at = Some(now);
            match Metadata::fetch(&self.transport, provider).await {
                Ok(metadata) => return Ok(slot.keep(metadata, now)),
                Err(error) => error,
            }
        } else {
            MetadataError::TriedRecently
        };
        let usable = slot.younger_than(USABLE, now);
        if usable.is_some() {
            tracing::warn!(identity_provider = %provider.id, %error, "using old metadata");
        }
        usable.ok_or(error)
    }

    /// Metadata with newer keys than `seen`, which lacks the key of some token; `seen` itself where there is none, or where looking
    /// again is not due yet.
    pub async fn newer(
        &self,
        provider: &IdentityProvider,
        seen: &Arc<Metadata>,
        now: Timestamp,
    ) -> Arc<Metadata> {
        let slot = self.slot(provider.id);
        let mut began_at = slot.fetching.lock().await;
        if let Some(other) = slot.younger_than(USABLE, now).filter(|kept| !Arc::ptr_eq(kept, seen)) {
            return other;
        }
        if !is_due(*began_at, now) {
            return Arc::clone(seen);
        }
        *began_at = Some(now);
        match seen.fetch_keys(&self.transport).await {
            Ok(metadata) => slot.keep_keys(metadata, now),
            Err(error) => {
                tracing::warn!(identity_provider = %provider.id, %error, "the keys were not fetched");
                Arc::clone(seen)
            }
        }
    }

    fn slot(&self, id: IdentityProviderId) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(id).or_default())
    }
}

impl Slot {
    fn younger_than(&self, age: Span, now: Timestamp) -> Option<Arc<Metadata>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|kept| kept.fetched_at.until(now) < age).map(|kept| Arc::clone(&kept.metadata))
    }

    fn keep(&self, metadata: Metadata, fetched_at: Timestamp) -> Arc<Metadata> {
        let metadata = Arc::new(metadata);
        let kept = Kept { metadata: Arc::clone(&metadata), fetched_at };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        metadata
    }

    /// Keeps new keys; the endpoints beside them stay as old as they are.
    fn keep_keys(&self, metadata: Metadata, now: Timestamp) -> Arc<Metadata> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.keep(metadata, kept.map_or(now, |kept| kept.fetched_at))
    }
}

/// Whether another fetch may begin. A clock that was set back does not hold it up.
fn is_due(began_at: Option<Timestamp>, now: Timestamp) -> bool {
    began_at.is_none_or(|began_at| now < began_at || began_at.until(now) >= RETRY)
}
