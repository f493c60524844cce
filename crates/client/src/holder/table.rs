//! What is held, and every rule about it. Synchronous; the present moment comes in as a parameter.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Weak},
    time::Duration,
};

use leasehold_proto::v1::{WatchResponse, watch_response::Change};
use tokio::{sync::Mutex, time::Instant};

use super::{held::HeldLease, jitter, want::Key};
use crate::lease::Lease;

/// How many ends are remembered, against answers that they overtake.
const ENDS_MAX: usize = 4096;
/// How many turns may stand in the map before those that nobody waits for are cleared out.
const TURNS_KEPT: usize = 256;
/// The grace until the cluster has stated one.
const GRACE: Duration = Duration::from_secs(10);
/// Between which thousandths of its remaining life a lease is renewed.
const RENEW_BETWEEN: (u32, u32) = (400, 600);
/// The shortest wait before a renewal, so that a lease near its end causes no storm.
const RENEW_AFTER_MIN: Duration = Duration::from_millis(500);

/// The table.
pub(super) struct Table {
    entries: BTreeMap<Key, Entry>,
    leases_max: usize,
    /// Leases that ended, the latest last: an answer that names one of them was overtaken.
    ends: VecDeque<String>,
    /// Raised whenever an end may have gone unremembered: answers to calls from before are not believed.
    epoch: u64,
    /// Up to which sequence number everything was seen.
    seq: u64,
    /// When pushes were last heard; `None` before the first and after a silence.
    heard_at: Option<Instant>,
    grace: Duration,
    /// Who asks for what right now: callers who want the same take turns.
    turns: BTreeMap<Key, Weak<Mutex<()>>>,
}

struct Entry {
    held: HeldLease,
    ttl: Duration,
    /// When to renew; `None` while that is under way or of no use.
    renew_at: Option<Instant>,
    /// Whether somebody asked for it since it was issued or renewed.
    asked_for: bool,
    /// When somebody last did.
    asked_at: Instant,
}

/// What became of an answer.
pub(super) enum Acquired {
    /// It is held.
    Held(HeldLease),
    /// It can be used, but is not held: no pushes are heard.
    Unwatched(HeldLease),
    /// It may have ended before it arrived: ask again.
    Overtaken,
}

/// A renewal to make.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) key: Key,
    pub(super) lease_id: String,
    pub(super) ttl: Duration,
}

/// How a renewal went.
pub(super) enum Renewed {
    /// It lives until then.
    Until(Instant),
    /// Nobody knows, or not now.
    Failed,
    /// It is not to be used any more.
    Refused,
}

