//! The replicated machine: one proposal in, one reply out, the state changed by the events in between. Pure: the same state and proposal give
//! the same events on every node.

use alloc::vec::Vec;

use crate::{
    actor::{Actor, Principal},
    administrator, audit,
    authorization::{self, Binding},
    command::{Command, EVENTS_MAX, Proposal},
    connector,
    event::Event,
    grant,
    id::{AuthorizationId, CredentialId, LeaseId, SubjectId},
    identity_provider, lease, mcp_server, organisation, policy,
    rejection::Rejection,
    revocation::{self, Selector},
    state::{BlobKey, Credential, DenialCount, DenialKey, State, recent::Outcome},
    subject::{self, DirectoryEntry},
    text::{Label, Sealed},
    time::Timestamp,
    workload,
};

/// What a command is about, besides its events: ids that the caller needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Answer {
    /// Nothing beyond the events.
    #[default]
    Done,
    /// This lease, new or repeated.
    Lease(LeaseId),
    /// This authorization, new or repeated.
    Authorization(AuthorizationId),
    /// This refresh attempt.
    Attempt(u64),
}

impl Answer {
    /// The answer that an outcome with these events had.
    pub fn of(events: &[Event]) -> Self {
        match events.first() {
            Some(Event::Lease(lease::Event::Issued { lease, .. })) => Self::Lease(*lease),
            Some(Event::Authorization(authorization::Event::Started { authorization, .. })) => {
                Self::Authorization(*authorization)
            }
            Some(Event::Grant(grant::Event::RefreshIntended { attempt, .. })) => Self::Attempt(*attempt),
            Some(_) | None => Self::Done,
        }
    }
}

/// What stands beside the ledger and follows from no event: secrets' hashes, personal data, ciphertext, signatures and counters.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// A ciphertext or text that the domain never reads, or its removal.
    Blob(BlobKey, Option<Sealed>),
    /// An API credential.
    Credential(CredentialId, Credential),
    /// The bootstrap credential.
    Bootstrap(administrator::Bootstrap),
    /// Who a subject is.
    Directory(SubjectId, DirectoryEntry),
    /// Nobody is to know any more who a subject was.
    DirectoryForgotten(SubjectId),
    /// What ties an authorization to a browser.
    Binding(AuthorizationId, Binding),
    /// Every grant that a revocation covers is said to have ended.
    EpochClosed(Selector),
    /// A denial count.
    Denials(DenialKey, DenialCount),
    /// A denial count that has been told.
    DenialsForgotten(DenialKey),
    /// A signed checkpoint.
    Checkpoint(audit::Checkpoint),
    /// The verifier key of checkpoints.
    Verifier(Label<256>),
}

/// What `decide` answers when it agrees.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Decided {
    /// The facts, in order.
    pub events: Vec<Event>,
    /// What stands beside them.
    pub writes: Vec<Write>,
    /// What the caller needs to know where no event says it.
    pub answer: Answer,
}

impl Decided {
    /// One fact and nothing beside it.
    pub fn event(event: Event) -> Self {
        Self::events([event])
    }

    /// Facts and nothing beside them.
    pub fn events(events: impl IntoIterator<Item = Event>) -> Self {
        let events: Vec<Event> = events.into_iter().collect();
        Self { answer: Answer::of(&events), events, writes: Vec::new() }
    }

    /// No fact: what was asked for is there already.
    pub fn already(answer: Answer) -> Self {
        Self { answer, ..Self::default() }
    }

    /// The same, with something beside the facts.
    #[must_use]
    pub fn with(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }
}

/// What `decide` and `evolve` may know of the proposal around the command.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// Who proposes.
    pub actor: Actor,
    /// State time: never earlier than that of the proposal before.
    pub at: Timestamp,
    /// The sequence number of this event; for `decide`, of the first event that it would raise.
    pub seq: u64,
}

/// What became of a proposal.
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    /// It was decided.
    Applied {
        /// State time at which it was decided.
        at: Timestamp,
        /// The sequence number of the first event.
        first_seq: u64,
        /// The events; none where what was asked for was there already.
        events: Vec<Event>,
        /// What the caller needs to know.
        answer: Answer,
    },
    /// The same request was applied before; its events begin here. Whether a token may still be handed out is judged afresh.
    Repeated {
        /// The outcome of the first time.
        outcome: Outcome,
    },
    /// The domain says no. Nothing changed.
    Rejected(Rejection),
    /// Something that the decision took as given has changed. Decide again.
    Stale,
}

