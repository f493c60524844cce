use leasehold_domain::{
    actor::Role,
    authorization::TokenFacts,
    connector::{Endpoints, Registration},
    grant::{Grant, Key, Refresh, Trouble},
    id::{
        AdministratorId, ConnectorId, CredentialId, GrantId, LeaseId, McpServerId, SecretId, SubjectId,
        WorkloadId,
    },
    text::{AccountKey, Fingerprint, Label, Uri},
};
use secrecy::SecretString;

use super::*;

fn at(secs: u64) -> Timestamp {
    Timestamp::from_millis(secs * 1000)
}

fn lease_view() -> LeaseView {
    LeaseView {
        lease: LeaseId::from_bytes([1; 16]),
        grant: GrantId::from_bytes([2; 16]),
        generation: 3,
        mcp_server: McpServerId::from_bytes([4; 16]),
        connector: ConnectorId::from_bytes([5; 16]),
        subject: SubjectId::from_bytes([6; 16]),
        expires_at: at(400),
        token_expires_at: Some(at(1000)),
    }
}

fn grant_view() -> GrantView {
    let grant = Grant {
        id: GrantId::from_bytes([2; 16]),
        key: Key {
            subject: SubjectId::from_bytes([6; 16]),
            connector: ConnectorId::from_bytes([5; 16]),
            isolation: None,
            account: AccountKey::from_bytes([7; 20]),
        },
        requested: "a b".parse().unwrap(),
        granted: "a".parse().unwrap(),
        generation: 3,
        tokens: TokenFacts {
            access: Fingerprint::from_bytes([8; 20]),
            refresh: None,
            access_expires_at: Some(at(1000)),
            refresh_expires_at: None,
        },
        refreshed_at: at(20),
        consented_at: at(10),
        consented_seq: 1,
        earlier: Vec::new(),
        attempts: 0,
        phase: Phase::Active,
        refresh: Refresh::Idle,
        trouble: None,
        revision: 1,
    };
    GrantView {
        grant,
        subject_name: "alice".to_owned(),
        connector_name: "drive".to_owned(),
        mcp_server_name: String::new(),
        account: "alice@example.com".to_owned(),
        account_shared: true,
        revoked_by: None,
    }
}

#[test]
fn a_lease_shows_its_token_and_how_long_both_live() {
    let answer = LeaseAnswer {
        lease: lease_view(),
        access_token: SecretString::from("at-1"),
        token_type: "Bearer".to_owned(),
        scopes: "b a".parse().unwrap(),
        metadata: [("instance_url".to_owned(), "https://eu.example".to_owned())].into(),
        warnings: vec!["refresh fails".to_owned()],
        now: Timestamp::from_millis(100_001),
    };
    let wire = lease(answer);
    assert_eq!(wire.access_token, "at-1");
    assert_eq!(wire.scopes, ["a", "b"]);
    assert_eq!((wire.lease_remaining_seconds, wire.token_remaining_seconds), (299, Some(899)));
    assert_eq!(wire.lease_expires_at, Some(v1::Timestamp { unix_millis: 400_000 }));
    assert_eq!(wire.metadata["instance_url"], "https://eu.example");
    assert!(wire.lease_id.starts_with("lse_") && wire.grant.starts_with("grt_"));
}

#[test]
fn what_has_passed_has_no_time_left() {
    assert_eq!(remaining(at(10), at(9)), 0);
    assert_eq!(remaining(Timestamp::default(), Timestamp::MAX), u32::MAX);
}

#[test]
fn a_grant_is_told_as_revoked_before_anything_else() {
    let active = grant_view();
    assert_eq!(grant(&active).phase(), v1::GrantPhase::Active);
    let trouble = Trouble {
        failure: ProviderFailure::Transient,
        failures: 4,
        deaths: 0,
        since: at(30),
        retry_at: at(40),
    };
    let mut degraded = grant_view();
    degraded.grant.trouble = Some(trouble);
    assert_eq!(grant(&degraded).phase(), v1::GrantPhase::Degraded);
    assert_eq!(
        grant(&degraded).trouble,
        "refreshing has failed 4 times in a row: the provider could not serve it"
    );
    let mut dead = grant_view();
    dead.grant.phase = Phase::NeedsConsent(Death::Expired);
    let told = grant(&dead);
    assert_eq!((told.phase(), told.reason.as_str()), (v1::GrantPhase::NeedsConsent, "expired"));
    // A revocation covers it, though nothing has been said of this grant yet.
    dead.revoked_by = Some(9);
    assert_eq!((grant(&dead).phase(), grant(&dead).reason.as_str()), (v1::GrantPhase::Revoked, ""));
    let mut closed = grant_view();
    closed.grant.phase = Phase::Revoked { by: 9 };
    assert_eq!(grant(&closed).phase(), v1::GrantPhase::Revoked);
}

