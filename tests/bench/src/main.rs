//! What one node does beside etcd, PostgreSQL, the disk and an empty call, in turns and in one run.
//!
//! It starts the release binary with its sandbox, and the peers that are installed, each as a process in a folder of its own, on loopback. What it
//! prints are medians over the rounds and the ratio of each round's pair; absolute figures are those of one machine at one hour. It runs for a
//! few minutes and ends by itself. Exit code 1: it could not measure.

mod apply;
mod load;
mod peers;
mod product;
mod table;

use std::{
    fs,
    future::Future,
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, ensure};
use clap::Parser;
use tokio::time::Instant;

use crate::{
    load::{Measured, closed_loop},
    peers::{disk, etcd, health, postgres},
    product::Product,
    table::{Row, median},
};

/// Connections of every client, PostgreSQL's excepted, where each caller has one.
const CONNECTIONS: usize = 8;
/// Callers at once.
const CALLERS: [usize; 3] = [1, 64, 512];

/// Measure one node beside its peers
#[derive(Debug, Clone, Parser)]
struct Options {
    /// How often each pair is taken
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=50))]
    rounds: u8,
    /// How long one measurement takes, in milliseconds
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u64).range(50..=10_000))]
    turn: u64,
    /// Measure one target alone: P1, P3, P4 or P9
    #[arg(long, value_name = "TARGET", value_parser = ["P1", "P3", "P4", "P9"])]
    only: Option<String>,
    /// Where to write every round as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Try the harness with one short round of any build: its figures mean nothing
    #[arg(long)]
    smoke: bool,
}

impl Options {
    fn wants(&self, target: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == target)
    }
}

/// The product's turn and the peer's, round by round, for every target that is asked for.
async fn measure(options: &Options, product: &Product) -> anyhow::Result<Vec<Row>> {
    let turn = Duration::from_millis(options.turn);
    let mut rows = Vec::new();
    if options.only.is_none() {
        rows.push(commits_beside_the_disk(options, product, turn).await?);
        rows.push(repeats_beside_empty_calls(options, product, turn).await?);
    }
    if options.wants("P1") || options.wants("P3") {
        rows.extend(beside_etcd(options, product, turn).await?);
    }
    if options.wants("P4") {
        rows.extend(beside_postgres(options, product, turn).await?);
    }
    Ok(rows)
}

async fn beside_etcd(options: &Options, product: &Product, turn: Duration) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let Some((peer, connections)) = etcd::start(CONNECTIONS).await? else {
        note("etcd is not installed (Debian: etcd-server): P1 and P3 are left out")?;
        return Ok(rows);
    };
    let beside = |count| etcd::callers(&connections, count);
    for callers in CALLERS {
        if options.wants("P1") {
            rows.push(
                new_leases(options, product, turn, callers, "etcd `put` of 512 bytes", beside, etcd::put)
                    .await?,
            );
            rows.push(
                new_leases(options, product, turn, callers, "etcd `lease grant`", beside, etcd::grant)
                    .await?,
            );
        }
        if options.wants("P3") {
            rows.push(repeats(options, product, turn, callers, beside).await?);
        }
    }
    peer.stop().await?;
    Ok(rows)
}

async fn beside_postgres(
    options: &Options,
    product: &Product,
    turn: Duration,
) -> anyhow::Result<Option<Row>> {
    let callers = 64;
    let Some((peer, mut connected)) = postgres::start(callers).await? else {
        note("PostgreSQL is not installed (Debian: postgresql): P4 is left out")?;
        return Ok(None);
    };
    let name = format!("new leases, {callers} callers");
    let mut row = Row::new("P4", name, "PostgreSQL: read a token, insert an audit row, one transaction");
    for _ in 0..options.rounds {
        let (ours, held) = closed_loop(product.callers(callers), turn, product::acquire).await?;
        product::release(held).await?;
        let (peers, again) = closed_loop(connected, turn, postgres::read_and_audit).await?;
        connected = again;
        row.rounds.push((ours, peers));
    }
    drop(connected);
    peer.stop().await?;
    Ok(Some(row))
}

async fn commits_beside_the_disk(
    options: &Options,
    product: &Product,
    turn: Duration,
) -> anyhow::Result<Row> {
    let mut row = Row::new("", "new leases, 1 caller", "write + fdatasync of 512 bytes, one thread");
    for _ in 0..options.rounds {
        let (ours, held) = closed_loop(product.callers(1), turn, product::acquire).await?;
        product::release(held).await?;
        let directory = product.data().to_owned();
        let disk = tokio::task::spawn_blocking(move || disk::synced_writes(&directory, turn)).await??;
        row.rounds.push((ours, Measured { per_second: disk, p50: 1e3 / disk, p99: f64::NAN }));
    }
    Ok(row)
}

async fn repeats_beside_empty_calls(
    options: &Options,
    product: &Product,
    turn: Duration,
) -> anyhow::Result<Row> {
    let callers = 64;
    let mut row = Row::new(
        "",
        format!("leases acquired again, {callers} callers"),
        "gRPC health checks of the same node",
    );
    for _ in 0..options.rounds {
        let ours = repeated(product, callers, turn).await?;
        let (peers, _) = closed_loop(product.health(callers), turn, health::check).await?;
        row.rounds.push((ours, peers));
    }
    Ok(row)
}

