//! Workloads and their proofs of who they are.

use leasehold_domain::{
    id::{CredentialId, WorkloadId},
    rejection::{Kind as Thing, Rejection},
    workload::{CertificateName, Command, Event, Kind, PROOFS_MAX},
};

use crate::{
    fixture::{
        FILES, FILES_WORKLOAD, GATEWAY, GATEWAY_CREDENTIAL, NO_SERVER, NO_WORKLOAD, digest, label, name,
    },
    harness::{Case, given},
    worlds::{Setting, catalogue, register_workload},
};

fn catalogued() -> Case {
    given(catalogue(&Setting::default()))
}

const fn credential(n: u8) -> CredentialId {
    CredentialId::from_bytes([n; 16])
}

fn add(workload: WorkloadId, credential: CredentialId) -> Command {
    Command::AddCredential { workload, credential, secret: digest(1), expires_at: None }
}

fn bind(workload: WorkloadId, text: &str) -> Command {
    Command::BindCertificate { workload, certificate: CertificateName::Dns(label(text)) }
}

#[test]
fn a_workload_is_registered() {
    let kind = Kind::McpServer(FILES);
    catalogued().when(register_workload(NO_WORKLOAD, "third", kind)).then([Event::Registered {
        workload: NO_WORKLOAD,
        name: name("third"),
        kind,
    }]);
}

#[test]
fn a_workload_whose_id_or_name_is_taken_or_whose_mcp_server_is_unknown_is_refused() {
    let case = catalogued()
        .when(register_workload(GATEWAY, "third", Kind::Gateway))
        .rejected(Rejection::Exists(Thing::Workload));
    let case = case
        .when(register_workload(NO_WORKLOAD, "edge", Kind::Gateway))
        .rejected(Rejection::NameTaken(Thing::Workload));
    case.when(register_workload(NO_WORKLOAD, "third", Kind::McpServer(NO_SERVER)))
        .rejected(Rejection::Unknown(Thing::McpServer));
}

#[test]
fn an_api_credential_is_added_once_to_one_workload() {
    let event = Event::CredentialAdded { workload: GATEWAY, credential: credential(1), expires_at: None };
    let case = catalogued().when(add(GATEWAY, credential(1))).then([event]);
    case.when(add(FILES_WORKLOAD, credential(1))).rejected(Rejection::Exists(Thing::Credential));
}

#[test]
fn there_is_a_bound_on_the_proofs_of_a_workload() {
    let case = catalogued().and((1..16).map(|n| add(GATEWAY, credential(n))));
    let case = case.when(add(GATEWAY, credential(16))).rejected(Rejection::TooMany { limit: PROOFS_MAX });
    let case = case.and((0..16).map(|n| bind(GATEWAY, &format!("n{n}.example"))));
    case.when(bind(GATEWAY, "n16.example")).rejected(Rejection::TooMany { limit: PROOFS_MAX });
}

#[test]
fn a_retired_credential_is_gone() {
    let retire = Command::RetireCredential { workload: GATEWAY, credential: GATEWAY_CREDENTIAL };
    let event = Event::CredentialRetired { workload: GATEWAY, credential: GATEWAY_CREDENTIAL };
    let case = catalogued().when(retire.clone()).then([event]);
    assert!(!case.state.credentials.contains(&GATEWAY_CREDENTIAL));
    case.when(retire).rejected(Rejection::Unknown(Thing::Credential));
}

#[test]
fn nobody_retires_the_credential_of_another_workload() {
    catalogued()
        .when(Command::RetireCredential { workload: FILES_WORKLOAD, credential: GATEWAY_CREDENTIAL })
        .rejected(Rejection::Unknown(Thing::Credential));
}

#[test]
fn a_certificate_name_stands_for_one_workload() {
    let certificate = CertificateName::Dns(label("edge.example"));
    let case = catalogued()
        .when(bind(GATEWAY, "edge.example"))
        .then([Event::CertificateBound { workload: GATEWAY, certificate }]);
    case.when(bind(FILES_WORKLOAD, "edge.example")).rejected(Rejection::NameTaken(Thing::Credential));
}

