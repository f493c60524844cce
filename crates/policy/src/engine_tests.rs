use std::collections::BTreeMap;

use leasehold_domain::{
    actor::Role,
    administrator::Administrator,
    connector::{Connector, Exposure, Isolation, Location, Registration},
    id::{AdministratorId, ConnectorId, McpServerId, Name, OrganisationId, SubjectId, WorkloadId},
    mcp_server::McpServer,
    provider::RefreshClass,
    scope::ScopeSet,
    subject::{self, Subject},
    text::{Label, Uri},
    workload::{self, Workload},
};

use super::*;
use crate::question::{AdministratorAction, LeaseSubject};

const READS: &str = r#"
@id("files-reads")
permit (
  principal == Leasehold::Workload::"demo-gateway",
  action == Leasehold::Action::"lease",
  resource == Leasehold::Connector::"sandbox"
) when { context.mcp_server == Leasehold::McpServer::"files" && ["files.read"].containsAll(context.scopes) };

@id("gateway-vouches")
permit (principal == Leasehold::Workload::"demo-gateway", action == Leasehold::Action::"act_as", resource);
"#;

struct World {
    workload: Workload,
    server: McpServer,
    connector: Connector,
    subject: Subject,
}

fn world() -> World {
    let name = |text| Name::new(text).unwrap();
    World {
        workload: Workload {
            id: WorkloadId::from_bytes([1; 16]),
            name: name("demo-gateway"),
            kind: workload::Kind::Gateway,
            enabled: true,
            revision: 1,
        },
        server: McpServer {
            id: McpServerId::from_bytes([2; 16]),
            name: name("files"),
            resource: Uri::new("https://files.example").unwrap(),
            needs: BTreeMap::new(),
            enabled: true,
            revision: 1,
        },
        connector: Connector {
            id: ConnectorId::from_bytes([3; 16]),
            registration: Registration {
                name: name("sandbox"),
                provider: name("sandbox"),
                client_id: Label::new("client").unwrap(),
                location: Location::Catalogue,
                isolation: Isolation::Shared,
                exposure: Exposure::HandOut,
                class: RefreshClass::Strict,
            },
            secrets: Vec::new(),
            enabled: true,
            suspended: None,
            revision: 1,
        },
        subject: Subject {
            id: SubjectId::from_bytes([4; 16]),
            kind: subject::Kind::Person,
            enabled: true,
            pinned: false,
            revision: 1,
        },
    }
}

fn question<'a>(world: &'a World, scopes: &'a ScopeSet) -> LeaseQuestion<'a> {
    LeaseQuestion {
        workload: &world.workload,
        mcp_server: &world.server,
        connector: &world.connector,
        subject: LeaseSubject { subject: &world.subject, vouched: true },
        scopes,
        certificate: false,
        development: false,
    }
}

fn scopes(text: &str) -> ScopeSet {
    text.parse().unwrap()
}

#[test]
fn without_a_policy_everything_is_denied() {
    let engine = Engine::new(0, "").unwrap();
    let (world, scopes) = (world(), scopes("files.read"));
    let verdict = engine.lease(&question(&world, &scopes));
    assert!(!verdict.permitted);
    assert!(verdict.decision.determining.is_empty());
}

#[test]
fn a_permitted_lease_names_the_policy_that_permits_it() {
    let engine = Engine::new(7, READS).unwrap();
    let (world, scopes) = (world(), scopes("files.read"));
    let verdict = engine.lease(&question(&world, &scopes));
    assert!(verdict.permitted);
    assert_eq!(
        verdict.decision,
        Decision { version: 7, determining: vec![Label::new("files-reads").unwrap()] }
    );
}

#[test]
fn a_token_that_can_do_more_than_the_policy_permits_is_denied() {
    let engine = Engine::new(7, READS).unwrap();
    let (world, scopes) = (world(), scopes("files.read files.write"));
    assert!(!engine.lease(&question(&world, &scopes)).permitted);
}

#[test]
fn another_mcp_server_or_workload_is_denied() {
    let engine = Engine::new(7, READS).unwrap();
    let scopes = scopes("files.read");
    let mut other = world();
    other.server.name = Name::new("mail").unwrap();
    assert!(!engine.lease(&question(&other, &scopes)).permitted);
    let mut other = world();
    other.workload.name = Name::new("rogue").unwrap();
    assert!(!engine.lease(&question(&other, &scopes)).permitted);
}

#[test]
fn vouching_needs_a_certificate_except_in_development() {
    let engine = Engine::new(7, READS).unwrap();
    let (world, scopes) = (world(), scopes("files.read"));
    let plain = question(&world, &scopes);
    let refused = engine.act_as(&plain);
    assert!(!refused.permitted);
    assert_eq!(refused.decision.determining, vec![Label::new("builtin-act-as-needs-a-certificate").unwrap()]);
    assert!(engine.act_as(&LeaseQuestion { certificate: true, ..plain }).permitted);
    assert!(engine.act_as(&LeaseQuestion { development: true, ..plain }).permitted);
}

