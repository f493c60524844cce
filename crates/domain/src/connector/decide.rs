//! Deciding for connectors.

use super::{Command, Connector, Event, SECRETS_MAX};
use crate::{
    event::Event as AnyEvent,
    id::ConnectorId,
    machine::{Context, Decided, Write},
    rejection::{Kind, Rejection},
    revocation::Selector,
    state::{BlobKey, State},
};

/// Decides.
///
/// # Errors
/// The [`Rejection`] that says why nothing may happen.
pub fn decide(state: &State, command: Command) -> Result<Decided, Rejection> {
    let event = match command {
        Command::Register { connector, registration } => {
            if state.connectors.contains(&connector) {
                return Err(Rejection::Exists(Kind::Connector));
            }
            if state.connector_named(&registration.name).is_some() {
                return Err(Rejection::NameTaken(Kind::Connector));
            }
            Event::Registered { connector, registration }
        }
        Command::AddSecret { connector, secret, sealed } => {
            let known = known(state, connector)?;
            if known.secrets.contains(&secret) {
                return Err(Rejection::Exists(Kind::Secret));
            }
            if known.secrets.len() >= SECRETS_MAX {
                return Err(Rejection::TooMany { limit: SECRETS_MAX });
            }
            let event = AnyEvent::Connector(Event::SecretAdded { connector, secret });
            return Ok(Decided::event(event)
                .with(Write::Blob(BlobKey::ClientSecret(connector, secret), Some(sealed))));
        }
        Command::RetireSecret { connector, secret } => {
            if !known(state, connector)?.secrets.contains(&secret) {
                return Err(Rejection::Unknown(Kind::Secret));
            }
            let event = AnyEvent::Connector(Event::SecretRetired { connector, secret });
            return Ok(
                Decided::event(event).with(Write::Blob(BlobKey::ClientSecret(connector, secret), None))
            );
        }
        Command::Suspend { connector, failure } => {
            if known(state, connector)?.suspended == Some(failure) {
                return Err(Rejection::Unchanged(Kind::Connector));
            }
            Event::Suspended { connector, failure }
        }
        Command::Resume { connector } => {
            if known(state, connector)?.suspended.is_none() {
                return Err(Rejection::Unchanged(Kind::Connector));
            }
            Event::Resumed { connector }
        }
        Command::Disable { connector } => {
            usable(state, connector)?;
            Event::Disabled { connector }
        }
        Command::Enable { connector } => {
            if known(state, connector)?.enabled {
                return Err(Rejection::Unchanged(Kind::Connector));
            }
            Event::Enabled { connector }
        }
    };
    Ok(Decided::event(AnyEvent::Connector(event)))
}

fn known(state: &State, connector: ConnectorId) -> Result<&Connector, Rejection> {
    state.connectors.get(&connector).ok_or(Rejection::Unknown(Kind::Connector))
}

/// The connector, if it may be used.
pub(crate) fn usable(state: &State, connector: ConnectorId) -> Result<&Connector, Rejection> {
    let known = known(state, connector)?;
    if known.enabled { Ok(known) } else { Err(Rejection::Disabled(Kind::Connector)) }
}

/// Folds.
pub fn evolve(state: &mut State, context: Context, event: &Event) {
    match event {
        Event::Registered { connector, registration } => state.put_connector(Connector {
            id: *connector,
            registration: registration.clone(),
            secrets: alloc::vec::Vec::new(),
            enabled: true,
            suspended: None,
            revision: context.seq,
        }),
        // A new secret is the operator's answer to refused credentials: the provider is called again with it.
        Event::SecretAdded { connector, secret } => change(state, context, *connector, |row| {
            row.secrets.insert(0, *secret);
            row.suspended = None;
        }),
        Event::SecretRetired { connector, secret } => {
            change(state, context, *connector, |row| row.secrets.retain(|known| known != secret));
        }
        Event::Suspended { connector, failure } => {
            change(state, context, *connector, |row| row.suspended = Some(*failure))
        }
        Event::Resumed { connector } => change(state, context, *connector, |row| row.suspended = None),
        Event::Disabled { connector } => disable(state, context, *connector, false),
        Event::Enabled { connector } => change(state, context, *connector, |row| row.enabled = true),
    }
}

/// Stops a connector's use and ends its leases; its grants too where `grants` says so.
pub(crate) fn disable(state: &mut State, context: Context, connector: ConnectorId, grants: bool) {
    change(state, context, connector, |row| row.enabled = false);
    state.raise_epoch(Selector::Connector(connector), context.seq, grants);
}

fn change(state: &mut State, context: Context, connector: ConnectorId, change: impl FnOnce(&mut Connector)) {
    if let Some(known) = state.connectors.get(&connector) {
        let mut row = known.clone();
        change(&mut row);
        row.revision = context.seq;
        state.put_connector(row);
    }
}
