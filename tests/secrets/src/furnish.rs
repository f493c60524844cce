//! Furnishes a production node through its own gRPC, from the bootstrap credential on.

use anyhow::Context;
use leasehold_proto::v1::{
    AddWorkloadCredentialRequest, BindCertificateRequest, CreateConnectorRequest, Exposure, Isolation, Need,
    RedeemBootstrapRequest, RegisterAdministratorRequest, RegisterIdentityProviderRequest,
    RegisterMcpServerRequest, RegisterSubjectRequest, RegisterWorkloadRequest, SetPolicyRequest, SubjectKind,
    administrator_service_client::AdministratorServiceClient, catalog_service_client::CatalogServiceClient,
    policy_service_client::PolicyServiceClient, subject_service_client::SubjectServiceClient,
    workload_service_client::WorkloadServiceClient,
};
use leasehold_sandbox::Issuer;
use secrecy::ExposeSecret as _;

use crate::production::{CLIENT, GATEWAY_HOST, Production};

/// What the gateway may do.
const POLICIES: &str = r#"@id("gateway-leases-for-files")
permit (
  principal == Leasehold::Workload::"gateway",
  action == Leasehold::Action::"lease",
  resource == Leasehold::Connector::"files-provider"
) when { ["files.read", "files.write"].containsAll(context.scopes) };

@id("gateway-vouches-for-people")
permit (
  principal == Leasehold::Workload::"gateway",
  action == Leasehold::Action::"act_as",
  resource
) when { resource.kind == "person" };
"#;

/// The connector.
pub const CONNECTOR: &str = "files-provider";
/// The MCP server.
pub const MCP_SERVER: &str = "files";
/// The gateway's name. It is the audience of its subject tokens too.
pub const GATEWAY: &str = "gateway";

/// The credentials that were drawn, each shown once.
pub struct Furnished {
    /// What the node laid down for the first administrator. It has been redeemed.
    pub bootstrap: String,
    /// The first administrator's, who has every role.
    pub admin: String,
    /// That of one who may only look.
    pub auditor: String,
    /// The gateway's.
    pub gateway: String,
}

/// Furnishes the node, and tells the sandbox where its answers go.
///
/// # Errors
/// What the node refuses.
pub async fn furnish(production: &Production) -> anyhow::Result<Furnished> {
    let bootstrap = std::fs::read_to_string(production.data().join("bootstrap"))?.trim().to_owned();
    let redeem = RedeemBootstrapRequest { name: "ada".to_owned() };
    let admin = AdministratorServiceClient::new(production.speaking(&bootstrap)?)
        .redeem_bootstrap(redeem)
        .await?
        .into_inner()
        .secret;
    let speaking = production.speaking(&admin)?;
    let register =
        RegisterAdministratorRequest { name: "grace".to_owned(), roles: vec!["auditor".to_owned()] };
    let auditor =
        AdministratorServiceClient::new(speaking.clone()).register(register).await?.into_inner().secret;
    people(production, &admin).await?;
    catalogue(production, &admin).await?;

    let mut workloads = WorkloadServiceClient::new(speaking.clone());
    let workload = GATEWAY.to_owned();
    workloads
        .register(RegisterWorkloadRequest { name: workload.clone(), ..RegisterWorkloadRequest::default() })
        .await?;
    let name = GATEWAY_HOST.to_owned();
    workloads
        .bind_certificate(BindCertificateRequest {
            workload: workload.clone(),
            name,
            ..BindCertificateRequest::default()
        })
        .await?;
    let credential = AddWorkloadCredentialRequest { workload, ttl_seconds: 0 };
    let gateway = workloads.add_credential(credential).await?.into_inner().secret;
    let policies = SetPolicyRequest { text: POLICIES.to_owned(), ..SetPolicyRequest::default() };
    PolicyServiceClient::new(speaking).set(policies).await?;
    Ok(Furnished { bootstrap, admin, auditor, gateway })
}

async fn people(production: &Production, admin: &str) -> anyhow::Result<()> {
    let mut subjects = SubjectServiceClient::new(production.speaking(admin)?);
    let registered = subjects
        .register_identity_provider(RegisterIdentityProviderRequest {
            name: "company".to_owned(),
            issuer: production.sandbox.idp_issuer().to_owned(),
            client_id: CLIENT.to_owned(),
            client_secret: production.secrets.idp_client.expose_secret().to_owned(),
            join_claim: "sub".to_owned(),
            email_domains: vec!["example.test".to_owned()],
            ..RegisterIdentityProviderRequest::default()
        })
        .await?
        .into_inner()
        .identity_provider
        .context("no identity provider")?;
    production.sandbox.control().add_redirect_uri(Issuer::Idp, CLIENT, &registered.redirect_uri)?;
    for name in ["alice", "bob"] {
        let request = RegisterSubjectRequest {
            user_name: name.to_owned(),
            email: format!("{name}@example.test"),
            kind: SubjectKind::Person.into(),
            ..RegisterSubjectRequest::default()
        };
        subjects.register(request).await?;
    }
    Ok(())
}

async fn catalogue(production: &Production, admin: &str) -> anyhow::Result<()> {
    let mut catalog = CatalogServiceClient::new(production.speaking(admin)?);
    let connector = catalog
        .create_connector(CreateConnectorRequest {
            name: CONNECTOR.to_owned(),
            provider: "sandbox".to_owned(),
            client_id: CLIENT.to_owned(),
            client_secret: production.secrets.provider_client.expose_secret().to_owned(),
            issuer: production.sandbox.provider_issuer().to_owned(),
            isolation: Isolation::Shared.into(),
            exposure: Exposure::HandOut.into(),
            ..CreateConnectorRequest::default()
        })
        .await?
        .into_inner()
        .connector
        .context("no connector")?;
    production.sandbox.control().add_redirect_uri(Issuer::Provider, CLIENT, &connector.redirect_uri)?;
    let scopes = ["files.read", "files.write"].map(str::to_owned).to_vec();
    catalog
        .register_mcp_server(RegisterMcpServerRequest {
            name: MCP_SERVER.to_owned(),
            resource: "https://files.example.test/mcp".to_owned(),
            needs: vec![Need { connector: CONNECTOR.to_owned(), scopes }],
            ..RegisterMcpServerRequest::default()
        })
        .await?;
    Ok(())
}
