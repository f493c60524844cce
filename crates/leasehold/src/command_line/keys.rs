//! `leasehold keys`: the keys under which everything is sealed, from their adding to their retiring.

mod recovery;

use clap::{Args, Subcommand, ValueEnum};
use leasehold_client::v1::{
    self, KeyStatusRequest, KeyStatusResponse, KeyVersion, RetireKeyRequest, RewrapRequest, RotateKeyRequest,
};

use super::{
    context::{Context, ask},
    failure::{During as _, Failure},
    progress::{Progress, share, tell},
    record::{Record, word},
    shared::Repeat,
    view::List,
};

/// Show, rotate, empty and retire the keys under which everything is sealed
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example:\n  leasehold keys rotate && leasehold keys rewrap && leasehold keys status\n  leasehold keys retire --purpose refresh-tokens --version 1\n\nTo replace the root key: draw a new one into a file, name it as [root_key] in the node's\nconfiguration and the present one as [previous_root_key], and restart the node. It wraps every key\nby the new root key in one step before it serves; a crash at any point is mended by starting again\nwith both. When its log says that the root key was replaced, take [previous_root_key] out. Log,\nsnapshots and backups of before still hold the keys under the former root key: keep it secret\nuntil they have passed, and at hand for as long as an older backup may be restored."
)]
pub(crate) enum Keys {
    /// List the versions of every key: which one seals, since when there is each, and what is under it
    #[command(after_help = "Example:\n  leasehold keys status\n  leasehold keys status --output json")]
    Status,
    Rotate(RotateArgs),
    /// Move everything that is sealed under former versions to the current ones, while the cluster works
    #[command(
        after_help = "Example:\n  leasehold keys rewrap\n\nInterrupted at any point, it is simply run again. Data keys are wrapped anew: what was copied\nbefore, and whoever had a former version, is not changed by it. After a key was exposed, revoke\nthe grants."
    )]
    Rewrap,
    Retire(RetireArgs),
    RecoveryCopy(recovery::CopyArgs),
    RecoveryCheck(recovery::CheckArgs),
}

/// Add a version of a key, which seals from then on
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold keys rotate\n  leasehold keys rotate --purpose signing\n\nOf the purpose `signing` the key is rotated that seals the checkpoint signing key. The signing key\nitself, and with it the verifier that auditors hold, stays: replacing it is not offered."
)]
pub(crate) struct RotateArgs {
    /// Which key; those of access and refresh tokens where none is named
    #[arg(long, value_enum)]
    purpose: Option<Purpose>,
    #[command(flatten)]
    repeat: Repeat,
}

/// Forget a version of a key under which nothing is any more
#[derive(Debug, Args)]
#[command(
    disable_version_flag = true,
    after_help = "Example:\n  leasehold keys retire --purpose access-tokens --version 1\n\nRefused while anything is under it, with how many things are. People who signed in under a retired\naccess-tokens version sign in again."
)]
pub(crate) struct RetireArgs {
    /// Which key
    #[arg(long, value_enum)]
    purpose: Purpose,
    /// Which version
    #[arg(long)]
    version: u32,
    #[command(flatten)]
    repeat: Repeat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Purpose {
    AccessTokens,
    RefreshTokens,
    Signing,
    Pseudonyms,
}

impl Purpose {
    const fn read(self) -> v1::KeyPurpose {
        match self {
            Self::AccessTokens => v1::KeyPurpose::AccessTokens,
            Self::RefreshTokens => v1::KeyPurpose::RefreshTokens,
            Self::Signing => v1::KeyPurpose::Signing,
            Self::Pseudonyms => v1::KeyPurpose::Pseudonyms,
        }
    }
}

impl Keys {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Status => status(context).await,
            Self::Rotate(args) => args.run(context).await,
            Self::Rewrap => rewrap(context).await,
            Self::Retire(args) => args.run(context).await,
            Self::RecoveryCopy(args) => args.run(context).await,
            Self::RecoveryCheck(args) => args.run(context).await,
        }
    }
}

