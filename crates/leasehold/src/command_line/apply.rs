//! `leasehold apply`: resources as files, compared with what stands in the cluster, and carried out.
//!
//! Files are read and understood whole before the cluster is asked (`read`), compared with what stands there without changing anything
//! (`plan`), shown (`show`), and only then carried out, one call after the other, each resting on the revision that was read
//! (`carry_out`).
//!
//! A client secret is never compared: the cluster says nothing about the secrets it holds, since whatever could tell whether one is
//! right could also be asked whether a guess is. It is sent where there is none yet, and where `--rotate` names whose.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
};

use clap::Args;
use leasehold_client::{
    Client,
    v1::{CheckConnectorRequest, CheckPolicyRequest},
};

use super::{
    context::{Context, ask},
    failure::{During as _, Exit, Failure},
    view::{List, printable},
};

mod carry_out;
mod difference;
pub(super) mod files;
mod plan;
mod read;
pub(super) mod resource;
mod schema;
mod show;
pub(super) mod standing;
mod table;

use carry_out::Done;
use files::{Files, Problem};
use plan::{Choice, Plan};
use read::Wanted;
use resource::{Connector, Kind};
use standing::Standing;

/// Make the cluster have what files say: show the difference, ask, and apply it
///
/// A file is TOML with any number of [[identity_provider]], [[connector]], [[mcp_server]] and [[workload]]. All .cedar files of the
/// folder are the policy set. --schema lists the fields, --example shows them all.
///
/// What is shown: + create, ~ change, = same, - disable, ? in the cluster and not in the files. The last stays as it is, unless --prune
/// disables it. No resource is ever deleted.
///
/// Client secrets stand in files of their own or in the environment. One is sent where the cluster has none, and where --rotate names
/// its owner; the cluster never says whether one that it has is the same.
///
/// Everything is checked before anything is changed, and a change is refused if somebody changed the same thing meanwhile. Where it ends
/// in the middle, it says what was done; the same command again does the rest.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leasehold apply -f cluster --dry-run\n  leasehold apply -f cluster\n  \
                  leasehold apply -f cluster --yes --output json\n  leasehold apply -f cluster --rotate connector/github\n  \
                  leasehold apply --example > cluster.toml\n\n\
                  Exit codes besides those of every command: 4 with --exit-code, where there is something to do")]
pub(crate) struct ApplyArgs {
    /// A file, or a folder of *.toml and *.cedar files
    #[arg(short, long = "file", value_name = "PATH", required_unless_present_any = ["schema", "example"])]
    file: Option<PathBuf>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Exit with 4 where something would be done
    #[arg(long, requires = "dry_run")]
    exit_code: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Disable connectors, MCP servers and workloads that are not in the files
    #[arg(long)]
    prune: bool,
    /// Send the client secret of this one again: connector/NAME or identity_provider/NAME; may be given several times
    #[arg(long, value_parser = owner, value_name = "KIND/NAME")]
    rotate: Vec<(Kind, String)>,
    /// List every field that a file may have
    #[arg(long, conflicts_with_all = ["file", "example"])]
    schema: bool,
    /// Print an example with every field
    #[arg(long, conflicts_with = "file")]
    example: bool,
}

const ATTEMPTED: &str = "apply the files";

