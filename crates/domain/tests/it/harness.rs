//! Given, when, then: proposals go through `machine::apply` exactly as a node applies them.

use leasehold_domain::{
    actor::Actor,
    administrator, audit, authorization,
    command::{Command, Fact, Proposal, RequestKey},
    connector,
    event::Event,
    grant, identity_provider, lease,
    machine::{self, Answer, Reply, Write},
    mcp_server, organisation, policy,
    rejection::Rejection,
    revocation,
    state::{BlobKey, State},
    subject,
    time::{Span, Timestamp},
    workload,
};

use crate::{
    fixture::{START, administrator, cluster, digest, gateway, label, person},
    rows::rows,
};

/// A command with the one who usually gives it, and how long after the step before.
#[derive(Clone)]
pub(crate) struct Step {
    after: Span,
    actor: Option<Actor>,
    request: Option<RequestKey>,
    facts: Vec<Fact>,
    command: Command,
}

macro_rules! steps {
    ($($module:ident => $variant:ident),+ $(,)?) => {$(
        impl From<$module::Command> for Step {
            fn from(command: $module::Command) -> Self {
                Command::$variant(command).into()
            }
        }

        impl IntoEvent for $module::Event {
            fn into_event(self) -> Event {
                Event::$variant(self)
            }
        }
    )+};
}

steps! {
    organisation => Organisation,
    administrator => Administrator,
    identity_provider => IdentityProvider,
    connector => Connector,
    mcp_server => McpServer,
    workload => Workload,
    subject => Subject,
    policy => Policy,
    authorization => Authorization,
    grant => Grant,
    lease => Lease,
    revocation => Revocation,
    audit => Audit,
}

impl From<Command> for Step {
    fn from(command: Command) -> Self {
        Self { after: Span::ZERO, actor: None, request: None, facts: Vec::new(), command }
    }
}

impl Step {
    /// The same, by somebody else.
    pub(crate) fn by(self, actor: Actor) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// The same, so much later.
    pub(crate) fn after(self, after: Span) -> Self {
        Self { after, ..self }
    }

    /// The same, under a name, with a body told from others by `body`.
    pub(crate) fn named(self, id: &str, body: u8) -> Self {
        Self { request: Some(RequestKey { id: label(id), body: digest(body) }), ..self }
    }

    /// The same, resting on these facts.
    pub(crate) fn given_that<const N: usize>(self, facts: [Fact; N]) -> Self {
        Self { facts: facts.into(), ..self }
    }

    /// The proposal of this step at `at`.
    pub(crate) fn proposal(self, state: &State, at: Timestamp) -> Proposal {
        let actor = self.actor.unwrap_or_else(|| usual_actor(state, &self.command));
        Proposal { request: self.request, actor, at, facts: self.facts, command: self.command }
    }
}

/// Who gives such a command when all is well.
fn usual_actor(state: &State, command: &Command) -> Actor {
    let of_consent = |id| state.authorizations.get(id).map_or_else(cluster, |known| person(known.subject));
    match command {
        Command::Authorization(command) => match command {
            authorization::Command::Start { .. } => gateway(),
            authorization::Command::Approve { authorization, .. }
            | authorization::Command::Decline { authorization }
            | authorization::Command::RefuseByProvider { authorization, .. }
            | authorization::Command::IntendExchange { authorization, .. }
            | authorization::Command::ConfirmAccount { authorization, .. }
            | authorization::Command::RejectAccount { authorization, .. } => of_consent(authorization),
            authorization::Command::FailExchange { .. }
            | authorization::Command::CompleteExchange { .. }
            | authorization::Command::DiscardExchange { .. } => cluster(),
        },
        Command::Lease(lease::Command::End { .. })
        | Command::Policy(policy::Command::CountDenials { .. })
        | Command::Grant(_)
        | Command::Organisation(organisation::Command::ReplaceRootKey { .. })
        | Command::Subject(subject::Command::Forget { .. } | subject::Command::FinishErasure { .. })
        | Command::Tick => cluster(),
        Command::Lease(_) => gateway(),
        Command::Organisation(_)
        | Command::Administrator(_)
        | Command::IdentityProvider(_)
        | Command::Connector(_)
        | Command::McpServer(_)
        | Command::Workload(_)
        | Command::Subject(_)
        | Command::Policy(_)
        | Command::Revocation(_)
        | Command::Audit(_) => administrator(),
    }
}

/// What a test may expect: an event of any aggregate.
pub(crate) trait IntoEvent {
    /// The event.
    fn into_event(self) -> Event;
}

impl IntoEvent for Event {
    fn into_event(self) -> Event {
        self
    }
}

/// A world and its clock.
pub(crate) struct Case {
    pub(crate) state: State,
    pub(crate) now: Timestamp,
}

