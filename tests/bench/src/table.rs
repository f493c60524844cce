//! What was measured, for people and as data. A figure stands only beside its peer's.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::load::Measured;

/// One row: a peer and the product, in turns.
pub(crate) struct Row {
    /// The target's number, as `ARCHITECTURE.md` lists it; empty where there is none.
    pub(crate) target: &'static str,
    pub(crate) name: String,
    pub(crate) peer: String,
    /// A round each: the product's and the peer's.
    pub(crate) rounds: Vec<(Measured, Measured)>,
}

impl Row {
    pub(crate) fn new(target: &'static str, name: impl Into<String>, peer: impl Into<String>) -> Self {
        Self { target, name: name.into(), peer: peer.into(), rounds: Vec::new() }
    }

    fn ours(&self, of: impl Fn(&Measured) -> f64) -> f64 {
        median(self.rounds.iter().map(|(ours, _)| of(ours)).collect())
    }

    fn peers(&self, of: impl Fn(&Measured) -> f64) -> f64 {
        median(self.rounds.iter().map(|(_, peer)| of(peer)).collect())
    }

    /// The median of the rounds' ratios: the product's rate over the peer's.
    fn ratio(&self) -> f64 {
        median(self.rounds.iter().map(|(ours, peer)| ours.per_second / peer.per_second).collect())
    }

    fn as_data(&self) -> Value {
        let one = |measured: &Measured| json!({ "per_second": measured.per_second, "p50_ms": measured.p50, "p99_ms": measured.p99 });
        let rounds: Vec<_> =
            self.rounds.iter().map(|(ours, peer)| json!({ "ours": one(ours), "peer": one(peer) })).collect();
        json!({ "target": self.target, "name": self.name, "peer": self.peer, "ratio": self.ratio(), "rounds": rounds })
    }
}

/// The middle of what was measured; 0 where nothing was.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Writes the rows as a Markdown table: medians over the rounds.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn markdown(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "| target | work | ours | beside | peer | ratio |")?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    for row in rows {
        let shown = |rate: f64, p50: f64, p99: f64| {
            if p99.is_nan() {
                format!("{rate:.0}/s")
            } else {
                format!("{rate:.0}/s, p50 {p50:.2} ms, p99 {p99:.2}")
            }
        };
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | **{:.2}** |",
            row.target,
            row.name,
            shown(row.ours(|m| m.per_second), row.ours(|m| m.p50), row.ours(|m| m.p99)),
            row.peer,
            shown(row.peers(|m| m.per_second), row.peers(|m| m.p50), row.peers(|m| m.p99)),
            row.ratio(),
        )?;
    }
    Ok(())
}

/// The rows as data, every round of them.
pub(crate) fn data(rows: &[Row]) -> Value {
    Value::Array(rows.iter().map(Row::as_data).collect())
}
