//! The table's rules, with moments chosen by the test.

use std::collections::BTreeMap as Map;

use leasehold_proto::v1::{HeldLease as Pushed, Keepalive, LeaseEnded, Resync};

use super::{
    super::{Want, Whose},
    *,
};

const MINUTES_5: Duration = Duration::from_secs(300);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn key(subject: &str) -> Key {
    Want::new("files", "sandbox", Whose::Vouched(subject.to_owned())).key()
}

fn lease(id: &str, expires_at: Instant) -> Lease {
    Lease {
        lease_id: id.to_owned(),
        access_token: "token".into(),
        token_type: "Bearer".to_owned(),
        scopes: Vec::new(),
        grant: "grt_1".to_owned(),
        generation: 1,
        expires_at,
        token_expires_at: Some(expires_at + MINUTES_5),
        metadata: Map::new(),
        warnings: Vec::new(),
    }
}

fn push(seq: u64, change: Change) -> WatchResponse {
    WatchResponse { seq, change: Some(change) }
}

fn resync(seq: u64, ids: &[&str]) -> WatchResponse {
    let leases = ids.iter().map(|id| Pushed { lease_id: (*id).to_owned(), ..Pushed::default() }).collect();
    push(seq, Change::Resync(Resync { leases, grace_seconds: 10 }))
}

fn ended(seq: u64, id: &str) -> WatchResponse {
    push(seq, Change::Ended(LeaseEnded { lease_id: id.to_owned(), ..LeaseEnded::default() }))
}

fn keepalive() -> WatchResponse {
    push(0, Change::Keepalive(Keepalive {}))
}

/// A table that hears pushes, and holds `lse_1` for alice for five minutes.
fn holding(now: Instant) -> (Table, HeldLease) {
    let mut table = Table::new(2);
    table.heard(resync(1, &[]), now);
    let held = hold(&mut table, "alice", "lse_1", now);
    (table, held)
}

fn hold(table: &mut Table, subject: &str, id: &str, now: Instant) -> HeldLease {
    let epoch = table.epoch();
    match table.acquired(&key(subject), MINUTES_5, lease(id, now + MINUTES_5), epoch, now) {
        Acquired::Held(held) => held,
        Acquired::Unwatched(_) | Acquired::Overtaken => panic!("not held"),
    }
}

#[tokio::test]
async fn a_held_lease_is_found_while_pushes_are_heard() {
    let now = Instant::now();
    let (mut table, held) = holding(now);
    assert!(table.find(&key("alice"), Duration::ZERO, now + seconds(9)).is_some());
    assert!(table.find(&key("bob"), Duration::ZERO, now).is_none());
    assert!(table.find(&key("alice"), Duration::ZERO, now + seconds(10)).is_none(), "silent for the grace");
    assert!(held.is_live());
}

#[tokio::test]
async fn a_silence_of_the_stated_grace_drops_everything() {
    let now = Instant::now();
    let (mut table, held) = holding(now);
    table.heard(keepalive(), now + seconds(5));
    table.tick(8, now + seconds(14));
    assert!(held.is_live());
    assert_eq!(table.next_wake(false), Some(now + seconds(15)));
    table.tick(8, now + seconds(15));
    assert!(!held.is_live());
    held.ended().await;
    table.heard(keepalive(), now + seconds(16));
    assert!(table.find(&key("alice"), Duration::ZERO, now + seconds(16)).is_none());
}

#[tokio::test]
async fn without_pushes_an_answer_is_used_and_not_held() {
    let now = Instant::now();
    let mut table = Table::new(2);
    let acquired = table.acquired(&key("alice"), MINUTES_5, lease("lse_1", now + MINUTES_5), 0, now);
    let Acquired::Unwatched(held) = acquired else { panic!("held without pushes") };
    assert!(held.is_live());
    table.heard(keepalive(), now);
    assert!(table.find(&key("alice"), Duration::ZERO, now).is_none());
}

#[tokio::test]
async fn a_pushed_end_drops_the_lease_at_once() {
    let now = Instant::now();
    let (mut table, held) = holding(now);
    table.heard(ended(7, "lse_1"), now);
    assert!(!held.is_live());
    assert!(table.find(&key("alice"), Duration::ZERO, now).is_none());
    assert_eq!(table.seq(), 7);
}

#[tokio::test]
async fn an_answer_that_its_end_overtook_is_not_believed() {
    let now = Instant::now();
    let (mut table, _held) = holding(now);
    let epoch = table.epoch();
    table.heard(ended(7, "lse_2"), now);
    let late = table.acquired(&key("bob"), MINUTES_5, lease("lse_2", now + MINUTES_5), epoch, now);
    assert!(matches!(late, Acquired::Overtaken));
}

#[tokio::test]
async fn an_answer_from_before_a_resync_is_not_believed() {
    let now = Instant::now();
    let (mut table, _held) = holding(now);
    let epoch = table.epoch();
    table.heard(resync(9, &["lse_1"]), now);
    let late = table.acquired(&key("bob"), MINUTES_5, lease("lse_2", now + MINUTES_5), epoch, now);
    assert!(matches!(late, Acquired::Overtaken));
}

