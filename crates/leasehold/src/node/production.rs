//! `leasehold serve`: a production node, told what to do by a file.

use std::{fmt::Write as _, fs, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use leasehold_control::Clock;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    certificates::{self, Certificates},
    config::Finding,
    data::{DataDir, keep_files_private},
    fatal,
    prepare::{Prepared, prepare},
    scale,
    start::{Node, NodeOptions},
    stopping::StopSignals,
    telemetry::{LogFormat, Telemetry, Traces},
};

/// Serves until the process is told to end.
///
/// # Errors
/// What keeps the node from starting or from ending in order, with what to do about it.
pub async fn serve(path: &Path) -> anyhow::Result<()> {
    // First of all: whoever renews certificates may ask a node to read them before it has begun to.
    let hangups = certificates::hangups()?;
    let kept = keep_memory_to_itself()?;
    keep_files_private();
    let prepared = read(path).await?.map_err(|findings| told(path, &findings))?;
    let Prepared { config, root_key, former, certificates, grpc_door, console_door, transport, advice } =
        prepared;
    let options = config.options;
    let traces = options.otlp_endpoint.as_deref();
    // At most 100, which a float holds exactly.
    let traces = traces.map(|endpoint| Traces { endpoint, share: options.otlp_share_percent as f64 / 100.0 });
    let telemetry = Telemetry::start(LogFormat::Json, traces.as_ref())?;
    if !kept {
        tracing::warn!("core dumps can hold keys: this system is not told to leave none");
    }
    for advice in advice {
        tracing::warn!("{advice}");
    }
    for expires_at in certificates.iter().map(Certificates::expires_at) {
        tracing::info!(expires_at, "certificates are in force");
    }
    let mut signals = StopSignals::new()?;
    let clock: Arc<dyn Clock> = scale::clock();
    let bind = |address| async move {
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
    };
    let starting = Node::start(NodeOptions {
        data: DataDir::open(&config.data_dir)?,
        node: config.node,
        origin: config.origin,
        development: false,
        public_url: config.public_url,
        root_key,
        former,
        grpc: bind(options.grpc_address).await?,
        console: bind(options.console_address).await?,
        exchange: bind(options.exchange_address).await?,
        operations: bind(options.operations_address).await?,
        certificates: certificates.iter().map(Certificates::shown).collect(),
        grpc_door,
        console_door,
        providers_dir: options.providers_dir,
        transport,
        vouched_subjects_max: options.vouched_subjects_max,
        clock: clock.clone(),
        on_fatal: Arc::new(|reason| fatal::stop(reason)),
    });
    let node = tokio::select! {
        started = starting => started?,
        code = signals.next() => {
            tracing::warn!("told to end before the node served");
            std::process::exit(code);
        }
    };
    let stop = CancellationToken::new();
    let following = tokio::spawn(certificates::follow(certificates, clock, hangups, stop.clone()));
    tracing::info!(
        grpc = %node.grpc,
        console = %node.console,
        exchange = %node.exchange,
        operations = %node.operations,
        "serving"
    );
    signals.next().await;
    let delay = Duration::from_secs(options.drain_delay_seconds);
    tracing::info!(
        seconds = options.drain_delay_seconds,
        "stopping: this node says that it does not serve any more"
    );
    let stopping = async {
        node.turn_away().await;
        tokio::time::sleep(delay).await;
        node.stop().await
    };
    tokio::select! {
        stopped = stopping => stopped?,
        code = signals.next() => {
            tracing::warn!("told to end a second time: what is on its way is cut");
            std::process::exit(code);
        }
    }
    stop.cancel();
    following.await.context("the task that follows the certificates broke")?;
    tracing::info!("stopped");
    telemetry.stop();
    Ok(())
}

/// Looks at a configuration and at everything that it names, and starts nothing. Answers with what to print.
///
/// # Errors
/// [`NotFit`], with every finding, where a node would not start with it.
pub async fn check(path: &Path) -> anyhow::Result<String> {
    keep_memory_to_itself()?;
    let prepared = read(path).await?.map_err(|findings| NotFit::new(path, &findings))?;
    let mut text = String::new();
    for advice in &prepared.advice {
        writeln!(text, "advice: {advice}")?;
    }
    for expires_at in prepared.certificates.iter().map(Certificates::expires_at) {
        writeln!(text, "certificates are valid until {expires_at}")?;
    }
    writeln!(
        text,
        "{}: a node can start with it, as far as can be seen without starting one",
        path.display()
    )?;
    Ok(text)
}

/// A configuration with which no node starts.
#[derive(Debug, thiserror::Error)]
#[error("{path} has {}", in_words(*count))]
pub struct NotFit {
    path: String,
    count: usize,
    /// One finding a line.
    pub findings: String,
}

impl NotFit {
    fn new(path: &Path, findings: &[Finding]) -> Self {
        let lines = findings.iter().map(|finding| format!("{finding}\n")).collect();
        Self { path: path.display().to_string(), count: findings.len(), findings: lines }
    }
}

fn in_words(findings: usize) -> String {
    if findings == 1 { "1 finding".to_owned() } else { format!("{findings} findings") }
}

async fn read(path: &Path) -> anyhow::Result<Result<Prepared, Vec<Finding>>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let now = scale::clock().now();
    Ok(tokio::task::spawn_blocking(move || prepare(&text, now)).await?)
}

/// All of them in one error.
fn told(path: &Path, findings: &[Finding]) -> anyhow::Error {
    let all: Vec<String> = findings.iter().map(Finding::to_string).collect();
    anyhow::anyhow!("cannot use {}: {}", path.display(), all.join("; "))
}

/// Sees to it that this process leaves no core dump, and that other processes of the same user cannot read its memory (`PR_SET_DUMPABLE`).
/// Answers whether the system can be told so.
///
/// # Errors
/// Where the system refuses.
#[cfg(target_os = "linux")]
fn keep_memory_to_itself() -> anyhow::Result<bool> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .context("cannot keep core dumps from being written")?;
    Ok(true)
}

/// Says that the system offers no way to keep keys out of core dumps.
///
/// # Errors
/// None; elsewhere it has some.
#[cfg(not(target_os = "linux"))]
fn keep_memory_to_itself() -> anyhow::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn a_production_node_leaves_no_core_dump() {
        assert!(super::keep_memory_to_itself().unwrap());
        let after = rustix::process::dumpable_behavior().unwrap();
        assert_eq!(after, rustix::process::DumpableBehavior::NotDumpable);
    }
}
