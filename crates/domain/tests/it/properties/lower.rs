//! Lowering makes a command of an operation, mostly a plausible one: a consent takes its next step, a refresh ends the attempt that is open.
//! Some stay implausible, and are to be refused.

use leasehold_domain::{
    actor::{Actor, Principal},
    audit::{self, Checkpoint},
    authorization::{self, Authorization, Phase},
    command::{Command, Entity, Fact},
    connector,
    grant::{self, Refresh, UpstreamTarget},
    id::{AuthorizationId, CredentialId, GrantId, LeaseId, SubjectId},
    lease::{self, Basis, EndReason, Lease},
    mcp_server,
    organisation::{self, KeyId, KeyPurpose, Rewrapped, SealedPlace, WrappedKey},
    policy,
    provider::ProviderFailure,
    revocation::Selector,
    state::{DenialKey, State},
    subject,
    text::KeyCheck,
    time::{Span, Timestamp},
    work, workload,
};

use super::{
    arrange,
    operation::{Kind, Operation},
    run::{CONNECTORS, SERVERS, SUBJECTS, WORKLOADS, workload_actor},
};
use crate::{
    fixture::{
        ALICE, CONSENT, GATEWAY, GRANT, LEASE, SESSION, SIGN_IN, STATE, account, commitment, decision,
        digest, mins, scopes, sealed, tokens,
    },
    harness::Step,
    worlds::{self, Attempt, Issue, Start, approve, confirm, identifier, intend_exchange, revoke, set_need},
};

/// An id that no two sequence numbers share, in another order than theirs.
const fn id(seq: u64) -> [u8; 16] {
    let mixed = seq.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed as u128) << 64).to_be_bytes()
}

fn nth<T>(all: impl Iterator<Item = T>, nth: usize) -> Option<T> {
    let all: Vec<T> = all.collect();
    let index = nth.checked_rem(all.len())?;
    all.into_iter().nth(index)
}

impl Operation {
    pub(super) const fn after(&self) -> Span {
        Span::from_secs(self.after)
    }

    /// What the operation means in this state.
    pub(super) fn lower(&self, state: &State, now: Timestamp) -> Step {
        let step = self.kind.lower(state, now);
        match self.request {
            Some((id, body)) => step.named(&format!("r{id}"), body),
            None => step,
        }
    }
}

fn pick<T: Copy>(from: &[T], index: usize) -> T {
    *from.get(index).expect("indexes are drawn within the pools")
}

fn failure(n: u8) -> ProviderFailure {
    let failures = [
        ProviderFailure::GrantDead,
        ProviderFailure::GrantDead,
        ProviderFailure::ClientFault,
        ProviderFailure::Transient,
        ProviderFailure::Throttled(Some(mins(1))),
        ProviderFailure::Ambiguous,
        ProviderFailure::Malformed,
        ProviderFailure::TooEarly,
    ];
    pick(&failures, usize::from(n))
}

/// A grant, the dead ones among them.
fn grant(state: &State, index: usize) -> GrantId {
    nth(state.grants.iter(), index).map_or(GRANT, |(id, _)| *id)
}

/// The attempt of a grant that has no outcome yet, else the next one.
fn attempt(state: &State, index: usize, stale: bool) -> Attempt {
    let grant = grant(state, index);
    let Some(known) = state.grants.get(&grant) else { return Attempt { grant, ..Attempt::default() } };
    let attempt = match known.refresh {
        Refresh::Idle => known.attempts + 1,
        Refresh::Intended { attempt, .. } | Refresh::Unknown { attempt, .. } => attempt,
    };
    let generation = if stale { known.generation.saturating_sub(1) } else { known.generation };
    Attempt { grant, generation, attempt }
}

/// A lease, and the one who has it.
fn lease(state: &State, index: usize) -> (LeaseId, Actor) {
    let held = |known: &&Lease| index.is_multiple_of(4) || known.live(state, state.clock.time).is_ok();
    nth(state.recent.leases().filter(held), index).map_or((LEASE, workload_actor(0)), |known| {
        let holder = usize::from(known.key.workload != GATEWAY);
        (known.id, workload_actor(holder))
    })
}

