//! Administrators and the bootstrap credential.

use std::collections::BTreeSet;

use leasehold_domain::{
    actor::{Principal, Role},
    administrator::{Command, Event, decide::ADMINISTRATORS_MAX},
    id::{AdministratorId, CredentialId},
    rejection::{Kind, Rejection},
};

use crate::{
    fixture::{ADMINISTRATOR, ADMINISTRATOR_CREDENTIAL, BOOTSTRAP, START, bootstrap, digest, mins, name},
    harness::{Case, Step, given},
    worlds::founded,
};

const SECOND: AdministratorId = AdministratorId::from_bytes([0x53; 16]);
const SECOND_CREDENTIAL: CredentialId = CredentialId::from_bytes([0x54; 16]);

fn offer(credential: CredentialId) -> Command {
    Command::OfferBootstrap { credential, secret: digest(1) }
}

fn redeem() -> Step {
    let command = Command::RedeemBootstrap {
        bootstrap: BOOTSTRAP,
        administrator: ADMINISTRATOR,
        name: name("root"),
        credential: ADMINISTRATOR_CREDENTIAL,
        secret: digest(2),
    };
    Step::from(command).by(bootstrap())
}

fn register(administrator: AdministratorId, text: &str, credential: CredentialId) -> Command {
    register_as([Role::Auditor], administrator, text, credential)
}

fn register_as<const N: usize>(
    roles: [Role; N],
    administrator: AdministratorId,
    text: &str,
    credential: CredentialId,
) -> Command {
    Command::Register { administrator, name: name(text), roles: roles.into(), credential, secret: digest(3) }
}

/// The first administrator, and a second one with these roles.
fn two<const N: usize>(roles: [Role; N]) -> Case {
    offered().and([redeem(), register_as(roles, SECOND, "second", SECOND_CREDENTIAL).into()])
}

const fn disable(administrator: AdministratorId) -> Command {
    Command::Disable { administrator }
}

fn offered() -> Case {
    given(founded()).and([offer(BOOTSTRAP)])
}

#[test]
fn a_bootstrap_credential_is_offered_for_an_hour() {
    given(founded())
        .when(offer(BOOTSTRAP))
        .then([Event::BootstrapOffered { credential: BOOTSTRAP, expires_at: START + mins(60) }]);
}

#[test]
fn bootstrap_makes_the_first_administrator_with_every_role() {
    let roles = vec![Role::Operator, Role::Security, Role::Auditor];
    let case = offered().after(mins(59)).when(redeem()).then([
        Event::BootstrapRedeemed { credential: BOOTSTRAP },
        Event::Registered {
            administrator: ADMINISTRATOR,
            name: name("root"),
            roles,
            credential: ADMINISTRATOR_CREDENTIAL,
        },
    ]);
    let owner = case.state.credentials.get(&ADMINISTRATOR_CREDENTIAL).map(|known| known.owner);
    assert_eq!(owner, Some(Principal::Administrator(ADMINISTRATOR)));
}

#[test]
fn bootstrap_is_redeemed_once() {
    offered().and([redeem()]).when(redeem()).rejected(Rejection::BootstrapClosed);
}

#[test]
fn bootstrap_is_over_after_an_hour() {
    offered().after(mins(60)).when(redeem()).rejected(Rejection::BootstrapClosed);
}

#[test]
fn bootstrap_that_ran_out_may_be_offered_again() {
    let again = CredentialId::from_bytes([0x55; 16]);
    let case = offered().after(mins(61)).and([offer(again)]);
    case.when(redeem()).rejected(Rejection::BootstrapClosed);
}

#[test]
fn bootstrap_is_over_once_an_administrator_exists() {
    let case = offered().and([register(SECOND, "second", SECOND_CREDENTIAL)]);
    let case = case.when(redeem()).rejected(Rejection::BootstrapClosed);
    case.when(offer(BOOTSTRAP)).rejected(Rejection::BootstrapClosed);
}

#[test]
fn bootstrap_stays_over_when_the_first_administrator_is_disabled() {
    let case = two([Role::Security]).and([disable(ADMINISTRATOR)]);
    case.when(offer(BOOTSTRAP)).rejected(Rejection::BootstrapClosed);
}

