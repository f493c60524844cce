//! The leader's worker: what is due by the state and the clock, done in bounded steps, each leading to a command.
//!
//! It plans from `domain::work`, which is pure, and keeps nothing of its own: a worker that dies and one that starts elsewhere see the same
//! plan. Only the leader works, since only the leader may talk to token endpoints.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use leasehold_domain::{
    authorization::Phase,
    command::Command,
    grant::{self, Occasion, UpstreamTarget},
    id::{AuthorizationId, GrantId},
    lease::{self, EndReason},
    rejection::Rejection,
    work::{self, GrantWork},
};
use tokio::{
    sync::Semaphore,
    time::{Duration, Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use crate::{control::Control, problem::Problem};

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
/// The most leases that one look ends because the policies changed.
const FORBIDDEN_MAX: usize = 256;

/// What the worker remembers between two looks: nothing that matters.
struct Looks {
    tick_at: Instant,
    checkpoint_at: Instant,
    policies_seen: u64,
    refreshes: Arc<Semaphore>,
    upstream: Arc<Semaphore>,
    upstream_busy: Arc<Mutex<BTreeSet<UpstreamTarget>>>,
}

impl Control {
    /// Works until it is told to stop. Errors are logged and tried again at the next look.
    pub async fn work(self, stop: CancellationToken) {
        let mut looks = Looks {
            tick_at: Instant::now(),
            checkpoint_at: Instant::now() + CHECKPOINT_EVERY,
            policies_seen: self.read_now(|state| state.singular.policy_version),
            refreshes: Arc::new(Semaphore::new(REFRESHES_MAX)),
            upstream: Arc::new(Semaphore::new(UPSTREAM_MAX)),
            upstream_busy: Arc::default(),
        };
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut settled_term = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = every.tick() => {}
                () = self.0.work.notified() => {}
            }
            let leadership = *self.replica().leadership().borrow();
            if !leadership.leads {
                settled_term = None;
                continue;
            }
            let looked = async {
                if settled_term != Some(leadership.term) {
                    self.settle_what_is_left().await?;
                    settled_term = Some(leadership.term);
                }
                self.look(&mut looks).await
            };
            if let Err(problem) = looked.await {
                tracing::warn!(code = problem.code(), "the worker tries again at its next look");
            }
        }
    }

    /// After a start nothing that this node intended is in flight any more.
    async fn settle_what_is_left(&self) -> Result<(), Problem> {
        let node = self.settings().node;
        let intents = self.read(|state| work::intents_open(state, node)).await?;
        for (grant, generation, attempt) in intents {
            self.settle_left_over(grant, generation, attempt).await?;
        }
        let exchanges: Vec<AuthorizationId> = self.read_now(|state| {
            let ours =
                |phase: &Phase| matches!(phase, Phase::Exchanging { node: executor } if *executor == node);
            state.authorizations.iter().filter(|(_, known)| ours(&known.phase)).map(|(id, _)| *id).collect()
        });
        for id in exchanges {
            self.settle_left_over_exchange(id).await?;
        }
        Ok(())
    }

    async fn look(&self, looks: &mut Looks) -> Result<(), Problem> {
        self.close_revocations().await?;
        self.start_upstream(looks);
        self.start_refreshes(looks).await?;
        self.end_forbidden(looks).await?;
        let now = Instant::now();
        if now >= looks.tick_at {
            looks.tick_at = now + TICK_EVERY;
            if self.something_to_forget() {
                self.propose_as_cluster(Command::Tick).await?;
            }
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
                self.propose_as_cluster(Command::Grant(grant::Command::Close { selector, grants })).await?;
            }
        }
    }

    fn start_upstream(&self, looks: &Looks) {
        let now = self.now();
        for target in self.read_now(|state| work::upstream_due(state, now, UPSTREAM_MAX * 2)) {
            let Ok(permit) = looks.upstream.clone().try_acquire_owned() else { return };
            if !looks.upstream_busy.lock().unwrap_or_else(PoisonError::into_inner).insert(target) {
                continue;
            }
            let (control, busy) = (self.clone(), looks.upstream_busy.clone());
            tokio::spawn(async move {
                if let Err(problem) = control.revoke_upstream(target).await {
                    tracing::warn!(?target, code = problem.code(), "an upstream revocation is tried again");
                }
                busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&target);
                drop(permit);
                control.0.work.notify_one();
            });
        }
    }

    async fn start_refreshes(&self, looks: &Looks) -> Result<(), Problem> {
        let now = self.now();
        for (grant, todo) in self.read_now(|state| work::grants_due(state, now, REFRESHES_MAX)) {
            match todo {
                GrantWork::Refresh { generation } => {
                    let Ok(permit) = looks.refreshes.clone().try_acquire_owned() else { return Ok(()) };
                    let control = self.clone();
                    tokio::spawn(async move {
                        control.refresh_when_due(grant, generation).await;
                        drop(permit);
                    });
                }
                GrantWork::Expire => {
                    let command = Command::Grant(grant::Command::Expire { grant });
                    match self.propose_as_cluster(command).await {
                        Ok(_) | Err(Problem::Rejected(_)) => {}
                        Err(problem) => return Err(problem),
                    }
                }
                GrantWork::Settle { generation, attempt, node } if node == self.settings().node => {
                    self.settle_left_over(grant, generation, attempt).await?;
                }
                // Another node's attempt: its own outbox settles it, or the class of its provider does.
                GrantWork::Settle { .. } => {}
            }
        }
        Ok(())
    }

    async fn refresh_when_due(&self, grant: GrantId, generation: u64) {
        match self.refresh(grant, generation, Occasion::Due).await {
            Ok(()) | Err(Problem::Rejected(Rejection::GrantRevoked | Rejection::ConsentNeeded)) => {}
            Err(problem) => {
                tracing::info!(%grant, code = problem.code(), "a refresh that is due did not end well")
            }
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
