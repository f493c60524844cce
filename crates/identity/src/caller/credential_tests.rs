use leasehold_domain::{
    administrator::{Administrator, Bootstrap},
    id::{AdministratorId, CredentialId, Name, SubjectId, WorkloadId},
    state::Credential,
    workload::{Kind, Workload},
};
use leasehold_vault::OsEntropy;

use super::*;

const WORKLOAD: WorkloadId = WorkloadId::from_bytes([1; 16]);
const ADMINISTRATOR: AdministratorId = AdministratorId::from_bytes([2; 16]);
const ID: CredentialId = CredentialId::from_bytes([3; 16]);
const END: Timestamp = Timestamp::from_millis(10_000);
const BEFORE: Timestamp = Timestamp::from_millis(9_999);

fn state(enabled: bool) -> State {
    let mut state = State::default();
    state.put_workload(Workload {
        id: WORKLOAD,
        name: Name::new("gateway").unwrap(),
        kind: Kind::Gateway,
        enabled,
        revision: 1,
    });
    let administrator = Administrator {
        id: ADMINISTRATOR,
        name: Name::new("root").unwrap(),
        roles: [leasehold_domain::actor::Role::Operator].into(),
        enabled,
        revision: 1,
    };
    state.administrators.put(ADMINISTRATOR, administrator);
    state
}

fn issue(state: &mut State, kind: CredentialKind, owner: Principal) -> CredentialSecret {
    let secret = CredentialSecret::draw(kind, ID, &OsEntropy);
    let row =
        Credential { owner, secret: Digest::from_bytes(secret.hash().to_bytes()), expires_at: Some(END) };
    state.credentials.put(ID, row);
    secret
}

fn offer(state: &mut State, redeemed: bool) -> CredentialSecret {
    let secret = CredentialSecret::draw(CredentialKind::Bootstrap, ID, &OsEntropy);
    state.singular.bootstrap = Some(Bootstrap {
        credential: ID,
        secret: Digest::from_bytes(secret.hash().to_bytes()),
        expires_at: END,
        redeemed,
    });
    secret
}

#[test]
fn a_credential_is_its_owner_until_the_moment_it_ends() {
    for (kind, owner) in [
        (CredentialKind::Workload, Principal::Workload(WORKLOAD)),
        (CredentialKind::Administrator, Principal::Administrator(ADMINISTRATOR)),
    ] {
        let mut state = state(true);
        let secret = issue(&mut state, kind, owner);
        assert_eq!(by_credential(&state, BEFORE, &secret), Ok((owner, Proof::Credential(ID))));
        assert_eq!(by_credential(&state, END, &secret), Err(Refused::Expired));
    }
}

#[test]
fn a_credential_without_an_end_does_not_end() {
    let mut state = state(true);
    let secret = issue(&mut state, CredentialKind::Workload, Principal::Workload(WORKLOAD));
    let row = Credential { expires_at: None, ..state.credentials.get(&ID).unwrap().clone() };
    state.credentials.put(ID, row);
    assert!(by_credential(&state, Timestamp::MAX, &secret).is_ok());
}

#[test]
fn the_credential_of_a_disabled_owner_is_refused() {
    for (kind, owner) in [
        (CredentialKind::Workload, Principal::Workload(WORKLOAD)),
        (CredentialKind::Administrator, Principal::Administrator(ADMINISTRATOR)),
    ] {
        let mut state = state(false);
        let secret = issue(&mut state, kind, owner);
        assert_eq!(by_credential(&state, BEFORE, &secret), Err(Refused::Disabled));
    }
}

#[test]
fn an_unknown_id_and_a_wrong_secret_are_refused_alike() {
    let mut state = state(true);
    let right = issue(&mut state, CredentialKind::Workload, Principal::Workload(WORKLOAD));
    let wrong = CredentialSecret::draw(CredentialKind::Workload, ID, &OsEntropy);
    let elsewhere = CredentialId::from_bytes([9; 16]);
    let unknown = CredentialSecret::draw(CredentialKind::Workload, elsewhere, &OsEntropy);
    assert_eq!(by_credential(&state, BEFORE, &wrong), Err(Refused::Unknown));
    assert_eq!(by_credential(&state, BEFORE, &unknown), Err(Refused::Unknown));
    // A wrong secret does not learn that the credential has expired either.
    assert_eq!(by_credential(&state, END, &wrong), Err(Refused::Unknown));
    assert!(by_credential(&state, BEFORE, &right).is_ok());
}

#[test]
fn a_retired_credential_is_unknown() {
    let mut state = state(true);
    let secret = issue(&mut state, CredentialKind::Workload, Principal::Workload(WORKLOAD));
    state.credentials.remove(&ID);
    assert_eq!(by_credential(&state, BEFORE, &secret), Err(Refused::Unknown));
}

#[test]
fn a_credential_of_a_kind_that_its_owner_does_not_have_is_refused() {
    let person = Principal::Person(SubjectId::from_bytes([5; 16]));
    for (kind, owner) in [
        (CredentialKind::Administrator, Principal::Workload(WORKLOAD)),
        (CredentialKind::Workload, Principal::Administrator(ADMINISTRATOR)),
        (CredentialKind::Bootstrap, Principal::Administrator(ADMINISTRATOR)),
        (CredentialKind::Workload, Principal::Cluster),
        (CredentialKind::Bootstrap, Principal::Bootstrap(ID)),
        (CredentialKind::Workload, person),
        (CredentialKind::Workload, Principal::Workload(WorkloadId::from_bytes([8; 16]))),
    ] {
        let mut state = state(true);
        let secret = issue(&mut state, kind, owner);
        assert_eq!(by_credential(&state, BEFORE, &secret), Err(Refused::Unknown), "{kind:?} {owner:?}");
    }
}

#[test]
fn the_bootstrap_credential_is_good_once_and_in_time() {
    let mut state = state(true);
    let secret = offer(&mut state, false);
    let expected = (Principal::Bootstrap(ID), Proof::Credential(ID));
    assert_eq!(by_credential(&state, BEFORE, &secret), Ok(expected));
    assert_eq!(by_credential(&state, END, &secret), Err(Refused::Expired));
    let wrong = CredentialSecret::draw(CredentialKind::Bootstrap, ID, &OsEntropy);
    assert_eq!(by_credential(&state, BEFORE, &wrong), Err(Refused::Unknown));
    let secret = offer(&mut state, true);
    assert_eq!(by_credential(&state, BEFORE, &secret), Err(Refused::Expired));
}
