//! `leasehold workload`: gateways and MCP servers that ask for leases, and how they prove who they are.

use clap::{Args, Subcommand};
use leasehold_client::v1::{
    self, AddWorkloadCredentialRequest, BindCertificateRequest, ListWorkloadsRequest,
    RegisterWorkloadRequest, RetireWorkloadCredentialRequest, SetWorkloadEnabledRequest,
    UnbindCertificateRequest,
};

use super::{
    context::{Context, ask},
    failure::{During as _, Failure, incomplete},
    progress::say,
    record::Record,
    shared::{Repeat, ShownOnce},
    view::List,
};

/// Register the programs that ask for leases, and how they prove who they are
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  leasehold workload list")]
pub(crate) enum Workload {
    Register(RegisterArgs),
    /// List workloads
    #[command(after_help = "Example:\n  leasehold workload list")]
    List,
    AddCredential(AddCredentialArgs),
    RetireCredential(RetireCredentialArgs),
    BindCertificate(BindCertificateArgs),
    UnbindCertificate(UnbindCertificateArgs),
    /// Let a workload ask for leases again; nothing that ended comes back
    #[command(after_help = "Example:\n  leasehold workload enable gateway")]
    Enable {
        /// Its name or id
        workload: String,
    },
    /// Keep a workload from asking for leases
    #[command(after_help = "Example:\n  leasehold workload disable gateway")]
    Disable {
        /// Its name or id
        workload: String,
    },
}

/// Register a workload: a gateway, or an MCP server's own program
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold workload register gateway\n  leasehold workload register files-server --mcp-server files"
)]
pub(crate) struct RegisterArgs {
    /// Its name
    name: String,
    /// The MCP server that it is; a gateway where none is named
    #[arg(long, default_value = "", hide_default_value = true)]
    mcp_server: String,
    #[command(flatten)]
    repeat: Repeat,
}

/// Make an API credential, which is shown this once
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold workload add-credential gateway --secret-out gateway.credential --ttl 30d"
)]
pub(crate) struct AddCredentialArgs {
    /// The workload's name or id
    workload: String,
    /// After which time it ends, such as 12h or 30d; never where none is named
    #[arg(long, value_parser = seconds, value_name = "SPAN")]
    ttl: Option<u64>,
    #[command(flatten)]
    shown_once: ShownOnce,
}

/// End an API credential
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold workload retire-credential gateway crd_5vyhskpcffszc4438es4wt8cv1"
)]
pub(crate) struct RetireCredentialArgs {
    /// The workload's name or id
    workload: String,
    /// The credential's id: `leasehold workload list --output json`
    credential: String,
}

/// Let a workload prove who it is by a client certificate
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold workload bind-certificate gateway --name spiffe://prod.example/ns/mcp/sa/gateway"
)]
pub(crate) struct BindCertificateArgs {
    /// The workload's name or id
    workload: String,
    /// The name in its certificates: a SPIFFE id or a DNS name
    #[arg(long)]
    name: String,
}

/// Let a client certificate prove nothing any more
///
/// What the workload holds stays its own until it ends: to end that too, revoke it.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold workload unbind-certificate gateway --name spiffe://prod.example/ns/mcp/sa/gateway"
)]
pub(crate) struct UnbindCertificateArgs {
    /// The workload's name or id
    workload: String,
    /// The name in its certificates: a SPIFFE id or a DNS name
    #[arg(long)]
    name: String,
}

impl Workload {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Register(args) => args.run(context).await,
            Self::List => list(context).await,
            Self::AddCredential(args) => args.run(context).await,
            Self::RetireCredential(args) => args.run(context).await,
            Self::BindCertificate(args) => args.run(context).await,
            Self::UnbindCertificate(args) => args.run(context).await,
            Self::Enable { workload } => set_enabled(context, workload, true).await,
            Self::Disable { workload } => set_enabled(context, workload, false).await,
        }
    }
}

impl RegisterArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let attempted = "register the workload";
        let client = context.client().await?;
        let request = RegisterWorkloadRequest {
            name: self.name,
            mcp_server: self.mcp_server,
            request_id: self.repeat.request_id,
        };
        let answer = client.workloads().register(ask(request)).await.during(attempted)?;
        context.output.one(&record(answer.workload.ok_or_else(|| incomplete(attempted, "workload"))?))
    }
}

impl AddCredentialArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let destination = self.shown_once.open()?;
        let client = context.client().await?;
        let request = AddWorkloadCredentialRequest {
            workload: self.workload,
            ttl_seconds: self.ttl.unwrap_or_default(),
        };
        let answer = client.workloads().add_credential(ask(request)).await.during("make the credential")?;
        let record = Record::default().with("credential", answer.credential);
        context.output.one(&destination.place(record, answer.secret.into())?)
    }
}

impl RetireCredentialArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let request =
            RetireWorkloadCredentialRequest { workload: self.workload, credential: self.credential };
        client.workloads().retire_credential(ask(request)).await.during("retire the credential")?;
        say("the credential is retired");
        Ok(())
    }
}

impl BindCertificateArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let request =
            BindCertificateRequest { workload: self.workload, name: self.name, expected_revision: None };
        client.workloads().bind_certificate(ask(request)).await.during("bind the certificate's name")?;
        say("certificates with this name stand for the workload now");
        Ok(())
    }
}

impl UnbindCertificateArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let request =
            UnbindCertificateRequest { workload: self.workload, name: self.name, expected_revision: None };
        client.workloads().unbind_certificate(ask(request)).await.during("unbind the certificate's name")?;
        say("certificates with this name stand for the workload no more");
        Ok(())
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let client = context.client().await?;
    let answer = client.workloads().list(ask(ListWorkloadsRequest {})).await.during("list workloads")?;
    context.output.list(&List {
        noun: "workloads",
        columns: &["name", "kind", "mcp_server", "enabled", "id"],
        records: answer.workloads.into_iter().map(record).collect(),
        as_of: None,
    })
}

async fn set_enabled(context: &Context, workload: String, enabled: bool) -> Result<(), Failure> {
    let verb = if enabled { "enable" } else { "disable" };
    let client = context.client().await?;
    let line = format!("{workload} is {verb}d");
    let request = SetWorkloadEnabledRequest { workload, enabled, expected_revision: None };
    client.workloads().set_enabled(ask(request)).await.during(format!("{verb} the workload"))?;
    say(&line);
    Ok(())
}

fn record(workload: v1::Workload) -> Record {
    Record::default()
        .with("id", workload.id)
        .with("name", workload.name)
        .with("kind", workload.kind)
        .with("mcp_server", workload.mcp_server)
        .with("enabled", workload.enabled)
        .with("credentials", workload.credentials)
        .with("certificates", workload.certificates)
}

/// Reads a span with its unit: `90s`, `15m`, `12h`, `30d`.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or("not a span")?;
    let unit: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err("a span ends in s, m, h or d, such as 12h".to_owned()),
    };
    let span = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    span.filter(|seconds| *seconds > 0).ok_or_else(|| "not a positive number of the unit".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_unit() {
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("30d"), Ok(2_592_000));
        for bad in ["", "s", "30", "0m", "-1h", "1.5h", "99999999999999999999d", "9999999999999999d", "1µ"] {
            assert!(seconds(bad).is_err(), "{bad:?}");
        }
    }
}