async fn repeated(product: &Product, callers: usize, turn: Duration) -> anyhow::Result<Measured> {
    let mut holding = Vec::with_capacity(callers);
    for caller in product.callers(callers) {
        holding.push(product::acquire(caller).await?);
    }
    let (ours, held) = closed_loop(holding, turn, product::repeat).await?;
    product::release(held).await?;
    Ok(ours)
}

async fn new_leases<F>(
    options: &Options,
    product: &Product,
    turn: Duration,
    callers: usize,
    peer: &str,
    beside: impl Fn(usize) -> Vec<etcd::Caller>,
    call: impl Fn(etcd::Caller) -> F + Copy + Send + 'static,
) -> anyhow::Result<Row>
where
    F: Future<Output = anyhow::Result<etcd::Caller>> + Send,
{
    let mut row = Row::new("P1", format!("new leases, {callers} callers"), peer);
    for _ in 0..options.rounds {
        let (ours, held) = closed_loop(product.callers(callers), turn, product::acquire).await?;
        product::release(held).await?;
        let (peers, _) = closed_loop(beside(callers), turn, call).await?;
        row.rounds.push((ours, peers));
    }
    Ok(row)
}

async fn repeats(
    options: &Options,
    product: &Product,
    turn: Duration,
    callers: usize,
    beside: impl Fn(usize) -> Vec<etcd::Caller>,
) -> anyhow::Result<Row> {
    let mut row =
        Row::new("P3", format!("leases acquired again, {callers} callers"), "etcd linearizable `get`");
    for _ in 0..options.rounds {
        let ours = repeated(product, callers, turn).await?;
        let (peers, _) = closed_loop(beside(callers), turn, etcd::get).await?;
        row.rounds.push((ours, peers));
    }
    Ok(row)
}

/// P9 as far as one node goes: bytes that an event takes in the hot ledger, written alone and by many, and how fast an export is verified.
async fn sizes(options: &Options, product: &Product) -> anyhow::Result<Vec<String>> {
    let turn = Duration::from_millis(options.turn) * u32::from(options.rounds);
    let mut found = Vec::new();
    for callers in [1, 512] {
        let (events, bytes) = (product.events().await?, product.ledger_bytes()?);
        let until = Instant::now() + turn;
        while Instant::now() < until {
            let slice = Duration::from_millis(options.turn);
            let (_, held) = closed_loop(product.callers(callers), slice, product::acquire).await?;
            product::release(held).await?;
        }
        let (events, bytes) =
            (product.events().await? - events, product.ledger_bytes()?.saturating_sub(bytes));
        let each = bytes as f64 / events as f64;
        found.push(format!(
            "P9: {each:.0} bytes of the hot ledger (sled) an event, {callers} callers, {events} events"
        ));
    }
    let out = product.data().join("bench.jsonl");
    let file = out.to_str().context("a path that is no text")?;
    product.run(&["audit", "export", "--out", file]).await?;
    let lines = BufReader::new(fs::File::open(&out)?).lines().count();
    let mut rates = Vec::new();
    for _ in 0..options.rounds {
        let started = Instant::now();
        product.run(&["audit", "verify", file]).await?;
        let ours = lines as f64 / started.elapsed().as_secs_f64();
        let started = Instant::now();
        let hashed = tokio::process::Command::new("sha256sum").arg(&out).output().await?;
        ensure!(hashed.status.success(), "sha256sum failed");
        rates.push((ours, lines as f64 / started.elapsed().as_secs_f64()));
    }
    let ours = median(rates.iter().map(|(ours, _)| *ours).collect());
    let ratio = median(rates.iter().map(|(ours, peer)| ours / peer).collect());
    found.push(format!(
        "P9: `audit verify` of {lines} lines: {ours:.0} lines/s, {ratio:.2} of what `sha256sum` takes for the same file"
    ));
    Ok(found)
}

fn note(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stderr(), "{text}")?)
}

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let mut options = Options::parse();
    if options.smoke {
        (options.rounds, options.turn) = (1, 100);
    }
    ensure!(
        options.smoke || !cfg!(debug_assertions),
        "a benchmark of a debug build says nothing: use `just bench`, or `--smoke` to try the harness"
    );
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok().context("two crypto providers")?;
    let mut remarks = Vec::new();
    if options.only.is_none() {
        note("rows a second of the ledger under apply")?;
        let turn = Duration::from_millis(options.turn);
        remarks = tokio::task::spawn_blocking(move || apply::rows_a_second(turn)).await??;
    }
    note("starting the product")?;
    let product = Product::start(CONNECTIONS).await?;
    let measured = async {
        let rows = measure(&options, &product).await?;
        if options.wants("P9") {
            remarks.extend(sizes(&options, &product).await?);
        }
        anyhow::Ok(rows)
    }
    .await;
    product.stop().await?;
    let rows = measured?;
    let mut out = std::io::stdout().lock();
    table::markdown(&rows, &mut out)?;
    for remark in &remarks {
        writeln!(out, "\n{remark}")?;
    }
    if options.smoke {
        writeln!(out, "\nA smoke run: these figures mean nothing.")?;
    }
    if let Some(file) = &options.json {
        fs::write(file, format!("{:#}\n", table::data(&rows)))?;
    }
    Ok(())
}
