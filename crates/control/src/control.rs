//! The handle that edges hold, and what it is made of.

use std::{
    future::Future,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use leasehold_consensus::Replica;
use leasehold_domain::{
    actor::Actor,
    id::OrganisationId,
    state::{BlobKey, State},
    text::Sealed,
    time::{Span, Timestamp},
};
use leasehold_identity::metadata::MetadataCache;
use leasehold_ledger::Ledger;
use leasehold_policy::Engine;
use leasehold_upstream::{catalogue::Catalogue, transport::Transport};
use leasehold_vault::{CheckpointSigner, Entropy, Keyring};
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Duration, timeout},
};
use tokio_util::task::TaskTracker;
use url::Url;

use crate::{
    clock::Clock, counterpart::EndpointCache, exchange::Exchanges, keys::live::Keys, outbox::Outbox,
    problem::Problem, refresh::Flights,
};

/// What an operator decides.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address at which browsers reach this cluster: scheme, host and port, without a path.
    pub public_url: Url,
    /// This node.
    pub node: u64,
    /// For how many distinct subjects an hour one workload may vouch. 1,000 by default.
    pub vouched_subjects_max: usize,
    /// After how much silence a holder of leases stops using them. 10 s by default.
    pub watch_grace: Span,
}

impl Settings {
    /// Settings with every default.
    pub fn new(public_url: Url, node: u64) -> Self {
        Self { public_url, node, vouched_subjects_max: 1000, watch_grace: Span::from_secs(10) }
    }
}

/// What a control is made of. The composition root builds each part.
pub struct Parts {
    /// Proposals and linearizable reads.
    pub replica: Arc<Replica>,
    /// The state and the event log.
    pub ledger: Ledger,
    /// The keys.
    pub keys: Arc<Keys>,
    /// The checkpoint signing key.
    pub signer: Arc<CheckpointSigner>,
    /// The providers.
    pub catalogue: Arc<Catalogue>,
    /// The way out to providers and identity providers.
    pub transport: Transport,
    /// Answers of providers until they are committed.
    pub outbox: Outbox,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// What an operator decides.
    pub settings: Settings,
    /// Ends the process: called with the reason when this node's disk cannot be relied on any more. The
    /// process is aborted should it return.
    pub on_fatal: Arc<dyn Fn(&str) + Send + Sync>,
}

pub(crate) struct Inner {
    pub(crate) parts: Parts,
    pub(crate) organisation: OrganisationId,
    pub(crate) development: bool,
    pub(crate) engine: RwLock<Arc<Engine>>,
    pub(crate) endpoints: EndpointCache,
    pub(crate) metadata: MetadataCache,
    pub(crate) flights: Flights,
    pub(crate) exchanges: Exchanges,
    pub(crate) work: Notify,
    /// Whoever replaces a secret at an identity provider and whoever rewraps it take turns: it can be replaced in its place.
    pub(crate) sign_in_secrets: tokio::sync::Mutex<()>,
    carried: TaskTracker,
    ended: AtomicBool,
}

/// The use cases. Cheap to clone.
#[derive(Clone)]
pub struct Control(pub(crate) Arc<Inner>);

impl Control {
    /// Puts the parts together, after the organisation was founded.
    ///
    /// # Errors
    /// [`Problem::Rejected`] before the organisation was founded, [`Problem::Fault`] where its policy set does not open.
    pub fn new(parts: Parts) -> Result<Self, Problem> {
        let organisation = parts
            .ledger
            .read(|state| state.singular.organisation.clone())
            .map_err(|error| Problem::fault("read the organisation", &error))?
            .ok_or(leasehold_domain::rejection::Rejection::NotFounded)?;
        let engine = Arc::new(Self::load_engine(&parts.ledger)?);
        Ok(Self(Arc::new(Inner {
            organisation: organisation.id,
            development: organisation.development,
            engine: RwLock::new(engine),
            endpoints: EndpointCache::default(),
            metadata: MetadataCache::new(parts.transport.clone()),
            flights: Flights::default(),
            exchanges: Exchanges::default(),
            work: Notify::new(),
            sign_in_secrets: tokio::sync::Mutex::default(),
            carried: TaskTracker::new(),
            ended: AtomicBool::new(false),
            parts,
        })))
    }

