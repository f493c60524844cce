//! Records, and how a group of them becomes bytes.
//!
//! A record is a 32-byte head and a body padded to a multiple of 32, so that no head straddles a disk sector: a torn
//! write leaves a head whole or leaves zeros. The padding is all ones, so that a short body whose sector was lost is many
//! bits away from what was written, and not mistaken for one with a flipped bit. The head holds, little-endian:
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | CRC32C of bytes 4..32, the segment id and the offset |
//! | 4..8 | chain: the head CRC of the record before |
//! | 8..12 | CRC32C of the padded body |
//! | 12..16 | body length, without padding |
//! | 16..24 | group: everything below this offset was durable before this record was written |
//! | 24 | kind |
//! | 25..32 | zero |
//!
//! The head CRC covers the body CRC and the chain, so one value pins the whole log before it.

use std::io::IoSlice;

use bytes::Bytes;

use crate::codec::{Fields, Put};
use crate::{Entry, LogId, Vote};

pub(crate) const HEAD: usize = 32;
/// Bytes of an entry's body before its payload.
pub(crate) const ENTRY_PREFIX: usize = 24;
/// The longest body that a head may announce.
pub(crate) const BODY_MAX: u32 = (64 << 20) + ENTRY_PREFIX as u32;
const PADDING: [u8; HEAD] = [0xFF; HEAD];
/// Payloads up to this size are copied next to their heads; larger ones are written from where they are.
const COPY_MAX: usize = 4096;

#[derive(Clone, Debug)]
pub(crate) enum Record {
    Entry(Entry),
    Vote(Vote),
    Committed(LogId),
    Truncate(Option<LogId>),
    /// `oldest` is the first segment that must still exist once this record is durable.
    Purge {
        upto: LogId,
        oldest: u64,
    },
    /// Holds nothing; its presence proves that all before it was durable.
    Mark,
    /// The last record of a segment: the segment `next` exists.
    Seal {
        next: u64,
    },
}

impl Record {
    fn kind(&self) -> u8 {
        match self {
            Self::Entry(_) => 1,
            Self::Vote(_) => 2,
            Self::Committed(_) => 3,
            Self::Truncate(_) => 4,
            Self::Purge { .. } => 5,
            Self::Mark => 6,
            Self::Seal { .. } => 7,
        }
    }

    /// Bytes that this record takes on disk.
    pub(crate) fn footprint(&self) -> u64 {
        let payload = if let Self::Entry(entry) = self { entry.payload.len() } else { 0 };
        HEAD as u64 * 2 + payload as u64
    }

    /// `None` if the body is not one of this kind, whatever its CRC says.
    pub(crate) fn decode(kind: u8, body: &[u8]) -> Option<Self> {
        if kind == 1 {
            let (prefix, payload) = body.split_at_checked(ENTRY_PREFIX)?;
            let id = Fields::new(prefix).log_id()?;
            return Some(Self::Entry(Entry { id, payload: Bytes::copy_from_slice(payload) }));
        }
        let mut fields = Fields::new(body);
        let record = match kind {
            2 => Self::Vote(fields.vote()?),
            3 => Self::Committed(fields.log_id()?),
            4 => Self::Truncate(fields.optional_log_id()?),
            5 => Self::Purge { upto: fields.log_id()?, oldest: fields.u64()? },
            6 => Self::Mark,
            7 => Self::Seal { next: fields.u64()? },
            _ => return None,
        };
        fields.rest().is_empty().then_some(record)
    }
}

/// Where a record stands; part of what its CRC covers, so that a moved or stale block does not verify.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) crc: u32,
    pub(crate) chain: u32,
    pub(crate) body_crc: u32,
    pub(crate) body_len: u32,
    pub(crate) group: u64,
    pub(crate) kind: u8,
}

