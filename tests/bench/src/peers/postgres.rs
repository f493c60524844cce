//! PostgreSQL, one node without a replica: what most teams build first. A token row is read and an audit row inserted, in one transaction.

use std::{os::unix::fs::chown, path::Path, process::Stdio, sync::Arc};

use anyhow::{Context, ensure};
use tokio::process::Command;
use tokio_postgres::{Client, NoTls, Statement};

use super::{Peer, free_port, installed, until_ready};

/// Token rows.
const TOKENS: i32 = 10_000;

/// A caller with a connection of its own, as of a pool that is large enough.
pub(crate) struct Caller {
    client: Arc<Client>,
    statement: Statement,
    next: i32,
}

/// Starts it with an empty store and its own defaults (every commit synced), and one connection a caller. None where it is not installed.
///
/// # Errors
/// Where it is installed and does not start.
pub(crate) async fn start(callers: usize) -> anyhow::Result<Option<(Peer, Vec<Caller>)>> {
    let versions =
        ["17", "16", "15", "14"].map(|version| format!("/usr/lib/postgresql/{version}/bin/postgres"));
    let Some(program) = installed(&versions.each_ref().map(String::as_str)) else { return Ok(None) };
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let owner = owner(folder.path())?;
    let initdb = as_owner(&program.with_file_name("initdb"), owner)
        .args(["--auth", "trust", "--username", "bench", "--pgdata"])
        .arg(&data)
        .stdin(Stdio::null())
        .output()
        .await?;
    ensure!(initdb.status.success(), "initdb failed: {}", String::from_utf8_lossy(&initdb.stderr));
    let port = free_port()?;
    let mut child = as_owner(&program, owner)
        .arg("-D")
        .arg(&data)
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
        .args(["-c", &format!("max_connections={}", callers + 10)])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("postgres did not start")?;
    let address = format!("host=127.0.0.1 port={port} user=bench dbname=postgres");
    let first = until_ready(&mut child, "postgres", async || connect(&address).await).await?;
    first
        .batch_execute(&format!(
            "create table token (id int primary key, sealed bytea not null);
             create table audit (id bigserial primary key, at timestamptz not null default now(), line bytea not null);
             insert into token select n, decode(repeat('5a', 800), 'hex') from generate_series(0, {TOKENS} - 1) n;"
        ))
        .await?;
    let mut connected = Vec::with_capacity(callers);
    for number in 0..callers {
        let client = connect(&address).await?;
        // One round trip and one commit: a transaction of its own, as the server makes of every statement.
        let statement = client
            .prepare("with written as (insert into audit (line) values ($2)) select sealed from token where id = $1")
            .await?;
        let next = i32::try_from(number)? * 97;
        connected.push(Caller { client: Arc::new(client), statement, next });
    }
    Ok(Some((Peer { child, name: "postgres", _folder: folder }, connected)))
}

async fn connect(address: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(address, NoTls).await?;
    // It ends with its client.
    tokio::spawn(connection);
    Ok(client)
}

/// Reads a token and writes an audit line of 512 bytes.
///
/// # Errors
/// What the server answers.
pub(crate) async fn read_and_audit(mut caller: Caller) -> anyhow::Result<Caller> {
    let id = caller.next % TOKENS;
    caller.next = caller.next.wrapping_add(1) & i32::MAX;
    let row = caller.client.query_one(&caller.statement, &[&id, &[0x5a_u8; 512].as_slice()]).await?;
    let sealed: &[u8] = row.get(0);
    ensure!(sealed.len() == 800, "a token of {} bytes", sealed.len());
    Ok(caller)
}

/// Whom the server runs as: it refuses to run as root, so `nobody` then, who is given the folder.
fn owner(folder: &Path) -> anyhow::Result<Option<u32>> {
    const NOBODY: u32 = 65_534;
    if !rustix::process::getuid().is_root() {
        return Ok(None);
    }
    chown(folder, Some(NOBODY), Some(NOBODY)).context("cannot give the folder to nobody")?;
    Ok(Some(NOBODY))
}

fn as_owner(program: &Path, owner: Option<u32>) -> Command {
    let mut command = Command::new(program);
    if let Some(owner) = owner {
        command.uid(owner).gid(owner);
    }
    command
}
