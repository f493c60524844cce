//! Watching: a workload's leases as they change. Revocations are pushed as this node applies them.
//!
//! A keepalive says that the node is current with the cluster, so it is sent only when a read index was just confirmed. A holder that hears
//! nothing for the stated grace stops using its leases.

use std::collections::BTreeMap;

use leasehold_domain::{
    event::Event,
    id::{LeaseId, WorkloadId},
    lease::{self, EndReason},
    state::State,
    time::Timestamp,
};
use tokio::time::{Duration, Instant};

use crate::{caller::Caller, control::Control, leases::LeaseView, problem::Problem};

/// How often a node shows that it is current.
const KEEPALIVE: Duration = Duration::from_secs(2);
/// The largest gap that is filled event by event; beyond it the whole current set is sent.
const GAP_MAX: u64 = 100_000;
/// How many lines are read at a time.
const LINES_MAX: usize = 512;
/// How many bytes of lines are read at a time.
const LINES_LEN_MAX: usize = 1 << 20;

/// A change of what a workload holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The whole current set, which replaces what the holder had.
    Resync(Vec<LeaseView>),
    /// A lease was issued or lives longer.
    Held(LeaseView),
    /// A lease ended.
    Ended {
        /// Which.
        lease: LeaseId,
        /// `revoked`, `released` or `policy_changed`.
        reason: &'static str,
        /// Until when a copy of the token may still work at the provider, where that is known.
        residual_exposure_until: Option<Timestamp>,
    },
    /// Nothing changed, and this node is current.
    Keepalive,
}

/// One workload's watch.
pub struct Watch {
    control: Control,
    workload: WorkloadId,
    grown: tokio::sync::watch::Receiver<u64>,
    seen: u64,
    held: BTreeMap<LeaseId, Option<Timestamp>>,
    queued: Vec<Change>,
    keepalive_at: Instant,
}

impl Control {
    /// Begins a watch. `resume_after` is the sequence number up to which the caller has seen everything; 0 asks for the whole set.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn watch(&self, caller: &Caller, resume_after: u64) -> Result<Watch, Problem> {
        let workload = caller.workload()?;
        let grown = self.ledger().subscribe();
        let (seen, held, first) = self
            .read(|state| {
                let next = state.clock.next_seq;
                let now = self.judging_time(state);
                let live = |lease: &&lease::Lease| lease.live(state, now).is_ok();
                if resume_after == 0 || resume_after > next || next - resume_after > GAP_MAX {
                    let leases: Vec<LeaseView> =
                        state.recent.leases_of(&workload).filter(live).map(LeaseView::from).collect();
                    let held = leases.iter().map(|lease| (lease.lease, lease.token_expires_at)).collect();
                    return (next, held, vec![Change::Resync(leases)]);
                }
                // What the holder may believe in: all its leases, whether they are live now or not. What is told twice does no harm.
                let held = state
                    .recent
                    .leases_of(&workload)
                    .map(|lease| (lease.id, lease.token_expires_at))
                    .collect();
                (resume_after, held, Vec::new())
            })
            .await?;
        let mut watch = Watch {
            control: self.clone(),
            workload,
            grown,
            seen,
            held,
            queued: first,
            keepalive_at: Instant::now() + KEEPALIVE,
        };
        watch.queued.reverse();
        if resume_after != 0 && watch.queued.is_empty() {
            let ended = watch.ended_now();
            watch.queued.extend(ended);
        }
        Ok(watch)
    }
}

impl Watch {
    /// The next change, and the sequence number up to which the holder has then seen everything.
    ///
    /// # Errors
    /// [`Problem::NoLeader`] and its kin when this node cannot show that it is current: the stream ends rather than pretend.
    pub async fn next(&mut self) -> Result<(u64, Change), Problem> {
        loop {
            if let Some(change) = self.queued.pop() {
                return Ok((self.seen, change));
            }
            let next = *self.grown.borrow_and_update();
            if next > self.seen {
                self.advance()?;
                // A long gap is many batches, and others have work too.
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                changed = self.grown.changed() => changed.map_err(|_| Problem::Stopped)?,
                () = tokio::time::sleep_until(self.keepalive_at) => {
                    tokio::time::timeout(KEEPALIVE, self.control.replica().read()).await.map_err(|_| Problem::NoLeader { hint: None })??;
                    self.keepalive_at = Instant::now() + KEEPALIVE;
                    // Whatever that read index covers has been applied; it is told before the keepalive.
                    let next = *self.grown.borrow_and_update();
                    if next <= self.seen {
                        return Ok((self.seen, Change::Keepalive));
                    }
                }
            }
        }
    }

