//! `leasehold lease`: what gateways and MCP servers ask for. For profiles of workloads: no administrator may lease.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use leasehold_client::v1::{
    self, AcquireRequest, AcquireResponse, ConsentRequired, HeldLease, ListLeasesRequest, ReleaseRequest,
    RenewRequest, ReportRejectedRequest, WatchRequest, WatchResponse, acquire_request::ForSubject,
    acquire_response::Outcome, watch_response::Change,
};
use secrecy::ExposeSecret as _;

use super::{
    context::{Context, ask},
    failure::{During as _, Failure, incomplete},
    progress::say,
    record::{Record, Value, word},
    secret,
    shared::Repeat,
    view::List,
    workload::seconds,
};

/// Acquire and follow leases of access tokens, as a workload
///
/// Leases are for workloads: choose a workload's profile with --as.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  leasehold --as demo-gateway lease list")]
pub(crate) enum Lease {
    Acquire(AcquireArgs),
    Renew(RenewArgs),
    Release(ReleaseArgs),
    /// List the caller's live leases, without their tokens
    #[command(after_help = "Example:\n  leasehold --as demo-gateway lease list")]
    List,
    Watch(WatchArgs),
    ReportRejected(ReportRejectedArgs),
}

/// Acquire a lease of an access token
///
/// The table leaves the token out. `--field access_token` prints it alone, and `--output json` prints it with everything else. Needing a
/// consent is an outcome: it is printed, with the URL for the person, and the exit code is 1.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold --as demo-gateway lease acquire --mcp-server files --connector sandbox \\\n      --subject alice --scope files.read\n  \
                  leasehold --as demo-gateway lease acquire --mcp-server files --connector sandbox \\\n      --subject alice --field access_token"
)]
pub(crate) struct AcquireArgs {
    /// The MCP server that the token is for: its name or id
    #[arg(long)]
    mcp_server: String,
    /// The connector: its name or id
    #[arg(long)]
    connector: String,
    #[command(flatten)]
    whose: Whose,
    /// A scope that the token must carry; what the MCP server needs where none is named
    #[arg(long = "scope", value_delimiter = ' ', value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The account at the provider, where the subject has several
    #[arg(long, default_value = "", hide_default_value = true)]
    account: String,
    /// How long the token must still live, such as 5m
    #[arg(long, value_parser = span, default_value = "0s", hide_default_value = true, value_name = "SPAN")]
    min_validity: u32,
    /// How long the lease may live, such as 15m; the cluster's default where none is named
    #[arg(long, value_parser = span, default_value = "0s", hide_default_value = true, value_name = "SPAN")]
    ttl: u32,
    #[command(flatten)]
    repeat: Repeat,
}

/// Whose access it is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// A subject's id or user name, for which the caller vouches
    #[arg(long)]
    subject: Option<String>,
    /// A file with a token of the subject; `-` is standard input
    #[arg(long, value_name = "FILE")]
    subject_token_file: Option<PathBuf>,
    /// The environment variable with a token of the subject
    #[arg(long, value_name = "VARIABLE")]
    subject_token_env: Option<String>,
}

/// Let a lease live longer
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold --as demo-gateway lease renew lse_2nkrbbgzamxjggq3t08ytdb9rn --ttl 15m"
)]
pub(crate) struct RenewArgs {
    /// The lease's id
    lease: String,
    /// How long it may live from now, such as 15m; the cluster's default where none is named
    #[arg(long, value_parser = span, default_value = "0s", hide_default_value = true, value_name = "SPAN")]
    ttl: u32,
    #[command(flatten)]
    repeat: Repeat,
}

/// Give a lease back
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold --as demo-gateway lease release lse_2nkrbbgzamxjggq3t08ytdb9rn"
)]
pub(crate) struct ReleaseArgs {
    /// The lease's id
    lease: String,
    #[command(flatten)]
    repeat: Repeat,
}

/// Follow the caller's leases as they change, until interrupted
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leasehold --as demo-gateway lease watch --output jsonl")]
pub(crate) struct WatchArgs {
    /// The sequence number up to which everything was seen; the whole current set comes first where none is named
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "SEQ")]
    resume_after: u64,
    /// Show keepalives too
    #[arg(long)]
    keepalives: bool,
}

/// Say that the provider refused a lease's token
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold --as demo-gateway lease report-rejected lse_2nkrbbgzamxjggq3t08ytdb9rn \\\n      --status 401 --challenge 'Bearer error=\"invalid_token\"'"
)]
pub(crate) struct ReportRejectedArgs {
    /// The lease's id
    lease: String,
    /// The HTTP status that the provider gave
    #[arg(long, value_parser = clap::value_parser!(u32).range(100..=599))]
    status: u32,
    /// The provider's WWW-Authenticate challenge
    #[arg(long, default_value = "", hide_default_value = true)]
    challenge: String,
}

