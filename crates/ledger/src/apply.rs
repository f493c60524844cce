//! Applying an entry: each proposal through the domain, each event to its line and leaf, all of it readable at once and queued for the writer.

use bytes::Bytes;
use leasehold_codec::{
    line::{self, Envelope, Raft},
    row,
    touches::{Topic, touches},
};
use leasehold_domain::{
    actor::Actor,
    command::{LINE_LEN_MAX, Proposal, RequestKey},
    event::Event,
    id::OrganisationId,
    machine::{self, Reply, Write},
    state::{BlobKey, Clock, State},
    text::Sealed,
};

use crate::{
    entry::{Applied, Entry, Payload, Position},
    error::Fault,
    hash, keys,
    queue::Queued,
    shared::{Shared, StopOnPanic, lock},
};

/// What happened to one proposal, with what its lines need to say.
struct Happened {
    reply: Reply,
    actor: Actor,
    request: Option<RequestKey>,
}

/// An event, rendered.
struct Rendered {
    line: Bytes,
    leaf: hash::Hash,
    seq: u64,
    topics: Vec<Topic>,
}

/// Who the lines of an entry speak for, and where in the log it stands.
struct Letterhead {
    organisation: OrganisationId,
    level: u16,
    raft: Raft,
}

type Rows = Vec<(Vec<u8>, Option<Vec<u8>>)>;
type Blobs = Vec<(BlobKey, Option<Sealed>)>;

/// What deciding an entry's proposals leaves.
struct Decided {
    happened: Vec<Happened>,
    rows: Rows,
    blobs: Blobs,
    applied: Applied,
    first_seq: u64,
    letterhead: Option<Letterhead>,
}

impl Shared {
    /// Applies an entry; one reply for each of its proposals.
    pub(crate) fn apply(&self, entry: Entry) -> Result<Vec<Reply>, Fault> {
        let _turn = lock(&self.turn);
        let _stop = StopOnPanic { shared: self, what: "apply" };
        self.queue.wait_for_room();
        self.check()?;

        let position = entry.position;
        let decided = self.decide(entry)?;
        let rendered =
            decided.letterhead.as_ref().map_or_else(Vec::new, |head| render(head, &decided.happened));
        self.publish(position, decided, rendered)
    }

    /// Changes the state. What the state then speaks of can be read at once, its blobs too.
    fn decide(&self, entry: Entry) -> Result<Decided, Fault> {
        let Entry { position, payload } = entry;
        let mut memory = self.memory_mut()?;
        if let Some(last) = memory.applied.position
            && position.index != last.index + 1
        {
            return Err(self.stop(Fault::OutOfOrder { last: last.index, found: position.index }));
        }
        let first_seq = memory.state.clock.next_seq;
        let (mut happened, mut rows, mut blobs) = (Vec::new(), Rows::new(), Blobs::new());
        memory.applied.position = Some(position);
        match payload {
            Payload::Blank => {}
            Payload::Membership(bytes) => memory.applied.membership = Some((Some(position), bytes)),
            Payload::Proposals(proposals) => {
                for proposal in proposals {
                    happened.push(happen(&mut memory.state, proposal, &mut blobs));
                }
            }
        }
        memory.state.drain_changes(|change| rows.push((keys::row(&change), row::value(&change))));
        memory.applied.clock = memory.state.clock;
        let raft = Raft { term: position.term, index: position.index };
        let organisation = memory.state.singular.organisation.as_ref();
        let letterhead =
            organisation.map(|known| Letterhead { organisation: known.id, level: known.level, raft });
        if !blobs.is_empty() {
            let mut log = self.log_mut()?;
            for (key, blob) in &blobs {
                log.pending.put_blob(position.index, *key, blob.clone());
            }
        }
        let applied = memory.applied.clone();
        Ok(Decided { happened, rows, blobs, applied, first_seq, letterhead })
    }

    /// Makes the lines readable, and hands everything to the writer.
    fn publish(
        &self,
        position: Position,
        decided: Decided,
        rendered: Vec<Rendered>,
    ) -> Result<Vec<Reply>, Fault> {
        let Decided { happened, rows, blobs, applied, first_seq, letterhead: _ } = decided;
        let Clock { next_seq, .. } = applied.clock;
        assert_eq!(first_seq + rendered.len() as u64, next_seq, "every event has its line");

        let mut tiles = Vec::new();
        let lines: Vec<Bytes> = rendered.iter().map(|rendered| rendered.line.clone()).collect();
        let root = {
            let mut log = self.log_mut()?;
            for Rendered { line, leaf, seq, topics } in rendered {
                tiles.extend(log.pending.push(line, leaf));
                log.postings.push(seq, topics);
            }
            log.pending.trim(self.options.tail_bytes);
            log.applied = applied.clone();
            log.pending.tree.head().root
        };
        let epoch = self.epoch();
        self.queue.push(Queued {
            epoch,
            index: position.index,
            applied,
            root,
            first_seq,
            lines,
            rows,
            blobs,
            tiles,
        });
        if first_seq != next_seq {
            self.next_seq.send_replace(next_seq);
        }
        Ok(happened.into_iter().map(|happened| happened.reply).collect())
    }
}

fn happen(state: &mut State, proposal: Proposal, blobs: &mut Blobs) -> Happened {
    let (actor, request) = (proposal.actor, proposal.request.clone());
    let (reply, writes) = machine::apply(state, proposal);
    for write in writes {
        match write {
            Write::Blob(key, blob) => blobs.push((key, blob)),
            // The state keeps these itself, as rows.
            Write::Credential(..)
            | Write::Bootstrap(_)
            | Write::Directory(..)
            | Write::DirectoryForgotten(_)
            | Write::Binding(..)
            | Write::EpochClosed(_)
            | Write::Denials(..)
            | Write::DenialsForgotten(_)
            | Write::Checkpoint(_)
            | Write::Verifier(_) => {}
        }
    }
    Happened { reply, actor, request }
}

fn render(head: &Letterhead, happened: &[Happened]) -> Vec<Rendered> {
    let mut rendered = Vec::new();
    for Happened { reply, actor, request } in happened {
        let Reply::Applied { at, first_seq, events, answer: _ } = reply else { continue };
        for (seq, event) in (*first_seq..).zip(events) {
            let envelope = Envelope {
                organisation: head.organisation,
                seq,
                at: *at,
                raft: head.raft,
                level: head.level,
                actor: *actor,
                request: request.clone(),
            };
            rendered.push(one(&envelope, event));
        }
    }
    rendered
}

/// # Panics
/// When the line is longer than any may be: the batcher counted on it.
fn one(envelope: &Envelope, event: &Event) -> Rendered {
    let line = line::render(envelope, event);
    assert!(line.len() <= LINE_LEN_MAX, "an event line exceeds its bound");
    let topics = touches(event, &envelope.actor).into_iter().collect();
    Rendered { leaf: hash::leaf(&line), line: line.into(), seq: envelope.seq, topics }
}
