//! What the last lines of the ledger say: live leases, the outcomes of named requests, and for whom workloads vouched.
//!
//! None of it is a row. Everything here is folded from event lines no older than [`HORIZON`], so a node that starts rebuilds it exactly. Old
//! entries leave lazily, in bounded steps; every reader judges by state time, so what has not left yet is not seen either.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::{
    actor::{Principal, RequestId},
    command::RequestKey,
    id::{LeaseId, SubjectId, WorkloadId},
    lease::{self, Lease},
    text::Digest,
    time::{Span, Timestamp},
};

/// How far back the lines are read at start: the longest lease and its retention.
pub const HORIZON: Span = Span::from_mins(70);
/// How long the outcome of a named request is remembered.
pub const OUTCOME_TTL: Span = Span::from_mins(10);
/// How many outcomes are remembered for one principal.
pub const OUTCOMES_MAX: usize = 1024;
/// Over which time distinct subjects of a workload are counted.
pub const VOUCHED_WINDOW: Span = Span::from_mins(60);
/// The most entries that leave at one step.
const REAP_MAX: usize = 256;

/// The outcome of a named request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// SHA-256 of what was asked.
    pub body: Digest,
    /// The first event it raised.
    pub first_seq: u64,
    /// How many events it raised.
    pub events: u32,
    /// When.
    pub at: Timestamp,
}

#[derive(Default)]
struct Outcomes {
    by_id: BTreeMap<RequestId, Outcome>,
    oldest_first: BTreeSet<u64>,
}

/// The recent past.
#[derive(Default)]
pub struct Recent {
    leases: BTreeMap<LeaseId, Lease>,
    leases_by_key: BTreeMap<lease::Key, LeaseId>,
    leases_by_workload: BTreeMap<WorkloadId, BTreeSet<LeaseId>>,
    leases_by_end: BTreeSet<(Timestamp, LeaseId)>,
    outcomes: BTreeMap<Principal, Outcomes>,
    outcomes_by_seq: BTreeMap<u64, (Principal, RequestId)>,
    vouched: BTreeMap<WorkloadId, BTreeMap<SubjectId, Timestamp>>,
    vouched_by_time: BTreeSet<(Timestamp, WorkloadId, SubjectId)>,
}

impl Recent {
    /// The lease of this id, live or ended a short time ago.
    pub fn lease(&self, id: &LeaseId) -> Option<&Lease> {
        self.leases.get(id)
    }

    /// The lease that a request with this key would repeat.
    pub fn lease_keyed(&self, key: &lease::Key) -> Option<&Lease> {
        self.leases_by_key.get(key).and_then(|id| self.leases.get(id))
    }

    /// The leases of a workload, live or ended a short time ago.
    pub fn leases_of(&self, workload: &WorkloadId) -> impl Iterator<Item = &Lease> {
        self.leases_by_workload.get(workload).into_iter().flatten().filter_map(|id| self.leases.get(id))
    }