impl ApplyArgs {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        if self.schema {
            return context.output.list(&schema::list());
        }
        if self.example {
            return context.output.raw(schema::EXAMPLE.as_bytes());
        }
        let path = self.file.as_ref().ok_or_else(|| Failure::usage(ATTEMPTED, "it needs --file"))?;
        let files = Files::read(path)?;
        let (wanted, mut problems) = read::read(&files);
        let Some(wanted) = wanted else { return Err(refused(context, problems)) };
        self.check_rotations(&wanted)?;
        if self.prune && wanted.names.is_empty() {
            let why = "the files name no connector, MCP server or workload: everything would be disabled";
            return Err(Failure::usage("prune", why));
        }
        if wanted.names.is_empty() && wanted.policies.is_none() && problems.is_empty() {
            return Err(Failure::local(ATTEMPTED, "FILES_MISSING", "the files say nothing"));
        }
        let looked = look(context, &wanted).await;
        // What is wrong with the files is said even where the cluster cannot be asked about the rest.
        let (client, standing) = match looked {
            Err(_) if !problems.is_empty() => return Err(refused(context, problems)),
            looked => looked?,
        };
        let choice = Choice { prune: self.prune, rotate: self.rotate.iter().cloned().collect() };
        let planned = Plan::of(&wanted, &standing, &choice);
        problems.extend(check_connectors(&client, &wanted, &standing).await?);
        problems.extend(check_policies(&client, &wanted, &standing).await?);
        match planned {
            Ok(plan) if problems.is_empty() => self.settle(context, &client, &plan).await,
            planned => {
                problems.extend(planned.err().unwrap_or_default());
                Err(refused(context, problems))
            }
        }
    }

    /// Nobody's secret is rotated by a name that was mistyped.
    fn check_rotations(&self, wanted: &Wanted) -> Result<(), Failure> {
        let missing: BTreeSet<String> = self
            .rotate
            .iter()
            .filter(|owner| !wanted.names.contains_key(owner))
            .map(|(kind, name)| format!("{}/{name}", kind.key()))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let missing = missing.into_iter().collect::<Vec<_>>().join(", ");
        Err(Failure::usage("rotate client secrets", format!("the files do not have {missing}")))
    }

    async fn settle(&self, context: &Context, client: &Client, plan: &Plan) -> Result<(), Failure> {
        let table = context.output.is_table();
        if table {
            context.output.raw(show::plan(plan).as_bytes())?;
        }
        let pending = plan.pending().count();
        if self.dry_run || pending == 0 {
            if !table {
                let progress = if self.dry_run { show::Progress::Planned } else { show::Progress::Done };
                context.output.one(&show::record(plan, progress)?)?;
            }
            let differs = self.exit_code && pending > 0;
            return if differs { Err(Failure::silent(Exit::Different)) } else { Ok(()) };
        }
        // All secrets before anything is changed: a plan is not begun that cannot be finished.
        let secrets = carry_out::secrets(plan).map_err(|problems| refused(context, problems))?;
        if !self.yes && !agreed(plan, table)? {
            return Err(
                Failure::local(ATTEMPTED, "NOT_AGREED", "nobody agreed").and_next("nothing was changed")
            );
        }
        let mut done = Done::default();
        match carry_out::carry_out(client, plan, &secrets, &mut done).await {
            Ok(()) if table => context.output.raw(format!("applied: {}\n", show::summary(plan)).as_bytes()),
            Ok(()) => context.output.one(&show::record(plan, show::Progress::Done)?),
            Err(stopped) => {
                let unknown = stopped.failure.is_unknown();
                let progress = show::Progress::Stopped { done: &done, at: stopped.at, unknown };
                say(&show::outcomes(plan, progress));
                say("what is not done is as it was; the same command looks anew, and does the rest\n");
                if !table {
                    context.output.one(&show::record(plan, progress)?)?;
                }
                Err(stopped.failure)
            }
        }
    }
}

async fn look(context: &Context, wanted: &Wanted) -> Result<(Client, Standing), Failure> {
    let client = context.client().await?;
    let standing = Standing::read(&client, wanted.policies.is_some()).await?;
    Ok((client, standing))
}