/// Applies one proposal.
///
/// # Panics
/// When a command raises more events than it may ([`Command::events_max`]): apply would exceed what the batch was sized for.
pub fn apply(state: &mut State, proposal: Proposal) -> (Reply, Vec<Write>) {
    let Proposal { request, actor, at, facts, command } = proposal;
    let at = state.clock.time.max(at);
    state.clock.time = at;
    state.recent.reap(at);

    if let Some(request) = &request
        && let Some(outcome) = state.recent.outcome(actor.principal, &request.id, at)
    {
        let reply = if outcome.body == request.body {
            Reply::Repeated { outcome }
        } else {
            Reply::Rejected(Rejection::RequestIdReused)
        };
        return (reply, Vec::new());
    }
    if facts.iter().any(|fact| state.revision(fact.entity) != fact.revision) {
        return (Reply::Stale, Vec::new());
    }

    let events_max = command.events_max();
    let tick = matches!(command, Command::Tick);
    let first_seq = state.clock.next_seq;
    let context = Context { actor, at, seq: first_seq };
    let decided = match decide(state, context, command) {
        Ok(decided) => decided,
        Err(rejection) => return (Reply::Rejected(rejection), Vec::new()),
    };
    let Decided { events, mut writes, answer } = decided;
    assert!(
        events.len() <= events_max && events_max <= EVENTS_MAX,
        "a command raised more events than it may"
    );

    if tick {
        writes.extend(state.reap(at));
    }
    for write in &writes {
        keep(state, write);
    }
    for event in &events {
        evolve(state, Context { seq: state.clock.next_seq, ..context }, event);
        state.clock.next_seq += 1;
    }
    if let Some(request) = &request
        && !events.is_empty()
    {
        let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
        state.recent.put_outcome(
            actor.principal,
            request,
            Outcome { body: request.body, first_seq, events: count, at },
        );
    }
    (Reply::Applied { at, first_seq, events, answer }, writes)
}

/// Decides what a command leads to. Reads the state and changes nothing.
///
/// # Errors
/// The [`Rejection`] that says why nothing may happen.
pub fn decide(state: &State, context: Context, command: Command) -> Result<Decided, Rejection> {
    if state.singular.organisation.is_none() && !matches!(command, Command::Organisation(_)) {
        return Err(Rejection::NotFounded);
    }
    match command {
        Command::Organisation(command) => organisation::decide::decide(state, context, command),
        Command::Administrator(command) => administrator::decide::decide(state, context, command),
        Command::IdentityProvider(command) => identity_provider::decide::decide(state, command),
        Command::Connector(command) => connector::decide::decide(state, command),
        Command::McpServer(command) => mcp_server::decide::decide(state, command),
        Command::Workload(command) => workload::decide::decide(state, command),
        Command::Subject(command) => subject::decide::decide(state, context, command),
        Command::Policy(command) => policy::decide::decide(state, context, command),
        Command::Authorization(command) => authorization::decide::decide(state, context, command),
        Command::Grant(command) => grant::decide::decide(state, context, command),
        Command::Lease(command) => lease::decide::decide(state, context, command),
        Command::Revocation(command) => revocation::decide::decide(state, command),
        Command::Audit(command) => audit::decide::decide(state, command),
        Command::Tick => Ok(Decided::default()),
    }
}

/// Folds one fact into the state.
pub fn evolve(state: &mut State, context: Context, event: &Event) {
    match event {
        Event::Organisation(event) => organisation::decide::evolve(state, context, event),
        Event::Administrator(event) => administrator::decide::evolve(state, context, event),
        Event::IdentityProvider(event) => identity_provider::decide::evolve(state, context, event),
        Event::Connector(event) => connector::decide::evolve(state, context, event),
        Event::McpServer(event) => mcp_server::decide::evolve(state, context, event),
        Event::Workload(event) => workload::decide::evolve(state, context, event),
        Event::Subject(event) => subject::decide::evolve(state, context, event),
        Event::Policy(event) => policy::decide::evolve(state, context, event),
        Event::Authorization(event) => authorization::decide::evolve(state, context, event),
        Event::Grant(event) => grant::evolve::evolve(state, context, event),
        Event::Lease(event) => lease::decide::evolve(state, context, event),
        Event::Revocation(event) => revocation::decide::evolve(state, context, event),
        Event::Audit(audit::Event::Read { .. }) => {}
    }
}

/// Folds a line of the recent past again, when the ledger opens: only what no row holds. Lines come in order, none older than
/// [`crate::state::recent::HORIZON`] is needed.
pub fn recall(state: &mut State, context: Context, event: &Event) {
    if let Event::Lease(event) = event {
        lease::decide::evolve(state, context, event);
    }
}

/// Keeps what stands beside the ledger.
fn keep(state: &mut State, write: &Write) {
    match write {
        Write::Blob(..) => {}
        Write::Credential(id, credential) => {
            state.credentials.put(*id, credential.clone());
        }
        Write::Bootstrap(bootstrap) => state.singular.bootstrap = Some(bootstrap.clone()),
        Write::Directory(id, entry) => state.put_directory(*id, entry.clone()),
        Write::DirectoryForgotten(id) => state.remove_directory(*id),
        Write::Binding(id, binding) => {
            state.bindings.put(*id, *binding);
        }
        Write::EpochClosed(selector) => state.close_epoch(*selector),
        Write::Denials(key, count) => {
            state.denials.put(*key, *count);
        }
        Write::DenialsForgotten(key) => {
            state.denials.remove(key);
        }
        Write::Checkpoint(checkpoint) => state.singular.checkpoint = Some(checkpoint.clone()),
        Write::Verifier(verifier) => state.singular.verifier = Some(verifier.clone()),
    }
}

impl Principal {
    /// The workload that this is.
    ///
    /// # Errors
    /// [`Rejection::WrongPrincipal`] for anybody else: no administrator may lease.
    pub fn workload(self) -> Result<crate::id::WorkloadId, Rejection> {
        match self {
            Self::Workload(id) => Ok(id),
            Self::Cluster | Self::Bootstrap(_) | Self::Administrator(_) | Self::Person(_) => {
                Err(Rejection::WrongPrincipal)
            }
        }
    }
}
