//! The running node: configuration, wiring, telemetry, shutdown; the development node and the demo on top of it.

pub mod certificates;
pub mod config;
pub mod data;
pub mod demo;
pub mod development;
pub mod fatal;
pub mod operations;
pub mod prepare;
pub mod production;
mod run;
mod scale;
pub mod scrub;
pub mod start;
pub mod stopping;
pub mod telemetry;

pub use demo::{Binary, DemoOptions, DevProcess, profiles_file};
pub use development::{
    ADMINISTRATOR, CONNECTOR, Dev, DevOptions, DevSecrets, Furnished, GATEWAY, MCP_SERVER, start_sandbox,
};
pub use fatal::EXIT_DISK;
pub(crate) use run::{dev, serve};
pub use start::{Node, NodeOptions};
pub use stopping::StopSignals;
pub use telemetry::{LogFormat, Telemetry, Traces};
