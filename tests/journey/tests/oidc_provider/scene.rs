//! A node furnished through its own gRPC from the bootstrap credential on, and beside it a certified OpenID provider that is not ours: people
//! sign in there, and it is the provider whose tokens are leased.

use std::{fs, io::Write, path::Path, sync::Arc};

use anyhow::{Context, ensure};
use leasehold::node::{EXIT_DISK, Node, NodeOptions, data::DataDir};
use leasehold_domain::time::Span;
use leasehold_interop::{Account, Client, OidcProvider, ProviderConfig, Toolchain};
use leasehold_journey::{
    clock::MovedClock,
    logs,
    world::{Bearer, Speaking, install_crypto},
};
use leasehold_port::Door;
use leasehold_proto::v1::{
    AddWorkloadCredentialRequest, CreateConnectorRequest, Exposure, Isolation, Need, RedeemBootstrapRequest,
    RegisterIdentityProviderRequest, RegisterMcpServerRequest, RegisterSubjectRequest,
    RegisterWorkloadRequest, SetPolicyRequest, SubjectKind,
    administrator_service_client::AdministratorServiceClient, catalog_service_client::CatalogServiceClient,
    policy_service_client::PolicyServiceClient, subject_service_client::SubjectServiceClient,
    workload_service_client::WorkloadServiceClient,
};
use leasehold_upstream::transport::{Egress, Settings as TransportSettings, Trust};
use leasehold_vault::{OsEntropy, RootKey};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::transport::Channel;
use url::Url;

/// Our client at the provider, for the tokens that are leased.
pub(crate) const CLIENT: &str = "leasehold-files";
/// Reserved characters, so that a secret that is not form-encoded before it becomes a password is refused.
const CLIENT_SECRET: &str = "the secret: with + and % and /";
/// Our client at the provider, for signing people in.
const SIGN_IN: &str = "leasehold-sign-in";
const SIGN_IN_SECRET: &str = "another secret: + & %";
/// A resource server of the provider's, which may introspect.
const AUDITOR: &str = "resource-server";
const AUDITOR_SECRET: &str = "the-auditors-secret";
/// How long the provider's access tokens live, in seconds.
const TOKEN_LIFE: u32 = 3600;
/// After which time none of them lives.
const BEYOND_TOKEN_LIFE: Span = Span::from_mins(61);
/// Where no redirect leads: until the node has said where.
const NOWHERE: &str = "http://127.0.0.1:9/not-registered-yet";

/// `openid` is what every token of an OpenID provider carries, and `profile` what it asks for to say what an account is called.
const POLICIES: &str = r#"@id("gateway-leases-for-files")
permit (
  principal == Leasehold::Workload::"gateway",
  action == Leasehold::Action::"lease",
  resource == Leasehold::Connector::"oidc"
) when {
  context.mcp_server == Leasehold::McpServer::"files" &&
  ["openid", "profile", "files.read", "files.write"].containsAll(context.scopes)
};

@id("gateway-vouches-for-people")
permit (
  principal == Leasehold::Workload::"gateway",
  action == Leasehold::Action::"act_as",
  resource
) when { resource.kind == "person" };
"#;

/// A node, its clock, and the provider.
pub(crate) struct Scene {
    pub(crate) node: Node,
    pub(crate) provider: OidcProvider,
    pub(crate) http: reqwest::Client,
    /// What the node laid down for the first administrator. It has been redeemed.
    pub(crate) bootstrap: String,
    clock: MovedClock,
    admin: String,
    gateway: String,
    channel: Channel,
    data: TempDir,
}