#[test]
fn a_certificate_alone_does_not_permit_vouching() {
    let engine = Engine::new(0, "").unwrap();
    let (world, scopes) = (world(), scopes("files.read"));
    assert!(!engine.act_as(&LeaseQuestion { certificate: true, ..question(&world, &scopes) }).permitted);
}

#[test]
fn each_role_may_do_its_own_and_nothing_else() {
    let engine = Engine::new(0, "").unwrap();
    let organisation = OrganisationId::from_bytes([9; 16]);
    let may = |role, action| {
        let administrator = Administrator {
            id: AdministratorId::from_bytes([5; 16]),
            name: Name::new("ada").unwrap(),
            roles: [role].into(),
            enabled: true,
            revision: 1,
        };
        engine
            .administer(&AdministerQuestion { administrator: &administrator, action, organisation })
            .permitted
    };
    let actions = [AdministratorAction::Operate, AdministratorAction::Secure, AdministratorAction::Audit];
    assert_eq!(actions.map(|action| may(Role::Operator, action)), [true, false, false]);
    assert_eq!(actions.map(|action| may(Role::Security, action)), [false, true, true]);
    assert_eq!(actions.map(|action| may(Role::Auditor, action)), [false, false, true]);
}

#[test]
fn no_policy_can_let_an_administrator_lease() {
    let text = r#"@id("x") permit (principal is Leasehold::Administrator, action == Leasehold::Action::"lease", resource);"#;
    assert!(Engine::check(text).is_err());
}

#[test]
fn a_policy_without_an_id_or_against_the_schema_is_refused_with_its_place() {
    for bad in [
        "permit (principal, action, resource);",
        r#"@id("builtin-mine") permit (principal, action == Leasehold::Action::"lease", resource);"#,
        r#"@id("typo") permit (principal, action == Leasehold::Action::"leese", resource);"#,
        r#"@id("attr") permit (principal, action == Leasehold::Action::"lease", resource) when { context.nope };"#,
        "not cedar",
    ] {
        let refused = Engine::check(bad).expect_err(bad);
        assert!(!refused.problems.is_empty(), "{bad}");
    }
}

#[test]
fn what_is_asked_agrees_with_the_schema() {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    let (world, scopes) = (world(), scopes("files.read"));
    let question = question(&world, &scopes);
    for asked in [LeaseAction::Lease, LeaseAction::ActAs].map(|action| question.terms(action).ask().unwrap())
    {
        let Asked { request, entities } = asked;
        let context = request.context().unwrap().clone();
        let checked = cedar_policy::Request::new(
            request.principal().unwrap().clone(),
            request.action().unwrap().clone(),
            request.resource().unwrap().clone(),
            context,
            Some(&schema),
        );
        assert!(checked.is_ok(), "{checked:?}");
        let entities: Vec<_> = entities.iter().cloned().collect();
        assert!(cedar_policy::Entities::from_entities(entities, Some(&schema)).is_ok());
    }
}

#[test]
fn a_remembered_answer_is_the_one_that_would_be_worked_out_whatever_differs() {
    let engine = Engine::new(7, READS).unwrap();
    let name = |text| Name::new(text).unwrap();
    let (reads, writes) = (scopes("files.read"), scopes("files.write"));
    let mut worlds: Vec<World> = (0..8).map(|_| world()).collect();
    worlds[1].workload.name = name("rogue");
    worlds[2].workload.kind = workload::Kind::McpServer(McpServerId::from_bytes([2; 16]));
    worlds[3].server.name = name("mail");
    worlds[4].connector.registration.name = name("other");
    worlds[5].connector.registration.provider = name("other");
    worlds[6].connector.registration.exposure = Exposure::InjectOnly;
    worlds[7].subject.id = SubjectId::from_bytes([5; 16]);
    let mut questions = Vec::new();
    for world in &worlds {
        for scopes in [&reads, &writes] {
            let plain = question(world, scopes);
            let unvouched = LeaseSubject { vouched: false, ..plain.subject };
            questions.extend([
                plain,
                LeaseQuestion { certificate: true, ..plain },
                LeaseQuestion { development: true, ..plain },
                LeaseQuestion { subject: unvouched, ..plain },
            ]);
        }
    }
    let terms =
        questions.iter().flat_map(|asked| [asked.terms(LeaseAction::Lease), asked.terms(LeaseAction::ActAs)]);
    let keys: std::collections::BTreeSet<_> = terms.map(|terms| terms.key()).collect();
    assert_eq!(keys.len(), 2 * questions.len(), "two questions were taken for one");
    for _ in 0..2 {
        for asked in &questions {
            let fresh = Engine::new(7, READS).unwrap();
            assert_eq!(engine.lease(asked), fresh.lease(asked));
            assert_eq!(engine.act_as(asked), fresh.act_as(asked));
        }
    }
}
