//! `leasehold administrator`: who may change things, and in which roles.

use clap::{Args, Subcommand, ValueEnum};
use leasehold_client::v1::{
    self, DisableAdministratorRequest, ListAdministratorsRequest, RegisterAdministratorRequest,
};

use super::{
    context::{Context, ask},
    failure::{During as _, Failure},
    progress::say,
    record::Record,
    shared::ShownOnce,
    view::List,
};

/// Register administrators, and end what they may do
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  leasehold administrator list")]
pub(crate) enum Administrator {
    Register(RegisterArgs),
    /// List administrators
    #[command(after_help = "Example:\n  leasehold administrator list")]
    List,
    /// End everything that an administrator may do
    #[command(after_help = "Example:\n  leasehold administrator disable ada")]
    Disable {
        /// Its name or id
        administrator: String,
    },
}

/// Register an administrator, whose credential is shown this once
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold administrator register grace --role auditor --secret-out grace.credential"
)]
pub(crate) struct RegisterArgs {
    /// Its name
    name: String,
    /// What it may do; may be given several times
    #[arg(long = "role", value_enum, required = true)]
    roles: Vec<Role>,
    #[command(flatten)]
    shown_once: ShownOnce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Role {
    /// Registers and configures
    Operator,
    /// Revokes, disables, and reads what auditors read
    Security,
    /// Reads the ledger and the access view
    Auditor,
}

impl Administrator {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Register(args) => args.run(context).await,
            Self::List => list(context).await,
            Self::Disable { administrator } => disable(context, administrator).await,
        }
    }
}

impl RegisterArgs {
    async fn run(mut self, context: &Context) -> Result<(), Failure> {
        self.roles.sort_unstable();
        self.roles.dedup();
        let roles = self.roles.iter().map(|role| role.word().to_owned()).collect::<Vec<_>>();
        let destination = self.shown_once.open()?;
        let client = context.client().await?;
        let record = Record::default().with("name", self.name.clone()).with("roles", roles.clone());
        let request = RegisterAdministratorRequest { name: self.name, roles };
        let answer =
            client.administrators().register(ask(request)).await.during("register the administrator")?;
        let record = record.with("id", answer.administrator);
        context.output.one(&destination.place(record, answer.secret.into())?)
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let client = context.client().await?;
    let answer = client
        .administrators()
        .list(ask(ListAdministratorsRequest {}))
        .await
        .during("list administrators")?;
    context.output.list(&List {
        noun: "administrators",
        columns: &["name", "roles", "enabled", "id"],
        records: answer.administrators.into_iter().map(record).collect(),
        as_of: None,
    })
}

async fn disable(context: &Context, administrator: String) -> Result<(), Failure> {
    let client = context.client().await?;
    let line = format!("{administrator} is disabled");
    let request = DisableAdministratorRequest { administrator };
    client.administrators().disable(ask(request)).await.during("disable the administrator")?;
    say(&line);
    Ok(())
}

fn record(administrator: v1::Administrator) -> Record {
    Record::default()
        .with("id", administrator.id)
        .with("name", administrator.name)
        .with("roles", administrator.roles)
        .with("enabled", administrator.enabled)
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Security => "security",
            Self::Auditor => "auditor",
        }
    }
}
