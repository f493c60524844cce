//! A node that cannot go on stops, says so once, and does not come back by itself.

use std::io::ErrorKind;

use bytes::Bytes;
use leasehold_domain::machine::Reply;
use leasehold_wal::testing::Call;

use super::support::{Node, found, later, register, tick};
use crate::types::Batch;
use crate::{Fault, ProposeError, ReadError, StartError};

fn fault_of(node: &Node) -> Fault {
    tokio::task::block_in_place(|| node.fault())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_sync_stops_the_node() {
    for call in [Call::Sync, Call::Write] {
        let node = Node::new();
        let replica = node.initialise().await;
        replica.propose(found(), later()).await.unwrap();
        node.fs.fail(call, 1, ErrorKind::Other);
        assert_eq!(replica.propose(register(1), later()).await.err(), Some(ProposeError::OutcomeUnknown));
        assert!(matches!(fault_of(&node), Fault::Log(_)));
        assert_eq!(replica.read().await, Err(ReadError::Stopped));
        let refused = replica.propose(register(2), later()).await.err();
        assert!(matches!(refused, Some(ProposeError::Stopped)), "{refused:?}");
        assert!(replica.shutdown().await.is_err());
        assert_eq!(node.faults_so_far(), 0, "a fault is reported once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failed_sync_left_unknown_is_either_there_after_a_restart_or_not_and_all_else_is() {
    let node = Node::new();
    let replica = node.initialise().await;
    replica.propose(found(), later()).await.unwrap();
    replica.propose(register(1), later()).await.unwrap();
    node.fs.fail(Call::Sync, 1, ErrorKind::Other);
    assert_eq!(replica.propose(register(2), later()).await.err(), Some(ProposeError::OutcomeUnknown));
    let _ = fault_of(&node);
    let disk = node.fs.crashed(leasehold_wal::testing::Tear::Sector, |_| true);
    drop(replica);
    let revived = Node::on(disk);
    let replica = revived.start().await;
    assert!(matches!(replica.propose(register(1), later()).await, Ok(Reply::Rejected(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_cannot_be_read_stops_the_node_now_and_at_every_start() {
    let node = Node::new();
    let replica = node.initialise().await;
    let alien = Batch(Bytes::from_static(b"\xff a command of a later version"));
    assert!(replica.raft.client_write(alien).await.is_err());
    let Fault::Consensus { reason } = fault_of(&node) else { panic!("it is not the log that failed") };
    assert!(reason.contains("cannot read the proposals of entry"), "{reason}");
    assert!(replica.propose(tick(), later()).await.is_err());
    drop(replica.shutdown().await);
    drop(replica);
    match node.try_start().await {
        Err(StartError::Core { reason }) => assert!(reason.contains("cannot read"), "{reason}"),
        Err(error) => panic!("{error}"),
        // The commit mark may not have reached the disk: then it stops once the entry commits again.
        Ok(_) => assert!(matches!(fault_of(&node), Fault::Consensus { .. })),
    }
}