impl Table {
    pub(super) fn new(leases_max: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            leases_max: leases_max.max(1),
            ends: VecDeque::new(),
            epoch: 0,
            seq: 0,
            heard_at: None,
            grace: GRACE,
            turns: BTreeMap::new(),
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn is_watching(&self, now: Instant) -> bool {
        self.heard_at.is_some_and(|heard_at| now < heard_at + self.grace)
    }

    /// A held lease that can be used now and whose token lives for `min_validity`.
    pub(super) fn find(&mut self, key: &Key, min_validity: Duration, now: Instant) -> Option<HeldLease> {
        if !self.is_watching(now) {
            return None;
        }
        let entry = self.entries.get_mut(key)?;
        let long_enough = entry.held.token_expires_at().is_none_or(|end| now + min_validity <= end);
        if now >= entry.held.expires_at() || !long_enough {
            return None;
        }
        (entry.asked_for, entry.asked_at) = (true, now);
        Some(entry.held.clone())
    }

    /// The turn of those who want the same.
    pub(super) fn turn(&mut self, key: &Key) -> Arc<Mutex<()>> {
        if let Some(turn) = self.turns.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        if self.turns.len() >= TURNS_KEPT {
            self.turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::new(Mutex::new(()));
        self.turns.insert(key.clone(), Arc::downgrade(&turn));
        turn
    }

    /// Takes an answer to a call that began in `epoch`.
    pub(super) fn acquired(
        &mut self,
        key: &Key,
        ttl: Duration,
        lease: Lease,
        epoch: u64,
        now: Instant,
    ) -> Acquired {
        if epoch != self.epoch || self.ends.contains(&lease.lease_id) {
            return Acquired::Overtaken;
        }
        let held = HeldLease::new(lease);
        if !self.is_watching(now) {
            return Acquired::Unwatched(held);
        }
        if !self.entries.contains_key(key) && self.entries.len() >= self.leases_max {
            let oldest =
                self.entries.iter().min_by_key(|(_, entry)| entry.asked_at).map(|(key, _)| key.clone());
            oldest.into_iter().for_each(|key| self.drop_entry(&key));
        }
        self.drop_entry(key);
        let renew_at = Some(half_life(held.expires_at(), now));
        let entry = Entry { held: held.clone(), ttl, renew_at, asked_for: false, asked_at: now };
        self.entries.insert(key.clone(), entry);
        Acquired::Held(held)
    }

    /// Takes a push.
    pub(super) fn heard(&mut self, push: WatchResponse, now: Instant) {
        self.heard_at = Some(now);
        self.seq = self.seq.max(push.seq);
        match push.change {
            Some(Change::Resync(resync)) => {
                self.seq = push.seq;
                self.epoch += 1;
                self.grace = Duration::from_secs(u64::from(resync.grace_seconds.max(1)));
                let current: BTreeSet<_> = resync.leases.iter().map(|held| held.lease_id.as_str()).collect();
                self.retain(|entry| current.contains(entry.held.lease_id()));
            }
            Some(Change::Ended(ended)) => {
                self.let_go(&ended.lease_id);
                self.remember(ended.lease_id);
            }
            // What is issued or renewed for this holder, it has from the answer; for others of the same workload, it needs no token.
            Some(Change::Held(_) | Change::Keepalive(_)) | None => {}
        }
    }

    /// Drops a lease, whoever asked for it.
    pub(super) fn let_go(&mut self, lease_id: &str) {
        self.retain(|entry| entry.held.lease_id() != lease_id);
    }

    /// Drops what has run out, and everything after a silence; answers with the renewals to make, at most `renewals_max`.
    pub(super) fn tick(&mut self, renewals_max: usize, now: Instant) -> Vec<Due> {
        if self.heard_at.is_some() && !self.is_watching(now) {
            self.heard_at = None;
            self.retain(|_| false);
        }
        self.retain(|entry| now < entry.held.expires_at());
        let due = |entry: &Entry| entry.renew_at.is_some_and(|at| at <= now);
        let mut renewals = Vec::new();
        for (key, entry) in self.entries.iter_mut().filter(|(_, entry)| due(entry)) {
            if !entry.asked_for && !entry.held.is_in_hand() {
                entry.renew_at = None;
            } else if renewals.len() < renewals_max {
                entry.renew_at = None;
                let lease_id = entry.held.lease_id().to_owned();
                renewals.push(Due { key: key.clone(), lease_id, ttl: entry.ttl });
            }
        }
        renewals
    }

    /// Takes the outcome of a renewal.
    pub(super) fn renewed(&mut self, due: &Due, renewed: Renewed, now: Instant) {
        let Some(entry) =
            self.entries.get_mut(&due.key).filter(|entry| entry.held.lease_id() == due.lease_id)
        else {
            return;
        };
        match renewed {
            Renewed::Until(at) => {
                let before = entry.held.expires_at();
                // The cluster's word counts, also when it is shorter than before.
                entry.held.live_until(at);
                entry.asked_for = false;
                // Where it could not be made longer, it has reached a bound: the next who asks gets another.
                entry.renew_at = (at > before).then(|| half_life(at, now));
            }
            Renewed::Failed => entry.renew_at = Some(half_life(entry.held.expires_at(), now)),
            Renewed::Refused => self.drop_entry(&due.key),
        }
    }

    /// When [`Self::tick`] has something to do next; renewals count only where one can be made.
    pub(super) fn next_wake(&self, can_renew: bool) -> Option<Instant> {
        let silence = self.heard_at.map(|heard_at| heard_at + self.grace);
        let of_entry = |entry: &Entry| {
            let renewal = entry.renew_at.filter(|_| can_renew);
            renewal.map_or(entry.held.expires_at(), |at| at.min(entry.held.expires_at()))
        };
        self.entries.values().map(of_entry).chain(silence).min()
    }

    fn retain(&mut self, keep: impl Fn(&Entry) -> bool) {
        self.entries.retain(|_, entry| {
            let kept = keep(entry);
            if !kept {
                entry.held.end();
            }
            kept
        });
    }

    fn drop_entry(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            entry.held.end();
        }
    }

    fn remember(&mut self, lease_id: String) {
        if self.ends.len() >= ENDS_MAX {
            self.ends.pop_front();
            self.epoch += 1;
        }
        self.ends.push_back(lease_id);
    }
}

fn half_life(expires_at: Instant, now: Instant) -> Instant {
    let (least, most) = RENEW_BETWEEN;
    let remaining = expires_at.saturating_duration_since(now);
    now + jitter::between(remaining, least, most).max(RENEW_AFTER_MIN.min(remaining))
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