impl Kind {
    fn lower(&self, state: &State, now: Timestamp) -> Step {
        match *self {
            Self::Start { subject, connector, server, wide, renew } => {
                let renewed = renew.map(|index| grant(state, index));
                start(state, subject, connector, server, wide, renewed)
            }
            Self::Advance { nth, account } => advance(state, nth, account, now),
            Self::Leave { nth: index, way } => {
                leave(nth(state.authorizations.iter(), index).map_or(CONSENT, |(id, _)| *id), way)
            }
            Self::IntendRefresh { grant, stale, occasion } => {
                attempt(state, grant, stale).intend_for(occasion)
            }
            Self::CommitRefresh { grant, stale, wide, life } => {
                let facts = tokens(u8::from(wide), (life > 0).then(|| now + mins(life)));
                attempt(state, grant, stale).commit(if wide { "a b" } else { "a" }, facts)
            }
            Self::FailRefresh { grant, failure: how } => attempt(state, grant, false).fail(failure(how)),
            Self::LoseRefresh { grant } => attempt(state, grant, false).lose(),
            Self::Expire { grant: index } => worlds::expire(grant(state, index)),
            Self::RevokeGrant { grant: index } => revoke(Selector::Grant(grant(state, index))),
            Self::CloseGrants { nth: index } => {
                let closures = work::closures_due(state, 9).into_iter();
                let (selector, grants) =
                    nth(closures, index).unwrap_or((Selector::Subject(ALICE), Vec::new()));
                grant::Command::Close { selector, grants }.into()
            }
            Self::Upstream { nth, done } => upstream(state, nth, done),
            Self::Issue { workload, server, grant: index, token, rests_on, minutes, cap } => {
                let grant = grant(state, index);
                let known = state.grants.get(&grant);
                let isolated = known.and_then(|known| known.key.isolation);
                let basis =
                    if token { Basis::SubjectToken { expires_at: now + mins(3) } } else { Basis::Vouched };
                let issue = Issue {
                    lease: LeaseId::from_bytes(id(state.clock.next_seq)),
                    mcp_server: isolated.unwrap_or(pick(&SERVERS, server)),
                    grant,
                    generation: known.map_or(1, |known| known.generation),
                    needed: scopes("a"),
                    basis,
                    ttl: mins(minutes),
                    vouched_max: cap,
                };
                let step = Step::from(issue).by(workload_actor(workload));
                let entity = Entity::Workload(pick(&WORKLOADS, workload));
                let fact = Fact { entity, revision: state.revision(entity) };
                if rests_on { step.given_that([fact]) } else { step }
            }
            Self::Renew { lease: index } => {
                let (lease, holder) = lease(state, index);
                let command = lease::Command::Renew { lease, ttl: mins(30), decision: decision() };
                Step::from(command).by(holder)
            }
            Self::Release { lease: index, workload } => {
                let (lease, _) = lease(state, index);
                Step::from(lease::Command::Release { lease }).by(workload_actor(workload))
            }
            Self::Report { lease: index } => {
                let (lease, holder) = lease(state, index);
                Step::from(lease::Command::ReportRejected { lease, status: 401 }).by(holder)
            }
            Self::End { lease: index } => {
                let (lease, _) = lease(state, index);
                lease::Command::End { lease, reason: EndReason::PolicyChanged }.into()
            }
            Self::Revoke { selector } => revoke(selector),
            Self::Disable { selector } => disable(selector),
            Self::Enable { nth: index } => enable(state, index),
            Self::Suspend { connector, off } => {
                let connector = pick(&CONNECTORS, connector);
                let failure = ProviderFailure::ClientFault;
                if off {
                    connector::Command::Suspend { connector, failure }.into()
                } else {
                    connector::Command::Resume { connector }.into()
                }
            }
            Self::Need { server, connector, wide } => {
                let text = if wide { "a b" } else { "a" };
                set_need(pick(&SERVERS, server), pick(&CONNECTORS, connector), text).into()
            }
            Self::SignIn { subject, value } => subject::Command::SignIn {
                subject: pick(&SUBJECTS, subject),
                identity_provider: SIGN_IN,
                identifier: identifier(&format!("person{value}")),
                commitment: commitment(value),
            }
            .into(),
            Self::Credential { workload, id } => workload::Command::AddCredential {
                workload: pick(&WORKLOADS, workload),
                credential: CredentialId::from_bytes([id; 16]),
                secret: digest(id),
                expires_at: None,
            }
            .into(),
            Self::Deny { workload } => {
                let command = policy::Command::RecordDenial {
                    action: policy::Action::Lease,
                    resource: policy::Resource::default(),
                    reason: policy::DenialReason::Policy,
                    decision: decision(),
                };
                Step::from(command).by(workload_actor(workload))
            }
            Self::CountDenials { nth: index } => count_denials(state, index, now),
            Self::Arrange { what, id } => arrange::lower(what, id),
            Self::SetPolicy => policy::Command::Set {
                text: "permit(principal, action, resource);".to_owned(),
                digest: digest(1),
            }
            .into(),
            Self::Checkpoint => {
                let size = state.clock.next_seq;
                let checkpoint = Checkpoint { size, root: digest(1), note: String::new() };
                audit::Command::KeepCheckpoint(checkpoint).into()
            }
            Self::Tick => Command::Tick.into(),
            Self::AddKey { purpose, stale } => add_key(state, pick(&KeyPurpose::ALL, purpose), stale).into(),
            Self::RetireKey { nth: index } => {
                let key = nth(state.keys.iter(), index).map_or(FIRST_KEY, |(id, _)| *id);
                organisation::Command::RetireKeyVersion { key }.into()
            }
            Self::ReplaceRootKey => replace_root_key(state).into(),
            Self::Rewrap { grant: index, stale } => {
                let grant = grant(state, index);
                let generation = state.grants.get(&grant).map_or(1, |known| known.generation);
                let generation = if stale { generation.saturating_sub(2) } else { generation };
                let places = [SealedPlace::Tokens { grant, generation }, SealedPlace::Account(grant)];
                let items = places.map(|place| Rewrapped { place, sealed: sealed("anew") }).into();
                organisation::Command::Rewrap { items }.into()
            }
            Self::Erase { subject } => subject::Command::Erase { subject: pick(&SUBJECTS, subject) }.into(),
            Self::Forget { subject } => forget(state, pick(&SUBJECTS, subject)).into(),
            Self::FinishErasure { subject } => {
                subject::Command::FinishErasure { subject: pick(&SUBJECTS, subject) }.into()
            }
        }
    }
}

