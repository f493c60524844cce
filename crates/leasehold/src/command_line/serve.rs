//! `leasehold serve`: a node of a cluster. The node itself is `crate::node`.

use std::path::PathBuf;

use clap::Args;

/// Run a node as its configuration says
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leasehold serve --config /etc/leasehold/node.toml")]
pub struct ServeArgs {
    /// The node's configuration
    #[arg(long, env = "LEASEHOLD_NODE_CONFIG", hide_env_values = true, value_name = "FILE")]
    pub config: PathBuf,
}