impl Lease {
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::Acquire(args) => args.run(context).await,
            Self::Renew(args) => args.run(context).await,
            Self::Release(args) => args.run(context).await,
            Self::List => list(context).await,
            Self::Watch(args) => args.run(context).await,
            Self::ReportRejected(args) => args.run(context).await,
        }
    }
}

impl AcquireArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let for_subject = self.whose.read()?;
        let client = context.client().await?;
        let request = AcquireRequest {
            mcp_server: self.mcp_server,
            connector: self.connector,
            for_subject: Some(for_subject),
            scopes: self.scopes,
            account: self.account,
            min_validity_seconds: self.min_validity,
            ttl_seconds: self.ttl,
            request_id: self.repeat.request_id,
        };
        let answer = client.leases().acquire(ask(request)).await.during("acquire a lease")?;
        print(context, answer)
    }
}

fn print(context: &Context, answer: AcquireResponse) -> Result<(), Failure> {
    match answer.outcome {
        Some(Outcome::Lease(lease)) => context.output.one(&record(lease)),
        Some(Outcome::ConsentRequired(consent)) => {
            let failure =
                Failure::local("acquire a lease", "CONSENT_REQUIRED", "the subject has to consent first")
                    .and_next(format!("send the subject to {}", consent.connect_url));
            // Who asked for one field of a lease gets nothing rather than something else.
            if context.global.field.is_none() {
                context.output.one(&consent_record(consent))?;
            }
            Err(failure)
        }
        None => Err(incomplete("acquire a lease", "outcome")),
    }
}

impl Whose {
    fn read(self) -> Result<ForSubject, Failure> {
        let (file, variable) = (self.subject_token_file.as_ref(), self.subject_token_env.as_ref());
        if let Some(token) = secret::from_either("the subject token", file, variable)? {
            return Ok(ForSubject::SubjectToken(token.expose_secret().to_owned()));
        }
        Ok(ForSubject::Subject(self.subject.unwrap_or_default()))
    }
}

impl RenewArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let request =
            RenewRequest { lease_id: self.lease, ttl_seconds: self.ttl, request_id: self.repeat.request_id };
        let answer = client.leases().renew(ask(request)).await.during("renew the lease")?;
        let record = Record::default()
            .with("lease_expires_at", answer.lease_expires_at)
            .with("lease_remaining_seconds", answer.lease_remaining_seconds);
        context.output.one(&record)
    }
}

impl ReleaseArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let request = ReleaseRequest { lease_id: self.lease, request_id: self.repeat.request_id };
        client.leases().release(ask(request)).await.during("release the lease")?;
        say("the lease is released");
        Ok(())
    }
}

impl ReportRejectedArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let request =
            ReportRejectedRequest { lease_id: self.lease, status: self.status, challenge: self.challenge };
        client.leases().report_rejected(ask(request)).await.during("report the rejected token")?;
        say("the grant is being looked into");
        Ok(())
    }
}

impl WatchArgs {
    async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let attempted = "watch leases";
        let client = context.client().await?;
        let request = WatchRequest { resume_after: self.resume_after };
        let mut changes = client.leases().watch(request).await.during(attempted)?;
        while let Some(change) = changes.message().await.during(attempted)? {
            for record in self.records(change) {
                context
                    .output
                    .streamed(&["seq", "change", "lease_id", "subject", "mcp_server", "reason"], &record)?;
            }
        }
        let why = "the node ended the stream";
        Err(Failure::local(attempted, "STREAM_ENDED", why)
            .and_next("watch again, with --resume-after the last seq"))
    }

    /// What a push says, as records that all have the same fields.
    fn records(&self, push: WatchResponse) -> Vec<Record> {
        let seq = push.seq;
        let bare = |change| change_record(seq, change, HeldLease::default(), None);
        match push.change {
            Some(Change::Resync(resync)) => {
                let held = resync.leases.into_iter().map(|lease| change_record(seq, "held", lease, None));
                std::iter::once(bare("resync")).chain(held).collect()
            }
            Some(Change::Held(lease)) => vec![change_record(seq, "held", lease, None)],
            Some(Change::Ended(ended)) => {
                let lease = HeldLease { lease_id: ended.lease_id.clone(), ..HeldLease::default() };
                vec![change_record(seq, "ended", lease, Some(ended))]
            }
            Some(Change::Keepalive(_)) if self.keepalives => vec![bare("keepalive")],
            Some(Change::Keepalive(_)) | None => Vec::new(),
        }
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let client = context.client().await?;
    let answer = client.leases().list(ask(ListLeasesRequest {})).await.during("list leases")?;
    context.output.list(&List {
        noun: "leases",
        columns: &["lease_id", "subject", "connector", "mcp_server", "generation", "lease_expires_at"],
        records: answer.leases.into_iter().map(|lease| held_fields(Record::default(), lease)).collect(),
        as_of: answer.as_of,
    })
}