#[tokio::test]
async fn ends_beyond_what_is_remembered_make_answers_from_before_unbelievable() {
    let now = Instant::now();
    let (mut table, _held) = holding(now);
    let epoch = table.epoch();
    for seq in 0..=ENDS_MAX as u64 {
        table.heard(ended(10 + seq, &format!("lse_x{seq}")), now);
    }
    let late = table.acquired(&key("bob"), MINUTES_5, lease("lse_x0", now + MINUTES_5), epoch, now);
    assert!(matches!(late, Acquired::Overtaken));
    assert_eq!(table.ends.len(), ENDS_MAX);
}

#[tokio::test]
async fn a_resync_replaces_what_was_held() {
    let now = Instant::now();
    let (mut table, alice) = holding(now);
    let bob = hold(&mut table, "bob", "lse_2", now);
    table.heard(resync(3, &["lse_2", "lse_9"]), now);
    assert!(!alice.is_live());
    assert!(bob.is_live());
    assert_eq!(table.seq(), 3);
}

#[tokio::test]
async fn at_the_bound_the_lease_asked_for_least_recently_is_let_go() {
    let now = Instant::now();
    let (mut table, alice) = holding(now);
    let bob = hold(&mut table, "bob", "lse_2", now + seconds(1));
    table.find(&key("alice"), Duration::ZERO, now + seconds(2));
    let carol = hold(&mut table, "carol", "lse_3", now + seconds(3));
    assert!(alice.is_live() && carol.is_live());
    assert!(!bob.is_live());
}

#[tokio::test]
async fn a_lease_in_use_is_due_between_two_fifths_and_three_fifths_of_its_life() {
    let now = Instant::now();
    let (mut table, held) = holding(now);
    keep_heard(&mut table, now + seconds(120));
    assert_eq!(table.tick(8, now + seconds(119)), []);
    keep_heard(&mut table, now + seconds(180));
    let due = table.tick(8, now + seconds(180));
    assert_eq!(due, [Due { key: key("alice"), lease_id: "lse_1".to_owned(), ttl: MINUTES_5 }]);
    assert_eq!(table.tick(8, now + seconds(181)), [], "one renewal at a time");
    table.renewed(&due[0], Renewed::Until(now + seconds(480)), now + seconds(180));
    assert_eq!(held.expires_at(), now + seconds(480));
    assert!(table.next_wake(true).unwrap() < now + seconds(480));
}

#[tokio::test]
async fn a_lease_that_nobody_uses_lapses() {
    let now = Instant::now();
    let (mut table, held) = holding(now);
    drop(held);
    keep_heard(&mut table, now + seconds(200));
    assert_eq!(table.tick(8, now + seconds(200)), []);
    keep_heard(&mut table, now + seconds(300));
    table.tick(8, now + seconds(300));
    assert!(table.entries.is_empty());
}

#[tokio::test]
async fn renewals_beyond_the_bound_wait() {
    let now = Instant::now();
    let (mut table, _alice) = holding(now);
    let _bob = hold(&mut table, "bob", "lse_2", now);
    keep_heard(&mut table, now + seconds(200));
    assert_eq!(table.tick(1, now + seconds(200)).len(), 1);
    assert!(table.next_wake(false).unwrap() > now + seconds(200), "no spinning while none can be made");
    assert!(table.next_wake(true).unwrap() <= now + seconds(200));
    assert_eq!(table.tick(1, now + seconds(200)).len(), 1);
}

#[tokio::test]
async fn a_refused_renewal_drops_the_lease_and_a_failed_one_is_made_again() {
    let now = Instant::now();
    let (mut table, held) = holding(now);
    keep_heard(&mut table, now + seconds(180));
    let due = table.tick(8, now + seconds(180));
    table.renewed(&due[0], Renewed::Failed, now + seconds(180));
    assert!(held.is_live());
    keep_heard(&mut table, now + seconds(260));
    assert_eq!(table.tick(8, now + seconds(260)), due);
    table.renewed(&due[0], Renewed::Refused, now + seconds(260));
    assert!(!held.is_live());
}

#[tokio::test]
async fn a_lease_that_cannot_live_longer_is_not_renewed_again() {
    let now = Instant::now();
    let (mut table, _held) = holding(now);
    keep_heard(&mut table, now + seconds(180));
    let due = table.tick(8, now + seconds(180));
    table.renewed(&due[0], Renewed::Until(now + seconds(300)), now + seconds(180));
    keep_heard(&mut table, now + seconds(290));
    assert_eq!(table.tick(8, now + seconds(290)), []);
}

#[tokio::test]
async fn a_token_that_ends_too_soon_is_not_found() {
    let now = Instant::now();
    let (mut table, _held) = holding(now);
    assert!(table.find(&key("alice"), seconds(600), now).is_some());
    assert!(table.find(&key("alice"), seconds(601), now).is_none());
}

#[tokio::test]
async fn those_who_want_the_same_take_turns_and_leave_nothing_behind() {
    let mut table = Table::new(2);
    let turn = table.turn(&key("alice"));
    assert!(Arc::ptr_eq(&turn, &table.turn(&key("alice"))));
    assert!(!Arc::ptr_eq(&turn, &table.turn(&key("bob"))));
    for number in 0..TURNS_KEPT * 3 {
        drop(table.turn(&key(&number.to_string())));
    }
    assert!(table.turns.len() <= TURNS_KEPT);
    assert!(Arc::ptr_eq(&turn, &table.turn(&key("alice"))), "a turn that is waited for stays");
}

fn keep_heard(table: &mut Table, until: Instant) {
    table.heard(keepalive(), until);
}
