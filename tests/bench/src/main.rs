//! What a committed lease costs beside the disk below it, and a repeated one beside an empty gRPC call.
//!
//! It starts the release binary as a process with its sandbox, on loopback, and takes peer and product in turns. What it prints are medians
//! over the rounds and the ratio of each round's pair; the absolute figures are those of one machine at one hour and stand only beside their
//! peer's. It runs for about half a minute and ends by itself.

mod node;
mod peers;

use std::{future::Future, io::Write as _, time::Duration};

use anyhow::{Context, ensure};
use tokio::time::Instant;

use crate::node::Bench;

/// How often each pair is taken.
const ROUNDS: usize = 5;
/// How long one measurement takes.
const TURN: Duration = Duration::from_millis(1500);
/// Callers at once where several call.
const CALLERS: usize = 64;

/// One row of the table: a peer and the product, in turns.
struct Row {
    name: &'static str,
    peer_name: &'static str,
    /// Per second, a round each: the product's and the peer's.
    rounds: Vec<(f64, f64)>,
}

impl Row {
    const fn new(name: &'static str, peer_name: &'static str) -> Self {
        Self { name, peer_name, rounds: Vec::new() }
    }

    fn print(&self, out: &mut impl std::io::Write) -> std::io::Result<()> {
        let ours = median(self.rounds.iter().map(|(ours, _)| *ours).collect());
        let peers = median(self.rounds.iter().map(|(_, peer)| *peer).collect());
        let ratio = median(self.rounds.iter().map(|(ours, peer)| ours / peer).collect());
        writeln!(out, "{:<52} {ours:>9.0}/s", self.name)?;
        writeln!(out, "{:<52} {peers:>9.0}/s   ratio {ratio:.3}", format!("  beside {}", self.peer_name))
    }
}

/// The middle of what was measured; 0 where nothing was.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Repeats something for one turn, by several callers at once. Answers how often it was done a second.
async fn per_second<C, F>(callers: Vec<C>, call: impl Fn(C) -> F + Copy) -> anyhow::Result<f64>
where
    F: Future<Output = anyhow::Result<C>>,
{
    let started = Instant::now();
    let loops = callers.into_iter().map(|mut caller| async move {
        let mut done = 0_u32;
        while started.elapsed() < TURN {
            caller = call(caller).await?;
            done += 1;
        }
        anyhow::Ok(done)
    });
    let done = futures::future::try_join_all(loops).await?;
    Ok(f64::from(done.iter().sum::<u32>()) / started.elapsed().as_secs_f64())
}

async fn measure(bench: &Bench) -> anyhow::Result<[Row; 2]> {
    let mut committed = Row::new(
        "commits, one caller that acquires and releases",
        "write + fdatasync of 512 bytes, one thread",
    );
    let mut repeated = Row::new(
        "leases acquired again (no event), 64 callers",
        "gRPC health checks of the same node, 64 callers",
    );
    for round in 0..ROUNDS {
        writeln!(std::io::stderr(), "round {} of {ROUNDS}", round + 1)?;
        let directory = bench.data().to_owned();
        let disk = tokio::task::spawn_blocking(move || peers::synced_writes(&directory, TURN)).await??;
        let pairs = per_second(vec![bench.leases()], node::acquire_and_release).await?;
        // Each of the two is one committed event.
        committed.rounds.push((pairs * 2.0, disk));

        let checks = per_second(vec![bench.health(); CALLERS], peers::health_check).await?;
        node::acquire(bench.leases()).await?;
        let again = per_second(vec![bench.leases(); CALLERS], node::acquire).await?;
        repeated.rounds.push((again, checks));
        node::acquire_and_release(bench.leases()).await?;
    }
    Ok([committed, repeated])
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    ensure!(!cfg!(debug_assertions), "a benchmark of a debug build says nothing: use `just bench`");
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok().context("two crypto providers")?;
    let bench = Bench::start().await?;
    let rows = measure(&bench).await;
    bench.stop().await?;
    let mut out = std::io::stdout().lock();
    for row in rows? {
        row.print(&mut out)?;
    }
    Ok(())
}
