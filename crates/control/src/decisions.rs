//! Authorization decisions: each is asked of the policies, rests on named revisions, and is recorded when it is a denial.

use leasehold_domain::{
    actor::{Principal, Role},
    command::{Command, Entity, Fact},
    policy::{self, Action, Decision, DenialReason, Resource},
    rejection::Kind,
    state::State,
};
use leasehold_policy::{AdministerQuestion, AdministratorAction, Engine, LeaseQuestion, LeaseSubject};

use crate::{caller::Caller, control::Control, problem::Problem};

/// A denial that is still to be recorded.
#[derive(Debug, Clone)]
pub(crate) struct Denial {
    pub(crate) action: Action,
    pub(crate) resource: Resource,
    pub(crate) reason: DenialReason,
    pub(crate) decision: Decision,
}

/// Asks whether a workload may have a token that can do what `question` names: whether the policies permit the lease, and, where it vouches,
/// whether it may.
pub(crate) fn may_lease(
    engine: &Engine,
    question: &LeaseQuestion<'_>,
) -> Result<Decision, (DenialReason, Action, Decision)> {
    let verdict = engine.lease(question);
    if !verdict.permitted {
        return Err((DenialReason::Policy, Action::Lease, verdict.decision));
    }
    if question.subject.vouched {
        let vouching = engine.act_as(question);
        if !vouching.permitted {
            let weak = !question.certificate && !question.development;
            let reason = if weak { DenialReason::WeakCredential } else { DenialReason::Policy };
            return Err((reason, Action::ActAs, vouching.decision));
        }
    }
    Ok(verdict.decision)
}

/// What a lease decision took as given.
pub(crate) fn lease_facts(state: &State, engine: &Engine, question: &LeaseQuestion<'_>) -> Vec<Fact> {
    let policies = Fact { entity: Entity::Policy, revision: engine.version() };
    let others = [
        Entity::Workload(question.workload.id),
        Entity::McpServer(question.mcp_server.id),
        Entity::Connector(question.connector.id),
        Entity::Subject(question.subject.subject.id),
    ]
    .map(|entity| Fact { entity, revision: state.revision(entity) });
    [policies].into_iter().chain(others).collect()
}

/// Whether these are the policies of the state at hand. Between taking them and reading the state, others may have been set.
pub(crate) fn is_current(engine: &Engine, state: &State) -> bool {
    engine.version() == state.singular.policy_version
}

/// What a denied lease was about.
pub(crate) fn lease_resource(question: &LeaseQuestion<'_>) -> Resource {
    let LeaseSubject { subject, .. } = question.subject;
    Resource {
        mcp_server: Some(question.mcp_server.id),
        connector: Some(question.connector.id),
        subject: Some(subject.id),
    }
}

impl Control {
    /// Records a denial, and answers with it. A denial that cannot be recorded is still a denial.
    pub(crate) async fn denied(&self, caller: &Caller, denial: Denial) -> Problem {
        let Denial { action, resource, reason, decision } = denial;
        let command = Command::Policy(policy::Command::RecordDenial { action, resource, reason, decision });
        let caller = caller.clone().with_request(None);
        if let Err(problem) = self.propose(&caller, command).await {
            tracing::warn!(code = problem.code(), "a denial was not recorded");
        }
        Problem::Denied(reason)
    }

    /// Asks whether an administrator may do this, and records a denial.
    ///
    /// # Errors
    /// [`Problem::WrongCaller`] for anybody but an administrator, [`Problem::Denied`] for one who may not.
    pub(crate) async fn authorize_administrator(
        &self,
        caller: &Caller,
        action: AdministratorAction,
    ) -> Result<(), Problem> {
        let id = caller.administrator()?;
        let engine = self.engine()?;
        let organisation = self.organisation();
        let verdict = self.read_now(|state| {
            let administrator = state.administrators.get(&id).filter(|known| known.enabled)?;
            Some(engine.administer(&AdministerQuestion { administrator, action, organisation }))
        });
        let verdict = verdict.ok_or(Problem::Unknown(Kind::Administrator))?;
        if verdict.permitted {
            return Ok(());
        }
        let asked = match action {
            AdministratorAction::Operate | AdministratorAction::Secure => Action::Administer,
            AdministratorAction::Audit => Action::Audit,
        };
        let denial = Denial {
            action: asked,
            resource: Resource::default(),
            reason: DenialReason::Role,
            decision: verdict.decision,
        };
        Err(self.denied(caller, denial).await)
    }

    /// Asks whether an administrator may do any of these.
    ///
    /// # Errors
    /// As [`Self::authorize_administrator`], for the last of them.
    pub(crate) async fn authorize_any(
        &self,
        caller: &Caller,
        actions: &[AdministratorAction],
    ) -> Result<(), Problem> {
        let id = caller.administrator()?;
        let roles = self.read_now(|state| state.administrators.get(&id).map(|known| known.roles.clone()));
        let roles = roles.ok_or(Problem::Unknown(Kind::Administrator))?;
        let fits = |action: &&AdministratorAction| match action {
            AdministratorAction::Operate => roles.contains(&Role::Operator),
            AdministratorAction::Secure => roles.contains(&Role::Security),
            AdministratorAction::Audit => roles.contains(&Role::Auditor) || roles.contains(&Role::Security),
        };
        // Which one to ask the policies about; the policies decide.
        let action =
            actions.iter().find(fits).or(actions.last()).copied().unwrap_or(AdministratorAction::Audit);
        self.authorize_administrator(caller, action).await
    }

    /// Whether the caller is a workload.
    pub(crate) fn is_workload(caller: &Caller) -> bool {
        matches!(caller.actor.principal, Principal::Workload(_))
    }
}
