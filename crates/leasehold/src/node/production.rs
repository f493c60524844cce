//! `leasehold serve`: a production node, told what to do by a file.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use leasehold_control::{Clock, SystemClock};
use leasehold_port::{Door, Protocol, Tls as PortTls, TlsMaterial};
use leasehold_upstream::transport::{Egress, Settings as TransportSettings, Trust};
use leasehold_vault::RootKeySource;
use rustls::pki_types::UnixTime;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use super::{
    config::{Config, Tls},
    data::{DataDir, keep_files_private},
    start::{EXIT_DISK, Node, NodeOptions},
    stop_signal,
    telemetry::{LogFormat, Telemetry, Traces},
};

/// Serves until the process is told to end.
///
/// # Errors
/// What keeps the node from starting or from ending in order, with what to do about it.
pub async fn serve(path: &Path) -> anyhow::Result<()> {
    let config = Config::read(path)?;
    let traces = config.otlp_endpoint.as_deref();
    let traces = traces.map(|endpoint| Traces { endpoint, share: config.otlp_share });
    let telemetry = Telemetry::start(LogFormat::Json, traces.as_ref())?;
    keep_memory_to_itself()?;
    keep_files_private();
    let source = config.root_key.source()?;
    if matches!(source, RootKeySource::Environment(_)) {
        tracing::warn!(
            "the root key comes from the environment, which other processes of this user can read: a file or a command is better"
        );
    }
    let root_key =
        tokio::task::spawn_blocking(move || source.load()).await?.context("cannot get the root key")?;
    let mut authorities = Vec::new();
    if let Some(file) = &config.egress_ca_file {
        authorities = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    let bind = |address| async move {
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
    };
    let node = Node::start(NodeOptions {
        data: DataDir::open(&config.data_dir)?,
        node: config.node,
        origin: config.origin.clone(),
        development: false,
        public_url: config.public_url.clone(),
        root_key,
        grpc: bind(config.grpc_address).await?,
        console: bind(config.console_address).await?,
        operations: bind(config.operations_address).await?,
        grpc_door: config.tls.as_ref().map(tls).transpose()?.unwrap_or(Door::Loopback),
        console_door: Door::BehindTlsProxy,
        providers_dir: config.providers_dir.clone(),
        transport: TransportSettings {
            egress: Egress { allow_loopback: false, allowed: config.egress_allow.clone() },
            trust: Trust::PlatformAnd(authorities),
            ..TransportSettings::default()
        },
        vouched_subjects_max: config.vouched_subjects_max,
        clock: Arc::new(SystemClock),
        on_fatal: Arc::new(|reason| {
            tracing::error!(reason, "the node stops: its disk cannot be relied on");
            std::process::exit(EXIT_DISK);
        }),
    })
    .await?;
    tracing::info!(grpc = %node.grpc, console = %node.console, operations = %node.operations, "serving");
    stop_signal().await?;
    tracing::info!("stopping");
    node.stop().await?;
    telemetry.stop();
    Ok(())
}

/// Sees to it that this process leaves no core dump, and that other processes of the same user cannot read its memory (`PR_SET_DUMPABLE`).
///
/// # Errors
/// Where the system refuses.
#[cfg(target_os = "linux")]
fn keep_memory_to_itself() -> anyhow::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("cannot keep core dumps from being written")
}

/// Says that the system offers no way to keep keys out of core dumps.
///
/// # Errors
/// None; elsewhere it has some.
#[cfg(not(target_os = "linux"))]
fn keep_memory_to_itself() -> anyhow::Result<()> {
    tracing::warn!("core dumps can hold keys: this system is not told to leave none");
    Ok(())
}

fn tls(files: &Tls) -> anyhow::Result<Door> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let certificates = read(&files.certificate_file)?;
    let key = Zeroizing::new(read(&files.key_file)?);
    let client_authorities = files.client_ca_file.as_deref().map(read).transpose()?;
    let material = TlsMaterial {
        certificates: &certificates,
        key: &key,
        client_authorities: client_authorities.as_deref(),
    };
    let now = UnixTime::since_unix_epoch(Duration::from_millis(SystemClock.now().as_millis()));
    let tls = PortTls::new(Protocol::Grpc, &material, now).context("cannot use the certificates")?;
    Ok(Door::Tls(tls))
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn a_production_node_leaves_no_core_dump() {
        super::keep_memory_to_itself().unwrap();
        let after = rustix::process::dumpable_behavior().unwrap();
        assert_eq!(after, rustix::process::DumpableBehavior::NotDumpable);
    }
}
