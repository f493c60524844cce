//! A scenario: at which points the node ends, one start after the other, what was done to bring it there, and what must be so afterwards.

use std::os::unix::process::ExitStatusExt as _;

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, stream};
use leasehold_journey::{Apart, table::Table};

/// The table of all scenarios.
pub const TABLE: Table = Table::new("crash", &["the process ends at", "when", "and then"]);
const SIGKILL: i32 = 9;

/// One way to end, and what must be so after the node has started again.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// What is armed, as `FAILPOINTS` says it: for the node's first end, then for its second.
    pub armed: &'static [&'static str],
    /// What is done.
    pub when: &'static str,
    /// What must be so afterwards.
    pub then: &'static str,
}

impl Scenario {
    /// The points at which the process ends, one for each that is armed: the one that another arms, if it does.
    pub fn points(&self) -> impl Iterator<Item = &'static str> {
        self.armed.iter().map(|armed| point(armed))
    }

    /// The row of the table.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn passed(&self, place: usize) -> anyhow::Result<()> {
        let ends: Vec<String> = self.armed.iter().map(|armed| shown(armed)).collect();
        TABLE.row(place, &[&ends.join(", then "), self.when, self.then])
    }
}

fn point(armed: &'static str) -> &'static str {
    let (name, action) = armed.split_once('=').unwrap_or((armed, ""));
    action.split_once("return(").and_then(|(_, other)| other.strip_suffix(')')).unwrap_or(name)
}

/// The point, and how it is come to where it is not the first time in the process.
fn shown(armed: &'static str) -> String {
    let point = point(armed);
    let (name, action) = armed.split_once('=').unwrap_or((armed, ""));
    match action.split_once("*off") {
        Some((passed, _)) => format!("`{point}`, after {passed} that pass"),
        None if name == point => format!("`{point}`"),
        None => format!("`{point}`, the next after `{name}`"),
    }
}

/// Waits until the node has ended at this armed point, by SIGKILL.
///
/// # Errors
/// Where it goes on, or ends elsewhere or otherwise.
pub async fn ends(node: &mut Apart, armed: &'static str) -> anyhow::Result<()> {
    let point = point(armed);
    let status = node.ended().await.with_context(|| format!("`{point}` was never reached"))?;
    let log = node.log();
    let said = log.contains(&format!("ends at the failpoint {point}\n"));
    ensure!(
        said && status.signal() == Some(SIGKILL),
        "the node ended with {status}, not at `{point}`:\n{log}"
    );
    Ok(())
}

/// Runs every scenario, `at_once` of them beside each other, and writes the row of each that passes. `place` is the first one's in the table.
///
/// # Errors
/// All that failed, each with its name.
pub async fn run_all<S>(
    place: usize,
    scenarios: &'static [S],
    at_once: usize,
    named: fn(&S) -> &Scenario,
    run: impl AsyncFn(&'static S) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let only = std::env::var("LEASEHOLD_CRASH_ONLY").ok();
    let wanted = |scenario: &S| {
        let named_so =
            |only: &String| named(scenario).armed.iter().any(|armed| armed.contains(only.as_str()));
        only.as_ref().is_none_or(named_so)
    };
    let (run, wanted) = (&run, &wanted);
    let one = async |(number, scenario): (usize, &'static S)| match run(scenario).await {
        Ok(()) => named(scenario).passed(place + number),
        failed => failed.with_context(|| named(scenario).armed.join(", then ")),
    };
    let scenarios = scenarios.iter().enumerate().filter(|(_, scenario)| wanted(scenario));
    let ran: Vec<anyhow::Result<()>> =
        stream::iter(scenarios.map(one)).buffer_unordered(at_once).collect().await;
    let failures: Vec<String> =
        ran.into_iter().filter_map(|ran| ran.err().map(|error| format!("{error:#}"))).collect();
    ensure!(failures.is_empty(), "{} scenarios failed\n\n{}", failures.len(), failures.join("\n\n"));
    Ok(())
}

/// The binary has points in it, or the suite could only fail.
///
/// # Errors
/// Where it has none: how to build one that has.
pub fn points_compiled_in() -> anyhow::Result<()> {
    let test = std::env::current_exe()?;
    let binary = test.ancestors().nth(2).context("a test outside the target folder")?.join("leasehold");
    let bytes = std::fs::read(&binary).with_context(|| format!("cannot read {}", binary.display()))?;
    let wanted = b"ends at the failpoint ";
    ensure!(
        bytes.windows(wanted.len()).any(|at| at == wanted),
        "the binary `leasehold` has no failpoints: run `just crash`, or `cargo build -p leasehold --features failpoints`"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_point_of_a_scenario_is_the_one_that_is_armed_last() {
        assert_eq!(point("a.b=return"), "a.b");
        assert_eq!(point("a.b=3*off->return"), "a.b");
        assert_eq!(point("a.b=return(c.d)"), "c.d");
        assert_eq!(shown("a.b=return"), "`a.b`");
        assert_eq!(shown("a.b=3*off->return"), "`a.b`, after 3 that pass");
        assert_eq!(shown("a.b=return(c.d)"), "`c.d`, the next after `a.b`");
    }
}
