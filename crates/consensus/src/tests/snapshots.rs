//! Snapshots, and a log that was purged below one.

use std::time::Duration;

use leasehold_domain::machine::Reply;
use openraft::RaftMetrics;
use openraft::async_runtime::watch::WatchReceiver;

use super::support::{Node, found, later, register, server_id};
use crate::types::Types;
use crate::{Config, Replica, StartError};

async fn until(replica: &Replica, reached: impl Fn(&RaftMetrics<Types>) -> bool + Send) {
    let within = Some(Duration::from_secs(30));
    replica.raft.wait(within).metrics(reached, "what the test waits for").await.unwrap();
}

/// A node with a snapshot, that has purged all of its log but the entry after it.
async fn purged(node: &Node) -> Replica {
    let replica = node.initialise().await;
    replica.propose(found(), later()).await.unwrap();
    replica.propose(register(1), later()).await.unwrap();
    let upto = replica.ledger.applied().unwrap().position.unwrap().index;
    replica.raft.trigger().snapshot().await.unwrap();
    until(&replica, |metrics| metrics.snapshot.is_some_and(|id| id.index >= upto)).await;
    replica.raft.trigger().purge_log(upto).await.unwrap();
    until(&replica, |metrics| metrics.purged.is_some_and(|id| id.index == upto)).await;
    replica.propose(register(2), later()).await.unwrap();
    replica
}

fn known(replica: &Replica, number: u32) -> bool {
    replica.ledger.read(|state| state.mcp_servers.contains(&server_id(number))).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_log_was_purged_goes_on_where_it_was() {
    let node = Node::new();
    let replica = purged(&node).await;
    replica.shutdown().await.unwrap();
    drop(replica);
    let replica = node.start().await;
    assert!(known(&replica, 1) && known(&replica, 2));
    assert!(matches!(replica.propose(register(3), later()).await, Ok(Reply::Applied { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_ledger_is_rebuilt_from_the_snapshot_and_the_rest_of_the_log() {
    let node = Node::new();
    let replica = purged(&node).await;
    replica.shutdown().await.unwrap();
    drop(replica);
    std::fs::remove_dir_all(node.dir.path().join("ledger")).unwrap();
    let replica = node.start().await;
    assert!(known(&replica, 1) && known(&replica, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_ledger_without_a_snapshot_is_refused_when_the_log_was_purged() {
    let node = Node::new();
    let replica = purged(&node).await;
    replica.shutdown().await.unwrap();
    drop(replica);
    std::fs::remove_dir_all(node.dir.path().join("ledger")).unwrap();
    std::fs::remove_dir_all(node.dir.path().join("snapshots")).unwrap();
    let Err(error) = node.try_start().await else { panic!("a hole was taken") };
    assert!(matches!(error, StartError::LedgerBehind { ledger: None, .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_never_purged_above_what_the_ledger_holds_durably() {
    let node = Node::new();
    let replica = purged(&node).await;
    let purged = replica.wal.state().purged.unwrap().index;
    assert!(replica.ledger.flushed().unwrap().index >= purged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_is_taken_each_time_the_log_has_grown_enough() {
    let node = Node::new();
    let config = Config { snapshot_every_bytes: 1, ..node.config() };
    let replica = node.start_with(config).await.unwrap();
    replica.initialise().await.unwrap();
    replica.recovered(Duration::from_secs(30)).await.unwrap();
    replica.propose(found(), later()).await.unwrap();
    let mut number = 0;
    for _ in 0..3 {
        let before = replica.raft.metrics().borrow_watched().snapshot;
        while replica.raft.metrics().borrow_watched().snapshot <= before {
            replica.propose(register(number), later()).await.unwrap();
            number += 1;
        }
    }
    let files = std::fs::read_dir(node.dir.path().join("snapshots")).unwrap().count();
    assert!(files <= 2, "{files} snapshots are kept");
}