impl Head {
    /// `None` unless the bytes were written as a head at exactly this position.
    pub(crate) fn decode(bytes: &[u8], at: Position) -> Option<Self> {
        let mut fields = Fields::new(bytes.get(..HEAD)?);
        let crc = fields.u32()?;
        if crc != head_crc(bytes.get(4..HEAD)?, at) {
            return None;
        }
        let head = Self {
            crc,
            chain: fields.u32()?,
            body_crc: fields.u32()?,
            body_len: fields.u32()?,
            group: fields.u64()?,
            kind: fields.u8()?,
        };
        (fields.rest().iter().all(|byte| *byte == 0) && head.body_len <= BODY_MAX).then_some(head)
    }

    /// Length of the body with its padding.
    pub(crate) fn padded(&self) -> usize {
        (self.body_len as usize).next_multiple_of(HEAD)
    }

    fn encode(&mut self, at: Position) -> Vec<u8> {
        let mut tail = Vec::with_capacity(HEAD);
        tail.put_u32(self.chain);
        tail.put_u32(self.body_crc);
        tail.put_u32(self.body_len);
        tail.put_u64(self.group);
        tail.put(&[self.kind, 0, 0, 0, 0, 0, 0, 0]);
        self.crc = head_crc(&tail, at);
        let mut bytes = Vec::with_capacity(HEAD);
        bytes.put_u32(self.crc);
        bytes.put(&tail);
        bytes
    }
}

fn head_crc(tail: &[u8], at: Position) -> u32 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(tail), &at.segment.to_le_bytes());
    crc32c::crc32c_append(crc, &at.offset.to_le_bytes())
}

/// Records on their way to disk in one vectored write.
#[derive(Debug, Default)]
pub(crate) struct Group {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Copied(Vec<u8>),
    Shared(Bytes),
}

impl Group {
    /// Adds a record; answers its length on disk and its head CRC, the chain of the next.
    pub(crate) fn push(&mut self, record: &Record, at: Position, group: u64, chain: u32) -> (u64, u32) {
        let mut prefix = Vec::with_capacity(HEAD * 2);
        let mut payload = &Bytes::new();
        match record {
            Record::Entry(entry) => {
                prefix.put_log_id(entry.id);
                payload = &entry.payload;
            }
            Record::Vote(vote) => prefix.put_vote(*vote),
            Record::Committed(id) => prefix.put_log_id(*id),
            Record::Truncate(kept) => prefix.put_optional_log_id(*kept),
            Record::Purge { upto, oldest } => {
                prefix.put_log_id(*upto);
                prefix.put_u64(*oldest);
            }
            Record::Mark => {}
            Record::Seal { next } => prefix.put_u64(*next),
        }
        let length = prefix.len() + payload.len();
        let padding = PADDING.get(..length.next_multiple_of(HEAD) - length).unwrap_or_default();
        let body_crc = [payload, padding]
            .iter()
            .fold(crc32c::crc32c(&prefix), |crc, part| crc32c::crc32c_append(crc, part));
        let body_len = u32::try_from(length).expect("`Wal::open` bounds payloads by `BODY_MAX`");
        let mut head = Head { crc: 0, chain, body_crc, body_len, group, kind: record.kind() };
        let bytes = head.encode(at);
        self.copy(&bytes);
        self.copy(&prefix);
        if payload.len() <= COPY_MAX {
            self.copy(payload);
        } else {
            self.parts.push(Part::Shared(payload.clone()));
        }
        self.copy(padding);
        ((HEAD + head.padded()) as u64, head.crc)
    }

    fn copy(&mut self, bytes: &[u8]) {
        if let Some(Part::Copied(arena)) = self.parts.last_mut() {
            arena.extend_from_slice(bytes);
        } else {
            self.parts.push(Part::Copied(bytes.to_vec()));
        }
    }

    pub(crate) fn slices(&self) -> Vec<IoSlice<'_>> {
        let bytes = self.parts.iter().map(|part| match part {
            Part::Copied(arena) => IoSlice::new(arena),
            Part::Shared(payload) => IoSlice::new(payload),
        });
        bytes.collect()
    }
}
