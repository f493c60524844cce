//! Proposals and reads on a node that works.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::FutureExt;
use leasehold_domain::machine::Reply;
use leasehold_domain::rejection::{Kind, Rejection};
use openraft::impls::BasicNode;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::support::{NODE, Node, found, found_with_keys, later, register, server_id, tick};
use crate::{EVENTS_MAX, InitialiseError, ProposeError, ReadError, RecoverError};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_belongs_to_no_cluster_neither_proposes_nor_reads() {
    let node = Node::new();
    let replica = node.try_start().await.unwrap();
    assert_eq!(replica.propose(tick(), later()).await.err(), Some(ProposeError::NoLeader { hint: None }));
    assert_eq!(replica.read().await, Err(ReadError::NoLeader { hint: None }));
    assert_eq!(replica.recovered(Duration::from_millis(50)).await, Err(RecoverError::Timeout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn initialising_twice_changes_nothing() {
    let node = Node::new();
    let replica = node.initialise().await;
    replica.initialise().await.unwrap();
    let status = replica.status();
    assert_eq!((status.voters, status.leadership.leads), (BTreeSet::from([NODE]), true));
    assert_eq!(status.quorum_acked_ago, Some(Duration::ZERO));
    assert_eq!(replica.leadership().borrow().leader, Some(NODE));
    replica.shutdown().await.unwrap();
    assert_eq!(node.batches().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_of_another_cluster_is_not_initialised_and_does_not_lead_without_the_others() {
    let node = Node::new();
    let replica = node.try_start().await.unwrap();
    let members = BTreeMap::from([(NODE, BasicNode::new("a:1")), (8, BasicNode::new("b:1"))]);
    replica.raft.initialize(members).await.unwrap();
    let nodes = BTreeSet::from([NODE, 8]);
    assert_eq!(replica.initialise().await, Err(InitialiseError::OtherMembership { nodes }));
    assert_eq!(replica.recovered(Duration::from_millis(1500)).await, Err(RecoverError::Timeout));
    assert!(matches!(replica.propose(tick(), later()).await, Err(ProposeError::NoLeader { .. })));
    assert!(!replica.status().leadership.leads);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proposers_at_the_same_time_share_entries_and_each_gets_its_own_replies_in_order() {
    const PROPOSERS: u32 = 64;
    const EACH: u32 = 20;
    let node = Node::new();
    let replica = std::sync::Arc::new(node.initialise().await);
    assert!(matches!(replica.propose(found(), later()).await, Ok(Reply::Applied { .. })));
    let mut proposers = JoinSet::new();
    for proposer in 0..PROPOSERS {
        let replica = std::sync::Arc::clone(&replica);
        proposers.spawn(async move {
            let mut last = 0;
            for number in (0..EACH).map(|turn| proposer * EACH + turn) {
                let Ok(Reply::Applied { first_seq, events, .. }) =
                    replica.propose(register(number), later()).await
                else {
                    panic!("registration {number} was not applied")
                };
                let is_ours = replica.ledger.read(|state| {
                    state
                        .mcp_servers
                        .get(&server_id(number))
                        .is_some_and(|server| server.revision == first_seq)
                });
                assert!(is_ours.unwrap() && events.len() == 1 && first_seq > last);
                last = first_seq;
            }
        });
    }
    proposers.join_all().await;
    replica.shutdown().await.unwrap();
    let batches = node.batches();
    assert_eq!(
        batches.iter().map(|(_, proposals)| proposals.len()).sum::<usize>() as u32,
        PROPOSERS * EACH + 1
    );
    assert!(batches.len() < (PROPOSERS * EACH) as usize / 2, "{} entries", batches.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejection_is_a_reply_and_a_repeated_registration_is_one() {
    let node = Node::new();
    let replica = node.initialise().await;
    replica.propose(found(), later()).await.unwrap();
    replica.propose(register(1), later()).await.unwrap();
    let again = replica.propose(register(1), later()).await.unwrap();
    assert!(matches!(again, Reply::Rejected(Rejection::Exists(Kind::McpServer))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposal_too_large_for_an_entry_is_refused_before_it_is_proposed() {
    let node = Node::new();
    let replica = node.initialise().await;
    let error = replica.propose(found_with_keys(vec![50_000; 3]), later()).await.err().unwrap();
    assert!(matches!(error, ProposeError::TooLarge { bytes: 150_000.., events: 1..=EVENTS_MAX }));
    assert!(!error.is_retryable() && error.is_definite());
    replica.shutdown().await.unwrap();
    assert_eq!(node.batches().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_sees_everything_acknowledged_before_it_began() {
    let node = Node::new();
    let replica = std::sync::Arc::new(node.initialise().await);
    replica.propose(found(), later()).await.unwrap();
    let mut tasks = JoinSet::new();
    for task in 0..16_u32 {
        let replica = std::sync::Arc::clone(&replica);
        tasks.spawn(async move {
            for number in (0..20).map(|turn| task * 20 + turn) {
                replica.propose(register(number), later()).await.unwrap();
                let acknowledged = replica.ledger.applied().unwrap().position.unwrap().index;
                let point = replica.read().await.unwrap();
                assert!(point.index >= acknowledged);
                assert!(replica.ledger.applied().unwrap().position.unwrap().index >= point.index);
                assert!(replica.ledger.read(|state| state.mcp_servers.contains(&server_id(number))).unwrap());
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_still_waiting_at_its_deadline_or_when_its_caller_goes_away_is_never_proposed() {
    let node = Node::new();
    let replica = node.initialise().await;
    replica.propose(found(), later()).await.unwrap();
    let held = node.fs.hold_syncs();
    let mut in_flight = Vec::new();
    for number in 0..crate::ENTRIES_IN_FLIGHT_MAX as u32 {
        let end = replica.wal.state().last.unwrap().index;
        let mut proposal = Box::pin(replica.propose(register(number), later()));
        assert!((&mut proposal).now_or_never().is_none());
        while replica.wal.state().last.unwrap().index == end {
            tokio::task::yield_now().await;
        }
        in_flight.push(proposal);
    }
    let mut abandoned = Box::pin(replica.propose(register(100), later()));
    assert!((&mut abandoned).now_or_never().is_none());
    drop(abandoned);
    let soon = Instant::now() + Duration::from_millis(20);
    assert_eq!(replica.propose(register(101), soon).await.err(), Some(ProposeError::Expired));
    let mut patient = Box::pin(replica.propose(register(102), later()));
    assert!((&mut patient).now_or_never().is_none());
    held.release();
    patient.await.unwrap();
    for proposal in in_flight {
        assert!(matches!(proposal.await, Ok(Reply::Applied { .. })));
    }
    let known = |number| replica.ledger.read(|state| state.mcp_servers.contains(&server_id(number))).unwrap();
    assert!(known(0) && known(102) && !known(100) && !known(101));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposal_on_its_way_outlives_its_deadline_and_its_caller() {
    let node = Node::new();
    let replica = node.initialise().await;
    replica.propose(found(), later()).await.unwrap();
    let held = node.fs.hold_syncs();
    let soon = Instant::now() + Duration::from_millis(20);
    assert_eq!(replica.propose(register(1), soon).await.err(), Some(ProposeError::OutcomeUnknown));
    let end = replica.wal.state().last.unwrap().index;
    let mut left = Box::pin(replica.propose(register(2), later()));
    assert!((&mut left).now_or_never().is_none());
    while replica.wal.state().last.unwrap().index == end {
        tokio::task::yield_now().await;
    }
    drop(left);
    held.release();
    replica.propose(register(3), later()).await.unwrap();
    let known = |number| replica.ledger.read(|state| state.mcp_servers.contains(&server_id(number))).unwrap();
    assert!(known(1) && known(2) && known(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_answers_what_is_on_its_way_and_takes_no_more() {
    let node = Node::new();
    let replica = std::sync::Arc::new(node.initialise().await);
    replica.propose(found(), later()).await.unwrap();
    let held = node.fs.hold_syncs();
    let mut waiting: Vec<_> =
        (0..200).map(|number| Box::pin(replica.propose(register(number), later()))).collect();
    for proposal in &mut waiting {
        assert!(proposal.now_or_never().is_none());
    }
    let stopping = std::sync::Arc::clone(&replica);
    let stopped = tokio::spawn(async move { stopping.shutdown().await });
    while replica.propose(tick(), Instant::now()).await.err() != Some(ProposeError::Stopped) {
        tokio::task::yield_now().await;
    }
    held.release();
    for proposal in waiting {
        assert!(matches!(proposal.await, Ok(Reply::Applied { .. })));
    }
    stopped.await.unwrap().unwrap();
    assert_eq!(replica.read().await, Err(ReadError::Stopped));
    assert_eq!(node.faults_so_far(), 0, "an orderly end is no fault");
    replica.shutdown().await.unwrap();
}