async fn state(context: &Context) -> Result<KeyStatusResponse, Failure> {
    let client = context.client().await?;
    client.keys().status(ask(KeyStatusRequest {})).await.during("show the keys")
}

async fn status(context: &Context) -> Result<(), Failure> {
    let state = state(context).await?;
    let root_key = hex(&state.root_key_check);
    context.output.list(&List {
        noun: "keys",
        columns: &[
            "purpose",
            "version",
            "current",
            "added_at",
            "token_sets",
            "secrets",
            "answers",
            "accounts",
            "root_key",
        ],
        records: state.keys.into_iter().map(|key| record(key, &root_key)).collect(),
        as_of: state.as_of,
    })
}

fn record(key: KeyVersion, root_key: &str) -> Record {
    Record::default()
        .with("purpose", purpose(&key))
        .with("version", key.version)
        .with("current", key.current)
        .with("added_at", key.added_at)
        .with("token_sets", key.token_sets)
        .with("secrets", key.secrets)
        .with("answers", key.answers)
        .with("accounts", key.accounts)
        .with("check", hex(&key.check))
        .with("root_key", root_key)
}

/// The purpose as `--purpose` takes it.
fn purpose(key: &KeyVersion) -> String {
    word(key.purpose().as_str_name(), "KEY_PURPOSE_").text().replace('_', "-")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl RotateArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let purposes = match self.purpose {
            Some(purpose) => vec![purpose],
            None => vec![Purpose::AccessTokens, Purpose::RefreshTokens],
        };
        let mut records = Vec::new();
        for purpose in purposes {
            let request_id = match self.repeat.request_id.as_str() {
                "" => String::new(),
                // One name a request: each of the two is a request of its own.
                id if self.purpose.is_none() => format!("{id}/{}", purpose.read() as i32),
                id => id.to_owned(),
            };
            let request = RotateKeyRequest { purpose: purpose.read().into(), request_id };
            let answer = client.keys().rotate(ask(request)).await.during("rotate the key")?;
            if purpose == Purpose::Signing {
                tell("the checkpoint signing key and its verifier stay; what seals it was rotated");
            }
            let name = purpose.to_possible_value().map(|value| value.get_name().to_owned());
            records.push(Record::default().with("purpose", name).with("version", answer.version));
        }
        context.output.list(&List { noun: "keys", columns: &["purpose", "version"], records, as_of: None })
    }
}

async fn rewrap(context: &Context) -> Result<(), Failure> {
    let attempted = "rewrap what is sealed";
    let before = under_former_keys(&state(context).await?);
    let client = context.client().await?;
    let mut progress = Progress::new();
    let (mut from, mut moved) = (0, 0);
    loop {
        let slice = client.keys().rewrap(ask(RewrapRequest { from })).await.during(attempted)?;
        moved += slice.moved;
        if slice.done {
            break;
        }
        from = slice.next;
        let steps = u64::from(slice.steps);
        progress.show(|| {
            let left = before.saturating_sub(moved);
            format!("looked through {}: {moved} moved, about {left} left", share(u64::from(from), steps))
        });
    }
    drop(progress);
    let left = under_former_keys(&state(context).await?);
    context.output.one(&Record::default().with("moved", moved).with("left", left))
}

/// How many times something is under a version that does not seal any more. Names of accounts are not moved.
fn under_former_keys(state: &KeyStatusResponse) -> u64 {
    let former = state.keys.iter().filter(|key| !key.current);
    former.map(|key| key.token_sets + key.secrets + key.answers).sum()
}

impl RetireArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let request = RetireKeyRequest {
            purpose: self.purpose.read().into(),
            version: self.version,
            request_id: self.repeat.request_id,
        };
        let answer = client.keys().retire(ask(request)).await.during("retire the key version")?;
        context.output.one(&Record::default().with("seq", answer.seq))
    }
}
