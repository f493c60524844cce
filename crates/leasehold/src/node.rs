//! The running node: configuration, wiring, telemetry, shutdown; the development node and the demo on top of it.

pub mod config;
pub mod data;
pub mod demo;
pub mod development;
pub mod operations;
pub mod production;
mod run;
pub mod start;
pub mod telemetry;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

pub use demo::{Binary, DemoOptions, DevProcess, profiles_file};
pub use development::{
    ADMINISTRATOR, CONNECTOR, Dev, DevOptions, DevSecrets, Furnished, GATEWAY, MCP_SERVER, start_sandbox,
};
pub(crate) use run::{dev, serve};
pub use start::{EXIT_DISK, Node, NodeOptions};
pub use telemetry::{LogFormat, Telemetry, Traces};

/// Waits until the process is told to end.
///
/// # Errors
/// Where signals cannot be heard.
pub async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
