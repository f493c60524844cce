//! Revocations: one event on any selector, effective at once.

use leasehold_domain::{
    connector::{self, Isolation},
    id::NoteId,
    mcp_server,
    rejection::{Kind, Rejection},
    revocation::{Command, Event, Selector},
    state::BlobKey,
    subject::Note,
    work, workload,
};

use crate::{
    fixture::{
        ALICE, BOB, DRIVE, FILES, GATEWAY, GATEWAY_CREDENTIAL, GRANT, GRANT_2, MAIL, NO_SERVER, NO_WORKLOAD,
        NOBODY, NOWHERE, commitment, label,
    },
    harness::{Case, given},
    worlds::{Setting, consented, revoke},
};

fn granted() -> Case {
    given(consented(&Setting::default()))
}

#[test]
fn a_revocation_is_one_event_whatever_it_covers() {
    let selectors = [
        Selector::Grant(GRANT),
        Selector::Subject(ALICE),
        Selector::Workload(GATEWAY),
        Selector::Connector(DRIVE),
        Selector::McpServer(FILES),
    ];
    for selector in selectors {
        granted().when(revoke(selector)).then([Event::Raised { selector, note: None }]);
    }
}

#[test]
fn a_revocation_names_what_exists() {
    let unknown = [
        (Selector::Grant(GRANT_2), Kind::Grant),
        (Selector::Subject(NOBODY), Kind::Subject),
        (Selector::Workload(NO_WORKLOAD), Kind::Workload),
        (Selector::Connector(NOWHERE), Kind::Connector),
        (Selector::McpServer(NO_SERVER), Kind::McpServer),
    ];
    unknown.into_iter().fold(granted(), |case, (selector, kind)| {
        case.when(revoke(selector)).rejected(Rejection::Unknown(kind))
    });
}

#[test]
fn the_reason_stands_beside_the_ledger_and_only_its_commitment_is_in_it() {
    let id = NoteId::from_bytes([1; 16]);
    let note = Note { id, text: label("lost laptop"), salt: [6; 16], commitment: commitment(3) };
    let selector = Selector::Subject(ALICE);
    let outcome = granted().when(Command::Raise { selector, note: Some(note) });
    assert!(matches!(outcome.blob(BlobKey::Note(id)), Some(Some(text)) if text.ends_with(b"lost laptop")));
    outcome.then([Event::Raised { selector, note: Some(commitment(3)) }]);
}

#[test]
fn a_revoked_grant_is_over_before_any_single_event_says_so() {
    let ends_grants = [Selector::Grant(GRANT), Selector::Subject(ALICE), Selector::Connector(DRIVE)];
    for selector in ends_grants {
        let case = granted();
        let by = case.next_seq();
        let case = case.and([revoke(selector)]);
        let known = case.state.grants.get(&GRANT);
        assert_eq!(known.and_then(|known| known.revoked_by(&case.state)), Some(by));
        assert_eq!(work::closures_due(&case.state, 9), [(selector, vec![GRANT])]);
    }
}

#[test]
fn a_shared_grant_outlives_the_revocation_of_an_mcp_server_and_an_isolated_one_does_not() {
    for (isolation, ends) in [(Isolation::Shared, false), (Isolation::PerMcpServer, true)] {
        let case = given(consented(&Setting { isolation, ..Setting::default() }));
        let case = case.and([revoke(Selector::McpServer(MAIL))]);
        let revoked =
            |case: &Case| case.state.grants.get(&GRANT).map(|known| known.revoked_by(&case.state).is_some());
        assert_eq!(revoked(&case), Some(false));
        let case = case.and([revoke(Selector::McpServer(FILES))]);
        assert_eq!(revoked(&case), Some(ends));
    }
}

#[test]
fn a_revoked_workload_loses_its_credentials_and_its_grants_stay() {
    let case = granted().and([revoke(Selector::Workload(GATEWAY))]);
    assert!(!case.state.credentials.contains(&GATEWAY_CREDENTIAL));
    assert_eq!(case.state.workloads.get(&GATEWAY).map(|known| known.enabled), Some(false));
    let known = case.state.grants.get(&GRANT);
    assert_eq!(known.and_then(|known| known.revoked_by(&case.state)), None);
    assert!(work::closures_due(&case.state, 9).is_empty());
    case.and([workload::Command::Enable { workload: GATEWAY }]);
}

#[test]
fn what_is_revoked_is_disabled_until_it_is_enabled() {
    let case = granted().and([revoke(Selector::Connector(DRIVE)), revoke(Selector::McpServer(FILES))]);
    let enabled = |case: &Case| {
        let connector = case.state.connectors.get(&DRIVE).map(|known| known.enabled);
        let server = case.state.mcp_servers.get(&FILES).map(|known| known.enabled);
        (connector, server)
    };
    assert_eq!(enabled(&case), (Some(false), Some(false)));
    let case = case
        .and([connector::Command::Enable { connector: DRIVE }])
        .and([mcp_server::Command::Enable { mcp_server: FILES }]);
    assert_eq!(enabled(&case), (Some(true), Some(true)));
}

#[test]
fn a_revoked_subject_may_consent_anew_without_being_enabled() {
    let case = granted().and([revoke(Selector::Subject(ALICE))]);
    assert_eq!(case.state.subjects.get(&ALICE).map(|known| known.enabled), Some(true));
}

#[test]
fn a_revocation_touches_nobody_else() {
    let case = granted().and([revoke(Selector::Subject(BOB))]);
    let known = case.state.grants.get(&GRANT);
    assert_eq!(known.and_then(|known| known.revoked_by(&case.state)), None);
}
