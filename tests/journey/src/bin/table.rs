//! `table write NAME FILE` puts the table that a suite has left into a document; `table check NAME FILE` only says whether it stands there.

use std::fs;

use anyhow::{Context, bail, ensure};
use leasehold_journey::table::{gathered, placed};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, name, file] = arguments.as_slice() else { bail!("say `table write|check NAME FILE`") };
    let document = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let renewed = placed(&document, name, &gathered(name)?).with_context(|| format!("in {file}"))?;
    match what.as_str() {
        "write" => fs::write(file, renewed).with_context(|| format!("cannot write {file}")),
        "check" => {
            ensure!(
                renewed == document,
                "the table `{name}` in {file} is not what the suite found: write it again"
            );
            Ok(())
        }
        _ => bail!("say `table write|check NAME FILE`"),
    }
}