    /// The organisation.
    pub fn organisation(&self) -> OrganisationId {
        self.0.organisation
    }

    /// Whether the organisation's data are for development only.
    pub fn development(&self) -> bool {
        self.0.development
    }

    /// What the operator decided.
    pub fn settings(&self) -> &Settings {
        &self.0.parts.settings
    }

    /// The keys as they are now: for one use, and for edges that seal their own cookies.
    pub fn keyring(&self) -> Arc<Keyring> {
        match self.0.parts.keys.current() {
            Ok(keyring) => keyring,
            // A node that cannot open the cluster's keys any more must not go on sealing under those that it had.
            Err(problem) => self.stop(&problem),
        }
    }

    /// Now, by this node's clock.
    pub fn now(&self) -> Timestamp {
        self.0.parts.clock.now()
    }

    /// Randomness.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.0.parts.entropy
    }

    pub(crate) fn shared_entropy(&self) -> Arc<dyn Entropy> {
        self.0.parts.entropy.clone()
    }

    /// The providers.
    pub fn catalogue(&self) -> &Catalogue {
        &self.0.parts.catalogue
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.0.parts.ledger
    }

    pub(crate) fn replica(&self) -> &Replica {
        &self.0.parts.replica
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.0.parts.transport
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.0.parts.outbox
    }

    /// The cluster itself, as an actor on this node.
    pub(crate) fn cluster(&self) -> Actor {
        Actor::cluster(self.settings().node)
    }

    /// Reads the state as this node has it. What must not be stale goes through [`Self::read`].
    pub fn read_now<R>(&self, read: impl FnOnce(&State) -> R) -> R {
        match self.ledger().read(read) {
            Ok(seen) => seen,
            // A node that cannot rely on its disk stops; it does not go on answering.
            Err(fault) => self.stop(&fault),
        }
    }

    /// Carries something through to its end, whether or not anybody waits for it. [`Self::finish`] waits.
    pub fn carry_through<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.0.carried.spawn(work)
    }

    /// Waits until everything that is carried through has ended, for at most `grace`. Call it when nothing new comes in any more, and before
    /// consensus and ledger are closed: a refresh on its way still commits what its provider answers. What has not ended by then ends where it
    /// stands, as in a crash; its intent and the outbox say where that was.
    pub async fn finish(&self, grace: Duration) {
        self.0.carried.close();
        if timeout(grace, self.0.carried.wait()).await.is_err() {
            tracing::warn!(
                tasks = self.0.carried.len(),
                "calls to providers did not end in time and are settled at the next start"
            );
        }
        self.0.ended.store(true, Ordering::SeqCst);
    }

    /// Stops the node. After [`Self::finish`] it is no longer there to be stopped, and only the task that asks ends.
    pub(crate) fn stop(&self, reason: &dyn std::error::Error) -> ! {
        if self.0.ended.load(Ordering::SeqCst) {
            std::panic::resume_unwind(Box::new("the node has ended"));
        }
        let mut words = reason.to_string();
        let mut next = reason.source();
        while let Some(source) = next {
            words.push_str(&format!(": {source}"));
            next = source.source();
        }
        (self.0.parts.on_fatal)(&words);
        std::process::abort()
    }

    /// Reads the state at a point at or after everything that was acknowledged before the call.
    ///
    /// # Errors
    /// [`Problem::NoLeader`] and its kin where no such point can be confirmed.
    pub async fn read<R>(&self, read: impl FnOnce(&State) -> R) -> Result<R, Problem> {
        self.replica().read().await?;
        Ok(self.read_now(read))
    }

    /// A moment at which leases are judged: this node's clock, or state time where that is later.
    pub(crate) fn judging_time(&self, state: &State) -> Timestamp {
        self.now().max(state.clock.time)
    }

    pub(crate) fn blob(&self, key: &BlobKey) -> Result<Option<Sealed>, Problem> {
        self.ledger().blob(key).map_err(|error| Problem::fault("read a sealed row", &error))
    }
}
