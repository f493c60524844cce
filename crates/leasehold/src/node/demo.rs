//! `leasehold dev --demo`: the whole journey, walked by itself against real processes, each step checked.
//!
//! It starts `leasehold dev` as a process of its own, uses this very binary as the command line, and a scripted browser as the people. Every step
//! prints the command and what came of it; the first that is not as it should be ends the demo with its name.

use std::path::PathBuf;

use anyhow::{Context, ensure};

pub mod browse;
pub mod child;
mod steps;

pub use child::{Binary, DevProcess, profiles_file};

/// How the demo is walked.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Where what it makes is kept; none for a directory that goes with it.
    pub data_dir: Option<PathBuf>,
}

/// Walks the journey.
///
/// # Errors
/// The step that failed, and how.
pub async fn run(options: &DemoOptions, say: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
    let temporary = match &options.data_dir {
        Some(_) => None,
        None => Some(
            tempfile::Builder::new()
                .prefix("leasehold-demo-")
                .tempdir()
                .context("cannot make a directory")?,
        ),
    };
    let data = options
        .data_dir
        .clone()
        .or_else(|| temporary.as_ref().map(|dir| dir.path().to_owned()))
        .context("no data directory")?;
    ensure!(
        !super::development::was_furnished(&data),
        "{} holds an earlier development node: give the demo a directory of its own",
        data.display()
    );
    super::data::DataDir::open(&data)?;
    let binary = Binary::this()?;
    let dev = DevProcess::start(&binary, &data).await.context("step 1, start `leasehold dev`, failed")?;
    let walked = steps::walk(&binary, &dev, &data, say).await;
    let stopped = dev.stop().await;
    walked?;
    stopped.context("the last step, stopping in order, failed")?;
    if options.data_dir.is_some() {
        say(&format!("\nEverything is kept in {}: ledger.jsonl and checkpoint among it.", data.display()));
    }
    Ok(())
}