const FIRST_KEY: KeyId = KeyId { purpose: KeyPurpose::AccessTokens, version: 1 };

fn add_key(state: &State, purpose: KeyPurpose, stale: bool) -> organisation::Command {
    let version = state.singular.key_versions.get(&purpose).copied().unwrap_or(0) + 1;
    let keyring = state.keyring_revision() + u64::from(stale);
    organisation::Command::AddKeyVersion {
        key: WrappedKey { purpose, version, wrapped: sealed("key") },
        keyring,
    }
}

fn replace_root_key(state: &State) -> organisation::Command {
    let wrap = |(id, _): (&KeyId, _)| WrappedKey {
        purpose: id.purpose,
        version: id.version,
        wrapped: sealed("key"),
    };
    organisation::Command::ReplaceRootKey {
        keyring: state.keyring_revision(),
        before: KeyCheck::from_bytes([1; 16]),
        after: KeyCheck::from_bytes([2; 16]),
        keys: state.keys.iter().map(wrap).collect(),
    }
}

/// All that there is of a subject, as far as one batch carries it.
fn forget(state: &State, subject: SubjectId) -> subject::Command {
    let grants = state.grants.iter().filter(|(_, known)| known.key.subject == subject);
    let consents = state.authorizations.iter().filter(|(_, known)| known.subject == subject);
    subject::Command::Forget {
        subject,
        notes: Vec::new(),
        grants: grants.map(|(id, _)| *id).take(subject::FORGET_BATCH_MAX / 2).collect(),
        authorizations: consents.map(|(id, _)| *id).take(subject::FORGET_BATCH_MAX / 2).collect(),
    }
}

/// Tells a denial count: one whose minute has passed, else one of which nothing is to be told yet.
fn count_denials(state: &State, index: usize, now: Timestamp) -> Step {
    let passed = work::denials_to_count(state, now, 9).into_iter();
    let known = nth(passed, index).or_else(|| nth(state.denials.iter().map(|(key, _)| *key), index));
    let DenialKey { principal, action, resource, reason } = known.unwrap_or(DenialKey {
        principal: Principal::Cluster,
        action: policy::Action::Lease,
        resource: policy::Resource::default(),
        reason: policy::DenialReason::Policy,
    });
    policy::Command::CountDenials { principal, action, resource, reason }.into()
}