#[test]
fn bootstrap_is_for_the_holder_of_its_credential_alone() {
    let other = crate::fixture::administrator();
    offered().when(redeem().by(other)).rejected(Rejection::BootstrapClosed);
}

#[test]
fn bootstrap_before_it_is_offered_is_refused() {
    given(founded()).when(redeem()).rejected(Rejection::BootstrapClosed);
}

#[test]
fn a_further_administrator_has_the_roles_it_is_given() {
    offered().and([redeem()]).when(register(SECOND, "second", SECOND_CREDENTIAL)).then([Event::Registered {
        administrator: SECOND,
        name: name("second"),
        roles: vec![Role::Auditor],
        credential: SECOND_CREDENTIAL,
    }]);
}

#[test]
fn an_administrator_whose_id_name_or_credential_is_taken_is_refused() {
    let case = offered().and([redeem()]);
    let case = case
        .when(register(ADMINISTRATOR, "second", SECOND_CREDENTIAL))
        .rejected(Rejection::Exists(Kind::Administrator));
    let case = case
        .when(register(SECOND, "second", ADMINISTRATOR_CREDENTIAL))
        .rejected(Rejection::Exists(Kind::Credential));
    case.when(register(SECOND, "root", SECOND_CREDENTIAL))
        .rejected(Rejection::NameTaken(Kind::Administrator));
}

#[test]
fn an_administrator_without_a_role_is_refused() {
    let command = Command::Register {
        administrator: SECOND,
        name: name("second"),
        roles: BTreeSet::new(),
        credential: SECOND_CREDENTIAL,
        secret: digest(3),
    };
    given(founded()).when(command).rejected(Rejection::Unknown(Kind::Administrator));
}

#[test]
fn there_is_a_bound_on_administrators() {
    let many = (0..ADMINISTRATORS_MAX).map(|n| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(n as u64).to_be_bytes());
        register(AdministratorId::from_bytes(id), &format!("a{n}"), CredentialId::from_bytes(id))
    });
    given(founded())
        .and(many)
        .when(register(SECOND, "second", SECOND_CREDENTIAL))
        .rejected(Rejection::TooMany { limit: ADMINISTRATORS_MAX });
}

#[test]
fn a_disabled_administrator_loses_its_credential() {
    let case = two([Role::Security])
        .when(disable(ADMINISTRATOR))
        .then([Event::Disabled { administrator: ADMINISTRATOR }]);
    let left: Vec<CredentialId> = case.state.credentials.iter().map(|(id, _)| *id).collect();
    assert_eq!(left, [SECOND_CREDENTIAL]);
    case.when(disable(ADMINISTRATOR)).rejected(Rejection::Unchanged(Kind::Administrator));
}

#[test]
fn the_last_administrator_of_the_security_role_cannot_be_disabled() {
    let case = offered().and([redeem()]);
    case.when(disable(ADMINISTRATOR)).rejected(Rejection::LastAdministrator);
    let case = two([Role::Operator, Role::Auditor]);
    case.when(disable(ADMINISTRATOR)).rejected(Rejection::LastAdministrator);
}

#[test]
fn a_disabled_administrator_of_the_security_role_does_not_count_as_another() {
    let case = two([Role::Security]).and([disable(SECOND)]);
    case.when(disable(ADMINISTRATOR)).rejected(Rejection::LastAdministrator);
    let case = two([Role::Security]).and([disable(ADMINISTRATOR)]);
    case.when(disable(SECOND)).rejected(Rejection::LastAdministrator);
}

#[test]
fn an_administrator_of_other_roles_is_disabled_beside_one_who_has_the_security_role() {
    two([Role::Auditor]).when(disable(SECOND)).then([Event::Disabled { administrator: SECOND }]);
}

#[test]
fn an_unknown_administrator_cannot_be_disabled() {
    given(founded())
        .when(Command::Disable { administrator: SECOND })
        .rejected(Rejection::Unknown(Kind::Administrator));
}
