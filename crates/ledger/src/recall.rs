//! The outcomes of named requests, folded again from the lines that they raised.

use leasehold_codec::line::{Envelope, Raft};
use leasehold_domain::{
    actor::Principal,
    command::RequestKey,
    state::{State, recent::Outcome},
};

/// A request whose lines are being read: they stand in a row.
struct Request {
    principal: Principal,
    key: RequestKey,
    raft: Raft,
    outcome: Outcome,
}

/// The request that the last lines belong to.
#[derive(Default)]
pub(crate) struct Recall {
    open: Option<Request>,
}

impl Recall {
    /// The next line.
    pub(crate) fn line(&mut self, state: &mut State, envelope: &Envelope) {
        if let Some(open) = &mut self.open
            && open.principal == envelope.actor.principal
            && open.raft == envelope.raft
            && Some(&open.key) == envelope.request.as_ref()
        {
            open.outcome.events += 1;
            return;
        }
        self.finish(state);
        self.open = envelope.request.as_ref().map(|key| Request {
            principal: envelope.actor.principal,
            key: key.clone(),
            raft: envelope.raft,
            outcome: Outcome { body: key.body, first_seq: envelope.seq, events: 1, at: envelope.at },
        });
    }

    /// There are no more.
    pub(crate) fn finish(&mut self, state: &mut State) {
        if let Some(Request { principal, key, outcome, .. }) = self.open.take() {
            state.recent.put_outcome(principal, &key, outcome);
        }
    }
}
