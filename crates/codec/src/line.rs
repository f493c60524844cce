//! Event lines: one JSON object on one line, which is the ledger's truth.
//!
//! Those bytes, without the newline, are the Merkle leaf, the line of every export, and what an auditor
//! hashes; nothing ever writes them a second time. So there is one way to write an event: members in a fixed
//! order and never any white space, absent optionals left out, no floats, moments in UTC with milliseconds
//! (RFC 3339), ids as they are printed, digests with the name of their function, and strings escaped no more
//! than RFC 8259 section 7 demands. [`parse`] refuses everything that [`render`] would not write.
//!
//! `v` is the replicated level. A new event kind is added to the list in `line/events.rs`; one that exists is
//! never changed.

use std::collections::BTreeSet;

use leasehold_domain::{
    actor::Actor, command::RequestKey, event::Event, id::OrganisationId, organisation::LEVEL, time::Timestamp,
};
use thiserror::Error;

use crate::touches::Topic;

mod actor;
mod events;
mod macros;
mod moment;
mod reader;
mod shared;
mod values;
mod writer;

pub use events::NAMES;
use reader::Reader;
use writer::Writer;

/// What stands around an event in its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The organisation.
    pub organisation: OrganisationId,
    /// The event's number, and its leaf's.
    pub seq: u64,
    /// State time at which it was decided.
    pub at: Timestamp,
    /// The Raft entry that held the command.
    pub raft: Raft,
    /// The replicated level, which says which form the line has.
    pub level: u16,
    /// Who proposed it.
    pub actor: Actor,
    /// Under which name it may be repeated.
    pub request: Option<RequestKey>,
}

/// A place in the Raft log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Raft {
    /// The term of the entry.
    pub term: u64,
    /// The index of the entry.
    pub index: u64,
}

/// How what the event speaks of went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Success,
    /// Somebody was not allowed, or did not allow it.
    Denied,
    /// It failed.
    Failure,
    /// Nobody knows.
    Unknown,
}

/// Why a line is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem} at byte {at}")]
pub struct ParseError {
    /// How many bytes had been read.
    pub at: usize,
    /// Why.
    pub problem: LineProblem,
}

/// Why a line is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// It is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// Something else stands here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A member is not where it belongs.
    #[error("no member {0} where it belongs")]
    Missing(&'static str),
    /// The value breaks a rule of its type, or is not written in its one form.
    #[error("not a valid {0}")]
    Invalid(&'static str),
    /// The line is of a level that this version does not know.
    #[error("unknown level {0}")]
    UnknownLevel(u16),
    /// No event has this name.
    #[error("unknown event")]
    UnknownEvent,
    /// The event has another outcome than the line says.
    #[error("another outcome than the event has")]
    WrongOutcome,
    /// Something follows the object.
    #[error("bytes follow the line")]
    Trailing,
}

/// The longest line, in bytes, whatever the event: the domain bounds every text and list that an event can
/// hold.
pub const LEN_MAX: usize = leasehold_domain::command::LINE_LEN_MAX;

/// The line of an event, without its newline. At most [`LEN_MAX`] bytes.
pub fn render(envelope: &Envelope, event: &Event) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.open();
    writer.member("v", &envelope.level);
    writer.member("seq", &envelope.seq);
    writer.member("at", &envelope.at);
    writer.member("org", &envelope.organisation);
    writer.member("raft", &envelope.raft);
    writer.word("event", name(event));
    writer.member("outcome", &outcome(event));
    writer.member("actor", &actor::Identity::of(&envelope.actor));
    writer.member("origin", &envelope.actor.origin);
    writer.member("request", &envelope.request);
    writer.name("data");
    events::render(event, &mut writer);
    writer.close();
    writer.into_bytes()
}

/// Reads a line, without its newline.
///
/// # Errors
/// [`ParseError`] for anything that [`render`] would not write.
pub fn parse(line: &[u8]) -> Result<(Envelope, Event), ParseError> {
    let text = str::from_utf8(line)
        .map_err(|error| ParseError { at: error.valid_up_to(), problem: LineProblem::NotUtf8 })?;
    let mut reader = Reader::new(text);
    reader.open()?;
    let level = reader.member("v")?;
    if level != LEVEL {
        return Err(reader.problem(LineProblem::UnknownLevel(level)));
    }
    let seq = reader.member("seq")?;
    let at = reader.member("at")?;
    let organisation = reader.member("org")?;
    let raft = reader.member("raft")?;
    reader.name("event")?;
    let name = reader.string()?;
    let stated: Outcome = reader.member("outcome")?;
    let actor::Identity { principal, proof } = reader.member("actor")?;
    let origin = reader.member("origin")?;
    let request = reader.member("request")?;
    reader.name("data")?;
    let event = events::parse(&name, &mut reader)?;
    if outcome(&event) != stated {
        return Err(reader.problem(LineProblem::WrongOutcome));
    }
    reader.close()?;
    reader.finish()?;
    let actor = Actor { principal, proof, origin };
    Ok((Envelope { organisation, seq, at, raft, level, actor, request }, event))
}

/// What the event is called in its line. One of [`NAMES`].
pub fn name(event: &Event) -> &'static str {
    events::facts(event).0
}

/// How what the event speaks of went.
pub fn outcome(event: &Event) -> Outcome {
    events::facts(event).1
}

/// Adds what the event is about.
pub(crate) fn touch(event: &Event, topics: &mut BTreeSet<Topic>) {
    events::touch(event, topics);
}

#[cfg(test)]
#[path = "line/tests.rs"]
mod tests;
