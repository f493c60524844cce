//! The disk by itself.

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    path::Path,
    time::Duration,
};

use anyhow::Context;
use tokio::time::Instant;

/// Where the file begins anew, so that it stays small.
const FILE_MAX: u32 = 8192;

/// The disk by itself: 512 bytes written and synced, one after the other, for so long. Answers how many a second.
///
/// # Errors
/// What the disk says.
pub(crate) fn synced_writes(directory: &Path, turn: Duration) -> anyhow::Result<f64> {
    let mut file = File::create(directory.join("disk-by-itself")).context("cannot make a file")?;
    let record = [0x5a; 512];
    let (started, mut done) = (Instant::now(), 0_u32);
    while started.elapsed() < turn {
        if done.is_multiple_of(FILE_MAX) {
            file.rewind()?;
        }
        file.write_all(&record)?;
        file.sync_data()?;
        done += 1;
    }
    Ok(f64::from(done) / started.elapsed().as_secs_f64())
}
