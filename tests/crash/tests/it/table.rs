//! The table cannot rot: no point without a row, no row without a point.

use std::{collections::BTreeSet, fs, path::Path};

use leasehold_crash::scenario::points_compiled_in;

use crate::{confirmation, exchange, first_start, growth, install, recovery, refresh, revocation};

#[test]
fn every_point_of_the_source_has_a_scenario_and_every_scenario_a_point() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates");
    let mut named = BTreeSet::new();
    for folder in fs::read_dir(crates).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.ends_with("failpoint") {
            collect(&folder.join("src"), &mut named);
        }
    }
    let scenarios = refresh::SCENARIOS
        .iter()
        .map(|refresh| &refresh.scenario)
        .chain(exchange::SCENARIOS.iter().map(|exchange| &exchange.scenario))
        .chain(confirmation::SCENARIOS.iter().map(|confirmation| &confirmation.scenario))
        .chain(revocation::SCENARIOS)
        .chain(growth::SCENARIOS)
        .chain(recovery::SCENARIOS)
        .chain(install::SCENARIOS)
        .chain(first_start::SCENARIOS);
    let reached: BTreeSet<String> =
        scenarios.flat_map(|scenario| scenario.points().map(str::to_owned).collect::<Vec<_>>()).collect();
    assert!(named.len() > 50, "only {} points were found", named.len());
    let without: Vec<_> = named.difference(&reached).collect();
    let unknown: Vec<_> = reached.difference(&named).collect();
    assert!(without.is_empty() && unknown.is_empty(), "no scenario: {without:?}; no such point: {unknown:?}");
}

fn collect(folder: &Path, named: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, named);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for rest in text.split("failpoint!(\"").skip(1) {
                let name = rest.split('"').next().unwrap().to_owned();
                assert!(named.insert(name.clone()), "{name} stands twice");
            }
        }
    }
}

#[test]
fn the_binary_has_its_points() {
    points_compiled_in().unwrap();
}
