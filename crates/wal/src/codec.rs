//! Fixed-width little-endian fields, the only encoding on disk: no length is ever guessed and none is self-describing.

use crate::{LogId, State, Vote};

/// Reads fields off the front of a slice; `None` means the slice is too short or a flag is neither 0 nor 1.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(u8::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(crate) fn log_id(&mut self) -> Option<LogId> {
        Some(LogId { term: self.u64()?, node: self.u64()?, index: self.u64()? })
    }

    pub(crate) fn optional_log_id(&mut self) -> Option<Option<LogId>> {
        let (present, id) = (self.flag()?, self.log_id()?);
        Some(present.then_some(id))
    }

    pub(crate) fn vote(&mut self) -> Option<Vote> {
        Some(Vote { term: self.u64()?, node: self.u64()?, committed: self.flag()? })
    }

    pub(crate) fn state(&mut self) -> Option<State> {
        let (voted, vote) = (self.flag()?, self.vote()?);
        Some(State {
            vote: voted.then_some(vote),
            committed: self.optional_log_id()?,
            purged: self.optional_log_id()?,
            last: self.optional_log_id()?,
        })
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}

pub(crate) trait Put {
    fn put(&mut self, bytes: &[u8]);

    fn put_u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }

    fn put_log_id(&mut self, id: LogId) {
        self.put_u64(id.term);
        self.put_u64(id.node);
        self.put_u64(id.index);
    }

    fn put_optional_log_id(&mut self, id: Option<LogId>) {
        self.put(&[u8::from(id.is_some())]);
        self.put_log_id(id.unwrap_or_default());
    }

    fn put_vote(&mut self, vote: Vote) {
        self.put_u64(vote.term);
        self.put_u64(vote.node);
        self.put(&[u8::from(vote.committed)]);
    }

    fn put_state(&mut self, state: &State) {
        self.put(&[u8::from(state.vote.is_some())]);
        self.put_vote(state.vote.unwrap_or_default());
        self.put_optional_log_id(state.committed);
        self.put_optional_log_id(state.purged);
        self.put_optional_log_id(state.last);
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}