    fn advance(&mut self) -> Result<(), Problem> {
        let lines = self
            .control
            .ledger()
            .lines(self.seen, LINES_MAX, LINES_LEN_MAX)
            .map_err(|error| Problem::fault("read lines for a watch", &error))?;
        let mut changes = Vec::new();
        let mut swept = false;
        for line in &lines {
            let (envelope, event) = leasehold_codec::line::parse(&line.bytes)
                .map_err(|error| Problem::fault("read an event line", &error))?;
            debug_assert_eq!(envelope.seq, line.seq, "a line stands where it says");
            swept |= may_end_leases(&event);
            if let Event::Lease(event) = event {
                changes.extend(self.lease_change(&event));
            }
            self.seen = line.seq + 1;
        }
        if swept {
            changes.extend(self.ended_now());
        }
        changes.reverse();
        self.queued = changes;
        Ok(())
    }

    fn lease_change(&mut self, event: &lease::Event) -> Option<Change> {
        match event {
            lease::Event::Issued { lease, workload, .. } if *workload == self.workload => self.holds(*lease),
            lease::Event::Renewed { lease, .. } => self.holds(*lease),
            lease::Event::Released { lease } => self.ends(*lease, "released"),
            lease::Event::Ended { lease, reason: EndReason::PolicyChanged } => {
                self.ends(*lease, "policy_changed")
            }
            lease::Event::Issued { .. } | lease::Event::RejectionReported { .. } => None,
        }
    }

    fn holds(&mut self, id: LeaseId) -> Option<Change> {
        let workload = self.workload;
        let own = |lease: &&lease::Lease| lease.key.workload == workload;
        let view = self.control.read_now(|state| state.recent.lease(&id).filter(own).map(LeaseView::from))?;
        self.held.insert(id, view.token_expires_at);
        Some(Change::Held(view))
    }

    fn ends(&mut self, id: LeaseId, reason: &'static str) -> Option<Change> {
        let residual_exposure_until = self.held.remove(&id)?;
        Some(Change::Ended { lease: id, reason, residual_exposure_until })
    }

    /// Which of the held leases a revocation has ended. Those whose time has passed are dropped without a word: the holder knows.
    fn ended_now(&mut self) -> Vec<Change> {
        let control = self.control.clone();
        let (mut revoked, mut expired) = (Vec::new(), Vec::new());
        control.read_now(|state: &State| {
            let now = control.judging_time(state);
            for id in self.held.keys() {
                match state.recent.lease(id) {
                    Some(lease) if lease.expires_at <= now => expired.push(*id),
                    Some(lease) if lease.live(state, now).is_err() => revoked.push(*id),
                    Some(_) => {}
                    None => expired.push(*id),
                }
            }
        });
        for id in expired {
            self.held.remove(&id);
        }
        revoked.into_iter().filter_map(|id| self.ends(id, "revoked")).collect()
    }
}

/// Whether an event may end leases other than by naming them.
fn may_end_leases(event: &Event) -> bool {
    use leasehold_domain::{connector, mcp_server, subject, workload};
    match event {
        Event::Revocation(_)
        | Event::Subject(subject::Event::Disabled { .. } | subject::Event::Erased { .. })
        | Event::Connector(connector::Event::Disabled { .. })
        | Event::McpServer(mcp_server::Event::Disabled { .. })
        | Event::Workload(workload::Event::Disabled { .. }) => true,
        // Of what a holder leases under, every kind by name, so that the compiler asks about a new one.
        Event::Subject(
            subject::Event::Registered { .. }
            | subject::Event::Pinned { .. }
            | subject::Event::SignedIn { .. }
            | subject::Event::Enabled { .. }
            | subject::Event::TokensAbandoned { .. }
            | subject::Event::ErasureFinished { .. },
        )
        | Event::Connector(
            connector::Event::Registered { .. }
            | connector::Event::SecretAdded { .. }
            | connector::Event::SecretRetired { .. }
            | connector::Event::Suspended { .. }
            | connector::Event::Resumed { .. }
            | connector::Event::Enabled { .. },
        )
        | Event::McpServer(
            mcp_server::Event::Registered { .. }
            | mcp_server::Event::NeedSet { .. }
            | mcp_server::Event::Enabled { .. },
        )
        | Event::Workload(
            workload::Event::Registered { .. }
            | workload::Event::CredentialAdded { .. }
            | workload::Event::CredentialRetired { .. }
            | workload::Event::CertificateBound { .. }
            | workload::Event::CertificateUnbound { .. }
            | workload::Event::Enabled { .. },
        )
        | Event::Organisation(_)
        | Event::Administrator(_)
        | Event::IdentityProvider(_)
        | Event::Policy(_)
        | Event::Authorization(_)
        | Event::Grant(_)
        | Event::Lease(_)
        | Event::Audit(_) => false,
    }
}
