//! `leasehold dev`: a cluster of one, and a sandbox to try it with. The node itself is `crate::node`.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use clap::Args;

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Run a cluster of one and a sandbox on this machine
///
/// Starts one node and, beside it, a sandbox: an identity provider and a strict OAuth provider, so that everything works offline. It
/// binds loopback only, writes the profiles `admin` and `demo-gateway`, and prints commands to paste. Its data is marked, and `serve`
/// refuses it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leasehold dev\n  leasehold dev --demo")]
pub struct DevArgs {
    /// Walk the whole path, print each step with what it saw, and exit
    #[arg(long)]
    pub demo: bool,
    /// Where to keep data; a new folder, removed at the end, where none is named
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Keep the new folder
    #[arg(long, conflicts_with = "data_dir")]
    pub keep: bool,
    /// Where the gRPC interface listens; port 0 takes a free one
    #[arg(long, default_value_t = loopback(7400), value_parser = loopback_address, value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Where the console listens; port 0 takes a free one
    #[arg(long, default_value_t = loopback(7401), value_parser = loopback_address, value_name = "ADDRESS")]
    pub console_listen: SocketAddr,
    /// Where tokens are exchanged over HTTP; port 0 takes a free one
    #[arg(long, default_value_t = loopback(7403), value_parser = loopback_address, value_name = "ADDRESS")]
    pub(crate) exchange_listen: SocketAddr,
    /// Where metrics and health listen; port 0 takes a free one
    #[arg(long, default_value_t = loopback(7402), value_parser = loopback_address, value_name = "ADDRESS")]
    pub(crate) operations_listen: SocketAddr,
    /// Where the sandbox listens, with the next two ports; port 0 takes free ones
    #[arg(long, default_value_t = loopback(7410), value_parser = loopback_address, value_name = "ADDRESS")]
    pub sandbox_listen: SocketAddr,
    /// Start the node alone: the sandbox of this data folder runs in another process
    #[arg(long, requires = "data_dir", conflicts_with_all = ["demo", "sandbox_listen"])]
    pub no_sandbox: bool,
}

/// Accepts an address and port of this machine alone.
fn loopback_address(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "not of the form 127.0.0.1:7400".to_owned())?;
    if address.ip().is_loopback() { Ok(address) } else { Err("dev listens on loopback only".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_listened_on() {
        assert_eq!(loopback_address("127.0.0.1:7400"), Ok(loopback(7400)));
        assert!(loopback_address("[::1]:0").is_ok());
        for bad in ["0.0.0.0:7400", "10.0.0.1:7400", "[::]:7400", "7400", "localhost"] {
            assert!(loopback_address(bad).is_err(), "{bad}");
        }
    }
}
