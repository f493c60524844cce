//! The leader's worker: what is due by the state and the clock, done in bounded steps, each leading to a command.
//!
//! It plans from `domain::work`, which is pure, and keeps nothing of its own: a worker that dies and one that starts elsewhere see the same
//! plan. Only the leader works, since only the leader may talk to token endpoints.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use leasehold_domain::{
    authorization::Phase,
    command::Command,
    grant::{self, Grant, Occasion, UpstreamTarget},
    id::{ConnectorId, GrantId},
    lease::{self, EndReason},
    policy,
    state::{DenialKey, State},
    work::{self, GrantWork},
};
use leasehold_failpoint::failpoint;
use tokio::{
    sync::Semaphore,
    time::{Duration, Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use crate::{control::Control, outbox::Attempt, problem::Problem};

/// How often the worker looks what is due, besides when it is told.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often what has had its time is forgotten.
const TICK_EVERY: Duration = Duration::from_secs(5);
/// How often a checkpoint is signed, where the ledger has grown.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);
/// After how many lines a checkpoint is signed before its time.
const CHECKPOINT_LINES: u64 = 256;
/// The most refreshes in flight that nobody waits for.
const REFRESHES_MAX: usize = 32;
/// The most upstream revocations in flight.
const UPSTREAM_MAX: usize = 8;
/// How often the outbox is looked through.
const SETTLE_EVERY: Duration = Duration::from_secs(30);
/// The most attempts that one look through the outbox takes.
const LEFT_OVER_MAX: usize = 1024;
/// How long a connector is left alone whose provider cannot even be found.
const CONNECTOR_REST: Duration = Duration::from_secs(15);
/// The most denial counts that one look tells.
const DENIALS_MAX: usize = 64;
/// The most leases that one look ends because the policies changed.
const FORBIDDEN_MAX: usize = 256;

/// What the worker remembers between two looks: nothing that matters.
struct Looks {
    tick_at: Instant,
    checkpoint_at: Instant,
    settle_at: Instant,
    settling: Arc<Semaphore>,
    /// The policies under which every live lease was judged; none at a start, for a sweep may have been cut short.
    policies_seen: u64,
    refreshes: Arc<Semaphore>,
    refreshes_busy: Busy<GrantId>,
    upstream: Arc<Semaphore>,
    upstream_busy: Busy<UpstreamTarget>,
    /// Connectors that cannot be called for now, for a reason that no grant shows.
    resting: Arc<Mutex<BTreeMap<ConnectorId, Instant>>>,
}

/// What is being worked on.
#[derive(Clone)]
struct Busy<T>(Arc<Mutex<BTreeSet<T>>>);

impl<T: Ord + Copy> Busy<T> {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn all(&self) -> MutexGuard<'_, BTreeSet<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks it until the mark is dropped; `None` where it is marked already.
    fn mark(&self, what: T) -> Option<Mark<T>> {
        self.all().insert(what).then(|| Mark { busy: self.clone(), what })
    }
}

struct Mark<T: Ord + Copy> {
    busy: Busy<T>,
    what: T,
}

impl<T: Ord + Copy> Drop for Mark<T> {
    fn drop(&mut self) {
        self.busy.all().remove(&self.what);
    }
}

impl Control {
    /// Works until it is told to stop. Errors are logged and tried again at the next look.
    pub async fn work(self, stop: CancellationToken) {
        let mut looks = Looks {
            tick_at: Instant::now(),
            checkpoint_at: Instant::now() + CHECKPOINT_EVERY,
            settle_at: Instant::now(),
            settling: Arc::new(Semaphore::new(1)),
            policies_seen: 0,
            refreshes: Arc::new(Semaphore::new(REFRESHES_MAX)),
            refreshes_busy: Busy::new(),
            upstream: Arc::new(Semaphore::new(UPSTREAM_MAX)),
            upstream_busy: Busy::new(),
            resting: Arc::default(),
        };
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = every.tick() => {}
                () = self.0.work.notified() => {}
            }
            if !self.replica().leadership().borrow().leads {
                continue;
            }
            if let Err(problem) = self.look(&mut looks).await {
                tracing::warn!(code = problem.code(), "the worker tries again at its next look");
            }
        }
    }

    /// What this node intended and what its outbox holds, and is not in flight: at a start, and now and then, for what was left over since.
    /// One that cannot be settled holds up no other.
    fn start_settling(&self, looks: &mut Looks) {
        let now = Instant::now();
        let Ok(permit) = looks.settling.clone().try_acquire_owned() else { return };
        if now < looks.settle_at {
            return;
        }
        looks.settle_at = now + SETTLE_EVERY;
        let control = self.clone();
        self.carry_through(async move {
            for attempt in control.left_over() {
                let settled = match attempt {
                    Attempt::Refresh(grant, attempt) => control.settle_left_over(grant, attempt).await,
                    Attempt::Exchange(id) => control.settle_left_over_exchange(id).await,
                };
                if let Err(problem) = settled {
                    tracing::warn!(
                        ?attempt,
                        code = problem.code(),
                        "an attempt is left over; it is looked at again"
                    );
                }
            }
            drop(permit);
        });
    }

    fn left_over(&self) -> BTreeSet<Attempt> {
        let node = self.settings().node;
        let kept = self.outbox().attempts(LEFT_OVER_MAX);
        let mut all: BTreeSet<Attempt> = match kept {
            Ok(kept) => kept.into_iter().collect(),
            Err(error) => {
                // It stops the node; nothing can be left over after that.
                let _ = self.disk(&error);
                BTreeSet::new()
            }
        };
        self.read_now(|state| {
            let intents = work::intents_open(state, node).into_iter();
            all.extend(intents.map(|(grant, _, attempt)| Attempt::Refresh(grant, attempt)));
            let ours =
                |phase: &Phase| matches!(phase, Phase::Exchanging { node: executor } if *executor == node);
            let exchanges = state.authorizations.iter().filter(|(_, known)| ours(&known.phase));
            all.extend(exchanges.map(|(id, _)| Attempt::Exchange(*id)));
        });
        all
    }

    async fn look(&self, looks: &mut Looks) -> Result<(), Problem> {
        self.start_settling(looks);
        self.close_revocations().await?;
        self.start_upstream(looks);
        self.count_denials().await?;
        self.start_refreshes(looks).await?;
        self.end_forbidden(looks).await?;
        let now = Instant::now();
        if now >= looks.tick_at {
            looks.tick_at = now + TICK_EVERY;
            if self.something_to_forget() {
                self.propose_as_cluster(Command::Tick).await?;
            }
            self.continue_erasures().await;
        }
        let unsigned = self.lines_unsigned();
        if unsigned >= CHECKPOINT_LINES || (unsigned > 0 && now >= looks.checkpoint_at) {
            looks.checkpoint_at = now + CHECKPOINT_EVERY;
            self.sign_checkpoint().await?;
        }
        Ok(())
    }

    /// Says of each grant that a revocation covers that it ended.
    async fn close_revocations(&self) -> Result<(), Problem> {
        loop {
            let due = self.read_now(|state| work::closures_due(state, 16));
            if due.is_empty() {
                return Ok(());
            }
            for (selector, grants) in due {
                failpoint!("revocation.before-close");
                self.propose_as_cluster(Command::Grant(grant::Command::Close { selector, grants })).await?;
                failpoint!("revocation.closed");
            }
        }
    }

    fn start_upstream(&self, looks: &Looks) {
        let now = self.now();
        let busy = looks.upstream_busy.all().clone();
        for target in self
            .read_now(|state| work::upstream_due(state, now, UPSTREAM_MAX, |target| busy.contains(target)))
        {
            let Ok(permit) = looks.upstream.clone().try_acquire_owned() else { return };
            let Some(mark) = looks.upstream_busy.mark(target) else { continue };
            let control = self.clone();
            self.carry_through(async move {
                match control.revoke_upstream(target).await {
                    Ok(()) => control.0.work.notify_one(),
                    Err(problem) => {
                        tracing::warn!(
                            ?target,
                            code = problem.code(),
                            "an upstream revocation is tried again"
                        );
                    }
                }
                drop((mark, permit));
            });
        }
    }

    async fn start_refreshes(&self, looks: &Looks) -> Result<(), Problem> {
        let now = self.now();
        let busy = looks.refreshes_busy.all().clone();
        let resting = {
            let mut resting = looks.resting.lock().unwrap_or_else(PoisonError::into_inner);
            resting.retain(|_, until| *until > Instant::now());
            resting.clone()
        };
        let skip = |grant: &Grant| busy.contains(&grant.id) || resting.contains_key(&grant.key.connector);
        for (grant, todo) in self.read_now(|state| work::grants_due(state, now, REFRESHES_MAX, skip)) {
            match todo {
                GrantWork::Refresh { generation } => {
                    let Ok(permit) = looks.refreshes.clone().try_acquire_owned() else { return Ok(()) };
                    let Some(mark) = looks.refreshes_busy.mark(grant) else { continue };
                    let (control, resting) = (self.clone(), looks.resting.clone());
                    self.carry_through(async move {
                        control.refresh_when_due(grant, generation, &resting).await;
                        drop((mark, permit));
                    });
                }
                GrantWork::Expire => {
                    let command = Command::Grant(grant::Command::Expire { grant });
                    match self.propose_as_cluster(command).await {
                        Ok(_) | Err(Problem::Rejected(_)) => {}
                        Err(problem) => return Err(problem),
                    }
                }
                GrantWork::Settle { attempt, node, .. } if node == self.settings().node => {
                    self.settle_left_over(grant, attempt).await?;
                }
                // Another node's attempt, whose outcome is long overdue: what may follow is for its provider's class to say.
                GrantWork::Settle { generation, attempt, .. } => {
                    self.lose_for(grant, generation, attempt).await?
                }
            }
        }
        Ok(())
    }

    async fn refresh_when_due(
        &self,
        grant: GrantId,
        generation: u64,
        resting: &Mutex<BTreeMap<ConnectorId, Instant>>,
    ) {
        let attempts =
            |state: &State| state.grants.get(&grant).map(|known| (known.attempts, known.key.connector));
        let before = self.read_now(attempts);
        let Err(problem) = self.refresh(grant, generation, Occasion::Due).await else { return };
        tracing::info!(%grant, code = problem.code(), "a refresh that is due did not end well");
        // It ended before the intent, so the grant shows nothing of it: let the connector rest, and the others go on.
        if let Some((attempts_before, connector)) = before
            && self.read_now(attempts).is_some_and(|(attempts, _)| attempts == attempts_before)
        {
            let mut resting = resting.lock().unwrap_or_else(PoisonError::into_inner);
            resting.insert(connector, Instant::now() + CONNECTOR_REST);
        }
    }

    /// A policy change that forbids a live lease ends it.
    async fn end_forbidden(&self, looks: &mut Looks) -> Result<(), Problem> {
        let version = self.read_now(|state| state.singular.policy_version);
        if version == looks.policies_seen {
            return Ok(());
        }
        let forbidden = self.leases_forbidden(FORBIDDEN_MAX)?;
        for lease in &forbidden {
            let command = lease::Command::End { lease: *lease, reason: EndReason::PolicyChanged };
            match self.propose_as_cluster(Command::Lease(command)).await {
                Ok(_) | Err(Problem::Rejected(_)) => {}
                Err(problem) => return Err(problem),
            }
        }
        if forbidden.len() < FORBIDDEN_MAX {
            looks.policies_seen = version;
        }
        Ok(())
    }

    /// Says how many denials were identical to one that has a line, once their minute has passed.
    async fn count_denials(&self) -> Result<(), Problem> {
        let now = self.now();
        for key in self.read_now(|state| work::denials_to_count(state, now, DENIALS_MAX)) {
            let DenialKey { principal, action, resource, reason } = key;
            let command = policy::Command::CountDenials { principal, action, resource, reason };
            match self.propose_as_cluster(Command::Policy(command)).await {
                Ok(_) | Err(Problem::Rejected(_)) => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(())
    }

    fn something_to_forget(&self) -> bool {
        let now = self.now();
        self.read_now(|state| {
            let late = state.indexes.authorizations_by_end.first().is_some_and(|(end, _)| *end <= now);
            let discarded = state
                .authorizations
                .iter()
                .any(|(_, known)| matches!(known.phase, Phase::Exchanged { .. }) && known.is_revoked(state));
            late || discarded
        })
    }
}
