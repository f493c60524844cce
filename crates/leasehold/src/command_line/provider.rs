//! `leasehold provider`: the catalogue of authorization servers.

use clap::Subcommand;
use leasehold_client::v1::{self, ListProvidersRequest};

use super::{
    context::{Context, ask},
    failure::{During as _, Failure},
    record::Record,
    view::List,
};

/// See the catalogue of providers
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  leasehold provider list")]
pub(crate) enum Provider {
    /// List the providers that a connector can be made for
    #[command(after_help = "Example:\n  leasehold provider list\n  leasehold provider list --field name")]
    List,
}

impl Provider {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let Self::List = self;
        let client = context.client().await?;
        let answer =
            client.catalog().list_providers(ask(ListProvidersRequest {})).await.during("list providers")?;
        context.output.list(&List {
            noun: "providers",
            columns: &["name", "display_name", "refresh_class", "revocation"],
            records: answer.providers.into_iter().map(record).collect(),
            as_of: None,
        })
    }
}

fn record(provider: v1::Provider) -> Record {
    Record::default()
        .with("name", provider.name)
        .with("display_name", provider.display_name)
        .with("refresh_class", provider.refresh_class)
        .with("revocation", provider.revocation)
}