fn record(lease: v1::Lease) -> Record {
    Record::default()
        .with("outcome", "lease")
        .with("lease_id", lease.lease_id)
        .with("access_token", Value::Hidden(lease.access_token.into()))
        .with("token_type", lease.token_type)
        .with("scopes", lease.scopes)
        .with("grant", lease.grant)
        .with("generation", lease.generation)
        .with("lease_expires_at", lease.lease_expires_at)
        .with("lease_remaining_seconds", lease.lease_remaining_seconds)
        .with("token_expires_at", lease.token_expires_at)
        .with("token_remaining_seconds", lease.token_remaining_seconds)
        .with("metadata", Value::Pairs(lease.metadata.into_iter().collect()))
        .with("warnings", lease.warnings)
}

fn consent_record(consent: ConsentRequired) -> Record {
    let reason = word(consent.reason().as_str_name(), "CONSENT_REASON_");
    Record::default()
        .with("outcome", "consent_required")
        .with("reason", reason)
        .with("missing_scopes", consent.missing_scopes)
        .with("connect_url", consent.connect_url)
        .with("authorization", consent.authorization)
}

fn change_record(seq: u64, change: &'static str, lease: HeldLease, ended: Option<v1::LeaseEnded>) -> Record {
    let (reason, residual) =
        ended.map(|ended| (ended.reason, ended.residual_exposure_until)).unwrap_or_default();
    held_fields(Record::default().with("seq", seq).with("change", change), lease)
        .with("reason", reason)
        .with("residual_exposure_until", residual)
}

fn held_fields(record: Record, lease: HeldLease) -> Record {
    record
        .with("lease_id", lease.lease_id)
        .with("grant", lease.grant)
        .with("generation", lease.generation)
        .with("mcp_server", lease.mcp_server)
        .with("connector", lease.connector)
        .with("subject", lease.subject)
        .with("lease_expires_at", lease.lease_expires_at)
}

/// A span that the interface counts in 32 bits of seconds; `0s` means its default.
fn span(text: &str) -> Result<u32, String> {
    if text == "0s" {
        return Ok(0);
    }
    seconds(text).and_then(|seconds| u32::try_from(seconds).map_err(|_| "too long".to_owned()))
}

#[cfg(test)]
mod tests {
    use leasehold_client::v1::{Keepalive, LeaseEnded, Resync};

    use super::*;

    fn watch(keepalives: bool, change: Change) -> Vec<String> {
        let args = WatchArgs { resume_after: 0, keepalives };
        let records = args.records(WatchResponse { seq: 7, change: Some(change) });
        records.iter().map(|record| record.field("change").unwrap().text()).collect()
    }

    #[test]
    fn a_lease_hides_its_token_from_tables_alone() {
        let lease = v1::Lease { access_token: "s3cret".to_owned(), ..v1::Lease::default() };
        let record = record(lease);
        assert!(matches!(record.field("access_token"), Some(Value::Hidden(_))));
        assert!(serde_json::to_string(&record).unwrap().contains("s3cret"));
    }

    #[test]
    fn a_resync_is_followed_by_what_is_held() {
        let resync = Resync { leases: vec![HeldLease::default(); 2], grace_seconds: 10 };
        assert_eq!(watch(false, Change::Resync(resync)), ["resync", "held", "held"]);
        assert_eq!(watch(false, Change::Ended(LeaseEnded::default())), ["ended"]);
    }

    #[test]
    fn keepalives_are_shown_where_they_are_asked_for() {
        assert!(watch(false, Change::Keepalive(Keepalive {})).is_empty());
        assert_eq!(watch(true, Change::Keepalive(Keepalive {})), ["keepalive"]);
    }

    #[test]
    fn a_consent_that_is_needed_says_where_to_send_the_person() {
        let consent = ConsentRequired {
            reason: v1::ConsentReason::ScopesMissing.into(),
            missing_scopes: vec!["files.write".to_owned()],
            connect_url: "https://leasehold.example/connect/1".to_owned(),
            authorization: "ath_1".to_owned(),
        };
        let record = consent_record(consent);
        assert_eq!(record.field("reason").unwrap().text(), "scopes_missing");
        assert_eq!(record.field("connect_url").unwrap().text(), "https://leasehold.example/connect/1");
    }
}
