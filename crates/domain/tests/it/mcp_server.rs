//! MCP servers.

use leasehold_domain::{
    id::{ConnectorId, McpServerId},
    mcp_server::{Command, Event, NEEDS_MAX},
    rejection::{Kind, Rejection},
};

use crate::{
    fixture::{DRIVE, FILES, NO_SERVER, NOWHERE, name, scopes, uri},
    harness::{Case, given},
    worlds::{Setting, founded, register_connector, register_server, registration, set_need},
};

fn registered() -> Case {
    given(founded())
        .and([register_connector(DRIVE, &Setting::default())])
        .and([register_server(FILES, "files")])
}

#[test]
fn an_mcp_server_is_registered() {
    given(founded()).when(register_server(FILES, "files")).then([Event::Registered {
        mcp_server: FILES,
        name: name("files"),
        resource: uri("https://files.example"),
    }]);
}

#[test]
fn an_mcp_server_whose_id_or_name_is_taken_is_refused() {
    let case =
        registered().when(register_server(FILES, "other")).rejected(Rejection::Exists(Kind::McpServer));
    case.when(register_server(NO_SERVER, "files")).rejected(Rejection::NameTaken(Kind::McpServer));
}

#[test]
fn a_need_is_set_replaced_and_removed() {
    let need = |text| Event::NeedSet { mcp_server: FILES, connector: DRIVE, scopes: scopes(text) };
    let case = registered().when(set_need(FILES, DRIVE, "a b")).then([need("a b")]);
    let case = case.when(set_need(FILES, DRIVE, "b a")).rejected(Rejection::Unchanged(Kind::McpServer));
    let case = case.when(set_need(FILES, DRIVE, "a")).then([need("a")]);
    let case = case.when(set_need(FILES, DRIVE, "")).then([need("")]);
    assert_eq!(case.state.mcp_servers.get(&FILES).map(|known| known.needs.len()), Some(0));
    case.when(set_need(FILES, DRIVE, "")).rejected(Rejection::Unchanged(Kind::McpServer));
}

#[test]
fn a_need_names_what_exists() {
    let case = registered().when(set_need(FILES, NOWHERE, "a")).rejected(Rejection::Unknown(Kind::Connector));
    case.when(set_need(NO_SERVER, DRIVE, "a")).rejected(Rejection::Unknown(Kind::McpServer));
}

#[test]
fn there_is_a_bound_on_needs_and_a_need_that_exists_may_still_change() {
    let connector = |n: u8| ConnectorId::from_bytes([n; 16]);
    let register = |n: u8| leasehold_domain::connector::Command::Register {
        connector: connector(n),
        registration: leasehold_domain::connector::Registration {
            name: name(&format!("c{n}")),
            ..registration(&Setting::default())
        },
    };
    let case = registered()
        .and((100..133).map(register))
        .and((100..132).map(|n| set_need(FILES, connector(n), "a")));
    let case =
        case.when(set_need(FILES, connector(132), "a")).rejected(Rejection::TooMany { limit: NEEDS_MAX });
    case.and([set_need(FILES, connector(100), "b")]);
}

#[test]
fn an_mcp_server_is_disabled_once_and_enabled_once() {
    let disable = Command::Disable { mcp_server: FILES };
    let enable = Command::Enable { mcp_server: FILES };
    let case = registered().when(enable.clone()).rejected(Rejection::Unchanged(Kind::McpServer));
    let case = case.when(disable.clone()).then([Event::Disabled { mcp_server: FILES }]);
    let case = case.when(disable).rejected(Rejection::Disabled(Kind::McpServer));
    case.when(enable).then([Event::Enabled { mcp_server: FILES }]);
}

#[test]
fn an_unknown_mcp_server_is_neither_disabled_nor_enabled() {
    let mcp_server: McpServerId = NO_SERVER;
    let case =
        registered().when(Command::Disable { mcp_server }).rejected(Rejection::Unknown(Kind::McpServer));
    case.when(Command::Enable { mcp_server }).rejected(Rejection::Unknown(Kind::McpServer));
}
