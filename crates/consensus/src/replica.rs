//! One node of the cluster: the only handle that this crate gives out.

mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use leasehold_domain::command::Proposal;
use leasehold_domain::machine::Reply;
use leasehold_ledger::Ledger;
use leasehold_wal::Wal;
use openraft::Instant as _;
use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{InitializeError, RaftError};
use openraft::impls::BasicNode;
use openraft::metrics::WaitError;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

pub use start::{Config, StartError};

use crate::batcher::Batcher;
use crate::reads::Reads;
use crate::types::{Membership, Raft};
use crate::{Leadership, ProposeError, ReadError, ReadPoint};

/// How long a shutdown waits for proposals on their way; what is not answered by then has an unknown outcome.
const DRAIN_WAIT_MAX: Duration = Duration::from_secs(5);

/// A running node. Dropping it stops the node where it stands; what was acknowledged is durable even so.
pub struct Replica {
    node: u64,
    address: String,
    pub(crate) raft: Raft,
    pub(crate) wal: Arc<Wal>,
    pub(crate) ledger: Ledger,
    batcher: Batcher,
    reads: Reads,
    leadership: watch::Receiver<Leadership>,
    closing: watch::Sender<bool>,
    workers: Mutex<JoinSet<()>>,
    /// Kept only to end with the replica.
    _watcher: JoinSet<()>,
}

/// Where a node stands, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This node.
    pub node: u64,
    /// Who leads, as far as it knows.
    pub leadership: Leadership,
    /// Index of the last entry in its log.
    pub log_end: Option<u64>,
    /// Index of the last entry applied.
    pub applied: Option<u64>,
    /// Index up to which its log has been purged.
    pub purged: Option<u64>,
    /// On a leader, how long ago a majority last confirmed it; zero for a lone voter.
    pub quorum_acked_ago: Option<Duration>,
    /// The voters of the cluster.
    pub voters: BTreeSet<u64>,
}

/// Why a first start was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InitialiseError {
    /// The node belongs to a cluster of others already.
    #[error("node is a member of a cluster with the nodes {nodes:?}")]
    OtherMembership {
        /// Voters and learners of that cluster.
        nodes: BTreeSet<u64>,
    },
    /// The node has voted or has a log, so that it must not begin a cluster.
    #[error("node has a history and cannot begin a cluster")]
    HasHistory,
    /// The node has stopped.
    #[error("this node has stopped")]
    Stopped,
}

/// Why a node cannot serve yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// No leader re-established what is committed within the time given, or apply has not reached it.
    #[error("node has not caught up with the cluster")]
    Timeout,
    /// The node has stopped.
    #[error("this node has stopped")]
    Stopped,
}

