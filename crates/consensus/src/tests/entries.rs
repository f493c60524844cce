//! What entries are made of when more waits than fits one.

use futures::FutureExt;
use leasehold_domain::command::Proposal;

use super::support::{Node, found, found_with_keys, later, register, tick};
use crate::{ENTRY_LEN_MAX, EVENTS_MAX, PROPOSALS_MAX, ProposeError, QUEUE_LEN_MAX};

/// Proposes all at once, while the disk stands still, and answers the batches that they became.
async fn batches_of(proposals: Vec<Proposal>) -> Vec<(usize, Vec<Proposal>)> {
    let node = Node::new();
    let replica = node.initialise().await;
    replica.propose(found(), later()).await.unwrap();
    let held = node.fs.hold_syncs();
    let count = proposals.len();
    let mut waiting: Vec<_> =
        proposals.into_iter().map(|proposal| Box::pin(replica.propose(proposal, later()))).collect();
    for proposal in &mut waiting {
        assert!(proposal.now_or_never().is_none());
    }
    held.release();
    for proposal in waiting {
        proposal.await.unwrap();
    }
    replica.shutdown().await.unwrap();
    let batches = node.batches().split_off(1);
    assert_eq!(batches.iter().map(|(_, proposals)| proposals.len()).sum::<usize>(), count);
    for (bytes, proposals) in &batches {
        let events: usize = proposals.iter().map(|proposal| proposal.command.events_max()).sum();
        assert!(*bytes <= ENTRY_LEN_MAX && proposals.len() <= PROPOSALS_MAX && events <= EVENTS_MAX);
    }
    batches
}

fn largest(batches: &[(usize, Vec<Proposal>)]) -> usize {
    batches.iter().map(|(_, proposals)| proposals.len()).max().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_is_cut_by_the_number_of_its_proposals() {
    let batches = batches_of(vec![tick(); 2000]).await;
    assert_eq!(largest(&batches), PROPOSALS_MAX);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_is_cut_by_the_events_that_it_may_raise() {
    let each = found().command.events_max();
    let batches = batches_of(vec![found(); 300]).await;
    assert_eq!(largest(&batches), EVENTS_MAX / each);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_is_cut_by_its_bytes() {
    let batches = batches_of(vec![found_with_keys(vec![30_000]); 30]).await;
    assert_eq!(largest(&batches), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_proposed_first_is_decided_first_across_entries() {
    let order: Vec<_> = (0..1000).map(register).collect();
    let batches = batches_of(order.clone()).await;
    let decided: Vec<_> = batches.into_iter().flat_map(|(_, proposals)| proposals).collect();
    assert!(decided == order);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proposals_beyond_the_queue_are_refused_at_once() {
    let node = Node::new();
    let replica = node.initialise().await;
    let held = node.fs.hold_syncs();
    let mut waiting: Vec<_> =
        (0..QUEUE_LEN_MAX * 2).map(|_| Box::pin(replica.propose(tick(), later()))).collect();
    let answers: Vec<_> = waiting.iter_mut().filter_map(|proposal| proposal.now_or_never()).collect();
    assert!(
        !answers.is_empty() && answers.iter().all(|answer| matches!(answer, Err(ProposeError::Overloaded)))
    );
    assert!(waiting.len() - answers.len() >= QUEUE_LEN_MAX);
    held.release();
}
