//! The node's record of itself: its lines, exported and verified, and what they say of refreshes.

use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, ensure};
use leasehold_journey::Apart;
use serde_json::Value;

/// The ledger's lines at some moment.
pub struct Lines(Vec<Vec<u8>>);

impl Lines {
    /// Exports the ledger and verifies it, both by the command line.
    ///
    /// # Errors
    /// Where either is refused.
    pub async fn exported(node: &Apart) -> anyhow::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let file = node.folder().join(format!("export-{}.jsonl", NEXT.fetch_add(1, Ordering::Relaxed)));
        let file = file.to_str().context("a path that is no text")?.to_owned();
        for arguments in [["audit", "export", "--out", &file].as_slice(), &["audit", "verify", &file]] {
            let ran = node.command(arguments).output().await?;
            let said = String::from_utf8_lossy(&ran.stderr);
            ensure!(ran.status.success(), "{arguments:?} ended with {}: {said}", ran.status);
        }
        let lines = fs::read(&file)?;
        Ok(Self(lines.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()))
    }

    /// What was exported before must be the beginning of this, byte for byte.
    ///
    /// # Errors
    /// Where it is not: at which line.
    pub fn continue_from(&self, before: &Self) -> anyhow::Result<()> {
        for (seq, line) in before.0.iter().enumerate() {
            ensure!(self.0.get(seq) == Some(line), "line {seq} of the export before is lost or another one");
        }
        Ok(())
    }

    /// The data of every event of this kind.
    ///
    /// # Errors
    /// Where a line is no JSON.
    pub fn of_kind(&self, kind: &str) -> anyhow::Result<Vec<Value>> {
        let mut found = Vec::new();
        for line in &self.0 {
            let line: Value = serde_json::from_slice(line).context("a line is no JSON")?;
            if line.get("event").and_then(Value::as_str) == Some(kind) {
                found.push(line.get("data").cloned().unwrap_or_default());
            }
        }
        Ok(found)
    }

    /// How many refreshes of this generation were intended.
    ///
    /// # Errors
    /// Where a line is no JSON.
    pub fn intents(&self, generation: u64) -> anyhow::Result<usize> {
        let intended = self.of_kind("RefreshIntended")?;
        let of = |data: &&Value| data.get("generation").and_then(Value::as_u64) == Some(generation);
        Ok(intended.iter().filter(of).count())
    }
}
