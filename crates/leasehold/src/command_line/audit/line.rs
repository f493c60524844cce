//! What a line says about itself, as far as anybody needs to know who reads lines and not events.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::command_line::{
    failure::Failure,
    record::{Record, Value},
};

/// The longest line, in bytes. A cluster writes none beyond a sixteenth of it.
pub(super) const LEN_MAX: usize = 64 * 1024;

/// The columns of a table of lines.
pub(in crate::command_line) const COLUMNS: &[&str] = &["seq", "at", "event", "outcome", "actor"];

/// The members that stand around every event.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<'line> {
    /// The event's number, from 0.
    pub(super) seq: u64,
    /// When it was decided.
    #[serde(borrow)]
    pub(super) at: &'line str,
    event: &'line str,
    outcome: &'line str,
    #[serde(borrow)]
    actor: Actor<'line>,
    #[serde(borrow)]
    data: &'line RawValue,
}

#[derive(Debug, Deserialize)]
struct Actor<'line> {
    kind: &'line str,
    #[serde(default)]
    id: Option<&'line str>,
}

/// What the first event of a ledger says about it.
#[derive(Debug, Deserialize)]
struct Founding {
    verifier: String,
}

impl<'line> Envelope<'line> {
    /// Reads a line, without its newline; `None` if it is no event's.
    pub(super) fn read(line: &'line [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    /// The key that the ledger names at its founding, if this is that event.
    pub(super) fn founding_verifier(&self) -> Option<String> {
        let founding: Option<Founding> = serde_json::from_str(self.data.get()).ok();
        founding.filter(|_| self.event == "OrganisationFounded").map(|founding| founding.verifier)
    }
}

/// A line as an answer: its own bytes in JSON, its envelope in a table.
pub(in crate::command_line) fn record(line: &[u8]) -> Result<Record, Failure> {
    let malformed = || Failure::local("read the events", "MALFORMED_ANSWER", "a line is no event");
    let envelope = Envelope::read(line).ok_or_else(malformed)?;
    let text = str::from_utf8(line).map_err(|_| malformed())?.to_owned();
    let actor = match envelope.actor.id {
        Some(id) => format!("{} {id}", envelope.actor.kind),
        None => envelope.actor.kind.to_owned(),
    };
    let record = Record::default()
        .with("seq", envelope.seq)
        .with("at", envelope.at)
        .with("event", envelope.event)
        .with("outcome", envelope.outcome)
        .with("actor", Value::Text(actor));
    Ok(record.with("line", text.clone()).verbatim(RawValue::from_string(text).map_err(|_| malformed())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUNDED: &str = r#"{"v":1,"seq":0,"at":"2026-07-30T12:34:56.789Z","org":"org_1","event":"OrganisationFounded","outcome":"success","actor":{"kind":"cluster","proof":"cluster"},"data":{"verifier":"name+00000000+AAAA"}}"#;

    #[test]
    fn an_envelope_is_read_whatever_the_event() {
        let envelope = Envelope::read(FOUNDED.as_bytes()).unwrap();
        assert_eq!((envelope.seq, envelope.at), (0, "2026-07-30T12:34:56.789Z"));
        assert_eq!(envelope.founding_verifier().as_deref(), Some("name+00000000+AAAA"));
        let other = FOUNDED.replace("OrganisationFounded", "SomethingNew");
        assert_eq!(Envelope::read(other.as_bytes()).unwrap().founding_verifier(), None);
        for bad in ["", "{}", "[1]", "null", "{\"seq\":-1}"] {
            assert!(Envelope::read(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_event_is_its_own_bytes_in_json_and_columns_in_a_table() {
        let record = record(FOUNDED.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), FOUNDED);
        let row: Vec<_> = COLUMNS.iter().map(|name| record.field(name).unwrap().text()).collect();
        assert_eq!(row, ["0", "2026-07-30T12:34:56.789Z", "OrganisationFounded", "success", "cluster"]);
        assert!(super::record(b"not an event").is_err());
    }
}