#[test]
fn a_certificate_name_that_is_unbound_may_stand_for_another() {
    let certificate = CertificateName::Dns(label("edge.example"));
    let unbind = |workload| Command::UnbindCertificate { workload, certificate: certificate.clone() };
    let case = catalogued().and([bind(GATEWAY, "edge.example"), bind(GATEWAY, "other.example")]);
    let case = case.when(unbind(FILES_WORKLOAD)).rejected(Rejection::Unknown(Thing::Credential));
    let unbound = Event::CertificateUnbound { workload: GATEWAY, certificate: certificate.clone() };
    let case = case.when(unbind(GATEWAY)).then([unbound]);
    let names: Vec<_> = case.state.certificates.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["other.example"]);
    let case = case.when(unbind(GATEWAY)).rejected(Rejection::Unknown(Thing::Credential));
    case.and([bind(FILES_WORKLOAD, "edge.example")]);
}

#[test]
fn a_disabled_workload_loses_its_credentials_and_certificate_names() {
    let disable = Command::Disable { workload: GATEWAY };
    let case = catalogued()
        .and([bind(GATEWAY, "edge.example"), bind(FILES_WORKLOAD, "files.example")])
        .and([add(FILES_WORKLOAD, credential(1))])
        .when(disable.clone())
        .then([Event::Disabled { workload: GATEWAY }]);
    assert!(!case.state.credentials.contains(&GATEWAY_CREDENTIAL));
    assert!(case.state.credentials.contains(&credential(1)), "another workload lost its credential");
    let names: Vec<_> = case.state.certificates.iter().map(|(_, owner)| *owner).collect();
    assert_eq!(names, [FILES_WORKLOAD]);
    case.when(disable).rejected(Rejection::Disabled(Thing::Workload));
}

#[test]
fn a_disabled_workload_gets_no_new_proof() {
    let case = catalogued().and([Command::Disable { workload: GATEWAY }]);
    let case = case.when(add(GATEWAY, credential(1))).rejected(Rejection::Disabled(Thing::Workload));
    case.when(bind(GATEWAY, "edge.example")).rejected(Rejection::Disabled(Thing::Workload));
}

#[test]
fn an_enabled_workload_begins_without_its_old_credentials() {
    let enable = Command::Enable { workload: GATEWAY };
    let case = catalogued()
        .when(enable.clone())
        .rejected(Rejection::Unchanged(Thing::Workload))
        .and([Command::Disable { workload: GATEWAY }])
        .when(enable)
        .then([Event::Enabled { workload: GATEWAY }]);
    assert!(!case.state.credentials.contains(&GATEWAY_CREDENTIAL));
    case.and([add(GATEWAY, credential(1))]);
}

#[test]
fn no_order_reaches_an_unknown_workload() {
    let workload = NO_WORKLOAD;
    let orders = [
        add(workload, credential(1)),
        bind(workload, "third.example"),
        Command::Disable { workload },
        Command::Enable { workload },
    ];
    orders
        .into_iter()
        .fold(catalogued(), |case, order| case.when(order).rejected(Rejection::Unknown(Thing::Workload)));
}

#[test]
fn a_certificate_name_is_a_spiffe_uri_as_it_is_or_a_dns_name_in_lower_case() {
    for (text, read) in
        [("spiffe://prod.example/ns/MCP", "spiffe://prod.example/ns/MCP"), ("Edge.Example", "edge.example")]
    {
        assert_eq!(text.parse::<CertificateName>().unwrap().to_string(), read);
    }
    for bad in ["", ".", ".edge", "edge.", "edge example", "ed_ge", "https://edge.example"] {
        assert!(bad.parse::<CertificateName>().is_err(), "{bad:?}");
    }
    let long = format!("spiffe://{}", "a".repeat(255));
    assert!(long.parse::<CertificateName>().is_err());
}
