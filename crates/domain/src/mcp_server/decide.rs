//! Deciding for MCP servers.

use alloc::collections::BTreeMap;

use super::{Command, Event, McpServer, NEEDS_MAX};
use crate::{
    event::Event as AnyEvent,
    id::McpServerId,
    machine::{Context, Decided},
    rejection::{Kind, Rejection},
    revocation::Selector,
    state::State,
};

/// Decides.
///
/// # Errors
/// The [`Rejection`] that says why nothing may happen.
pub fn decide(state: &State, command: Command) -> Result<Decided, Rejection> {
    let event = match command {
        Command::Register { mcp_server, name, resource } => {
            if state.mcp_servers.contains(&mcp_server) {
                return Err(Rejection::Exists(Kind::McpServer));
            }
            if state.mcp_server_named(&name).is_some() {
                return Err(Rejection::NameTaken(Kind::McpServer));
            }
            Event::Registered { mcp_server, name, resource }
        }
        Command::SetNeed { mcp_server, connector, scopes } => {
            let known = known(state, mcp_server)?;
            state.connectors.get(&connector).ok_or(Rejection::Unknown(Kind::Connector))?;
            if known.needs.get(&connector).cloned().unwrap_or_default() == scopes {
                return Err(Rejection::Unchanged(Kind::McpServer));
            }
            if known.needs.len() >= NEEDS_MAX && !known.needs.contains_key(&connector) {
                return Err(Rejection::TooMany { limit: NEEDS_MAX });
            }
            Event::NeedSet { mcp_server, connector, scopes }
        }
        Command::Disable { mcp_server } => {
            usable(state, mcp_server)?;
            Event::Disabled { mcp_server }
        }
        Command::Enable { mcp_server } => {
            if known(state, mcp_server)?.enabled {
                return Err(Rejection::Unchanged(Kind::McpServer));
            }
            Event::Enabled { mcp_server }
        }
    };
    Ok(Decided::event(AnyEvent::McpServer(event)))
}

fn known(state: &State, server: McpServerId) -> Result<&McpServer, Rejection> {
    state.mcp_servers.get(&server).ok_or(Rejection::Unknown(Kind::McpServer))
}

/// The MCP server, if workloads may ask on its behalf.
pub(crate) fn usable(state: &State, server: McpServerId) -> Result<&McpServer, Rejection> {
    let known = known(state, server)?;
    if known.enabled { Ok(known) } else { Err(Rejection::Disabled(Kind::McpServer)) }
}

/// Folds.
pub fn evolve(state: &mut State, context: Context, event: &Event) {
    match event {
        Event::Registered { mcp_server, name, resource } => state.put_mcp_server(McpServer {
            id: *mcp_server,
            name: name.clone(),
            resource: resource.clone(),
            needs: BTreeMap::new(),
            enabled: true,
            revision: context.seq,
        }),
        Event::NeedSet { mcp_server, connector, scopes } => change(state, context, *mcp_server, |row| {
            if scopes.is_empty() {
                row.needs.remove(connector);
            } else {
                row.needs.insert(*connector, scopes.clone());
            }
        }),
        Event::Disabled { mcp_server } => disable(state, context, *mcp_server, false),
        Event::Enabled { mcp_server } => change(state, context, *mcp_server, |row| row.enabled = true),
    }
}

/// Ends leases on behalf of an MCP server; grants that are its alone too where `grants` says so.
pub(crate) fn disable(state: &mut State, context: Context, server: McpServerId, grants: bool) {
    change(state, context, server, |row| row.enabled = false);
    state.raise_epoch(Selector::McpServer(server), context.seq, grants);
}

fn change(state: &mut State, context: Context, server: McpServerId, change: impl FnOnce(&mut McpServer)) {
    if let Some(known) = state.mcp_servers.get(&server) {
        let mut row = known.clone();
        change(&mut row);
        row.revision = context.seq;
        state.put_mcp_server(row);
    }
}
