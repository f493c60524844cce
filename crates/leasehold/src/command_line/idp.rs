//! `leasehold idp`: the identity providers that people sign in at.

use clap::{Args, Subcommand};
use leasehold_client::v1::{
    IdentityProvider, ListIdentityProvidersRequest, RegisterIdentityProviderRequest,
    ReplaceIdentityProviderSecretRequest,
};
use secrecy::ExposeSecret as _;

use super::{
    context::{Context, ask},
    failure::{During as _, Failure, incomplete},
    progress::say,
    record::Record,
    shared::{ClientSecret, Repeat},
    view::List,
};

/// Register the identity providers that people sign in at
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  leasehold idp list")]
pub(crate) enum Idp {
    Register(RegisterArgs),
    ReplaceSecret(ReplaceSecretArgs),
    /// List identity providers
    #[command(after_help = "Example:\n  leasehold idp list")]
    List,
}

/// Register an identity provider
///
/// Prints the redirect URI to register there.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold idp register entra --issuer https://login.microsoftonline.com/TENANT/v2.0 \\\n      --client-id ID --join-claim tid+oid --client-secret-file secret.txt"
)]
pub(crate) struct RegisterArgs {
    /// Its name
    name: String,
    /// Its issuer, as its metadata says
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// The client id that it gave
    #[arg(long)]
    client_id: String,
    #[command(flatten)]
    client_secret: ClientSecret,
    /// The immutable claim that joins people: `sub`, or `tid+oid` for Microsoft Entra
    #[arg(long, default_value = "sub", value_name = "CLAIM")]
    join_claim: String,
    /// An email domain for which it is authoritative; may be given several times
    #[arg(long = "email-domain", value_name = "DOMAIN")]
    email_domains: Vec<String>,
    #[command(flatten)]
    repeat: Repeat,
}

/// Replace the client secret at an identity provider, from the next sign-in on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leasehold idp replace-secret entra --client-secret-file new-secret.txt")]
pub(crate) struct ReplaceSecretArgs {
    /// Its name or id
    identity_provider: String,
    #[command(flatten)]
    client_secret: ClientSecret,
    #[command(flatten)]
    repeat: Repeat,
}

impl Idp {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Register(args) => args.run(context).await,
            Self::ReplaceSecret(args) => args.run(context).await,
            Self::List => list(context).await,
        }
    }
}

impl RegisterArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let attempted = "register the identity provider";
        let client_secret = self.client_secret.demand(attempted)?.expose_secret().to_owned();
        let client = context.client().await?;
        let request = RegisterIdentityProviderRequest {
            name: self.name,
            issuer: self.issuer,
            client_id: self.client_id,
            client_secret,
            join_claim: self.join_claim,
            email_domains: self.email_domains,
            request_id: self.repeat.request_id,
        };
        let answer = client.subjects().register_identity_provider(ask(request)).await.during(attempted)?;
        let registered =
            answer.identity_provider.ok_or_else(|| incomplete(attempted, "identity provider"))?;
        context.output.one(&record(registered))
    }
}

impl ReplaceSecretArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let attempted = "replace the client secret";
        let client_secret = self.client_secret.demand(attempted)?.expose_secret().to_owned();
        let client = context.client().await?;
        let request = ReplaceIdentityProviderSecretRequest {
            identity_provider: self.identity_provider,
            client_secret,
            request_id: self.repeat.request_id,
        };
        client.subjects().replace_identity_provider_secret(ask(request)).await.during(attempted)?;
        say("the client secret is replaced");
        Ok(())
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let client = context.client().await?;
    let request = ask(ListIdentityProvidersRequest {});
    let answer =
        client.subjects().list_identity_providers(request).await.during("list identity providers")?;
    context.output.list(&List {
        noun: "identity_providers",
        columns: &["name", "issuer", "join_claim", "email_domains", "id"],
        records: answer.identity_providers.into_iter().map(record).collect(),
        as_of: None,
    })
}

fn record(provider: IdentityProvider) -> Record {
    Record::default()
        .with("id", provider.id)
        .with("name", provider.name)
        .with("issuer", provider.issuer)
        .with("client_id", provider.client_id)
        .with("join_claim", provider.join_claim)
        .with("email_domains", provider.email_domains)
        .with("redirect_uri", provider.redirect_uri)
}
