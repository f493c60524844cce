//! Deciding for administrators.

use alloc::{collections::BTreeSet, vec::Vec};

use super::{Administrator, Bootstrap, Command, Event};
use crate::{
    actor::{Principal, Role},
    event::Event as AnyEvent,
    id::CredentialId,
    machine::{Context, Decided, Write},
    rejection::{Kind, Rejection},
    state::{Credential, State},
    text::Digest,
    time::Span,
};

/// How long the bootstrap credential is good for.
pub const BOOTSTRAP_TTL: Span = Span::from_mins(60);
/// The most administrators.
pub const ADMINISTRATORS_MAX: usize = 256;

/// Decides.
///
/// # Errors
/// The [`Rejection`] that says why nothing may happen.
pub fn decide(state: &State, context: Context, command: Command) -> Result<Decided, Rejection> {
    match command {
        Command::OfferBootstrap { credential, secret } => offer(state, context, credential, secret),
        Command::RedeemBootstrap { bootstrap, administrator, name, credential, secret } => {
            let mut redeemed = redeemable(state, context, bootstrap)?;
            redeemed.redeemed = true;
            let roles = [Role::Operator, Role::Security, Role::Auditor].into();
            let registration = Registration { administrator, name, roles, credential, secret };
            let mut decided = register(state, registration)?;
            decided
                .events
                .insert(0, AnyEvent::Administrator(Event::BootstrapRedeemed { credential: bootstrap }));
            Ok(decided.with(Write::Bootstrap(redeemed)))
        }
        Command::Register { administrator, name, roles, credential, secret } => {
            register(state, Registration { administrator, name, roles, credential, secret })
        }
        Command::Disable { administrator } => {
            let known =
                state.administrators.get(&administrator).ok_or(Rejection::Unknown(Kind::Administrator))?;
            if !known.enabled {
                return Err(Rejection::Unchanged(Kind::Administrator));
            }
            let secures = |other: &Administrator| other.enabled && other.roles.contains(&Role::Security);
            if secures(known)
                && !state.administrators.iter().any(|(id, other)| *id != administrator && secures(other))
            {
                return Err(Rejection::LastAdministrator);
            }
            Ok(Decided::event(AnyEvent::Administrator(Event::Disabled { administrator })))
        }
    }
}

struct Registration {
    administrator: crate::id::AdministratorId,
    name: crate::id::Name,
    roles: BTreeSet<Role>,
    credential: CredentialId,
    secret: Digest,
}

fn offer(
    state: &State,
    context: Context,
    credential: CredentialId,
    secret: Digest,
) -> Result<Decided, Rejection> {
    let pending = state.singular.bootstrap.as_ref().is_some_and(|offered| offered.redeemed);
    if pending || !state.administrators.is_empty() {
        return Err(Rejection::BootstrapClosed);
    }
    let expires_at = context.at + BOOTSTRAP_TTL;
    let bootstrap = Bootstrap { credential, secret, expires_at, redeemed: false };
    let event = AnyEvent::Administrator(Event::BootstrapOffered { credential, expires_at });
    Ok(Decided::event(event).with(Write::Bootstrap(bootstrap)))
}

fn redeemable(state: &State, context: Context, credential: CredentialId) -> Result<Bootstrap, Rejection> {
    let actor = context.actor.principal;
    state
        .singular
        .bootstrap
        .clone()
        .filter(|offered| offered.credential == credential && actor == Principal::Bootstrap(credential))
        .filter(|offered| {
            !offered.redeemed && context.at < offered.expires_at && state.administrators.is_empty()
        })
        .ok_or(Rejection::BootstrapClosed)
}

fn register(state: &State, registration: Registration) -> Result<Decided, Rejection> {
    let Registration { administrator, name, roles, credential, secret } = registration;
    if state.administrators.contains(&administrator) {
        return Err(Rejection::Exists(Kind::Administrator));
    }
    if state.credentials.contains(&credential) {
        return Err(Rejection::Exists(Kind::Credential));
    }
    if roles.is_empty() {
        return Err(Rejection::Unknown(Kind::Administrator));
    }
    if state.administrators.len() >= ADMINISTRATORS_MAX {
        return Err(Rejection::TooMany { limit: ADMINISTRATORS_MAX });
    }
    if state.administrators.iter().any(|(_, other)| other.name == name) {
        return Err(Rejection::NameTaken(Kind::Administrator));
    }
    let roles: Vec<Role> = roles.into_iter().collect();
    let event = AnyEvent::Administrator(Event::Registered { administrator, name, roles, credential });
    let owner = Principal::Administrator(administrator);
    Ok(Decided::event(event)
        .with(Write::Credential(credential, Credential { owner, secret, expires_at: None })))
}

/// Folds.
pub fn evolve(state: &mut State, context: Context, event: &Event) {
    match event {
        Event::BootstrapOffered { .. } | Event::BootstrapRedeemed { .. } => {}
        Event::Registered { administrator, name, roles, credential: _ } => {
            let roles = roles.iter().copied().collect();
            let row = Administrator {
                id: *administrator,
                name: name.clone(),
                roles,
                enabled: true,
                revision: context.seq,
            };
            state.administrators.put(*administrator, row);
        }
        Event::Disabled { administrator } => {
            if let Some(known) = state.administrators.get(administrator) {
                let row = Administrator { enabled: false, revision: context.seq, ..known.clone() };
                state.administrators.put(*administrator, row);
                state.drop_credentials(Principal::Administrator(*administrator));
            }
        }
    }
}

impl State {
    /// Forgets every API credential of a principal.
    pub(crate) fn drop_credentials(&mut self, owner: Principal) {
        let theirs: Vec<CredentialId> = self
            .credentials
            .iter()
            .filter(|(_, credential)| credential.owner == owner)
            .map(|(id, _)| *id)
            .collect();
        for id in theirs {
            self.credentials.remove(&id);
        }
    }
}
