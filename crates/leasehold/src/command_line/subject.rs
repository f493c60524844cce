//! `leasehold subject`: the people, services and shared accounts whose access it is.

use clap::{Args, Subcommand, ValueEnum};
use leasehold_client::v1::{
    self, DisableSubjectRequest, EnableSubjectRequest, EraseSubjectRequest, ListSubjectsRequest,
    RegisterSubjectRequest, SubjectKind,
};

use super::{
    context::{Context, ask},
    failure::{During as _, Failure, incomplete},
    paging::{Page, Paging},
    progress::say,
    record::{Record, Value, word},
    shared::Repeat,
    view::List,
};

/// Register whose access it is, and end or allow it
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  leasehold subject list")]
pub(crate) enum Subject {
    Register(RegisterArgs),
    List(ListArgs),
    Disable(DisableArgs),
    /// Let things be done for a subject again; nothing that ended comes back
    #[command(after_help = "Example:\n  leasehold subject enable alice")]
    Enable {
        /// Its id or user name
        subject: String,
    },
    Erase(EraseArgs),
}

/// Register a subject
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold subject register alice --email alice@example.com\n  leasehold subject register ci-bot --kind service --owner alice"
)]
pub(crate) struct RegisterArgs {
    /// Its user name
    user_name: String,
    /// Its email address, which may find it before its first sign-in
    #[arg(long, default_value = "", hide_default_value = true)]
    email: String,
    /// What to call it
    #[arg(long, default_value = "", hide_default_value = true)]
    display_name: String,
    /// What it is
    #[arg(long, value_enum, default_value_t = Kind::Person)]
    kind: Kind,
    /// Who answers for a service or a shared account
    #[arg(long, default_value = "", hide_default_value = true, value_name = "SUBJECT")]
    owner: String,
    #[command(flatten)]
    repeat: Repeat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Person,
    Service,
    Shared,
}

/// List subjects
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leasehold subject list\n  leasehold subject list --field user_name")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    paging: Paging,
}

/// End everything of a subject, and let nothing be done for it until it is enabled
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leasehold subject disable alice --reason 'left the company'")]
pub(crate) struct DisableArgs {
    /// Its id or user name
    subject: String,
    /// Why; it stands beside the ledger and never in an event
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    repeat: Repeat,
}

impl Subject {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Register(args) => args.run(context).await,
            Self::List(args) => args.run(context).await,
            Self::Disable(args) => args.run(context).await,
            Self::Enable { subject } => enable(context, subject).await,
            Self::Erase(args) => args.run(context).await,
        }
    }
}

impl RegisterArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let attempted = "register the subject";
        let client = context.client().await?;
        let request = RegisterSubjectRequest {
            user_name: self.user_name,
            email: self.email,
            display_name: self.display_name,
            kind: self.kind.read().into(),
            owner: self.owner,
            request_id: self.repeat.request_id,
        };
        let answer = client.subjects().register(ask(request)).await.during(attempted)?;
        context.output.one(&record(answer.subject.ok_or_else(|| incomplete(attempted, "subject"))?))
    }
}

impl ListArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let fetch = async |page_size, page| {
            let request = ask(ListSubjectsRequest { page_size, page });
            let answer = client.subjects().list(request).await.during("list subjects")?;
            Ok(Page { items: answer.subjects, as_of: answer.as_of })
        };
        let all = self.paging.all(fetch).await?;
        context.output.list(&List {
            noun: "subjects",
            columns: &["user_name", "display_name", "email", "kind", "enabled", "id"],
            records: all.items.into_iter().map(record).collect(),
            as_of: all.as_of,
        })
    }
}

impl DisableArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let request = DisableSubjectRequest {
            subject: self.subject,
            reason: self.reason,
            request_id: self.repeat.request_id,
        };
        let answer = client.subjects().disable(ask(request)).await.during("disable the subject")?;
        context.output.one(&Record::default().with("seq", answer.seq))
    }
}

/// Forget who a subject was, for ever: names, email, identifiers and notes go, its grants are revoked
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold subject erase alice\n\nIts tokens are revoked at their providers first; what is sealed for it is gone from live state by\nthe moment shown as live_state_by, revoked or not. The ledger keeps its id. What was copied\nbefore, in logs, snapshots and backups, is told under erasure_complete_after."
)]
pub(crate) struct EraseArgs {
    /// Its id or user name
    subject: String,
    #[command(flatten)]
    repeat: Repeat,
}

impl EraseArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let request = EraseSubjectRequest { subject: self.subject, request_id: self.repeat.request_id };
        let answer = client.subjects().erase(ask(request)).await.during("erase the subject")?;
        context.output.one(
            &Record::default()
                .with("subject", answer.subject)
                .with("seq", answer.seq)
                .with("live_state_by", answer.live_state_by)
                .with("erasure_complete_after", Value::Lines(answer.erasure_complete_after.join("\n"))),
        )
    }
}

async fn enable(context: &Context, subject: String) -> Result<(), Failure> {
    let client = context.client().await?;
    let line = format!("{subject} is enabled");
    client.subjects().enable(ask(EnableSubjectRequest { subject })).await.during("enable the subject")?;
    say(&line);
    Ok(())
}

fn record(subject: v1::Subject) -> Record {
    let kind = word(subject.kind().as_str_name(), "SUBJECT_KIND_");
    Record::default()
        .with("id", subject.id)
        .with("user_name", subject.user_name)
        .with("email", subject.email)
        .with("display_name", subject.display_name)
        .with("kind", kind)
        .with("owner", subject.owner)
        .with("enabled", subject.enabled)
        .with("pinned", subject.pinned)
}

impl Kind {
    fn read(self) -> SubjectKind {
        match self {
            Self::Person => SubjectKind::Person,
            Self::Service => SubjectKind::Service,
            Self::Shared => SubjectKind::Shared,
        }
    }
}
