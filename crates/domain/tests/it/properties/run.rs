//! A machine over a small world, with the ledger beside it: the lines and outcomes from which a node that restarts begins.

use std::collections::BTreeSet;

use leasehold_domain::{
    actor::{Actor, Principal},
    command::{Proposal, RequestKey},
    connector::{Exposure, Isolation, Registration},
    event::Event,
    id::{ConnectorId, LeaseId, McpServerId, SubjectId, WorkloadId},
    machine::{self, Context, Reply, Write},
    provider::RefreshClass,
    state::{
        BlobKey, State,
        recent::{HORIZON, Outcome},
    },
    time::{Span, Timestamp},
    workload,
};

use super::operation::Operation;
use crate::{
    fixture::{
        ALICE, BOB, DRIVE, FILES, GATEWAY, MAIL, SIGN_IN, START, files_workload, gateway, name, sealed,
    },
    harness::Step,
    rows::rows,
    worlds::{
        Setting, found, register_server, register_subject, register_workload, registration, set_need,
        sign_in_registration,
    },
};

const STABLE: ConnectorId = ConnectorId::from_bytes([0x11; 16]);

/// The connector whose provider honours a refresh token a second time for a while.
pub(super) const GRACE: ConnectorId = ConnectorId::from_bytes([0x12; 16]);
/// For how long it does.
pub(super) const GRACE_SPAN: Span = Span::from_secs(60);

pub(super) const SUBJECTS: [SubjectId; 2] = [ALICE, BOB];
pub(super) const CONNECTORS: [ConnectorId; 3] = [DRIVE, STABLE, GRACE];
pub(super) const SERVERS: [McpServerId; 2] = [FILES, MAIL];
pub(super) const WORKLOADS: [WorkloadId; 2] = [GATEWAY, crate::fixture::FILES_WORKLOAD];

/// The connector whose provider honours a refresh token once.
pub(super) const STRICT: ConnectorId = DRIVE;

pub(super) fn workload_actor(index: usize) -> Actor {
    if index == 0 { gateway() } else { files_workload() }
}

fn world() -> Vec<Step> {
    let connector = |connector, text: &str, class, isolation, exposure| {
        let setting = Setting { class, isolation, exposure, ..Setting::default() };
        let registration = Registration { name: name(text), ..registration(&setting) };
        Step::from(leasehold_domain::connector::Command::Register { connector, registration })
    };
    let idp = leasehold_domain::identity_provider::Command::Register {
        identity_provider: SIGN_IN,
        registration: sign_in_registration(),
        secret: sealed("secret"),
    };
    let mut steps = vec![
        found().into(),
        connector(DRIVE, "strict", RefreshClass::Strict, Isolation::Shared, Exposure::HandOut),
        connector(STABLE, "stable", RefreshClass::Stable, Isolation::PerMcpServer, Exposure::InjectOnly),
        connector(GRACE, "grace", RefreshClass::Grace(GRACE_SPAN), Isolation::Shared, Exposure::HandOut),
        register_server(FILES, "files").into(),
        register_server(MAIL, "mail").into(),
        register_workload(GATEWAY, "edge", workload::Kind::Gateway).into(),
        register_workload(crate::fixture::FILES_WORKLOAD, "files", workload::Kind::McpServer(FILES)).into(),
        register_subject(ALICE, "Alice").into(),
        register_subject(BOB, "Bob").into(),
        idp.into(),
    ];
    let needs = SERVERS.iter().flat_map(|server| CONNECTORS.map(|connector| (*server, connector)));
    steps.extend(needs.map(|(server, connector)| Step::from(set_need(server, connector, "a b"))));
    steps
}

/// A machine and its ledger.
pub(super) struct Run {
    pub(super) state: State,
    pub(super) now: Timestamp,
    lines: Vec<(Context, Event)>,
    outcomes: Vec<(Principal, RequestKey, Outcome)>,
    blobs: BTreeSet<BlobKey>,
}

impl Run {
    /// The small world.
    pub(super) fn begin() -> Self {
        let mut run = Self {
            state: State::default(),
            now: START,
            lines: Vec::new(),
            outcomes: Vec::new(),
            blobs: BTreeSet::new(),
        };
        for step in world() {
            let proposal = step.proposal(&run.state, run.now);
            let reply = run.apply(proposal);
            assert!(matches!(reply, Reply::Applied { .. }), "the world cannot be built");
        }
        run
    }

    /// What the operation proposes now.
    pub(super) fn propose(&mut self, operation: &Operation) -> Proposal {
        self.now = self.now + operation.after();
        operation.lower(&self.state, self.now).proposal(&self.state, self.now)
    }

    /// Applies a proposal and keeps its lines.
    pub(super) fn apply(&mut self, proposal: Proposal) -> Reply {
        let (actor, request) = (proposal.actor, proposal.request.clone());
        let (reply, writes) = machine::apply(&mut self.state, proposal);
        for write in writes {
            if let Write::Blob(key, blob) = write {
                match blob {
                    Some(_) => self.blobs.insert(key),
                    None => self.blobs.remove(&key),
                };
            }
        }
        if let Reply::Applied { at, first_seq, events, .. } = &reply {
            let seqs = *first_seq..;
            let line = |(seq, event): (u64, &Event)| (Context { actor, at: *at, seq }, event.clone());
            self.lines.extend(seqs.zip(events).map(line));
            if let (Some(request), false) = (request, events.is_empty()) {
                let count = u32::try_from(events.len()).expect("a command raises few events");
                let outcome = Outcome { body: request.body, first_seq: *first_seq, events: count, at: *at };
                self.outcomes.push((actor.principal, request, outcome));
            }
        }
        reply
    }

    /// What is sealed now.
    pub(super) fn blobs(&self) -> &BTreeSet<BlobKey> {
        &self.blobs
    }

    /// All lines so far.
    pub(super) fn lines(&self) -> &[(Context, Event)] {
        &self.lines
    }

    /// The ids of the leases that may be used now.
    pub(super) fn live_leases(&self) -> BTreeSet<LeaseId> {
        let now = self.state.clock.time;
        let leases = self.state.recent.leases();
        leases.filter(|known| known.live(&self.state, now).is_ok()).map(|known| known.id).collect()
    }

    /// The same node after a restart: rows as the ledger has them, and its lines of the last while.
    pub(super) fn restarted(&self) -> Self {
        let clock = self.state.clock;
        let recent = |at: Timestamp| at + HORIZON >= clock.time;
        let mut state = State::restore(clock, rows(&self.state));
        for (context, event) in self.lines.iter().filter(|(context, _)| recent(context.at)) {
            machine::recall(&mut state, *context, event);
        }
        for (principal, request, outcome) in self.outcomes.iter().filter(|(.., known)| recent(known.at)) {
            state.recent.put_outcome(*principal, request, *outcome);
        }
        Self {
            state,
            now: self.now,
            lines: self.lines.clone(),
            outcomes: self.outcomes.clone(),
            blobs: self.blobs.clone(),
        }
    }
}
