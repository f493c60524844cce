//! `leasehold connector`: the organisation's OAuth client registrations at providers.

use clap::{Args, Subcommand, ValueEnum};
use leasehold_client::v1::{
    self, AddConnectorSecretRequest, CreateConnectorRequest, Endpoints, ListConnectorsRequest,
    RetireConnectorSecretRequest, SetConnectorEnabledRequest,
};
use secrecy::ExposeSecret as _;

use super::{
    context::{Context, ask},
    failure::{During as _, Failure, incomplete},
    progress::say,
    record::{Record, word},
    shared::{ClientSecret, Repeat},
    view::List,
};

/// Register OAuth clients at providers, and change their secrets
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  leasehold connector list")]
pub(crate) enum Connector {
    Create(CreateArgs),
    /// List connectors
    #[command(after_help = "Example:\n  leasehold connector list\n  leasehold connector list --output json")]
    List,
    AddSecret(AddSecretArgs),
    RetireSecret(RetireSecretArgs),
    /// Let a connector be used again; nothing that ended comes back
    #[command(after_help = "Example:\n  leasehold connector enable github")]
    Enable {
        /// Its name or id
        connector: String,
    },
    /// Keep a connector from being used
    #[command(after_help = "Example:\n  leasehold connector disable github")]
    Disable {
        /// Its name or id
        connector: String,
    },
}

/// Make a connector
///
/// Prints the redirect URI to register at the provider.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold connector create github --provider github --client-id Iv1.0123 \\\n      --client-secret-file secret.txt\n  \
                  leasehold connector create crm --provider generic-oidc --client-id abc \\\n      --issuer https://login.example --client-secret-env CRM_SECRET"
)]
pub(crate) struct CreateArgs {
    /// Its name
    name: String,
    /// The catalogue's name of the provider: `leasehold provider list`
    #[arg(long)]
    provider: String,
    /// The client id that the provider gave
    #[arg(long)]
    client_id: String,
    #[command(flatten)]
    client_secret: ClientSecret,
    /// The issuer whose metadata names the endpoints
    #[arg(long, default_value = "", hide_default_value = true, value_name = "URL")]
    issuer: String,
    #[command(flatten)]
    endpoints: EndpointArgs,
    /// Whether one grant serves all MCP servers, or each has its own
    #[arg(long, value_enum, default_value_t = Isolation::Shared)]
    isolation: Isolation,
    /// Whether workloads receive the tokens, or only gateways do
    #[arg(long, value_enum, default_value_t = Exposure::HandOut)]
    exposure: Exposure,
    #[command(flatten)]
    repeat: Repeat,
}

/// Endpoints by hand, for a provider that publishes no metadata.
#[derive(Debug, Args)]
struct EndpointArgs {
    /// The authorization endpoint, where no metadata names it
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "URL",
        requires = "token_endpoint"
    )]
    authorization_endpoint: String,
    /// The token endpoint, where no metadata names it
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "URL",
        requires = "authorization_endpoint"
    )]
    token_endpoint: String,
    /// The revocation endpoint, where no metadata names it
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "URL",
        requires = "token_endpoint"
    )]
    revocation_endpoint: String,
    /// The endpoint that names the account, where no metadata names it
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "URL",
        requires = "token_endpoint"
    )]
    account_endpoint: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Isolation {
    Shared,
    PerMcpServer,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Exposure {
    HandOut,
    InjectOnly,
}

/// Add a client secret, which is used from now on
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold connector add-secret github --client-secret-file new-secret.txt"
)]
pub(crate) struct AddSecretArgs {
    /// The connector's name or id
    connector: String,
    #[command(flatten)]
    client_secret: ClientSecret,
    #[command(flatten)]
    repeat: Repeat,
}

/// Forget a client secret
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leasehold connector retire-secret github sec_1wbsgzq4jwh54mhptrxxwr8c5h")]
pub(crate) struct RetireSecretArgs {
    /// The connector's name or id
    connector: String,
    /// The secret's id: `leasehold connector list --output json`
    secret: String,
}

impl Connector {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Create(args) => args.run(context).await,
            Self::List => list(context).await,
            Self::AddSecret(args) => args.run(context).await,
            Self::RetireSecret(args) => args.run(context).await,
            Self::Enable { connector } => set_enabled(context, connector, true).await,
            Self::Disable { connector } => set_enabled(context, connector, false).await,
        }
    }
}

