//! What is there after a node was stopped, in any way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use leasehold_domain::machine::Reply;
use leasehold_wal::DiskFs;
use leasehold_wal::testing::{SimFs, Tear};
use tokio::runtime::{Builder, Runtime};

use super::support::{Node, found, later, register, server_id};
use crate::{Config, Replica, StartError};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs proposers until at least `least` registrations are acknowledged, then stops everything where it stands; answers how many
/// registrations, from 0 on, had been acknowledged without a gap.
fn run_until_cut(runtime: Runtime, replica: Replica, least: u32) -> u32 {
    let acknowledged: Arc<Vec<AtomicU32>> = Arc::new((0..8).map(|_| AtomicU32::new(0)).collect());
    let replica = Arc::new(replica);
    for lane in 0..8_u32 {
        let (replica, acknowledged) = (Arc::clone(&replica), Arc::clone(&acknowledged));
        runtime.spawn(async move {
            for turn in 0.. {
                if replica.propose(register(turn * 8 + lane), later()).await.is_err() {
                    return;
                }
                acknowledged[lane as usize].store(turn + 1, Ordering::SeqCst);
            }
        });
    }
    let lowest = || acknowledged.iter().map(|lane| lane.load(Ordering::SeqCst)).min().unwrap();
    while lowest() * 8 < least {
        std::thread::yield_now();
    }
    let acknowledged = lowest() * 8;
    drop(replica);
    drop(runtime);
    acknowledged
}

async fn assert_all_known(replica: &Replica, count: u32) {
    replica.read().await.unwrap();
    let missing = replica.ledger.read(|state| {
        (0..count).filter(|number| !state.mcp_servers.contains(&server_id(*number))).collect::<Vec<_>>()
    });
    assert_eq!(missing.unwrap(), []);
}

async fn founded(node: &Node) -> Replica {
    let replica = node.initialise().await;
    replica.propose(found(), later()).await.unwrap();
    replica
}

#[test]
fn a_node_killed_under_load_comes_back_with_everything_it_acknowledged() {
    let node = Node::new();
    let mut known = 0;
    for round in 0..3 {
        let running = runtime();
        let replica =
            running.block_on(async { if round == 0 { founded(&node).await } else { node.start().await } });
        running.block_on(assert_all_known(&replica, known));
        if round == 2 {
            running.block_on(replica.shutdown()).unwrap();
        } else {
            known = run_until_cut(running, replica, known + 200);
        }
    }
    assert!(known >= 400);
    assert_eq!(node.faults_so_far(), 0, "a node that is dropped does not report a fault");
}

#[test]
fn a_log_that_lost_power_rebuilds_an_empty_ledger_with_everything_it_acknowledged() {
    let node = Node::new();
    let running = runtime();
    let replica = running.block_on(founded(&node));
    let crashed: SimFs;
    let acknowledged = {
        let acknowledged = Arc::new(AtomicU32::new(0));
        let (count, replica) = (Arc::clone(&acknowledged), Arc::new(replica));
        running.spawn(async move {
            for number in 0.. {
                if replica.propose(register(number), later()).await.is_err() {
                    return;
                }
                count.store(number + 1, Ordering::SeqCst);
            }
        });
        while acknowledged.load(Ordering::SeqCst) < 100 {
            std::thread::yield_now();
        }
        let sure = acknowledged.load(Ordering::SeqCst);
        crashed = node.fs.crashed(Tear::Sector, |_| false);
        sure
    };
    drop(running);
    let revived = Node::on(crashed);
    let running = runtime();
    running.block_on(async {
        let replica = revived.start().await;
        assert_all_known(&replica, acknowledged).await;
        assert!(matches!(replica.propose(register(1 << 20), later()).await, Ok(Reply::Applied { .. })));
        replica.shutdown().await.unwrap();
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_on_the_real_disk_that_was_shut_down_goes_on_where_it_was() {
    let node = Node::new();
    let on_disk =
        |node: &Node| Config { fs: Arc::new(DiskFs), log_dir: node.dir.path().join("log"), ..node.config() };
    for round in 0..3_u32 {
        let replica = node.start_with(on_disk(&node)).await.unwrap();
        replica.initialise().await.unwrap();
        replica.recovered(Duration::from_secs(30)).await.unwrap();
        if round == 0 {
            replica.propose(found(), later()).await.unwrap();
        }
        assert_all_known(&replica, round).await;
        replica.propose(register(round), later()).await.unwrap();
        replica.shutdown().await.unwrap();
        assert_eq!(replica.ledger.flushed(), replica.ledger.applied().unwrap().position);
        drop(replica);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_without_its_log_is_refused() {
    let node = Node::new();
    let replica = founded(&node).await;
    replica.shutdown().await.unwrap();
    drop(replica);
    let lost = Config { fs: Arc::new(SimFs::new()), ..node.config() };
    assert!(matches!(node.start_with(lost).await, Err(StartError::Log(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_ends_before_the_ledger_is_refused_and_left_as_it_is() {
    let node = Node::new();
    let replica = founded(&node).await;
    let earlier = node.fs.killed();
    let end = replica.ledger.applied().unwrap().position.unwrap().index;
    replica.propose(register(1), later()).await.unwrap();
    replica.shutdown().await.unwrap();
    drop(replica);
    let before = earlier.files();
    let short = Config { fs: Arc::new(earlier.clone()), ..node.config() };
    let Err(StartError::Log(error)) = node.start_with(short).await else { panic!("a short log was taken") };
    let said = error.to_string();
    assert!(said.contains(&format!("{}", end + 1)), "{said}");
    assert_eq!(earlier.files(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_of_another_history_is_refused() {
    let (ours, theirs) = (Node::new(), Node::new());
    let replica = founded(&ours).await;
    replica.shutdown().await.unwrap();
    drop(replica);
    for _ in 0..2 {
        // Each start elects anew, so that this log has a later term where the other has a batch.
        let replica = match theirs.try_start().await {
            Ok(replica) => replica,
            Err(error) => panic!("{error}"),
        };
        replica.initialise().await.unwrap();
        replica.recovered(Duration::from_secs(30)).await.unwrap();
        replica.shutdown().await.unwrap();
        drop(replica);
    }
    let mixed = Config { fs: Arc::new(theirs.fs.killed()), ..ours.config() };
    let Err(error) = ours.start_with(mixed).await else { panic!("another history was taken") };
    assert!(matches!(error, StartError::OtherEntry { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_acknowledged_before_it_would_survive_a_loss_of_power() {
    let node = Node::new();
    let replica = founded(&node).await;
    let held = node.fs.hold_syncs();
    let mut proposal = Box::pin(replica.propose(register(1), later()));
    let early = tokio::time::timeout(Duration::from_millis(100), &mut proposal).await;
    assert!(early.is_err(), "acknowledged while its sync was held");
    held.release();
    proposal.await.unwrap();
    let crashed = node.fs.crashed(Tear::Sector, |_| false);
    let revived = Node::on(crashed);
    let replica = revived.start().await;
    assert!(replica.ledger.read(|state| state.mcp_servers.contains(&server_id(1))).unwrap());
}
