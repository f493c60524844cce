//! `leasehold audit export`: lines into a file, and the checkpoint that covers them beside it.
//!
//! Lines gather in `FILE.part`, which takes the file's name once all are there and on disk: a file of that name is always whole. What an
//! interrupted export has gathered stays, and `--from` goes on with it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use leasehold_client::{
    Client,
    v1::{ExportRequest, ExportResponse},
};

use super::{checkpoint::Checkpoint, line, line::Envelope, verify_command::beside};
use crate::command_line::{
    context::Context,
    failure::{During as _, Failure, incomplete},
    progress::{Progress, share},
    record::Record,
};

/// Export the ledger: one event a line, and the signed checkpoint that covers them
///
/// The checkpoint is written beside the lines, as FILE.checkpoint. With --from, lines are added to those that FILE, or what an
/// interrupted export left of it, has already. Exporting is recorded in the ledger.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold audit export --out ledger.jsonl && leasehold audit verify ledger.jsonl\n  leasehold audit export --out ledger.jsonl --from 120000"
)]
pub(crate) struct ExportArgs {
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where to write the checkpoint; FILE.checkpoint where none is named
    #[arg(long, value_name = "FILE")]
    checkpoint_out: Option<PathBuf>,
    /// The first sequence number to fetch: how many lines the file has already
    #[arg(long, default_value_t = 0, value_name = "SEQ")]
    from: u64,
}

impl ExportArgs {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let part = self.begin()?;
        let mut gathered = Gathered { file: BufWriter::new(part), next: self.from };
        let fetched = fetch(&client, &mut gathered).await;
        // Also after a failure: what was fetched is kept.
        let Gathered { file, next } = gathered;
        let synced =
            file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
        let part = self.part();
        let note = fetched.map_err(|failure| {
            let go_on = format!("leasehold audit export --out {} --from {next}", self.out.display());
            if next > self.from { failure.and_next(format!("go on with `{go_on}`")) } else { failure }
        })?;
        synced.during(format!("write {}", part.display()))?;
        fs::rename(&part, &self.out).during(format!("write {}", self.out.display()))?;
        let note_path = self.checkpoint_out.clone().unwrap_or_else(|| beside(&self.out));
        write_note(&note_path, &note)?;
        let record = Record::default()
            .with("file", self.out.display().to_string())
            .with("checkpoint_file", note_path.display().to_string())
            .with("from", self.from)
            .with("lines", next - self.from)
            .with("size", next);
        context.output.one(&record)
    }

    fn part(&self) -> PathBuf {
        let mut name = self.out.as_os_str().to_owned();
        name.push(".part");
        PathBuf::from(name)
    }

    /// Opens the file in which lines gather, with those before `from` in it if it is one to go on with.
    fn begin(&self) -> Result<File, Failure> {
        let part = self.part();
        if self.from == 0 {
            return create(&part, true);
        }
        for begun in [&part, &self.out] {
            let attempted = format!("go on with {}", begun.display());
            match ends_before(begun).during(&attempted)? {
                None => continue,
                Some((next, _)) if next != self.from => {
                    let why = format!("it has the lines before {next}, and --from is {}", self.from);
                    return Err(Failure::usage(attempted, why)
                        .and_next(format!("use --from {next}, or export everything again without --from")));
                }
                Some((_, whole)) => {
                    if begun == &self.out {
                        fs::copy(&self.out, &part).during(&attempted)?;
                    }
                    let mut file = create(&part, false)?;
                    // What a crash left of a last line goes.
                    file.set_len(whole).and_then(|()| file.seek(SeekFrom::End(0))).during(&attempted)?;
                    return Ok(file);
                }
            }
        }
        create(&part, true)
    }
}

fn create(path: &Path, truncate: bool) -> Result<File, Failure> {
    let opened = OpenOptions::new().create(true).write(true).truncate(truncate).open(path);
    opened.during(format!("write {}", path.display()))
}

/// The lines that are there, and the sequence number of the one that comes next.
struct Gathered<Sink> {
    file: Sink,
    next: u64,
}

/// Fetches everything from the next line on; answers with the checkpoint.
async fn fetch(client: &Client, gathered: &mut Gathered<impl io::Write>) -> Result<String, Failure> {
    let attempted = "export the ledger";
    let request = ExportRequest { from: gathered.next, size: 0 };
    let mut answers = client.audit().export(request).await.during(attempted)?;
    let mut progress = Progress::new();
    let (mut total, first) = (0, gathered.next);
    let mut note = None;
    while let Some(answer) = answers.message().await.during(attempted)? {
        total = total.max(answer.total);
        note = gathered.take(answer)?.or(note);
        progress.show(|| format!("exporting {} lines", share(gathered.next - first, total)));
    }
    let note = note.ok_or_else(|| incomplete(attempted, "checkpoint"))?;
    let claimed = Checkpoint::claimed(&note).ok_or_else(|| incomplete(attempted, "readable checkpoint"))?;
    if claimed.size != gathered.next {
        let why = format!("it covers {} lines, and {} were sent", claimed.size, gathered.next);
        return Err(Failure::local("use the checkpoint", "MALFORMED_ANSWER", why));
    }
    Ok(note)
}

impl<Sink: io::Write> Gathered<Sink> {
    /// Takes lines in order; answers with the checkpoint, if it came with them.
    fn take(&mut self, answer: ExportResponse) -> Result<Option<String>, Failure> {
        let attempted = "export the ledger";
        if !answer.lines.is_empty() && answer.first_seq != self.next {
            let why = format!("line {} came where {} belongs", answer.first_seq, self.next);
            return Err(Failure::local(attempted, "MALFORMED_ANSWER", why));
        }
        for line in &answer.lines {
            if line.contains(&b'\n') || Envelope::read(line).is_none_or(|envelope| envelope.seq != self.next)
            {
                let why = format!("what came for line {} is not that event", self.next);
                return Err(Failure::local(attempted, "MALFORMED_ANSWER", why));
            }
            let written = self.file.write_all(line).and_then(|()| self.file.write_all(b"\n"));
            written.during("write the lines")?;
            self.next += 1;
        }
        Ok(Some(answer.checkpoint).filter(|note| !note.is_empty()))
    }
}

/// The sequence number that comes after a file's last whole line, and how many bytes the whole lines have; `None` where there is none.
fn ends_before(path: &Path) -> io::Result<Option<(u64, u64)>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let len = file.metadata()?.len();
    // The end of the last whole line, all of it, and what may follow it.
    let start = len.saturating_sub(2 * (line::LEN_MAX as u64 + 1));
    file.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    file.take(len - start).read_to_end(&mut end)?;
    let Some(newline) = end.iter().rposition(|byte| *byte == b'\n') else { return Ok(None) };
    let (whole, _) = end.split_at(newline);
    let last = whole.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let envelope = Envelope::read(last)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its last line is not an event"))?;
    Ok(Some((envelope.seq + 1, start + newline as u64 + 1)))
}

/// Writes a checkpoint whole or not at all. Everybody may read it.
pub(super) fn write_note(path: &Path, note: &str) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    let written =
        builder.permissions(fs::Permissions::from_mode(0o644)).tempfile_in(folder).and_then(|mut file| {
            file.write_all(note.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)
        });
    written.map(drop).during(format!("write the checkpoint {}", path.display()))
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
