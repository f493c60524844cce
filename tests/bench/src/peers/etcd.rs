//! etcd, one node, as Debian's `etcd-server` installs it.

use std::process::Stdio;

use anyhow::{Context, ensure};
use tokio::process::Command;
use tonic::transport::{Channel, Endpoint};

use super::{Peer, free_port, installed, until_ready};

#[expect(
    clippy::allow_attributes_without_reason,
    unused_qualifications,
    unreachable_pub,
    reason = "generated"
)]
mod proto {
    tonic::include_proto!("etcdserverpb");
}

use proto::{LeaseGrantRequest, PutRequest, RangeRequest, kv_client::KvClient, lease_client::LeaseClient};

/// Bytes of a value: those of a ledger line.
const VALUE_LEN: usize = 512;
/// Keys that are written in turn.
const KEYS: u32 = 10_000;

/// A caller of etcd.
pub(crate) struct Caller {
    channel: Channel,
    next: u32,
}

/// Starts it with an empty store, and `connections` clients. None where it is not installed.
///
/// # Errors
/// Where it is installed and does not start.
pub(crate) async fn start(connections: usize) -> anyhow::Result<Option<(Peer, Vec<Channel>)>> {
    let Some(program) = installed(&["/usr/bin/etcd", "/usr/local/bin/etcd"]) else { return Ok(None) };
    let folder = tempfile::tempdir()?;
    let [clients, peers] = [free_port()?, free_port()?].map(|port| format!("http://127.0.0.1:{port}"));
    let mut child = Command::new(program)
        .args(["--name", "bench", "--log-level", "error", "--data-dir"])
        .arg(folder.path().join("data"))
        .args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients])
        .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
        .args(["--initial-cluster", &format!("bench={peers}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("etcd did not start")?;
    let connected = until_ready(&mut child, "etcd", async || {
        let endpoint = Endpoint::from_shared(clients.clone())?;
        let mut connected = Vec::new();
        for _ in 0..connections {
            let channel = endpoint.connect().await?;
            put(Caller { channel: channel.clone(), next: 0 }).await?;
            connected.push(channel);
        }
        Ok(connected)
    });
    let connected = connected.await?;
    Ok(Some((Peer { child, name: "etcd", _folder: folder }, connected)))
}

/// So many callers, spread over the connections.
pub(crate) fn callers(connections: &[Channel], count: usize) -> Vec<Caller> {
    let channels = connections.iter().cycle().take(count).cloned();
    channels.zip((0_u32..).step_by(97)).map(|(channel, next)| Caller { channel, next }).collect()
}

/// Puts 512 bytes under the next key.
///
/// # Errors
/// What etcd answers.
pub(crate) async fn put(mut caller: Caller) -> anyhow::Result<Caller> {
    let request = PutRequest { key: key(caller.next), value: vec![b'x'; VALUE_LEN] };
    caller.next = caller.next.wrapping_add(1);
    KvClient::new(caller.channel.clone()).put(request).await?;
    Ok(caller)
}

/// Grants a lease of five minutes.
///
/// # Errors
/// What etcd answers.
pub(crate) async fn grant(caller: Caller) -> anyhow::Result<Caller> {
    let request = LeaseGrantRequest { ttl: 300 };
    let granted = LeaseClient::new(caller.channel.clone()).lease_grant(request).await?.into_inner();
    ensure!(granted.id != 0 && granted.error.is_empty(), "no lease was granted: {}", granted.error);
    Ok(caller)
}

/// Reads a key, linearizably.
///
/// # Errors
/// What etcd answers.
pub(crate) async fn get(caller: Caller) -> anyhow::Result<Caller> {
    let request = RangeRequest { key: key(0), serializable: false };
    let found = KvClient::new(caller.channel.clone()).range(request).await?.into_inner();
    ensure!(found.count == 1, "{} keys were found", found.count);
    Ok(caller)
}

fn key(number: u32) -> Vec<u8> {
    format!("key-{:05}", number % KEYS).into_bytes()
}
