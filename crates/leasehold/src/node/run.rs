//! What the command line starts: `dev`, its demo, and `serve`.

use std::{
    io::{self, Write},
    path::Path,
};

use anyhow::Context;
use secrecy::SecretString;

use super::{
    config,
    data::keep_files_private,
    demo::{self, DemoOptions},
    development::{ADMINISTRATOR, CONNECTOR, Dev, DevOptions, GATEWAY, MCP_SERVER},
    production::{self, NotFit},
    stopping::StopSignals,
    telemetry::{LogFormat, Telemetry},
};
use crate::command_line::{DevArgs, ServeArgs, profiles};

/// Runs a node and a sandbox on this machine until it is told to stop, or walks the journey.
///
/// # Errors
/// What kept it from starting, or made it stop.
pub(crate) async fn dev(args: DevArgs) -> anyhow::Result<()> {
    if args.demo {
        return demo::run(&DemoOptions { data_dir: args.data_dir }, &mut |line| say(line)).await;
    }
    keep_files_private();
    let telemetry = Telemetry::start(LogFormat::Text, None)?;
    let kept = if args.keep {
        let folder = tempfile::Builder::new().prefix("leasehold-dev-").disable_cleanup(true).tempdir();
        Some(folder.context("cannot make a directory")?.path().to_owned())
    } else {
        None
    };
    let options = DevOptions {
        data_dir: args.data_dir.or(kept),
        grpc: args.listen,
        console: args.console_listen,
        exchange: args.exchange_listen,
        operations: args.operations_listen,
        sandbox_port: args.sandbox_listen.port(),
        sandbox_elsewhere: args.no_sandbox,
    };
    let dev = Dev::start(&options).await?;
    write_profiles(&dev)?;
    // Programs that drive it wait for this file: everything else is there by then.
    dev.describe()?;
    greet(&dev);
    let mut signals = StopSignals::new()?;
    signals.next().await;
    tokio::select! {
        stopped = dev.stop() => stopped?,
        code = signals.next() => std::process::exit(code),
    }
    telemetry.stop();
    Ok(())
}

/// Runs a node until it is told to stop, or says what stands in a configuration's way.
///
/// # Errors
/// What kept it from starting, or made it stop.
pub(crate) async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let Some(path) = args.config.filter(|_| !args.example_config) else {
        say(config::EXAMPLE.trim_end());
        return Ok(());
    };
    if !args.check {
        return production::serve(&path).await;
    }
    let checked = production::check(&path).await;
    let text = match &checked {
        Ok(text) => text,
        Err(error) => error.downcast_ref::<NotFit>().map_or("", |unfit| &unfit.findings),
    };
    text.lines().for_each(say);
    checked.map(drop)
}

fn write_profiles(dev: &Dev) -> anyhow::Result<()> {
    let Some(furnished) = &dev.furnished else { return Ok(()) };
    let address = format!("http://{}", dev.node.grpc);
    for (name, credential) in [(ADMINISTRATOR, &furnished.admin), (GATEWAY, &furnished.gateway)] {
        let credential = Some(SecretString::from(credential.as_str()));
        let profile =
            profiles::Profile { address: address.clone(), credential, ..profiles::Profile::default() };
        profiles::write(name, profile).with_context(|| format!("cannot write the profile {name}"))?;
    }
    Ok(())
}

fn greet(dev: &Dev) {
    let secrets = &dev.secrets;
    for line in [
        format!("\nLeasehold runs, with a sandbox beside it. Data: {}", shown(&dev.data)),
        format!("  gRPC      http://{}", dev.node.grpc),
        format!("  console   http://{}", dev.node.console),
        format!("  exchange  http://{}/oauth2/token", dev.node.exchange),
        format!("  metrics   http://{}/metrics", dev.node.operations),
        format!("  sign in as alice ({}) or bob ({})", secrets.password("alice"), secrets.password("bob")),
        "\nTry, in another terminal:".to_owned(),
        format!("  leasehold connect --connector {CONNECTOR} --subject alice --mcp-server {MCP_SERVER}"),
        format!(
            "  leasehold --as {GATEWAY} lease acquire --mcp-server {MCP_SERVER} --connector {CONNECTOR} --subject alice --scope files.read"
        ),
        "  leasehold access what --subject alice".to_owned(),
        "  leasehold revoke --subject alice --reason \"left the company\"".to_owned(),
        "  leasehold audit export --out ledger.jsonl && leasehold audit verify ledger.jsonl".to_owned(),
        "\nCtrl-C ends it.".to_owned(),
    ] {
        say(&line);
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A line for whoever started it. One who does not listen any more is no failure.
fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}
