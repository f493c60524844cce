//! The questions that can be asked, and how each becomes a Cedar request.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
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

/// The kinds of things that policies speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Action,
    Administrator,
    Connector,
    McpServer,
    Organisation,
    Role,
    Subject,
    Workload,
}

/// A kind's name as Cedar holds it. It is parsed once: parsing costs as much as an answer.
fn type_name(kind: Kind) -> EntityTypeName {
    static NAMES: LazyLock<[EntityTypeName; 8]> = LazyLock::new(|| {
        ["Action", "Administrator", "Connector", "McpServer", "Organisation", "Role", "Subject", "Workload"]
            .map(|name| format!("Leasehold::{name}").parse().expect("two identifiers are a type's name"))
    });
    let [action, administrator, connector, mcp_server, organisation, role, subject, workload] = &*NAMES;
    let name = match kind {
        Kind::Action => action,
        Kind::Administrator => administrator,
        Kind::Connector => connector,
        Kind::McpServer => mcp_server,
        Kind::Organisation => organisation,
        Kind::Role => role,
        Kind::Subject => subject,
        Kind::Workload => workload,
    };
    name.clone()
}

fn uid(kind: Kind, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(type_name(kind), EntityId::new(id))
}

fn entity(
    kind: Kind,
    id: &str,
    attributes: &[(&str, &str)],
    parents: BTreeSet<EntityUid>,
) -> Result<Entity, Unaskable> {
    let attributes = attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), RestrictedExpression::new_string((*value).to_owned())))
        .collect();
    Entity::new(uid(kind, id), attributes, parents.into_iter().collect()).map_err(|_| Unaskable)
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
        Request::new(principal, uid(Kind::Action, action), resource, context, None).map_err(|_| Unaskable)?;
    let entities = Entities::from_entities(entities, None).map_err(|_| Unaskable)?;
    Ok(Asked { request, entities })
}

/// Which of the two is asked about a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseAction {
    /// Whether the workload may have the token.
    Lease,
    /// Whether the workload may vouch for the subject.
    ActAs,
}

/// All that an answer about a lease depends on, beside the policies: what is not here, Cedar is not told.
pub(crate) struct Terms<'a> {
    action: LeaseAction,
    workload: &'a str,
    workload_kind: &'static str,
    mcp_server: &'a str,
    connector: &'a str,
    provider: &'a str,
    exposure: &'static str,
    subject: String,
    subject_kind: &'static str,
    vouched: bool,
    certificate: bool,
    development: bool,
    scopes: &'a ScopeSet,
}

impl LeaseQuestion<'_> {
    /// The question's terms.
    pub(crate) fn terms(&self, action: LeaseAction) -> Terms<'_> {
        let registration = &self.connector.registration;
        Terms {
            action,
            workload: self.workload.name.as_str(),
            workload_kind: match self.workload.kind {
                workload::Kind::Gateway => "gateway",
                workload::Kind::McpServer(_) => "mcp-server",
            },
            mcp_server: self.mcp_server.name.as_str(),
            connector: registration.name.as_str(),
            provider: registration.provider.as_str(),
            exposure: match registration.exposure {
                Exposure::HandOut => "hand_out",
                Exposure::InjectOnly => "inject_only",
            },
            subject: self.subject.subject.id.to_string(),
            subject_kind: match self.subject.subject.kind {
                subject::Kind::Person => "person",
                subject::Kind::Service { .. } => "service",
                subject::Kind::Shared { .. } => "shared",
            },
            vouched: self.subject.vouched,
            certificate: self.certificate,
            development: self.development,
            scopes: self.scopes,
        }
    }
}

impl Terms<'_> {
    /// The terms as bytes: equal for equal terms, and for no others.
    pub(crate) fn key(&self) -> Box<[u8]> {
        let Self {
            action,
            workload,
            workload_kind,
            mcp_server,
            connector,
            provider,
            exposure,
            subject,
            subject_kind,
            vouched,
            certificate,
            development,
            scopes,
        } = self;
        let flags = [*action as u8, u8::from(*vouched), u8::from(*certificate), u8::from(*development)];
        let texts = [
            workload,
            workload_kind,
            mcp_server,
            connector,
            provider,
            exposure,
            subject.as_str(),
            subject_kind,
        ];
        let mut key = Vec::with_capacity(256);
        key.extend_from_slice(&flags);
        // Each text with its length before it, so that no two lists of texts run together into one.
        for text in texts.into_iter().chain(scopes.iter().map(|scope| scope.as_str())) {
            key.extend_from_slice(&(text.len() as u64).to_be_bytes());
            key.extend_from_slice(text.as_bytes());
        }
        key.into_boxed_slice()
    }

    fn parties(&self) -> Result<[Entity; 4], Unaskable> {
        let connector = [("provider", self.provider), ("exposure", self.exposure)];
        let none = BTreeSet::new;
        Ok([
            entity(Kind::Workload, self.workload, &[("kind", self.workload_kind)], none())?,
            entity(Kind::McpServer, self.mcp_server, &[], none())?,
            entity(Kind::Connector, self.connector, &connector, none())?,
            entity(Kind::Subject, &self.subject, &[("kind", self.subject_kind)], none())?,
        ])
    }

    /// The Cedar request that they make.
    pub(crate) fn ask(&self) -> Result<Asked, Unaskable> {
        let [workload, server, connector, subject] = self.parties()?;
        let mcp_server = ("mcp_server", RestrictedExpression::new_entity_uid(server.uid()));
        let certificate = ("certificate", RestrictedExpression::new_bool(self.certificate));
        let principal = workload.uid();
        let (action, resource, context) = match self.action {
            LeaseAction::Lease => {
                let scopes = self.scopes.iter();
                let scopes = scopes.map(|scope| RestrictedExpression::new_string(scope.as_str().to_owned()));
                let context = BTreeMap::from([
                    mcp_server,
                    certificate,
                    ("subject", RestrictedExpression::new_entity_uid(subject.uid())),
                    ("scopes", RestrictedExpression::new_set(scopes)),
                    ("vouched", RestrictedExpression::new_bool(self.vouched)),
                ]);
                ("lease", connector.uid(), context)
            }
            LeaseAction::ActAs => {
                let context = BTreeMap::from([
                    mcp_server,
                    certificate,
                    ("connector", RestrictedExpression::new_entity_uid(connector.uid())),
                    ("development", RestrictedExpression::new_bool(self.development)),
                ]);
                ("act_as", subject.uid(), context)
            }
        };
        asked(principal, action, resource, context, vec![workload, server, connector, subject])
    }
}

impl AdministerQuestion<'_> {
    pub(crate) fn administer(&self) -> Result<Asked, Unaskable> {
        let roles = self.administrator.roles.iter().map(|role| uid(Kind::Role, role_name(*role))).collect();
        let administrator = entity(Kind::Administrator, &self.administrator.id.to_string(), &[], roles)?;
        let organisation = entity(Kind::Organisation, &self.organisation.to_string(), &[], BTreeSet::new())?;
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
