//! Connectors.

use leasehold_domain::{
    connector::{Command, Event, SECRETS_MAX},
    id::SecretId,
    provider::ProviderFailure,
    rejection::{Kind, Rejection},
    state::BlobKey,
};

use crate::{
    fixture::{DRIVE, NOWHERE, sealed},
    harness::{Case, given},
    worlds::{Setting, founded, register_connector, registration},
};

const fn secret(n: u8) -> SecretId {
    SecretId::from_bytes([n; 16])
}

fn add(n: u8) -> Command {
    Command::AddSecret { connector: DRIVE, secret: secret(n), sealed: sealed("client secret") }
}

fn registered() -> Case {
    given(founded()).and([register_connector(DRIVE, &Setting::default())])
}

#[test]
fn a_connector_is_registered() {
    let setting = Setting::default();
    given(founded())
        .when(register_connector(DRIVE, &setting))
        .then([Event::Registered { connector: DRIVE, registration: registration(&setting) }]);
}

#[test]
fn a_connector_whose_id_or_name_is_taken_is_refused() {
    let setting = Setting::default();
    let case =
        registered().when(register_connector(DRIVE, &setting)).rejected(Rejection::Exists(Kind::Connector));
    case.when(register_connector(NOWHERE, &setting)).rejected(Rejection::NameTaken(Kind::Connector));
}

#[test]
fn the_newest_secret_is_tried_first() {
    let outcome = registered().and([add(1)]).when(add(2));
    let written = outcome.blob(BlobKey::ClientSecret(DRIVE, secret(2)));
    assert_eq!(written, Some(Some(&b"client secret"[..])));
    let case = outcome.then([Event::SecretAdded { connector: DRIVE, secret: secret(2) }]);
    let secrets = case.state.connectors.get(&DRIVE).map(|known| known.secrets.clone());
    assert_eq!(secrets, Some(vec![secret(2), secret(1)]));
}

#[test]
fn a_secret_is_added_once_and_within_the_bound() {
    let case = registered().and((0..4).map(add));
    let case = case.when(add(0)).rejected(Rejection::Exists(Kind::Secret));
    case.when(add(4)).rejected(Rejection::TooMany { limit: SECRETS_MAX });
}

#[test]
fn a_retired_secret_is_forgotten() {
    let retire = Command::RetireSecret { connector: DRIVE, secret: secret(1) };
    let outcome = registered().and([add(1)]).when(retire.clone());
    assert_eq!(outcome.blob(BlobKey::ClientSecret(DRIVE, secret(1))), Some(None));
    let case = outcome.then([Event::SecretRetired { connector: DRIVE, secret: secret(1) }]);
    case.when(retire).rejected(Rejection::Unknown(Kind::Secret));
}

#[test]
fn a_new_secret_ends_a_suspension_for_refused_credentials() {
    let failure = ProviderFailure::ClientFault;
    let case = registered().and([Command::Suspend { connector: DRIVE, failure }]).and([add(1)]);
    assert_eq!(case.state.connectors.get(&DRIVE).map(|known| known.suspended), Some(None));
}

#[test]
fn a_suspension_is_noted_once_and_lifted_once() {
    let failure = ProviderFailure::ClientFault;
    let suspend = Command::Suspend { connector: DRIVE, failure };
    let resume = Command::Resume { connector: DRIVE };
    let case = registered().when(resume.clone()).rejected(Rejection::Unchanged(Kind::Connector));
    let case = case.when(suspend.clone()).then([Event::Suspended { connector: DRIVE, failure }]);
    let case = case.when(suspend).rejected(Rejection::Unchanged(Kind::Connector));
    case.when(resume).then([Event::Resumed { connector: DRIVE }]);
}

#[test]
fn a_connector_is_disabled_once_and_enabled_once() {
    let disable = Command::Disable { connector: DRIVE };
    let enable = Command::Enable { connector: DRIVE };
    let case = registered().when(enable.clone()).rejected(Rejection::Unchanged(Kind::Connector));
    let case = case.when(disable.clone()).then([Event::Disabled { connector: DRIVE }]);
    let case = case.when(disable).rejected(Rejection::Disabled(Kind::Connector));
    case.when(enable).then([Event::Enabled { connector: DRIVE }]);
}

#[test]
fn no_order_reaches_an_unknown_connector() {
    let connector = NOWHERE;
    let failure = ProviderFailure::Transient;
    let orders = [
        Command::AddSecret { connector, secret: secret(1), sealed: sealed("x") },
        Command::RetireSecret { connector, secret: secret(1) },
        Command::Suspend { connector, failure },
        Command::Resume { connector },
        Command::Disable { connector },
        Command::Enable { connector },
    ];
    orders
        .into_iter()
        .fold(registered(), |case, order| case.when(order).rejected(Rejection::Unknown(Kind::Connector)));
}