#[test]
fn a_page_says_whether_it_is_the_last() {
    let last = as_of(7, None).unwrap();
    assert_eq!((last.size, last.complete, last.next_page.as_str()), (7, true, ""));
    let more = as_of(7, Some("grt_x".to_owned())).unwrap();
    assert_eq!((more.complete, more.next_page.as_str()), (false, "grt_x"));
}

#[test]
fn every_change_of_a_watch_has_its_message_and_the_sequence_number() {
    use v1::watch_response::Change as Wire;
    let grace = Span::from_secs(10);
    let told = |one| change(5, one, grace);
    let resync = told(Change::Resync(vec![lease_view()]));
    assert_eq!(resync.seq, 5);
    let Some(Wire::Resync(set)) = resync.change else { panic!("{resync:?}") };
    assert_eq!((set.leases.len(), set.grace_seconds), (1, 10));
    assert!(matches!(told(Change::Held(lease_view())).change, Some(Wire::Held(_))));
    assert!(matches!(told(Change::Keepalive).change, Some(Wire::Keepalive(_))));
    let ended = told(Change::Ended {
        lease: LeaseId::from_bytes([1; 16]),
        reason: "revoked",
        residual_exposure_until: Some(at(1000)),
    });
    let Some(Wire::Ended(ended)) = ended.change else { panic!("{ended:?}") };
    assert_eq!(ended.reason, "revoked");
    assert_eq!(ended.residual_exposure_until, Some(v1::Timestamp { unix_millis: 1_000_000 }));
}

#[test]
fn a_connector_is_told_without_its_secrets() {
    let endpoints = Endpoints {
        authorization: Uri::new("https://as.example/authorize").unwrap(),
        token: Uri::new("https://as.example/token").unwrap(),
        revocation: None,
        account: None,
    };
    let known = Connector {
        id: ConnectorId::from_bytes([5; 16]),
        registration: Registration {
            name: "drive".parse().unwrap(),
            provider: "generic-oauth2".parse().unwrap(),
            client_id: Label::new("leasehold").unwrap(),
            location: Location::Endpoints(endpoints),
            isolation: Isolation::PerMcpServer,
            exposure: Exposure::InjectOnly,
            class: RefreshClass::Grace(Span::from_secs(30)),
        },
        secrets: vec![SecretId::from_bytes([1; 16])],
        enabled: true,
        suspended: Some(ProviderFailure::ClientFault),
        revision: 1,
    };
    let wire = connector(&known, "https://leasehold.example/cb".to_owned());
    assert_eq!((wire.isolation(), wire.exposure()), (v1::Isolation::PerMcpServer, v1::Exposure::InjectOnly));
    assert_eq!(wire.endpoints.as_ref().unwrap().token, "https://as.example/token");
    assert_eq!(wire.endpoints.unwrap().revocation, "");
    assert!(wire.secrets[0].starts_with("sec_"));
    assert_eq!(wire.suspended, "the provider refuses the connector's credentials");
    assert_eq!(wire.refresh_class, "grace");
}

#[test]
fn a_workload_an_administrator_and_a_subject_are_told_by_their_words() {
    let server = McpServerId::from_bytes([4; 16]);
    let known = Workload {
        id: WorkloadId::from_bytes([1; 16]),
        name: "files".parse().unwrap(),
        kind: workload::Kind::McpServer(server),
        enabled: true,
        revision: 1,
    };
    let names = [
        CertificateName::Spiffe(Label::new("spiffe://example/files").unwrap()),
        CertificateName::Dns(Label::new("files.example").unwrap()),
    ];
    let wire = workload(&known, vec![CredentialId::from_bytes([3; 16]).to_string()], &names);
    assert_eq!((wire.kind.as_str(), wire.mcp_server), ("mcp-server", server.to_string()));
    assert_eq!(wire.certificates, ["spiffe://example/files", "files.example"]);

    let known = Administrator {
        id: AdministratorId::from_bytes([1; 16]),
        name: "root".parse().unwrap(),
        roles: [Role::Security, Role::Operator].into(),
        enabled: false,
        revision: 1,
    };
    assert_eq!(administrator(&known).roles, ["operator", "security"]);

    let owner = SubjectId::from_bytes([9; 16]);
    let known = Subject {
        id: SubjectId::from_bytes([6; 16]),
        kind: subject::Kind::Shared { owner },
        enabled: true,
        pinned: true,
        revision: 1,
    };
    let entry = DirectoryEntry {
        user_name: Label::new("team").unwrap(),
        email: None,
        display_name: None,
        identifiers: Vec::new(),
        salt: [0; 16],
    };
    let wire = subject(&known, &entry);
    assert_eq!((wire.kind(), wire.owner, wire.pinned), (v1::SubjectKind::Shared, owner.to_string(), true));
}
