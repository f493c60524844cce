//! `leasehold export`: what stands in the cluster, as the files that `leasehold apply` takes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{
    apply::{resource::Kind, standing::Standing},
    context::Context,
    failure::{During as _, Failure},
    record::Record,
    view::List,
};
use crate::private_file;

mod write;

/// Write what stands in the cluster as files for `leasehold apply`
///
/// Writes a file for each kind of resource, and the policy set. Secrets and credentials never leave the cluster: where there is a
/// client secret, the line that would name it is a comment. The same cluster gives the same files.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold export -o cluster\n  leasehold export -o cluster --force && leasehold apply -f cluster --dry-run"
)]
pub(crate) struct ExportArgs {
    /// The folder; it is made where there is none
    #[arg(short, long = "out", value_name = "DIR")]
    out: PathBuf,
    /// Write into a folder that is not empty: the files of an earlier export are replaced
    #[arg(long)]
    force: bool,
}

/// The files of an export. One that would be empty is not written.
const FILES: [&str; 5] =
    ["identity_providers.toml", "connectors.toml", "mcp_servers.toml", "workloads.toml", "policies.cedar"];

impl ExportArgs {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let attempted = format!("export to {}", self.out.display());
        let others = others(&self.out, &attempted)?;
        let occupied = others.any || FILES.iter().any(|name| self.out.join(name).exists());
        if occupied && !self.force {
            let failure = Failure::local(attempted, "FOLDER_NOT_EMPTY", "the folder is not empty");
            return Err(failure.and_next("name another folder, or replace an earlier export with --force"));
        }
        if let Some(name) = others.applied {
            let why = format!("{name} is not of an export, and `apply` would take it too");
            let failure = Failure::local(attempted, "FOLDER_NOT_EMPTY", why);
            return Err(failure.and_next("move it away, or name another folder"));
        }
        let standing = Standing::read(&context.client().await?, true).await?;
        let texts = [
            write::identity_providers(&standing),
            write::connectors(&standing),
            write::mcp_servers(&standing),
            write::workloads(&standing),
            write::policies(&standing),
        ];
        fs::create_dir_all(&self.out).during(attempted.clone())?;
        let mut records = Vec::new();
        for ((name, (count, text)), kind) in FILES.into_iter().zip(texts).zip(kinds()) {
            let path = self.out.join(name);
            if count == 0 {
                remove(&path, &attempted)?;
                continue;
            }
            private_file::replace(&path, &text).during(format!("write {}", path.display()))?;
            records.push(
                Record::default()
                    .with("file", path.display().to_string())
                    .with("kind", kind.key())
                    .with("count", count as u64),
            );
        }
        context.output.list(&List {
            noun: "files",
            columns: &["file", "kind", "count"],
            records,
            as_of: None,
        })
    }
}

fn kinds() -> impl Iterator<Item = Kind> {
    Kind::TABLES.into_iter().chain([Kind::Policies])
}

/// What is in a folder besides an export.
#[derive(Default)]
struct Others {
    any: bool,
    /// One that `apply` would take for its own.
    applied: Option<String>,
}

fn others(folder: &Path, attempted: &str) -> Result<Others, Failure> {
    let mut others = Others::default();
    if !folder.exists() {
        return Ok(others);
    }
    for entry in fs::read_dir(folder).during(attempted)? {
        let name = entry.during(attempted)?.file_name().to_string_lossy().into_owned();
        if FILES.contains(&name.as_str()) {
            continue;
        }
        others.any = true;
        let applied = !name.starts_with('.') && (name.ends_with(".toml") || name.ends_with(".cedar"));
        others.applied = others.applied.take().into_iter().chain(applied.then_some(name)).min();
    }
    Ok(others)
}

/// Removes a file of an earlier export of which nothing is left.
fn remove(path: &Path, attempted: &str) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::io(attempted, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
