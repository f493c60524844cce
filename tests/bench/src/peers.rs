//! What the product is measured beside, on the same machine in the same run.

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    path::Path,
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

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

/// A call that decides nothing.
///
/// # Errors
/// Where the node is not well.
pub(crate) async fn health_check(mut client: HealthClient<Channel>) -> anyhow::Result<HealthClient<Channel>> {
    let answer = client.check(HealthCheckRequest::default()).await?.into_inner();
    ensure!(answer.status() == ServingStatus::Serving, "the node does not serve");
    Ok(client)
}