/// The node has stopped, but not in order.
#[derive(Debug, thiserror::Error)]
pub enum ShutdownError {
    /// The ledger could not be made durable; it will be rebuilt from the log.
    #[error("the ledger was not checkpointed")]
    Ledger(#[source] leasehold_ledger::Fault),
    /// The log had failed.
    #[error("the write-ahead log was not closed in order")]
    Log(#[source] leasehold_wal::WriteError),
    /// A step of it broke.
    #[error("shutdown was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl Replica {
    /// Makes this node the only voter of a new cluster. A second time it changes nothing.
    ///
    /// # Errors
    ///
    /// If the node has any other membership, or any history.
    pub async fn initialise(&self) -> Result<(), InitialiseError> {
        if !self.membership().await?.voter_ids().eq([]) {
            return self.is_lone_voter().await;
        }
        let nodes = BTreeMap::from([(self.node, BasicNode::new(&self.address))]);
        match self.raft.initialize(nodes).await {
            Ok(()) => Ok(()),
            // Another call was first, or the node is waiting to join a cluster that has spoken to it.
            Err(RaftError::APIError(InitializeError::NotAllowed(_))) => self.is_lone_voter().await,
            Err(RaftError::APIError(InitializeError::NotInMembers(_))) => Err(InitialiseError::HasHistory),
            Err(RaftError::Fatal(_)) => Err(InitialiseError::Stopped),
        }
    }

    async fn is_lone_voter(&self) -> Result<(), InitialiseError> {
        let membership = self.membership().await?;
        let nodes: BTreeSet<u64> = membership.nodes().map(|(id, _)| *id).collect();
        match nodes.len() {
            0 => Err(InitialiseError::HasHistory),
            1 if nodes.contains(&self.node) => Ok(()),
            _ => Err(InitialiseError::OtherMembership { nodes }),
        }
    }

    async fn membership(&self) -> Result<Membership, InitialiseError> {
        let membership =
            self.raft.with_raft_state(|state| state.membership_state.effective().membership().clone());
        membership.await.map_err(|_| InitialiseError::Stopped)
    }

    /// Waits until this node has applied at least what it had applied, or could have, before it was last stopped. Once, after
    /// [`Replica::start`] and before serving.
    ///
    /// # Errors
    ///
    /// If that takes longer than `within`, as without a leader.
    pub async fn recovered(&self, within: Duration) -> Result<(), RecoverError> {
        match self.raft.wait_for_recovery(Some(within)).await {
            Ok(_) => Ok(()),
            Err(WaitError::Timeout(..)) => Err(RecoverError::Timeout),
            Err(WaitError::ShuttingDown) => Err(RecoverError::Stopped),
        }
    }

    /// Proposes, and answers what became of it once that is committed and applied here.
    ///
    /// What is still waiting at `deadline` is never proposed. Dropping the future withdraws a proposal that is still waiting, and
    /// changes nothing for one that is not.
    ///
    /// # Errors
    ///
    /// [`ProposeError::OutcomeUnknown`] says that it may have been applied; every other error that it was not and will not be.
    pub async fn propose(&self, proposal: Proposal, deadline: Instant) -> Result<Reply, ProposeError> {
        self.batcher.propose(proposal, deadline).await
    }

    /// A point in the log at or after everything acknowledged before this call: what the ledger shows afterwards is linearizable.
    ///
    /// # Errors
    ///
    /// If this node cannot prove that it leads, or has stopped. Harmless to repeat.
    pub async fn read(&self) -> Result<ReadPoint, ReadError> {
        self.reads.read().await
    }

    /// Where this node stands.
    #[must_use]
    pub fn status(&self) -> Status {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let leads = metrics.state == ServerState::Leader;
        let voters: BTreeSet<u64> = metrics.membership_config.voter_ids().collect();
        let alone = leads && voters.iter().eq([&self.node]);
        let acked = metrics.last_quorum_acked.map(|acked| acked.elapsed());
        Status {
            node: self.node,
            leadership: Leadership { term: metrics.current_term, leader: metrics.current_leader, leads },
            log_end: metrics.last_log_index,
            applied: metrics.last_applied.map(|id| id.index),
            purged: metrics.purged.map(|id| id.index),
            quorum_acked_ago: if alone { Some(Duration::ZERO) } else { acked },
            voters,
        }
    }

    /// Who leads: the receiver always holds the latest, and tells of each change.
    #[must_use]
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// Answers what is on its way, takes no more, makes the ledger durable and closes the log. The ledger stays open, for whoever
    /// opened it to close. Calling it again is harmless.
    ///
    /// # Errors
    ///
    /// If the ledger or the log had failed, or fails now.
    pub async fn shutdown(&self) -> Result<(), ShutdownError> {
        self.closing.send_replace(true);
        let mut workers = self.workers.lock().await;
        let drained = timeout(DRAIN_WAIT_MAX, async { while workers.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!("some proposals were not answered before shutdown");
            workers.shutdown().await;
        }
        drop(workers);
        self.raft.shutdown().await?;
        let ledger = self.ledger.clone();
        tokio::task::spawn_blocking(move || ledger.checkpoint()).await?.map_err(ShutdownError::Ledger)?;
        let wal = Arc::clone(&self.wal);
        tokio::task::spawn_blocking(move || wal.close()).await?.map_err(ShutdownError::Log)
    }
}
