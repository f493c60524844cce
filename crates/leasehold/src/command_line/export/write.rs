//! The text of each file: deterministic, without a secret, and read back as what it was written from.

use std::{collections::BTreeSet, fmt::Write as _};

use super::super::apply::{
    resource::{Connector, IdentityProvider, Kind, McpServer, Workload},
    standing::{Standing, Stands},
};

/// How many resources there are, and the text.
pub(super) type Text = (usize, String);

pub(super) fn identity_providers(standing: &Standing) -> Text {
    let mut text =
        head("Client secrets are never exported: name each one's file, to register it at another cluster.");
    for (name, Stands { resource, .. }) in &standing.identity_providers {
        let IdentityProvider { issuer, client_id, join_claim, email_domains } = resource;
        begin(&mut text, Kind::IdentityProvider, name);
        value(&mut text, "issuer", issuer);
        value(&mut text, "client_id", client_id);
        secret_hint(&mut text, name);
        value(&mut text, "join_claim", join_claim);
        list(&mut text, "email_domains", email_domains);
    }
    (standing.identity_providers.len(), text)
}

pub(super) fn connectors(standing: &Standing) -> Text {
    let mut text =
        head("Client secrets are never exported: name each one's file, to make it at another cluster.");
    for (name, Stands { resource, secrets, .. }) in &standing.connectors {
        let Connector { provider, client_id, issuer, endpoints, isolation, exposure, enabled } = resource;
        begin(&mut text, Kind::Connector, name);
        value(&mut text, "provider", provider);
        value(&mut text, "client_id", client_id);
        if *secrets == 0 {
            flag(&mut text, "public_client", true)
        } else {
            secret_hint(&mut text, name)
        }
        value(&mut text, "issuer", issuer);
        value(&mut text, "authorization_endpoint", &endpoints.authorization);
        value(&mut text, "token_endpoint", &endpoints.token);
        value(&mut text, "revocation_endpoint", &endpoints.revocation);
        value(&mut text, "account_endpoint", &endpoints.account);
        value(&mut text, "isolation", isolation);
        value(&mut text, "exposure", exposure);
        flag(&mut text, "enabled", *enabled);
    }
    (standing.connectors.len(), text)
}

pub(super) fn mcp_servers(standing: &Standing) -> Text {
    let mut text = head("What each MCP server needs, at each connector.");
    for (name, Stands { resource: McpServer { resource, needs, enabled }, .. }) in &standing.mcp_servers {
        begin(&mut text, Kind::McpServer, name);
        value(&mut text, "resource", resource);
        flag(&mut text, "enabled", *enabled);
        if !needs.is_empty() {
            push(&mut text, format_args!("\n[mcp_server.needs]\n"));
        }
        for (connector, scopes) in needs {
            list(&mut text, connector, scopes);
        }
    }
    (standing.mcp_servers.len(), text)
}

pub(super) fn workloads(standing: &Standing) -> Text {
    let mut text =
        head("API credentials are not part of this: `leasehold workload add-credential` makes them.");
    for (name, Stands { resource: Workload { mcp_server, certificates, enabled }, .. }) in &standing.workloads
    {
        begin(&mut text, Kind::Workload, name);
        value(&mut text, "mcp_server", mcp_server.as_deref().unwrap_or_default());
        list(&mut text, "certificates", certificates);
        flag(&mut text, "enabled", *enabled);
    }
    (standing.workloads.len(), text)
}

/// The policy set as it is, byte for byte. Before there is one, none.
pub(super) fn policies(standing: &Standing) -> Text {
    match &standing.policies {
        Some(set) if set.version > 0 => (1, set.text.clone()),
        Some(_) | None => (0, String::new()),
    }
}

fn head(about: &str) -> String {
    format!(
        "# Exported by `leasehold export`; `leasehold apply --schema` says what may stand here.\n# {about}\n"
    )
}

fn begin(text: &mut String, kind: Kind, name: &str) {
    push(text, format_args!("\n[[{}]]\n", kind.key()));
    value(text, "name", name);
}

fn secret_hint(text: &mut String, name: &str) {
    push(text, format_args!("# client_secret_file = {}\n", quoted(&format!("{name}.secret"))));
}

fn value(text: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        push(text, format_args!("{name} = {}\n", quoted(value)));
    }
}

fn flag(text: &mut String, name: &str, flag: bool) {
    push(text, format_args!("{name} = {flag}\n"));
}

fn list(text: &mut String, name: &str, set: &BTreeSet<String>) {
    if !set.is_empty() {
        let set = set.iter().map(|member| quoted(member)).collect::<Vec<_>>();
        push(text, format_args!("{name} = [{}]\n", set.join(", ")));
    }
}

/// A text as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn push(text: &mut String, args: std::fmt::Arguments<'_>) {
    text.write_fmt(args).expect("writing into memory does not fail");
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
