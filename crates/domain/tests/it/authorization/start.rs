//! Starting a consent, and asking for one again.

use leasehold_domain::{
    authorization::{Event, OPEN_TTL},
    connector::{self, Isolation},
    machine::Answer,
    mcp_server,
    rejection::{Kind, Rejection},
    subject,
};

use crate::{
    fixture::{
        ALICE, BOB, CONSENT, CONSENT_2, DRIVE, FILES, GRANT, MAIL, NO_SERVER, NOBODY, NOWHERE, START, mins,
        name, scopes, secs,
    },
    harness::{Case, given},
    worlds::{Setting, Start, catalogue, consented, exchanging, registration, set_need},
};

fn catalogued() -> Case {
    given(catalogue(&Setting::default()))
}

fn started() -> Case {
    catalogued().and([Start::default()])
}

fn again() -> Start {
    Start { authorization: CONSENT_2, ..Start::default() }
}

#[test]
fn a_started_consent_may_be_approved_for_an_hour() {
    let start = Start::default();
    let expected = start.clone().event(START + OPEN_TTL);
    catalogued().when(start).then([expected]);
    assert_eq!(OPEN_TTL, mins(60));
}

#[test]
fn asking_again_names_the_same_authorization_and_writes_nothing() {
    started().when(again()).already(Answer::Authorization(CONSENT));
}

#[test]
fn asking_for_less_names_the_same_authorization() {
    let wide = Start { scopes: scopes("files.read files.write"), ..Start::default() };
    catalogued().and([wide]).when(again()).already(Answer::Authorization(CONSENT));
}

#[test]
fn asking_again_while_the_code_is_exchanged_names_the_same_authorization() {
    catalogued().and(exchanging(Start::default())).when(again()).already(Answer::Authorization(CONSENT));
}

#[test]
fn wider_scopes_supersede_the_open_consent_and_keep_what_it_asked_for() {
    let wider = Start { scopes: scopes("files.write"), ..again() };
    let asked = Start { scopes: scopes("files.read files.write"), ..wider };
    started().when(wider).then([asked.event(START + OPEN_TTL), Event::Superseded { authorization: CONSENT }]);
}

#[test]
fn a_superseding_consent_does_not_ask_for_what_the_mcp_server_has_ceased_to_need() {
    let wider = Start { scopes: scopes("files.write"), ..again() };
    let expected = wider.clone().event(START + OPEN_TTL);
    started()
        .and([set_need(FILES, DRIVE, "files.write")])
        .when(wider)
        .then([expected, Event::Superseded { authorization: CONSENT }]);
}

#[test]
fn another_mcp_server_has_a_consent_of_its_own() {
    let mail = Start { mcp_server: MAIL, ..again() };
    let expected = mail.clone().event(START + OPEN_TTL);
    started().when(mail).then([expected]);
}

#[test]
fn a_consent_that_ran_out_is_not_named_again() {
    let expected = again().event(START + mins(60) + OPEN_TTL);
    started()
        .after(mins(59))
        .when(again())
        .already(Answer::Authorization(CONSENT))
        .after(mins(1))
        .when(again())
        .then([expected]);
}

#[test]
fn renewing_a_grant_is_another_consent_than_the_open_one() {
    let renew = Start { grant: Some(GRANT), ..again() };
    let open = Start { authorization: crate::fixture::CONSENT_3, ..Start::default() };
    let superseded = open.authorization;
    let expected = renew.clone().event(START + OPEN_TTL);
    given(consented(&Setting::default()))
        .and([open])
        .when(renew)
        .then([expected, Event::Superseded { authorization: superseded }]);
}

#[test]
fn a_consent_names_what_exists() {
    let unknown = |kind| Rejection::Unknown(kind);
    let case = catalogued();
    let case = case.when(Start { subject: NOBODY, ..again() }).rejected(unknown(Kind::Subject));
    let case = case.when(Start { connector: NOWHERE, ..again() }).rejected(unknown(Kind::Connector));
    let case = case.when(Start { mcp_server: NO_SERVER, ..again() }).rejected(unknown(Kind::McpServer));
    case.when(Start { grant: Some(GRANT), ..again() }).rejected(unknown(Kind::Grant));
}

#[test]
fn the_grant_of_another_subject_is_not_renewed() {
    given(consented(&Setting::default()))
        .when(Start { subject: BOB, grant: Some(GRANT), ..again() })
        .rejected(Rejection::Unknown(Kind::Grant));
}

#[test]
fn nothing_is_started_for_what_is_disabled() {
    let case = catalogued().and([subject::Command::Disable { subject: ALICE, note: None }]);
    case.when(again()).rejected(Rejection::Disabled(Kind::Subject));
    let case = catalogued().and([connector::Command::Disable { connector: DRIVE }]);
    case.when(again()).rejected(Rejection::Disabled(Kind::Connector));
    let case = catalogued().and([mcp_server::Command::Disable { mcp_server: FILES }]);
    case.when(again()).rejected(Rejection::Disabled(Kind::McpServer));
}

#[test]
fn scopes_that_the_mcp_server_is_not_registered_as_needing_are_refused_by_name() {
    let start = Start { scopes: scopes("files.read files.admin"), ..Start::default() };
    catalogued().when(start).rejected(Rejection::ScopesNotRegistered(scopes("files.admin")));
}

#[test]
fn a_consent_to_nothing_is_not_started() {
    let nothing = Rejection::ScopesNotRegistered(scopes(""));
    catalogued().when(Start { scopes: scopes(""), ..Start::default() }).rejected(nothing.clone());
    started().when(Start { scopes: scopes(""), ..again() }).rejected(nothing);
}

#[test]
fn nothing_is_asked_of_a_connector_that_the_mcp_server_does_not_need() {
    let setting = Setting::default();
    let elsewhere = connector::Registration { name: name("elsewhere"), ..registration(&setting) };
    let register = connector::Command::Register { connector: NOWHERE, registration: elsewhere };
    let case = catalogued().and([register]);
    [scopes(""), scopes("files.read")].into_iter().fold(case, |case, scopes| {
        let start = Start { connector: NOWHERE, scopes: scopes.clone(), ..Start::default() };
        case.when(start).rejected(Rejection::ScopesNotRegistered(scopes))
    });
}

#[test]
fn the_grant_of_one_isolated_mcp_server_is_renewed_for_it_alone() {
    let setting = Setting { isolation: Isolation::PerMcpServer, ..Setting::default() };
    let renew = Start { grant: Some(GRANT), ..again() };
    let for_mail = Start { mcp_server: MAIL, ..renew.clone() };
    let case = given(consented(&setting)).when(for_mail.clone()).rejected(Rejection::Unknown(Kind::Grant));
    let expected = renew.clone().event(START + OPEN_TTL);
    case.when(renew).then([expected]);
    let expected = for_mail.clone().event(START + OPEN_TTL);
    given(consented(&Setting::default())).when(for_mail).then([expected]);
}

#[test]
fn an_id_that_is_in_use_is_refused() {
    started()
        .after(secs(1))
        .when(Start { mcp_server: MAIL, ..Start::default() })
        .rejected(Rejection::Exists(Kind::Authorization));
}
