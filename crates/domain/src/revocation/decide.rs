//! Deciding for revocations: one event, whatever it covers.

use super::{Command, Event, Selector};
use crate::{
    connector,
    event::Event as AnyEvent,
    grant,
    machine::{Context, Decided},
    mcp_server,
    rejection::{Kind, Rejection},
    state::State,
    subject::decide::keep_note,
    workload,
};

/// Decides.
///
/// # Errors
/// [`Rejection::Unknown`] where the selector names nothing, [`Rejection::GrantRevoked`] for a grant that has ended already.
pub fn decide(state: &State, command: Command) -> Result<Decided, Rejection> {
    let Command::Raise { selector, note } = command;
    match selector {
        Selector::Grant(id) => {
            let known = state.grants.get(&id).ok_or(Rejection::Unknown(Kind::Grant))?;
            if matches!(known.phase, grant::Phase::Revoked { .. }) {
                return Err(Rejection::GrantRevoked);
            }
        }
        Selector::Subject(id) => known(state.subjects.contains(&id), Kind::Subject)?,
        Selector::Workload(id) => known(state.workloads.contains(&id), Kind::Workload)?,
        Selector::Connector(id) => known(state.connectors.contains(&id), Kind::Connector)?,
        Selector::McpServer(id) => known(state.mcp_servers.contains(&id), Kind::McpServer)?,
    }
    let commitment = note.as_ref().map(|note| note.commitment);
    let event = AnyEvent::Revocation(Event::Raised { selector, note: commitment });
    Ok(keep_note(Decided::event(event), note))
}

fn known(exists: bool, kind: Kind) -> Result<(), Rejection> {
    if exists { Ok(()) } else { Err(Rejection::Unknown(kind)) }
}

/// Folds. What was revoked comes back as the table of selectors says: a workload, a connector and an MCP server when enabled.
pub fn evolve(state: &mut State, context: Context, event: &Event) {
    let Event::Raised { selector, note: _ } = event;
    match *selector {
        Selector::Grant(_) | Selector::Subject(_) => state.raise_epoch(*selector, context.seq, true),
        Selector::Workload(id) => workload::decide::disable(state, context, id),
        Selector::Connector(id) => connector::decide::disable(state, context, id, true),
        Selector::McpServer(id) => mcp_server::decide::disable(state, context, id, true),
    }
}
