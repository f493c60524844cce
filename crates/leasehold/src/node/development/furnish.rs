//! What a fresh development node is furnished with: an administrator, the sandbox as identity provider and as provider, two people, an MCP server,
//! and a gateway that may lease for it.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

use anyhow::{Context, bail};
use leasehold_control::{Caller, Control, Credentials, NewConnector, NewIdentityProvider, NewSubject};
use leasehold_domain::{
    connector::{Exposure, Isolation},
    identity_provider::JoinClaim,
    scope::ScopeSet,
    subject,
};
use leasehold_sandbox::{Issuer, Sandbox};
use leasehold_vault::CredentialSecret;
use zeroize::Zeroizing;

use super::secrets::{DevSecrets, SandboxAddresses};

/// The connector at the sandbox's provider.
pub const CONNECTOR: &str = "sandbox";
/// The MCP server.
pub const MCP_SERVER: &str = "files";
/// The gateway.
pub const GATEWAY: &str = "demo-gateway";
/// Who redeems the bootstrap credential.
pub const ADMINISTRATOR: &str = "admin";

/// Lets the gateway lease for the MCP server, and vouch for people.
const POLICIES: &str = r#"@id("demo-gateway-leases-for-files")
permit (
  principal == Leasehold::Workload::"demo-gateway",
  action == Leasehold::Action::"lease",
  resource == Leasehold::Connector::"sandbox"
) when {
  context.mcp_server == Leasehold::McpServer::"files" &&
  ["files.read", "files.write"].containsAll(context.scopes)
};

@id("demo-gateway-vouches-for-people")
permit (
  principal == Leasehold::Workload::"demo-gateway",
  action == Leasehold::Action::"act_as",
  resource
) when { resource.kind == "person" };
"#;

/// Furnishes the node the first time.
pub(super) async fn furnish(
    control: &Control,
    sandbox: &SandboxAddresses,
    secrets: &DevSecrets,
    data: &Path,
) -> anyhow::Result<Option<Furnished>> {
    if control.read_now(|state| !state.administrators.is_empty()) {
        return Ok(None);
    }
    first_time(control, sandbox, secrets, data).await.map(Some)
}

/// The credentials that were made when the node was furnished. They are stored nowhere else.
pub struct Furnished {
    /// The administrator's, who has every role.
    pub admin: Zeroizing<String>,
    /// The gateway's.
    pub gateway: Zeroizing<String>,
}

fn identify(control: &Control, text: &str) -> anyhow::Result<Caller> {
    let secret = CredentialSecret::parse(text.trim()).context("cannot read a credential")?;
    control
        .identify(&Credentials::Credential(secret), IpAddr::V4(Ipv4Addr::LOCALHOST), None)
        .context("cannot identify a credential")?
        .context("a credential that was just made is not known")
}

async fn first_time(
    control: &Control,
    sandbox: &SandboxAddresses,
    secrets: &DevSecrets,
    data: &Path,
) -> anyhow::Result<Furnished> {
    let bootstrap = data.join("bootstrap");
    let text = std::fs::read_to_string(&bootstrap)
        .with_context(|| format!("cannot read {}", bootstrap.display()))?;
    let (_, admin_credential) = control.redeem_bootstrap(&identify(control, &text)?, ADMINISTRATOR).await?;
    std::fs::remove_file(&bootstrap).with_context(|| format!("cannot remove {}", bootstrap.display()))?;
    let admin = identify(control, &admin_credential)?;

    control
        .register_identity_provider(
            &admin,
            NewIdentityProvider {
                name: "sandbox".to_owned(),
                issuer: sandbox.idp.clone(),
                client_id: "leasehold".to_owned(),
                client_secret: secrets.idp_client.clone(),
                join_claim: JoinClaim::Sub,
                email_domains: vec!["example.test".to_owned()],
            },
        )
        .await?;
    for (name, display_name) in [("alice", "Alice Archer"), ("bob", "Bob Baker")] {
        let new = NewSubject {
            user_name: name.to_owned(),
            email: Some(format!("{name}@example.test")),
            display_name: Some(display_name.to_owned()),
            kind: subject::Kind::Person,
        };
        control.register_subject(&admin, new).await?;
    }
    control
        .create_connector(
            &admin,
            NewConnector {
                name: CONNECTOR.to_owned(),
                provider: "sandbox".to_owned(),
                client_id: "leasehold".to_owned(),
                issuer: Some(sandbox.provider.clone()),
                endpoints: None,
                isolation: Isolation::Shared,
                exposure: Exposure::HandOut,
                client_secret: Some(secrets.provider_client.clone()),
            },
        )
        .await?;
    let needs: ScopeSet = "files.read files.write".parse().context("cannot read the scopes")?;
    control
        .register_mcp_server(
            &admin,
            MCP_SERVER,
            "https://files.example.test/mcp",
            &[(CONNECTOR.to_owned(), needs)],
        )
        .await?;
    control.register_workload(&admin, GATEWAY, None).await?;
    let (_, credential) = control.add_credential(&admin, GATEWAY, None).await?;
    control.set_policies(&admin, None, POLICIES.to_owned()).await?;
    Ok(Furnished { admin: admin_credential, gateway: credential })
}

/// Tells the sandbox the redirect URIs, which it does not keep.
///
/// # Errors
/// Where these data belong to another sandbox.
pub(super) fn register_redirects(control: &Control, sandbox: &Sandbox) -> anyhow::Result<()> {
    let (providers, connectors) = control.read_now(|state| {
        let providers: Vec<_> = state.identity_providers.iter().map(|(_, known)| known.clone()).collect();
        let connectors: Vec<_> = state.connectors.iter().map(|(_, known)| known.clone()).collect();
        (providers, connectors)
    });
    for provider in providers {
        if provider.registration.issuer.as_str() != sandbox.idp_issuer() {
            bail!("this data directory belongs to a sandbox at another address");
        }
        sandbox.control().add_redirect_uri(
            Issuer::Idp,
            "leasehold",
            &control.sign_in_redirect_uri(&provider),
        )?;
    }
    for connector in
        connectors.iter().filter(|connector| connector.registration.client_id.as_str() == "leasehold")
    {
        sandbox.control().add_redirect_uri(
            Issuer::Provider,
            "leasehold",
            &control.redirect_uri(connector),
        )?;
    }
    Ok(())
}