/// A world in which these steps were taken; each must succeed.
pub(crate) fn given<S: Into<Step>>(steps: impl IntoIterator<Item = S>) -> Case {
    Case { state: State::default(), now: START }.and(steps)
}

impl Case {
    /// The same world after further steps; each must succeed.
    pub(crate) fn and<S: Into<Step>>(self, steps: impl IntoIterator<Item = S>) -> Self {
        steps.into_iter().fold(self, |case, step| case.when(step).applied())
    }

    /// The same world, so much later.
    pub(crate) fn after(self, span: Span) -> Self {
        Self { now: self.now + span, ..self }
    }

    /// The sequence number of the next event.
    pub(crate) fn next_seq(&self) -> u64 {
        self.state.clock.next_seq
    }

    /// One more step, whose outcome is to be judged.
    pub(crate) fn when(mut self, step: impl Into<Step>) -> Outcome {
        let step: Step = step.into();
        self.now = self.now + step.after;
        let before = rows(&self.state);
        let next_seq = self.next_seq();
        let proposal = step.proposal(&self.state, self.now);
        let (reply, writes) = machine::apply(&mut self.state, proposal);
        let untouched = before == rows(&self.state) && next_seq == self.next_seq();
        Outcome { case: self, reply, writes, untouched }
    }
}

/// What became of a step.
pub(crate) struct Outcome {
    pub(crate) case: Case,
    pub(crate) reply: Reply,
    pub(crate) writes: Vec<Write>,
    untouched: bool,
}

impl Outcome {
    /// The events that it raised, none where it was refused.
    pub(crate) fn events(&self) -> &[Event] {
        match &self.reply {
            Reply::Applied { events, .. } => events,
            Reply::Repeated { .. } | Reply::Rejected(_) | Reply::Stale => &[],
        }
    }

    /// Exactly these events were raised.
    #[track_caller]
    pub(crate) fn then<F: IntoEvent, const N: usize>(self, expected: [F; N]) -> Case {
        let expected: Vec<Event> = expected.into_iter().map(F::into_event).collect();
        assert!(matches!(self.reply, Reply::Applied { .. }), "expected events, got {}", self.told());
        assert_eq!(self.events(), expected);
        self.case
    }

    /// It was decided, whatever it raised.
    #[track_caller]
    pub(crate) fn applied(self) -> Case {
        assert!(matches!(self.reply, Reply::Applied { .. }), "expected success, got {}", self.told());
        self.case
    }

    /// What was asked for is there already: this answer, no event, and nothing changed.
    #[track_caller]
    pub(crate) fn already(self, expected: Answer) -> Case {
        let Reply::Applied { events, answer, .. } = &self.reply else {
            unreachable!("expected {expected:?}, got {}", self.told());
        };
        assert_eq!((events.len(), *answer), (0, expected));
        assert!(self.untouched && self.writes.is_empty(), "a repeat wrote something");
        self.case
    }

    /// It was refused for this reason, and nothing changed.
    #[track_caller]
    pub(crate) fn rejected(self, expected: Rejection) -> Case {
        let Reply::Rejected(rejection) = &self.reply else {
            unreachable!("expected {expected:?}, got {}", self.told());
        };
        assert_eq!(*rejection, expected);
        assert!(self.untouched && self.writes.is_empty(), "a refusal changed something");
        self.case
    }

    /// It has to be decided again, and nothing changed.
    #[track_caller]
    pub(crate) fn stale(self) -> Case {
        assert!(matches!(self.reply, Reply::Stale), "expected a stale fact, got {}", self.told());
        assert!(self.untouched && self.writes.is_empty(), "a stale proposal changed something");
        self.case
    }

    /// What it wrote under this key beside the ledger: `Some(None)` where it removed what was there.
    pub(crate) fn blob(&self, key: BlobKey) -> Option<Option<&[u8]>> {
        self.writes.iter().rev().find_map(|write| match write {
            Write::Blob(written, blob) if *written == key => {
                Some(blob.as_ref().map(|sealed| sealed.as_bytes()))
            }
            Write::Blob(..)
            | Write::Credential(..)
            | Write::Bootstrap(_)
            | Write::Directory(..)
            | Write::DirectoryForgotten(_)
            | Write::Binding(..)
            | Write::EpochClosed(_)
            | Write::Denials(..)
            | Write::DenialsForgotten(_)
            | Write::Checkpoint(_)
            | Write::Verifier(_) => None,
        })
    }

    fn told(&self) -> String {
        match &self.reply {
            Reply::Applied { events, answer, .. } => format!("{events:?} and {answer:?}"),
            Reply::Repeated { outcome } => format!("a repeat of {outcome:?}"),
            Reply::Rejected(rejection) => format!("the rejection {rejection:?}"),
            Reply::Stale => "a stale fact".to_owned(),
        }
    }
}
