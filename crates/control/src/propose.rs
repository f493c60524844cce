//! Proposing: from a draft to what was applied.

use leasehold_domain::{
    actor::Actor,
    command::{Command, Entity, Fact, Proposal},
    event::Event,
    machine::{Answer, Reply},
    rejection::Rejection,
    time::Timestamp,
};

use tokio::time::{Duration, Instant};

use crate::{caller::Caller, control::Control, problem::Problem};

/// How long a proposal may wait before it is proposed at all.
pub(crate) const PROPOSE_WAIT: Duration = Duration::from_secs(10);

/// What became of a proposal that was decided.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    pub(crate) first_seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) events: Vec<Event>,
    pub(crate) answer: Answer,
}

/// Why a proposal has to be thought over.
pub(crate) enum Retry {
    /// What the decision took as given has changed.
    Stale,
    /// It did not work out.
    Problem(Problem),
}

impl From<Problem> for Retry {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Rejection> for Retry {
    fn from(rejection: Rejection) -> Self {
        Self::Problem(rejection.into())
    }
}

impl Control {
    /// Proposes a command of a caller that rests on no facts.
    pub(crate) async fn propose(&self, caller: &Caller, command: Command) -> Result<Applied, Problem> {
        match self.propose_on(caller, Vec::new(), command).await {
            Ok(applied) => Ok(applied),
            Err(Retry::Problem(problem)) => Err(problem),
            Err(Retry::Stale) => Err(Problem::fault("propose without facts", &"the reply was stale")),
        }
    }

    /// Proposes a command about something that the caller has read: where `expected` is not its revision any more when the command is
    /// applied, nothing happens.
    ///
    /// # Errors
    /// [`Problem::ChangedSinceRead`] then.
    pub(crate) async fn propose_at(
        &self,
        caller: &Caller,
        entity: Entity,
        expected: Option<u64>,
        command: Command,
    ) -> Result<Applied, Problem> {
        let facts = expected.map(|revision| Fact { entity, revision }).into_iter().collect();
        match self.propose_on(caller, facts, command).await {
            Ok(applied) => Ok(applied),
            Err(Retry::Problem(problem)) => Err(problem),
            Err(Retry::Stale) => Err(Problem::ChangedSinceRead),
        }
    }

    /// Proposes a command of the cluster itself.
    pub(crate) async fn propose_as_cluster(&self, command: Command) -> Result<Applied, Problem> {
        self.propose(&Caller { actor: self.cluster(), request: None }, command).await
    }

    /// Proposes a command of a person in a browser.
    pub(crate) async fn propose_as(&self, actor: Actor, command: Command) -> Result<Applied, Problem> {
        self.propose(&Caller { actor, request: None }, command).await
    }

    /// Proposes a command that rests on facts.
    pub(crate) async fn propose_on(
        &self,
        caller: &Caller,
        facts: Vec<Fact>,
        command: Command,
    ) -> Result<Applied, Retry> {
        let proposal =
            Proposal { request: caller.request.clone(), actor: caller.actor, at: self.now(), facts, command };
        match self.replica().propose(proposal, Instant::now() + PROPOSE_WAIT).await.map_err(Problem::from)? {
            Reply::Applied { at, first_seq, events, answer } => Ok(Applied { first_seq, at, events, answer }),
            Reply::Repeated { outcome } => {
                let events = self.events(outcome.first_seq, outcome.events)?;
                let answer = Answer::of(&events);
                Ok(Applied { first_seq: outcome.first_seq, at: outcome.at, events, answer })
            }
            Reply::Rejected(rejection) => Err(rejection.into()),
            Reply::Stale => Err(Retry::Stale),
        }
    }

    /// The events of `count` lines from `first` on.
    fn events(&self, first: u64, count: u32) -> Result<Vec<Event>, Problem> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let lines = self
            .ledger()
            .lines(first, count, usize::MAX)
            .map_err(|error| Problem::fault("read the lines of an outcome", &error))?;
        if lines.len() != count {
            return Err(Problem::fault("read the lines of an outcome", &"some are missing"));
        }
        lines
            .iter()
            .map(|line| leasehold_codec::line::parse(&line.bytes).map(|(_, event)| event))
            .collect::<Result<_, _>>()
            .map_err(|error| Problem::fault("read an event line", &error))
    }
}