impl Scene {
    /// Starts both and furnishes the node.
    ///
    /// # Errors
    /// What is in the way.
    pub(crate) async fn start(tools: &Toolchain) -> anyhow::Result<Self> {
        install_crypto();
        logs::keep();
        let provider = OidcProvider::start(tools, &provider_config()).await?;
        let (data, clock) = (tempfile::tempdir()?, MovedClock::default());
        let node = start_node(data.path(), &clock).await?;
        let channel = Channel::from_shared(format!("http://{}", node.grpc))?.connect().await?;

        let bootstrap = fs::read_to_string(data.path().join("bootstrap"))
            .context("no bootstrap credential")?
            .trim()
            .to_owned();
        let speaking = |credential: &str| Speaking::new(channel.clone(), Bearer::new(credential));
        let admin = AdministratorServiceClient::new(speaking(&bootstrap))
            .redeem_bootstrap(RedeemBootstrapRequest { name: "admin".to_owned() })
            .await?
            .into_inner()
            .secret;
        let gateway = furnish(&speaking(&admin), &provider).await?;

        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { node, provider, http, bootstrap, clock, admin, gateway, channel, data })
    }

    fn speaking(&self, credential: &str) -> Speaking {
        Speaking::new(self.channel.clone(), Bearer::new(credential))
    }

    /// A channel for the administrator.
    pub(crate) fn admin(&self) -> Speaking {
        self.speaking(&self.admin)
    }

    /// A channel for the gateway.
    pub(crate) fn gateway(&self) -> Speaking {
        self.speaking(&self.gateway)
    }

    /// A channel for whoever still has the bootstrap credential.
    pub(crate) fn latecomer(&self) -> Speaking {
        self.speaking(&self.bootstrap)
    }

    /// Where the node keeps its data.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// Ends the life of every access token: at the provider at once, and by the node's clock.
    ///
    /// # Errors
    /// Where the provider does not answer.
    pub(crate) async fn expire(&self) -> anyhow::Result<()> {
        ensure!(self.provider.expire_access_tokens().await? > 0, "there was no token to expire");
        self.clock.advance(BEYOND_TOKEN_LIFE);
        Ok(())
    }

    /// Whether the provider says that a token is active, to a resource server that asks.
    ///
    /// # Errors
    /// Where the provider does not answer.
    pub(crate) async fn introspect(&self, token: &str) -> anyhow::Result<bool> {
        let request = self
            .http
            .post(format!("{}/token/introspection", self.provider.issuer()))
            .basic_auth(AUDITOR, Some(AUDITOR_SECRET))
            .form(&[("token", token)]);
        let answer: serde_json::Value = request.send().await?.error_for_status()?.json().await?;
        answer.get("active").and_then(serde_json::Value::as_bool).context("an answer without `active`")
    }

    /// Uses a token at the provider's protected resource. Answers with the status and the body.
    ///
    /// # Errors
    /// Where the provider does not answer.
    pub(crate) async fn call(&self, scope: &str, token: &str) -> anyhow::Result<(u16, serde_json::Value)> {
        let answer = self.http.get(self.provider.resource(scope)).bearer_auth(token).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Stops everything in order.
    ///
    /// # Errors
    /// Where the provider saw a fault of its own or left something out, which spoils what the test concluded; or the node did not stop.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let seen = self.provider.ledger().await?;
        ensure!((seen.faults, seen.dropped) == (0, 0), "the provider failed: {}", self.provider.log());
        self.node.stop().await?;
        self.provider.stop().await;
        Ok(())
    }
}

/// What people type at the provider.
pub(crate) fn password(name: &str) -> String {
    format!("the password of {name}")
}

fn provider_config() -> ProviderConfig {
    let clients = vec![
        Client::web(CLIENT, CLIENT_SECRET, NOWHERE),
        Client::web(SIGN_IN, SIGN_IN_SECRET, NOWHERE),
        Client::service(AUDITOR, AUDITOR_SECRET),
    ];
    let accounts = ["alice", "bob"].map(|name| Account::new(name, &password(name)));
    ProviderConfig { access_token_seconds: TOKEN_LIFE, ..ProviderConfig::new(clients, accounts.to_vec()) }
}

