//! The command line: nouns, then verbs. Every command is one file, with its arguments and what it does with them.
//!
//! Scripts rely on three things. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 unreachable, and with `apply --exit-code` 4
//! for a difference (`failure::Exit`). Standard
//! output carries the answer and nothing else, in the format that `--output` or `--field` names; progress and errors go to standard
//! error. And no secret is ever an argument: they come from standard input, a file or the environment (`secret`).
//!
//! Knows the cluster through its client alone; `audit verify` knows no cluster at all.

use std::{io::Write as _, process::ExitCode};

use clap::{Parser, Subcommand, error::ErrorKind};

mod access;
mod administrator;
mod apply;
mod audit;
mod completions;
mod connect;
mod connector;
mod context;
mod dev;
mod export;
mod failure;
mod grant;
mod idp;
mod keys;
mod lease;
mod login;
mod man;
mod mcp_server;
mod next_step;
mod output;
mod paging;
mod policy;
pub mod profiles;
mod progress;
mod provider;
mod record;
mod revoke;
mod secret;
mod serve;
mod shared;
mod status;
mod subject;
mod view;
mod workload;

use context::{Context, Global};
pub use dev::DevArgs;
use failure::{Exit, Failure};
pub use serve::ServeArgs;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "leasehold",
    version,
    about = "Holds OAuth grants, leases their tokens, revokes them everywhere, and proves what happened",
    propagate_version = true,
    max_term_width = 100,
    after_help = "Example:\n  leasehold dev\n  leasehold connect --connector sandbox --subject alice --mcp-server files\n\n\
                  Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 unreachable"
)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Dev(DevArgs),
    Serve(ServeArgs),
    Status(status::StatusArgs),
    Login(login::LoginArgs),
    Apply(apply::ApplyArgs),
    Export(export::ExportArgs),
    #[command(subcommand)]
    Provider(provider::Provider),
    #[command(subcommand)]
    Connector(connector::Connector),
    #[command(subcommand)]
    McpServer(mcp_server::McpServer),
    #[command(subcommand)]
    Workload(workload::Workload),
    #[command(subcommand)]
    Administrator(administrator::Administrator),
    #[command(subcommand)]
    Idp(idp::Idp),
    #[command(subcommand)]
    Subject(subject::Subject),
    #[command(subcommand)]
    Policy(policy::Policy),
    Connect(connect::ConnectArgs),
    #[command(subcommand)]
    Grant(grant::Grant),
    #[command(subcommand)]
    Lease(lease::Lease),
    Revoke(revoke::RevokeArgs),
    #[command(subcommand)]
    Keys(keys::Keys),
    #[command(subcommand)]
    Access(access::Access),
    #[command(subcommand)]
    Audit(audit::Audit),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Reads the arguments, runs the command, and says how it went.
pub fn main() -> ExitCode {
    let command_line = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        Err(error) => {
            // Nothing can be done about an error that cannot be printed.
            let _ = error.print();
            return usage_exit(error.kind()).into();
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&Failure::local("start", "NO_RUNTIME", error.to_string())),
    };
    match runtime.block_on(run(command_line)) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => report(&failure),
    }
}

async fn run(command_line: CommandLine) -> Result<(), Failure> {
    let mut context = Context::new(command_line.global);
    let context = &mut context;
    match command_line.command {
        Command::Dev(args) => {
            Box::pin(crate::node::dev(args)).await.map_err(|error| Failure::node("run a node", &error))
        }
        Command::Serve(args) => {
            Box::pin(crate::node::serve(args)).await.map_err(|error| Failure::node("run a node", &error))
        }
        Command::Status(args) => args.run(context).await,
        Command::Login(args) => args.run(context).await,
        Command::Apply(args) => args.run(context).await,
        Command::Export(args) => args.run(context).await,
        Command::Provider(command) => command.run(context).await,
        Command::Connector(command) => command.run(context).await,
        Command::McpServer(command) => command.run(context).await,
        Command::Workload(command) => command.run(context).await,
        Command::Administrator(command) => command.run(context).await,
        Command::Idp(command) => command.run(context).await,
        Command::Subject(command) => command.run(context).await,
        Command::Policy(command) => command.run(context).await,
        Command::Connect(args) => args.run(context).await,
        Command::Grant(command) => command.run(context).await,
        Command::Lease(command) => command.run(context).await,
        Command::Revoke(args) => args.run(context).await,
        Command::Keys(command) => command.run(context).await,
        Command::Access(command) => command.run(context).await,
        Command::Audit(command) => command.run(context).await,
        Command::Completions(args) => args.run(context),
        Command::Man(args) => args.run(context),
    }
}

/// Prints a failure and gives its exit code. A reader that has gone away, as `head` does, is no failure.
fn report(failure: &Failure) -> ExitCode {
    if !failure.is_silent() {
        // Nothing can be done about an error that cannot be printed.
        let _ = writeln!(std::io::stderr().lock(), "{failure}");
    }
    failure.exit().into()
}

fn usage_exit(kind: ErrorKind) -> Exit {
    if matches!(kind, ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) { Exit::Done } else { Exit::Usage }
}

#[cfg(test)]
#[path = "command_line/tests.rs"]
mod tests;
