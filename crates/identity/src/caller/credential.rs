//! Callers with an API credential: workloads, administrators, and once whoever holds the bootstrap credential.

use leasehold_domain::{
    actor::{Principal, Proof},
    state::State,
    text::Digest,
    time::Timestamp,
};
use leasehold_vault::{CredentialHash, CredentialKind, CredentialSecret};

use super::Refused;

/// What an unknown id is compared with, so that it costs what a known one does. No text has this hash, as far as anyone can find one.
const NOBODY: Digest = Digest::from_bytes([0; 32]);

/// Finds the caller who presents an API credential.
///
/// An unknown id and a wrong secret take the same path: one hash, one comparison in constant time, one answer. Only who has the
/// right secret is told more.
///
/// # Errors
/// [`Refused`]; a credential is expired from the moment at which it ends, and the bootstrap credential once it was used.
pub fn by_credential(
    state: &State,
    now: Timestamp,
    presented: &CredentialSecret,
) -> Result<(Principal, Proof), Refused> {
    let id = presented.id();
    let known = state.credentials.get(&id);
    let offered = state.singular.bootstrap.as_ref().filter(|offered| offered.credential == id);
    let stored = known.map(|known| known.secret).or(offered.map(|offered| offered.secret));
    let matches = presented.matches(&CredentialHash::from_bytes(stored.unwrap_or(NOBODY).to_bytes()));
    if !matches {
        return Err(Refused::Unknown);
    }
    let principal = match (known, offered) {
        (Some(known), _) => {
            if known.expires_at.is_some_and(|end| now >= end) {
                return Err(Refused::Expired);
            }
            owner(state, known.owner, presented.kind())?
        }
        (None, Some(offered)) => {
            if offered.redeemed || now >= offered.expires_at {
                return Err(Refused::Expired);
            }
            if presented.kind() != CredentialKind::Bootstrap {
                return Err(Refused::Unknown);
            }
            Principal::Bootstrap(id)
        }
        (None, None) => return Err(Refused::Unknown),
    };
    Ok((principal, Proof::Credential(id)))
}

/// The owner, if it may still do something and has credentials of this kind.
fn owner(state: &State, owner: Principal, kind: CredentialKind) -> Result<Principal, Refused> {
    let enabled = match (owner, kind) {
        (Principal::Workload(id), CredentialKind::Workload) => {
            state.workloads.get(&id).ok_or(Refused::Unknown)?.enabled
        }
        (Principal::Administrator(id), CredentialKind::Administrator) => {
            state.administrators.get(&id).ok_or(Refused::Unknown)?.enabled
        }
        (
            Principal::Workload(_)
            | Principal::Administrator(_)
            | Principal::Cluster
            | Principal::Bootstrap(_)
            | Principal::Person(_),
            CredentialKind::Workload | CredentialKind::Administrator | CredentialKind::Bootstrap,
        ) => return Err(Refused::Unknown),
    };
    if enabled { Ok(owner) } else { Err(Refused::Disabled) }
}

#[cfg(test)]
#[path = "credential_tests.rs"]
mod tests;