async fn start_node(data: &Path, clock: &MovedClock) -> anyhow::Result<Node> {
    let listen = || TcpListener::bind("127.0.0.1:0");
    let (grpc, console, exchange, operations) =
        (listen().await?, listen().await?, listen().await?, listen().await?);
    let public_url = Url::parse(&format!("http://{}", console.local_addr()?))?;
    let data = DataDir::open(data)?;
    let root_key = RootKey::create_file(&data.root_key(), &OsEntropy)?;
    let transport = TransportSettings {
        egress: Egress { allow_loopback: true, ..Egress::default() },
        trust: Trust::Nobody,
        ..TransportSettings::default()
    };
    let options = NodeOptions {
        data,
        node: 1,
        origin: "leasehold.test/oidc-provider".to_owned(),
        // Plain HTTP, and a gateway that vouches without a certificate.
        development: true,
        public_url,
        root_key,
        former: None,
        grpc,
        console,
        exchange,
        operations,
        certificates: Vec::new(),
        grpc_door: Door::Loopback,
        console_door: Door::Loopback,
        providers_dir: None,
        transport,
        vouched_subjects_max: 1000,
        clock: Arc::new(clock.clone()),
        on_fatal: Arc::new(|reason| {
            // Past the test runner's capture: the process ends here. Nobody is left to tell that this failed.
            let _ = writeln!(std::io::stderr(), "the node stops: {reason}");
            std::process::exit(EXIT_DISK)
        }),
    };
    Node::start(options).await
}

/// Registers everything, and tells the provider where its answers go. Answers with the gateway's credential.
async fn furnish(admin: &Speaking, provider: &OidcProvider) -> anyhow::Result<String> {
    let mut subjects = SubjectServiceClient::new(admin.clone());
    let identity_provider = subjects
        .register_identity_provider(RegisterIdentityProviderRequest {
            name: "company".to_owned(),
            issuer: provider.issuer().to_owned(),
            client_id: SIGN_IN.to_owned(),
            client_secret: SIGN_IN_SECRET.to_owned(),
            join_claim: "sub".to_owned(),
            email_domains: vec!["example.test".to_owned()],
            ..RegisterIdentityProviderRequest::default()
        })
        .await?
        .into_inner()
        .identity_provider
        .context("no identity provider")?;
    provider.add_redirect_uri(SIGN_IN, &identity_provider.redirect_uri).await?;
    for name in ["alice", "bob"] {
        let request = RegisterSubjectRequest {
            user_name: name.to_owned(),
            email: format!("{name}@example.test"),
            kind: SubjectKind::Person.into(),
            ..RegisterSubjectRequest::default()
        };
        subjects.register(request).await?;
    }

    let mut catalog = CatalogServiceClient::new(admin.clone());
    let connector = catalog
        .create_connector(CreateConnectorRequest {
            name: "oidc".to_owned(),
            provider: "generic-oidc".to_owned(),
            client_id: CLIENT.to_owned(),
            client_secret: CLIENT_SECRET.to_owned(),
            issuer: provider.issuer().to_owned(),
            isolation: Isolation::Shared.into(),
            exposure: Exposure::HandOut.into(),
            ..CreateConnectorRequest::default()
        })
        .await?
        .into_inner()
        .connector
        .context("no connector")?;
    provider.add_redirect_uri(CLIENT, &connector.redirect_uri).await?;
    let scopes = ["files.read", "files.write", "profile"].map(str::to_owned).to_vec();
    catalog
        .register_mcp_server(RegisterMcpServerRequest {
            name: "files".to_owned(),
            resource: "https://files.example.test/mcp".to_owned(),
            needs: vec![Need { connector: "oidc".to_owned(), scopes }],
            ..RegisterMcpServerRequest::default()
        })
        .await?;

    let mut workloads = WorkloadServiceClient::new(admin.clone());
    let gateway = "gateway".to_owned();
    workloads
        .register(RegisterWorkloadRequest { name: gateway.clone(), ..RegisterWorkloadRequest::default() })
        .await?;
    let credential = AddWorkloadCredentialRequest { workload: gateway, ttl_seconds: 0 };
    let credential = workloads.add_credential(credential).await?.into_inner().secret;
    let policies = SetPolicyRequest { text: POLICIES.to_owned(), ..SetPolicyRequest::default() };
    PolicyServiceClient::new(admin.clone()).set(policies).await?;
    Ok(credential)
}
