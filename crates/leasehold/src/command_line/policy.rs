//! `leasehold policy`: the policy set that says who may.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use leasehold_client::v1::{CheckPolicyRequest, GetPolicyRequest, SetPolicyRequest};

use super::{
    context::{Context, ask},
    failure::{During as _, Failure},
    record::Record,
    secret,
    shared::Repeat,
};
use crate::private_file;

/// The longest policy set that is sent, in bytes: a node takes messages of 256 KiB.
const TEXT_LEN_MAX: u64 = 250 * 1024;

/// See, check and replace the policy set
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  leasehold policy show")]
pub(crate) enum Policy {
    Show(ShowArgs),
    Set(SetArgs),
    Check(CheckArgs),
}

/// Show the policy set
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leasehold policy show > policy.cedar\n  leasehold policy show --schema")]
pub(crate) struct ShowArgs {
    /// Show the schema that policies are validated against
    #[arg(long)]
    schema: bool,
}

/// Replace the whole policy set
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold policy check policy.cedar && leasehold policy set policy.cedar"
)]
pub(crate) struct SetArgs {
    /// The policies; `-` is standard input
    file: PathBuf,
    #[command(flatten)]
    repeat: Repeat,
}

/// Validate a policy set, and change nothing
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leasehold policy check policy.cedar")]
pub(crate) struct CheckArgs {
    /// The policies; `-` is standard input
    file: PathBuf,
}

impl Policy {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Show(args) => args.run(context).await,
            Self::Set(args) => args.run(context).await,
            Self::Check(args) => args.run(context).await,
        }
    }
}

impl ShowArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let policy = client.policies().get(ask(GetPolicyRequest {})).await.during("read the policy set")?;
        if context.output.is_table() {
            let text = if self.schema { policy.schema } else { policy.text };
            return context.output.raw(text.as_bytes());
        }
        let record = Record::default()
            .with("version", policy.version)
            .with("text", policy.text)
            .with("schema", policy.schema);
        context.output.one(&record)
    }
}

impl SetArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let text = read(&self.file)?;
        let client = context.client().await?;
        let request = SetPolicyRequest { text, request_id: self.repeat.request_id, expected_version: None };
        let answer = client.policies().set(ask(request)).await.during("replace the policy set")?;
        context.output.one(&Record::default().with("version", answer.version))
    }
}

impl CheckArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let text = read(&self.file)?;
        let client = context.client().await?;
        let answer =
            client.policies().check(ask(CheckPolicyRequest { text })).await.during("check the policy set")?;
        let (valid, count) = (answer.problems.is_empty(), answer.problems.len());
        if context.output.is_table() {
            let problems =
                answer.problems.iter().map(|problem| format!("{}\n", super::view::printable(problem)));
            context.output.raw(problems.collect::<String>().as_bytes())?;
        } else {
            context.output.one(&Record::default().with("valid", valid).with("problems", answer.problems))?;
        }
        if valid {
            super::progress::say("the policy set is valid");
            return Ok(());
        }
        let failure = Failure::local("accept the policy set", "POLICY_INVALID", format!("{count} problems"));
        Err(failure.and_next("correct the policies; nothing was changed"))
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let attempted = || format!("read policies from {}", path.display());
    let text = if path == Path::new("-") {
        private_file::read_text(io::stdin().lock(), TEXT_LEN_MAX)
    } else {
        let file = File::open(path).map_err(|error| Failure::io(attempted(), &error))?;
        private_file::read_text(file, TEXT_LEN_MAX)
    };
    text.map(|text| text.as_str().to_owned()).map_err(|error| secret::refused(attempted(), &error))
}