impl CreateArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let attempted = "make the connector";
        let client_secret = self.client_secret.read()?;
        let client = context.client().await?;
        let request = CreateConnectorRequest {
            name: self.name,
            provider: self.provider,
            client_id: self.client_id,
            issuer: self.issuer,
            endpoints: self.endpoints.read(),
            isolation: self.isolation.read().into(),
            exposure: self.exposure.read().into(),
            client_secret: client_secret.map(|secret| secret.expose_secret().to_owned()).unwrap_or_default(),
            request_id: self.repeat.request_id,
        };
        let answer = client.catalog().create_connector(ask(request)).await.during(attempted)?;
        context.output.one(&record(answer.connector.ok_or_else(|| incomplete(attempted, "connector"))?))
    }
}

impl AddSecretArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let attempted = "add the client secret";
        let client_secret = self.client_secret.demand(attempted)?.expose_secret().to_owned();
        let client = context.client().await?;
        let request = AddConnectorSecretRequest {
            connector: self.connector,
            client_secret,
            request_id: self.repeat.request_id,
            expected_revision: None,
        };
        let answer = client.catalog().add_connector_secret(ask(request)).await.during(attempted)?;
        context.output.one(&Record::default().with("secret", answer.secret))
    }
}

impl RetireSecretArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let request = RetireConnectorSecretRequest { connector: self.connector, secret: self.secret };
        client.catalog().retire_connector_secret(ask(request)).await.during("retire the client secret")?;
        say("the client secret is retired");
        Ok(())
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let client = context.client().await?;
    let answer =
        client.catalog().list_connectors(ask(ListConnectorsRequest {})).await.during("list connectors")?;
    context.output.list(&List {
        noun: "connectors",
        columns: &["name", "provider", "isolation", "exposure", "enabled", "suspended", "id"],
        records: answer.connectors.into_iter().map(record).collect(),
        as_of: None,
    })
}

async fn set_enabled(context: &Context, connector: String, enabled: bool) -> Result<(), Failure> {
    let verb = if enabled { "enable" } else { "disable" };
    let client = context.client().await?;
    let line = format!("{connector} is {verb}d");
    let request = SetConnectorEnabledRequest { connector, enabled, expected_revision: None };
    client.catalog().set_connector_enabled(ask(request)).await.during(format!("{verb} the connector"))?;
    say(&line);
    Ok(())
}

fn record(connector: v1::Connector) -> Record {
    let isolation = word(connector.isolation().as_str_name(), "ISOLATION_");
    let exposure = word(connector.exposure().as_str_name(), "EXPOSURE_");
    let endpoints = connector.endpoints.unwrap_or_default();
    Record::default()
        .with("id", connector.id)
        .with("name", connector.name)
        .with("provider", connector.provider)
        .with("client_id", connector.client_id)
        .with("issuer", connector.issuer)
        .with("authorization_endpoint", endpoints.authorization)
        .with("token_endpoint", endpoints.token)
        .with("revocation_endpoint", endpoints.revocation)
        .with("account_endpoint", endpoints.account)
        .with("isolation", isolation)
        .with("exposure", exposure)
        .with("enabled", connector.enabled)
        .with("suspended", connector.suspended)
        .with("redirect_uri", connector.redirect_uri)
        .with("secrets", connector.secrets)
        .with("refresh_class", connector.refresh_class)
}

impl EndpointArgs {
    fn read(self) -> Option<Endpoints> {
        let endpoints = Endpoints {
            authorization: self.authorization_endpoint,
            token: self.token_endpoint,
            revocation: self.revocation_endpoint,
            account: self.account_endpoint,
        };
        Some(endpoints).filter(|endpoints| *endpoints != Endpoints::default())
    }
}

impl Isolation {
    fn read(self) -> v1::Isolation {
        match self {
            Self::Shared => v1::Isolation::Shared,
            Self::PerMcpServer => v1::Isolation::PerMcpServer,
        }
    }
}

impl Exposure {
    fn read(self) -> v1::Exposure {
        match self {
            Self::HandOut => v1::Exposure::HandOut,
            Self::InjectOnly => v1::Exposure::InjectOnly,
        }
    }
}
