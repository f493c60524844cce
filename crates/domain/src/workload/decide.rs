//! Deciding for workloads.

use alloc::vec::Vec;

use super::{CertificateName, Command, Event, Kind, PROOFS_MAX, Workload};
use crate::{
    actor::Principal,
    event::Event as AnyEvent,
    id::WorkloadId,
    machine::{Context, Decided, Write},
    rejection::{Kind as Thing, Rejection},
    revocation::Selector,
    state::{Credential, State},
};

/// Decides.
///
/// # Errors
/// The [`Rejection`] that says why nothing may happen.
pub fn decide(state: &State, command: Command) -> Result<Decided, Rejection> {
    let event = match command {
        Command::Register { workload, name, kind } => {
            if state.workloads.contains(&workload) {
                return Err(Rejection::Exists(Thing::Workload));
            }
            if state.workload_named(&name).is_some() {
                return Err(Rejection::NameTaken(Thing::Workload));
            }
            if let Kind::McpServer(server) = kind {
                state.mcp_servers.get(&server).ok_or(Rejection::Unknown(Thing::McpServer))?;
            }
            Event::Registered { workload, name, kind }
        }
        Command::AddCredential { workload, credential, secret, expires_at } => {
            enabled(state, workload)?;
            let owner = Principal::Workload(workload);
            if state.credentials.contains(&credential) {
                return Err(Rejection::Exists(Thing::Credential));
            }
            if state.credentials.iter().filter(|(_, known)| known.owner == owner).count() >= PROOFS_MAX {
                return Err(Rejection::TooMany { limit: PROOFS_MAX });
            }
            let event = AnyEvent::Workload(Event::CredentialAdded { workload, credential, expires_at });
            return Ok(Decided::event(event)
                .with(Write::Credential(credential, Credential { owner, secret, expires_at })));
        }
        Command::RetireCredential { workload, credential } => {
            let owner = state.credentials.get(&credential).map(|known| known.owner);
            if owner != Some(Principal::Workload(workload)) {
                return Err(Rejection::Unknown(Thing::Credential));
            }
            Event::CredentialRetired { workload, credential }
        }
        Command::BindCertificate { workload, certificate } => {
            enabled(state, workload)?;
            if state.certificates.contains(&certificate) {
                return Err(Rejection::NameTaken(Thing::Credential));
            }
            if state.certificates.iter().filter(|(_, owner)| **owner == workload).count() >= PROOFS_MAX {
                return Err(Rejection::TooMany { limit: PROOFS_MAX });
            }
            Event::CertificateBound { workload, certificate }
        }
        Command::UnbindCertificate { workload, certificate } => {
            if state.certificates.get(&certificate) != Some(&workload) {
                return Err(Rejection::Unknown(Thing::Credential));
            }
            Event::CertificateUnbound { workload, certificate }
        }
        Command::Disable { workload } => {
            enabled(state, workload)?;
            Event::Disabled { workload }
        }
        Command::Enable { workload } => {
            let known = state.workloads.get(&workload).ok_or(Rejection::Unknown(Thing::Workload))?;
            if known.enabled {
                return Err(Rejection::Unchanged(Thing::Workload));
            }
            Event::Enabled { workload }
        }
    };
    Ok(Decided::event(AnyEvent::Workload(event)))
}

/// The workload, if it may still ask.
pub(crate) fn enabled(state: &State, workload: WorkloadId) -> Result<&Workload, Rejection> {
    let known = state.workloads.get(&workload).ok_or(Rejection::Unknown(Thing::Workload))?;
    if known.enabled { Ok(known) } else { Err(Rejection::Disabled(Thing::Workload)) }
}

/// Folds.
pub fn evolve(state: &mut State, context: Context, event: &Event) {
    match event {
        Event::Registered { workload, name, kind } => state.put_workload(Workload {
            id: *workload,
            name: name.clone(),
            kind: *kind,
            enabled: true,
            revision: context.seq,
        }),
        Event::CredentialAdded { .. } => {}
        Event::CredentialRetired { credential, .. } => {
            state.credentials.remove(credential);
        }
        Event::CertificateBound { workload, certificate } => {
            state.certificates.put(certificate.clone(), *workload);
        }
        Event::CertificateUnbound { certificate, .. } => {
            state.certificates.remove(certificate);
        }
        Event::Disabled { workload } => disable(state, context, *workload),
        Event::Enabled { workload } => set_enabled(state, context, *workload, true),
    }
}

/// Ends a workload's leases and every proof of who it is.
pub(crate) fn disable(state: &mut State, context: Context, workload: WorkloadId) {
    set_enabled(state, context, workload, false);
    state.drop_credentials(Principal::Workload(workload));
    let theirs: Vec<CertificateName> = state
        .certificates
        .iter()
        .filter(|(_, owner)| **owner == workload)
        .map(|(name, _)| name.clone())
        .collect();
    for name in theirs {
        state.certificates.remove(&name);
    }
    state.raise_epoch(Selector::Workload(workload), context.seq, false);
}

fn set_enabled(state: &mut State, context: Context, workload: WorkloadId, enabled: bool) {
    if let Some(known) = state.workloads.get(&workload) {
        state.put_workload(Workload { enabled, revision: context.seq, ..known.clone() });
    }
}
