//! `leasehold audit verify`: which files and which key, and what is printed about them.

use std::{
    fs::File,
    io::{BufReader, Read as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use leasehold_vault::VerifierKey;

use super::{
    line::Envelope,
    lines,
    verify::{self, Verified, VerifyError},
};
use crate::command_line::{
    context::{self, Context},
    failure::{During as _, Failure},
    profiles,
    progress::{Progress, share, tell},
    record::Record,
};

/// The longest checkpoint, in bytes.
const NOTE_LEN_MAX: u64 = 64 * 1024;

/// Verify an exported ledger, offline
///
/// Checks that no line is missing, changed or added: sequence numbers without a gap, and the Merkle root (RFC 6962) and the size that the
/// signed checkpoint says. The signature is by the key of --verifier, or the profile's `verifier`. Where neither is there it is by the
/// key that the ledger itself names: then compare the key that is printed with one that you have from elsewhere.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold audit verify ledger.jsonl\n  leasehold audit verify ledger.jsonl --verifier 'leasehold.example/org+3ae5c1d2+AT…'"
)]
pub(crate) struct VerifyArgs {
    /// The lines
    file: PathBuf,
    /// The checkpoint; FILE.checkpoint where none is named
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The key that the checkpoint must be signed by: `leasehold audit checkpoint --field verifier`
    #[arg(long, env = "LEASEHOLD_VERIFIER", hide_env_values = true, value_name = "KEY")]
    verifier: Option<String>,
}

/// A key, and where it is from.
struct Source {
    key: VerifierKey,
    from: String,
}

impl VerifyArgs {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let attempted = format!("verify {}", self.file.display());
        let note_path = self.checkpoint.clone().unwrap_or_else(|| beside(&self.file));
        let note = read_note(&note_path)?;
        let source = self.key(context)?;
        let file = File::open(&self.file).during(format!("read {}", self.file.display()))?;
        let total = file.metadata().map_or(0, |metadata| metadata.len());
        let mut progress = Progress::new();
        let mut done = 0;
        let verified = verify::verify(BufReader::with_capacity(1 << 20, file), &note, &source.key, |count| {
            done += count as u64;
            progress.show(|| format!("verifying {} bytes", share(done, total)));
        });
        drop(progress);
        let verified = verified.map_err(|error| refused(&attempted, &error, &note_path))?;
        context.output.one(&record(&self.file, verified, &source))?;
        if source.from == ITSELF {
            tell("the key was read from the ledger itself: compare it with one that you have from elsewhere");
        }
        Ok(())
    }

    fn key(&self, context: &Context) -> Result<Source, Failure> {
        let attempted = "find the key to verify with";
        let (text, from) = match &self.verifier {
            Some(text) => (text.clone(), "--verifier".to_owned()),
            None => {
                let name = context.profile_name();
                let profile = profiles::read(name).map_err(|error| context::unusable(&error))?;
                match profile.and_then(|profile| profile.verifier) {
                    Some(text) => (text, format!("profile {name}")),
                    None => (founding_verifier(&self.file)?, ITSELF.to_owned()),
                }
            }
        };
        let key = text.parse().map_err(|error: leasehold_vault::ParseVerifierKeyError| {
            Failure::local(attempted, "VERIFIER", format!("{error} (from {from})"))
        })?;
        Ok(Source { key, from })
    }
}

/// Where a key is from that nobody vouches for.
const ITSELF: &str = "the ledger itself";

/// The checkpoint that belongs to a file of lines.
pub(super) fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".checkpoint");
    PathBuf::from(name)
}

fn read_note(path: &Path) -> Result<String, Failure> {
    let attempted = || format!("read the checkpoint {}", path.display());
    let file = File::open(path).during(attempted())?;
    let mut note = String::new();
    file.take(NOTE_LEN_MAX).read_to_string(&mut note).during(attempted())?;
    Ok(note)
}

/// The key that the ledger names at its founding.
fn founding_verifier(file: &Path) -> Result<String, Failure> {
    let attempted = || format!("find the verifier key in {}", file.display());
    let mut from = BufReader::new(File::open(file).during(attempted())?);
    let mut first = Vec::new();
    lines::next(&mut from, &mut first).during(attempted())?;
    Envelope::read(&first).and_then(|envelope| envelope.founding_verifier()).ok_or_else(|| {
        Failure::local(attempted(), "VERIFIER", "its first line is not the founding of an organisation")
            .and_next("name the key with --verifier")
    })
}

fn refused(attempted: &str, error: &VerifyError, note: &Path) -> Failure {
    let failure = Failure::local(attempted, "VERIFY", error.to_string());
    match error {
        VerifyError::Checkpoint(_) => failure.and_next(format!(
            "check that {} belongs to the file, and the key to the cluster",
            note.display()
        )),
        VerifyError::Sequence { line: 1, .. } => failure
            .and_next("a checkpoint covers the whole ledger: export it from 0, or join the parts in order"),
        VerifyError::TooLong { .. }
        | VerifyError::CutOff { .. }
        | VerifyError::NotAnEvent { .. }
        | VerifyError::Sequence { .. }
        | VerifyError::Truncated { .. }
        | VerifyError::Uncovered { .. }
        | VerifyError::Root { .. }
        | VerifyError::Io { .. } => failure,
    }
}

fn record(file: &Path, verified: Verified, source: &Source) -> Record {
    let Verified { checkpoint, first_at, last_at } = verified;
    Record::default()
        .with("verified", true)
        .with("file", file.display().to_string())
        .with("origin", checkpoint.origin)
        .with("lines", checkpoint.size)
        .with("root", STANDARD.encode(checkpoint.root))
        .with("first_at", first_at)
        .with("last_at", last_at)
        .with("verifier", source.key.to_string())
        .with("verifier_from", source.from.clone())
}
