//! What was looked at, and what was found there.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use leasehold_journey::table::Table;

use crate::{
    input::{self, Input},
    place::{self, Place, by_design},
    search::Search,
};

/// The columns of the table: the canary, then the places.
const COLUMNS: [&str; 20] = [
    "planted secret",
    "data folder",
    "snapshot",
    "archive of the data folder",
    "log at TRACE",
    "standard output",
    "OTLP traces",
    "metrics",
    "health",
    "export, tail, watch",
    "answers to bad calls",
    "pages",
    "headers of pages",
    "arguments of the process",
    "its environment",
    "names of its files",
    "core dump",
    "temporary folder",
    "command line's answers",
    "completions and manual",
];
const TABLE: Table = Table::new("canaries", &COLUMNS);

/// The tally of a suite.
#[derive(Debug, Default)]
pub struct Tally {
    bytes: BTreeMap<Place, u64>,
    searched: BTreeSet<(Input, Place)>,
    standing: BTreeSet<(Input, Place)>,
    strays: BTreeSet<String>,
}

impl Tally {
    /// Looks for what a search is for, of these inputs, in the bytes of a place. `what` names them for whoever reads a failure.
    pub fn look(
        &mut self,
        search: &Search,
        inputs: &BTreeSet<Input>,
        place: Place,
        what: &str,
        bytes: &[u8],
    ) {
        *self.bytes.entry(place).or_default() += bytes.len() as u64;
        self.searched.extend(inputs.iter().map(|input| (*input, place)));
        for found in search.find(bytes) {
            if by_design(found.input, place).is_some() {
                self.standing.insert((found.input, place));
            } else {
                let around = found.at.saturating_sub(120)..(found.at + 12).min(bytes.len());
                let before = String::from_utf8_lossy(bytes.get(around).unwrap_or_default()).into_owned();
                self.strays.insert(format!(
                    "{}: {:?} as {:?} in {what}, byte {}, after {before:?}",
                    place.name(),
                    found.input,
                    found.form,
                    found.at
                ));
            }
        }
    }

    /// How many bytes of a place were looked at.
    pub fn bytes(&self, place: Place) -> u64 {
        self.bytes.get(&place).copied().unwrap_or(0)
    }

    /// Notes that a place that would have been looked at is not there at all: a core dump that was not written.
    pub fn absent(&mut self, inputs: &BTreeSet<Input>, place: Place) {
        self.searched.extend(inputs.iter().map(|input| (*input, place)));
    }

    /// What is known, place by place.
    pub fn summary(&self) -> String {
        let pairs = self.searched.len();
        let places: Vec<String> =
            self.bytes.iter().map(|(place, bytes)| format!("{} {bytes}", place.name())).collect();
        format!("{pairs} pairs of canary and place; bytes looked at: {}", places.join(", "))
    }

    /// That nothing was found that does not stand there by design; that everything was looked for in every place; then leaves the table's rows.
    ///
    /// # Errors
    /// Where something was found, or not looked for.
    pub fn close(&self) -> anyhow::Result<()> {
        ensure!(
            self.strays.is_empty(),
            "found:\n{}",
            self.strays.iter().cloned().collect::<Vec<_>>().join("\n")
        );
        for known in &input::ALL {
            for place in place::ALL {
                ensure!(
                    self.searched.contains(&(known.input, place)),
                    "{} was not looked for in {}",
                    known.name,
                    place.name()
                );
            }
        }
        for (row, known) in input::ALL.iter().enumerate() {
            let cells: Vec<&str> = std::iter::once(known.name)
                .chain(place::ALL.map(|place| match (by_design(known.input, place), &self.standing) {
                    (Some(why), standing) if standing.contains(&(known.input, place)) => why,
                    _ => "–",
                }))
                .collect();
            TABLE.row(row, &cells)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_the_places() {
        let places: Vec<&str> = place::ALL.iter().map(|place| place.name()).collect();
        assert_eq!(COLUMNS[1..], places);
    }
}
