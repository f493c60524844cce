//! Why a proposal or a read was not answered. The domain's refusals are no errors: they are replies.

use openraft::errors::{ClientWriteError, ForwardToLeader, LinearizableReadError};

use crate::types::Types;

/// Why there is no reply to a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// This node is not the leader, or is not sure of it. Nothing was proposed.
    #[error("this node does not lead")]
    NoLeader {
        /// The node that does, as far as this one knows.
        hint: Option<u64>,
    },
    /// Too much waits already. Nothing was proposed.
    #[error("too many proposals are waiting")]
    Overloaded,
    /// The proposal would not fit an entry by itself. Nothing was proposed.
    #[error("proposal of {bytes} bytes and up to {events} events does not fit an entry")]
    TooLarge {
        /// Its encoded size.
        bytes: usize,
        /// The most events that it may raise.
        events: usize,
    },
    /// The deadline passed while the proposal was still waiting. Nothing was proposed.
    #[error("deadline passed before it was proposed")]
    Expired,
    /// It was proposed, and nothing is known of what became of it: it may have been applied, or may yet be.
    #[error("outcome of the proposal is unknown")]
    OutcomeUnknown,
    /// This node is stopping or has failed. Nothing was proposed.
    #[error("this node has stopped")]
    Stopped,
}

impl ProposeError {
    /// Whether the same request may be sent again, here or to another node. After [`Self::OutcomeUnknown`] only under the same
    /// request key: then a second time is answered with the outcome of the first.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::NoLeader { .. }
            | Self::Overloaded
            | Self::Expired
            | Self::OutcomeUnknown
            | Self::Stopped => true,
            Self::TooLarge { .. } => false,
        }
    }

    /// Whether the proposal certainly has no effect, now or later.
    #[must_use]
    pub const fn is_definite(&self) -> bool {
        !matches!(self, Self::OutcomeUnknown)
    }
}

impl From<&ClientWriteError<Types>> for ProposeError {
    fn from(error: &ClientWriteError<Types>) -> Self {
        match error {
            ClientWriteError::ForwardToLeader(forward) => Self::NoLeader { hint: forward.leader_id },
            ClientWriteError::LogEntryDiscarded(_)
            | ClientWriteError::ChangeMembershipError(_)
            | ClientWriteError::PreconditionFailed(_) => Self::OutcomeUnknown,
        }
    }
}

/// Why a linearizable read is not possible here and now. Reading again is harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// This node is not the leader.
    #[error("this node does not lead")]
    NoLeader {
        /// The node that does, as far as this one knows.
        hint: Option<u64>,
    },
    /// No majority confirmed that this node still leads.
    #[error("no majority confirmed the leader")]
    NoQuorum,
    /// This node has not applied what it must have applied to answer.
    #[error("this node is behind")]
    Behind,
    /// Too many reads wait already.
    #[error("too many reads are waiting")]
    Overloaded,
    /// This node is stopping or has failed.
    #[error("this node has stopped")]
    Stopped,
}

impl From<LinearizableReadError<Types>> for ReadError {
    fn from(error: LinearizableReadError<Types>) -> Self {
        match error {
            LinearizableReadError::ForwardToLeader(ForwardToLeader { leader_id, .. }) => {
                Self::NoLeader { hint: leader_id }
            }
            LinearizableReadError::QuorumNotEnough(_) => Self::NoQuorum,
        }
    }
}