/// What the entries of the catalogue say about connectors that would be new, before anything is changed.
async fn check_connectors(
    client: &Client,
    wanted: &Wanted,
    standing: &Standing,
) -> Result<Vec<Problem>, Failure> {
    let mut problems = Vec::new();
    for (name, want) in &wanted.connectors {
        let Connector { provider, client_id, issuer, .. } = &want.resource;
        if standing.connectors.contains_key(name) || !standing.providers.contains(provider) {
            continue;
        }
        let request = CheckConnectorRequest {
            provider: provider.clone(),
            client_id: client_id.clone(),
            issuer: issuer.clone(),
            endpoints: carry_out::endpoints(&want.resource),
        };
        let answer = client.catalog().check_connector(ask(request)).await;
        let answer = answer.during(format!("check the connector {name}"))?;
        problems
            .extend(answer.problems.iter().map(|why| want.place.problem(format!("connector {name}: {why}"))));
    }
    Ok(problems)
}

/// What the cluster says about a policy set that would be new, before anything else is changed.
async fn check_policies(
    client: &Client,
    wanted: &Wanted,
    standing: &Standing,
) -> Result<Vec<Problem>, Failure> {
    let Some(policies) = &wanted.policies else { return Ok(Vec::new()) };
    if standing.policies.as_ref().is_some_and(|known| known.text == policies.text) {
        return Ok(Vec::new());
    }
    let whole = policy_problems(client, &policies.text).await?;
    if whole.is_empty() {
        return Ok(Vec::new());
    }
    let mut problems = Vec::new();
    // The cluster sees one text: which file it is in shows where each is asked about alone.
    if policies.files.len() > 1 {
        for (place, text) in &policies.files {
            let found = policy_problems(client, text).await?;
            problems.extend(found.iter().map(|why| place.problem(format!("policies: {why}"))));
        }
    }
    if problems.is_empty() {
        problems.extend(whole.iter().map(|why| policies.place.problem(format!("policies: {why}"))));
    }
    Ok(problems)
}

async fn policy_problems(client: &Client, text: &str) -> Result<Vec<String>, Failure> {
    let request = CheckPolicyRequest { text: text.to_owned() };
    Ok(client.policies().check(ask(request)).await.during("check the policy set")?.problems)
}

/// Says everything that is wrong with the files.
fn refused(context: &Context, mut problems: Vec<Problem>) -> Failure {
    problems.sort();
    let count = problems.len();
    let said = if context.output.is_table() {
        say(&show::problems(&problems));
        Ok(())
    } else {
        let records = problems.iter().map(show::problem_record).collect();
        context.output.list(&List {
            noun: "problems",
            columns: &["file", "line", "problem"],
            records,
            as_of: None,
        })
    };
    let why = if count == 1 { "1 problem".to_owned() } else { format!("{count} problems") };
    said.err().unwrap_or_else(|| {
        Failure::local(ATTEMPTED, "FILES_REFUSED", why).and_next("correct them; nothing was changed")
    })
}

/// Asks whoever is at the terminal.
fn agreed(plan: &Plan, shown: bool) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::usage(ATTEMPTED, "there is nobody to ask: it needs --yes, or --dry-run"));
    }
    if !shown {
        say(&show::plan(plan));
    }
    let mut stderr = io::stderr().lock();
    let asked = write!(stderr, "Apply this? Only `yes` applies it: ").and_then(|()| stderr.flush());
    asked.during("ask whether to apply the files")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).during("ask whether to apply the files")?;
    Ok(answer.trim() == "yes")
}

/// Lines for people, on standard error.
fn say(lines: &str) {
    // Nothing can be done about lines that cannot be printed.
    let _ = io::stderr().lock().write_all(lines.as_bytes());
}

/// Reads whose secret to rotate.
fn owner(text: &str) -> Result<(Kind, String), String> {
    let expected = || "connector/NAME or identity_provider/NAME".to_owned();
    let (kind, name) = text.split_once('/').ok_or_else(expected)?;
    let with_secrets = [Kind::Connector, Kind::IdentityProvider];
    let kind = with_secrets.into_iter().find(|known| known.key() == kind).ok_or_else(expected)?;
    if name.is_empty() { Err(expected()) } else { Ok((kind, printable(name).into_owned())) }
}
