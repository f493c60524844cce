//! The `leasehold` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all: with two TLS backends in the tree and none chosen, the first handshake would panic. It fails only if one is chosen.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    leasehold::command_line::main()
}
