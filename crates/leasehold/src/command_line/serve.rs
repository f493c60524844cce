//! `leasehold serve`: a node of a cluster. The node itself is `crate::node`.

use std::path::PathBuf;

use clap::Args;

/// Run a node as its configuration says
///
/// SIGTERM and SIGINT end it in order: its health says NOT_SERVING, it accepts for a moment more, and what is on its way is answered. A second one
/// ends it at once. SIGHUP has it read its certificates again.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold serve --example-config > leasehold.toml\n  leasehold serve --config leasehold.toml --check\n  leasehold serve --config leasehold.toml"
)]
pub struct ServeArgs {
    /// The node's configuration
    #[arg(
        long,
        env = "LEASEHOLD_NODE_CONFIG",
        hide_env_values = true,
        value_name = "FILE",
        required_unless_present = "example_config"
    )]
    pub config: Option<PathBuf>,
    /// Say everything that is wrong with the configuration and with what it names, and start nothing
    #[arg(long)]
    pub check: bool,
    /// Print a commented configuration with every option, its default and its bounds
    #[arg(long, conflicts_with = "check")]
    pub example_config: bool,
}