/// Starts a consent: for what `renewed` is keyed by, where that is a grant.
fn start(
    state: &State,
    subject: usize,
    connector: usize,
    server: usize,
    wide: bool,
    renewed: Option<GrantId>,
) -> Step {
    let renewed = renewed.and_then(|id| state.grants.get(&id));
    let isolated = renewed.and_then(|known| known.key.isolation);
    Start {
        authorization: AuthorizationId::from_bytes(id(state.clock.next_seq)),
        subject: renewed.map_or(pick(&SUBJECTS, subject % 2), |known| known.key.subject),
        connector: renewed.map_or(pick(&CONNECTORS, connector % 3), |known| known.key.connector),
        mcp_server: isolated.unwrap_or(pick(&SERVERS, server % 2)),
        scopes: scopes(if wide { "a b" } else { "a" }),
        grant: renewed.map(|known| known.id),
    }
    .into()
}

/// The next step of a consent on its way to a grant; now and then a step that comes too late.
fn advance(state: &State, index: usize, of: u8, now: Timestamp) -> Step {
    let open = |known: &&Authorization| !matches!(known.phase, Phase::Ended(_)) || index.is_multiple_of(8);
    let all = state.authorizations.iter().map(|(_, known)| known).filter(open);
    let Some(known) = nth(all, index) else { return start(state, index, index, index, false, None) };
    let facts = || tokens(of, Some(now + mins(u64::from(of) * 20)));
    match &known.phase {
        Phase::Open => approve(known.id),
        Phase::Approved => intend_exchange(known.id),
        Phase::Exchanging { .. } | Phase::Ended(_) => authorization::Command::CompleteExchange {
            authorization: known.id,
            account: account(of),
            account_label: sealed("label"),
            granted: scopes("a"),
            tokens: sealed("tokens"),
            facts: facts(),
        }
        .into(),
        Phase::Exchanged { account, .. } => {
            let key = known.grant_key(state, *account).ok();
            let current = key.and_then(|key| state.grant_keyed(&key));
            let fresh = GrantId::from_bytes(id(state.clock.next_seq));
            let (grant, generation) =
                current.map_or((fresh, 1), |current| (current.id, current.generation + 1));
            confirm(known.id, grant, generation, facts())
        }
    }
}

/// A way of ending a consent before it becomes a grant.
fn leave(authorization: AuthorizationId, way: u8) -> Step {
    let (state, session) = (digest(STATE), digest(SESSION));
    match way {
        0 => authorization::Command::Decline { authorization }.into(),
        1 => authorization::Command::RefuseByProvider { authorization, state, session }.into(),
        2 => {
            authorization::Command::FailExchange { authorization, failure: ProviderFailure::Transient }.into()
        }
        3 => authorization::Command::RejectAccount { authorization, session }.into(),
        _ => authorization::Command::DiscardExchange {
            authorization,
            failure: ProviderFailure::Transient,
            tokens: sealed("tokens"),
            facts: tokens(1, None),
        }
        .into(),
    }
}

fn upstream(state: &State, index: usize, done: bool) -> Step {
    let target =
        nth(state.upstream_tasks.iter(), index).map_or(UpstreamTarget::Grant(GRANT), |(target, _)| *target);
    if done {
        grant::Command::ConfirmUpstream { target }.into()
    } else {
        grant::Command::FailUpstream { target, failure: Some(ProviderFailure::Transient) }.into()
    }
}

fn disable(selector: Selector) -> Step {
    match selector {
        Selector::Grant(_) => revoke(selector),
        Selector::Subject(subject) => subject::Command::Disable { subject, note: None }.into(),
        Selector::Workload(workload) => workload::Command::Disable { workload }.into(),
        Selector::Connector(connector) => connector::Command::Disable { connector }.into(),
        Selector::McpServer(mcp_server) => mcp_server::Command::Disable { mcp_server }.into(),
    }
}

/// Enables something that is disabled; something that is not, where everything is enabled.
fn enable(state: &State, index: usize) -> Step {
    let subjects = state.subjects.iter().filter(|(_, known)| !known.enabled);
    let workloads = state.workloads.iter().filter(|(_, known)| !known.enabled);
    let connectors = state.connectors.iter().filter(|(_, known)| !known.enabled);
    let servers = state.mcp_servers.iter().filter(|(_, known)| !known.enabled);
    let steps = subjects
        .map(|(subject, _)| Step::from(subject::Command::Enable { subject: *subject }))
        .chain(workloads.map(|(workload, _)| workload::Command::Enable { workload: *workload }.into()))
        .chain(connectors.map(|(connector, _)| connector::Command::Enable { connector: *connector }.into()))
        .chain(servers.map(|(server, _)| mcp_server::Command::Enable { mcp_server: *server }.into()));
    nth(steps, index).unwrap_or_else(|| workload::Command::Enable { workload: GATEWAY }.into())
}
