//! The questions that can be asked, and how each becomes a Cedar request.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};
use leasehold_domain::{
    actor::Role,
    administrator::Administrator,
    connector::{Connector, Exposure},
    id::OrganisationId,
    mcp_server::McpServer,
    scope::ScopeSet,
    subject::{self, Subject},
    workload::{self, Workload},
};

/// A question that could not be put to Cedar. It is answered as a denial.
#[derive(Debug)]
pub(crate) struct Unaskable;

/// Whose token is asked for.
#[derive(Debug, Clone, Copy)]
pub struct LeaseSubject<'a> {
    /// The subject.
    pub subject: &'a Subject,
    /// Whether the workload vouches for it, rather than showing a token of it.
    pub vouched: bool,
}

/// May `workload`, for `mcp_server`, lease from `connector` a token that can do all of `scopes`, for `subject`?
#[derive(Debug, Clone, Copy)]
pub struct LeaseQuestion<'a> {
    /// Who asks.
    pub workload: &'a Workload,
    /// On behalf of which MCP server.
    pub mcp_server: &'a McpServer,
    /// From which connector.
    pub connector: &'a Connector,
    /// For whom.
    pub subject: LeaseSubject<'a>,
    /// What the token must be able to do, or can do.
    pub scopes: &'a ScopeSet,
    /// Whether the caller proved who it is by a certificate.
    pub certificate: bool,
    /// Whether the organisation is for development only.
    pub development: bool,
}

/// What an administrator wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdministratorAction {
    /// Run the cluster and its catalogue.
    Operate,
    /// Decide who may, and revoke.
    Secure,
    /// Read the ledger and the access view.
    Audit,
}

/// May `administrator` do `action`?
#[derive(Debug, Clone, Copy)]
pub struct AdministerQuestion<'a> {
    /// Who asks.
    pub administrator: &'a Administrator,
    /// To do what.
    pub action: AdministratorAction,
    /// Of which organisation.
    pub organisation: OrganisationId,
}

/// A Cedar request with the entities that it speaks of.
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) entities: Entities,
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, Unaskable> {
    let kind = EntityTypeName::from_str(&format!("Leasehold::{kind}")).map_err(|_| Unaskable)?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn entity(
    kind: &str,
    id: &str,
    attributes: &[(&str, &str)],
    parents: BTreeSet<EntityUid>,
) -> Result<Entity, Unaskable> {
    let attributes = attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), RestrictedExpression::new_string((*value).to_owned())))
        .collect();
    Entity::new(uid(kind, id)?, attributes, parents.into_iter().collect()).map_err(|_| Unaskable)
}

fn asked(
    principal: EntityUid,
    action: &str,
    resource: EntityUid,
    context: BTreeMap<&str, RestrictedExpression>,
    entities: Vec<Entity>,
) -> Result<Asked, Unaskable> {
    let context = Context::from_pairs(context.into_iter().map(|(name, value)| (name.to_owned(), value)))
        .map_err(|_| Unaskable)?;
    let request =
        Request::new(principal, uid("Action", action)?, resource, context, None).map_err(|_| Unaskable)?;
    let entities = Entities::from_entities(entities, None).map_err(|_| Unaskable)?;
    Ok(Asked { request, entities })
}

impl LeaseQuestion<'_> {
    fn parties(&self) -> Result<[Entity; 4], Unaskable> {
        let kind = match self.workload.kind {
            workload::Kind::Gateway => "gateway",
            workload::Kind::McpServer(_) => "mcp-server",
        };
        let exposure = match self.connector.registration.exposure {
            Exposure::HandOut => "hand_out",
            Exposure::InjectOnly => "inject_only",
        };
        let subject_kind = match self.subject.subject.kind {
            subject::Kind::Person => "person",
            subject::Kind::Service { .. } => "service",
            subject::Kind::Shared { .. } => "shared",
        };
        let registration = &self.connector.registration;
        let connector = [("provider", registration.provider.as_str()), ("exposure", exposure)];
        let none = BTreeSet::new;
        Ok([
            entity("Workload", self.workload.name.as_str(), &[("kind", kind)], none())?,
            entity("McpServer", self.mcp_server.name.as_str(), &[], none())?,
            entity("Connector", registration.name.as_str(), &connector, none())?,
            entity("Subject", &self.subject.subject.id.to_string(), &[("kind", subject_kind)], none())?,
        ])
    }

    /// The question whether the workload may have the token.
    pub(crate) fn lease(&self) -> Result<Asked, Unaskable> {
        let [workload, server, connector, subject] = self.parties()?;
        let scopes =
            self.scopes.iter().map(|scope| RestrictedExpression::new_string(scope.as_str().to_owned()));
        let context = [
            ("mcp_server", RestrictedExpression::new_entity_uid(server.uid())),
            ("subject", RestrictedExpression::new_entity_uid(subject.uid())),
            ("scopes", RestrictedExpression::new_set(scopes)),
            ("vouched", RestrictedExpression::new_bool(self.subject.vouched)),
            ("certificate", RestrictedExpression::new_bool(self.certificate)),
        ];
        let (principal, resource) = (workload.uid(), connector.uid());
        asked(principal, "lease", resource, context.into(), vec![workload, server, connector, subject])
    }

    /// The question whether the workload may vouch for the subject.
    pub(crate) fn act_as(&self) -> Result<Asked, Unaskable> {
        let [workload, server, connector, subject] = self.parties()?;
        let context = [
            ("mcp_server", RestrictedExpression::new_entity_uid(server.uid())),
            ("connector", RestrictedExpression::new_entity_uid(connector.uid())),
            ("certificate", RestrictedExpression::new_bool(self.certificate)),
            ("development", RestrictedExpression::new_bool(self.development)),
        ];
        let (principal, resource) = (workload.uid(), subject.uid());
        asked(principal, "act_as", resource, context.into(), vec![workload, server, connector, subject])
    }
}

impl AdministerQuestion<'_> {
    pub(crate) fn administer(&self) -> Result<Asked, Unaskable> {
        let roles: Result<BTreeSet<EntityUid>, Unaskable> =
            self.administrator.roles.iter().map(|role| uid("Role", role_name(*role))).collect();
        let administrator = entity("Administrator", &self.administrator.id.to_string(), &[], roles?)?;
        let organisation = entity("Organisation", &self.organisation.to_string(), &[], BTreeSet::new())?;
        let action = match self.action {
            AdministratorAction::Operate => "operate",
            AdministratorAction::Secure => "secure",
            AdministratorAction::Audit => "audit",
        };
        let (principal, resource) = (administrator.uid(), organisation.uid());
        asked(principal, action, resource, BTreeMap::new(), vec![administrator, organisation])
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Operator => "operator",
        Role::Security => "security",
        Role::Auditor => "auditor",
    }
}