    /// All leases, live or ended a short time ago, in the order of their ids.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.leases.values()
    }

    /// The outcome of the request that `principal` named `id`, if it is recent enough at `now`.
    pub fn outcome(&self, principal: Principal, id: &RequestId, now: Timestamp) -> Option<Outcome> {
        let outcome = self.outcomes.get(&principal)?.by_id.get(id)?;
        (outcome.at + OUTCOME_TTL > now).then_some(*outcome)
    }

    /// For how many distinct subjects `workload` vouched within the window before `now`, `subject` not counted.
    pub fn vouched_besides(&self, workload: &WorkloadId, subject: SubjectId, now: Timestamp) -> usize {
        let recent = |(id, at): &(&SubjectId, &Timestamp)| **id != subject && **at + VOUCHED_WINDOW > now;
        self.vouched.get(workload).map_or(0, |subjects| subjects.iter().filter(recent).count())
    }

    /// Puts a lease, or its newer form.
    pub fn put_lease(&mut self, lease: Lease) {
        match self.leases.get(&lease.id).map(|old| (old.key, old.expires_at)) {
            // A newer form of an older lease does not take the key back from the lease that has it.
            Some((key, end)) if key == lease.key => {
                self.leases_by_end.remove(&(end, lease.id));
            }
            other => {
                if let Some((_, end)) = other {
                    self.forget_lease(end, lease.id);
                }
                self.leases_by_key.insert(lease.key, lease.id);
            }
        }
        self.leases_by_workload.entry(lease.key.workload).or_default().insert(lease.id);
        self.leases_by_end.insert((lease.expires_at, lease.id));
        if lease.basis == lease::Basis::Vouched {
            self.vouch(lease.key.workload, lease.subject, lease.issued_at);
        }
        self.leases.insert(lease.id, lease);
    }

    fn vouch(&mut self, workload: WorkloadId, subject: SubjectId, at: Timestamp) {
        let subjects = self.vouched.entry(workload).or_default();
        match subjects.get(&subject).copied() {
            Some(newer) if newer >= at => return,
            Some(older) => {
                self.vouched_by_time.remove(&(older, workload, subject));
            }
            None => {}
        }
        subjects.insert(subject, at);
        self.vouched_by_time.insert((at, workload, subject));
    }

    /// Remembers the outcome of a named request; the principal's oldest leaves when there are too many.
    pub fn put_outcome(&mut self, principal: Principal, request: &RequestKey, outcome: Outcome) {
        if let Some(known) = self.outcomes.get(&principal)
            && let Some(same) = known.by_id.get(&request.id).map(|same| same.first_seq)
        {
            self.forget_outcome(same);
        }
        let outcomes = self.outcomes.entry(principal).or_default();
        outcomes.by_id.insert(request.id.clone(), outcome);
        outcomes.oldest_first.insert(outcome.first_seq);
        let oldest = outcomes.oldest_first.first().copied().filter(|_| outcomes.by_id.len() > OUTCOMES_MAX);
        self.outcomes_by_seq.insert(outcome.first_seq, (principal, request.id.clone()));
        if let Some(oldest) = oldest {
            self.forget_outcome(oldest);
        }
    }

    /// Lets what has had its time leave, in one bounded step.
    pub fn reap(&mut self, now: Timestamp) {
        for _ in 0..REAP_MAX {
            match self.leases_by_end.first().copied() {
                Some((end, id)) if end + lease::RETENTION < now => self.forget_lease(end, id),
                Some(_) | None => break,
            }
        }
        for _ in 0..REAP_MAX {
            let Some((seq, (principal, id))) = self.outcomes_by_seq.first_key_value() else { break };
            if self.outcome(*principal, id, now).is_some() {
                break;
            }
            let seq = *seq;
            self.forget_outcome(seq);
        }
        for _ in 0..REAP_MAX {
            match self.vouched_by_time.first().copied() {
                Some((at, workload, subject)) if at + VOUCHED_WINDOW <= now => {
                    self.vouched_by_time.remove(&(at, workload, subject));
                    self.forget_vouched(workload, subject);
                }
                Some(_) | None => break,
            }
        }
    }

    fn forget_outcome(&mut self, seq: u64) {
        let Some((principal, id)) = self.outcomes_by_seq.remove(&seq) else { return };
        let Some(outcomes) = self.outcomes.get_mut(&principal) else { return };
        outcomes.by_id.remove(&id);
        outcomes.oldest_first.remove(&seq);
        if outcomes.by_id.is_empty() {
            self.outcomes.remove(&principal);
        }
    }

    fn forget_vouched(&mut self, workload: WorkloadId, subject: SubjectId) {
        if let Some(subjects) = self.vouched.get_mut(&workload) {
            subjects.remove(&subject);
            if subjects.is_empty() {
                self.vouched.remove(&workload);
            }
        }
    }

    fn forget_lease(&mut self, end: Timestamp, id: LeaseId) {
        self.leases_by_end.remove(&(end, id));
        let Some(lease) = self.leases.remove(&id) else { return };
        if self.leases_by_key.get(&lease.key) == Some(&id) {
            self.leases_by_key.remove(&lease.key);
        }
        if let Some(leases) = self.leases_by_workload.get_mut(&lease.key.workload) {
            leases.remove(&id);
            if leases.is_empty() {
                self.leases_by_workload.remove(&lease.key.workload);
            }
        }
    }
}
