//! Where each entry that is not purged can be read: in memory, or at a place in a segment file.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{Entry, LogId};

/// A record on disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    /// Bytes of the record with head and padding.
    pub(crate) length: usize,
}

#[derive(Debug)]
pub(crate) struct Slot {
    term: u64,
    node: u64,
    /// Which submission filled the slot; an entry that was truncated and written anew has another.
    ticket: u64,
    pub(crate) place: Option<Place>,
    pub(crate) payload: Option<Bytes>,
}

/// Entries in a row, with a cache of the most recent payloads. What is not yet on disk is always in memory.
#[derive(Debug)]
pub(crate) struct Index {
    first: u64,
    slots: VecDeque<Slot>,
    cached_bytes: usize,
    cache_bytes_max: usize,
    /// No payload is cached below this index.
    cached_from: u64,
}

impl Index {
    pub(crate) fn new(first: u64, cache_bytes_max: usize) -> Self {
        Self { first, slots: VecDeque::new(), cached_bytes: 0, cache_bytes_max, cached_from: first }
    }

    /// Index of the first entry, or the one that the next entry gets.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    pub(crate) fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    pub(crate) fn push(&mut self, entry: Entry, ticket: u64) {
        self.cached_bytes += entry.payload.len();
        self.insert(entry.id, ticket, None, Some(entry.payload));
        self.evict();
    }

    pub(crate) fn restore(&mut self, id: LogId, place: Place) {
        self.insert(id, 0, Some(place), None);
        self.cached_from = self.end();
    }

    fn insert(&mut self, id: LogId, ticket: u64, place: Option<Place>, payload: Option<Bytes>) {
        if self.slots.is_empty() {
            self.first = id.index;
            self.cached_from = id.index;
        }
        self.slots.push_back(Slot { term: id.term, node: id.node, ticket, place, payload });
    }

    fn position(&self, index: u64) -> Option<usize> {
        usize::try_from(index.checked_sub(self.first)?).ok()
    }

    pub(crate) fn get(&self, index: u64) -> Option<(LogId, &Slot)> {
        let slot = self.slots.get(self.position(index)?)?;
        Some((LogId { term: slot.term, node: slot.node, index }, slot))
    }

    /// Drops every entry from `end` on.
    pub(crate) fn truncate(&mut self, end: u64) {
        while self.end() > end
            && let Some(slot) = self.slots.pop_back()
        {
            self.cached_bytes -= slot.payload.map_or(0, |payload| payload.len());
        }
        if self.slots.is_empty() {
            self.first = self.first.min(end);
        }
        self.cached_from = self.cached_from.min(self.end());
    }

    /// Drops every entry up to `index`, which may lie beyond the end.
    pub(crate) fn purge(&mut self, index: u64) {
        let next = index.saturating_add(1);
        while self.first < next
            && let Some(slot) = self.slots.pop_front()
        {
            self.first += 1;
            self.cached_bytes -= slot.payload.map_or(0, |payload| payload.len());
        }
        if self.slots.is_empty() {
            self.first = self.first.max(next);
        }
        self.cached_from = self.cached_from.max(self.first);
    }

    /// Notes where an entry was written; false if it has been truncated or purged since.
    pub(crate) fn settle(&mut self, index: u64, ticket: u64, place: Place) -> bool {
        let position = self.position(index);
        let slot =
            position.and_then(|position| self.slots.get_mut(position)).filter(|slot| slot.ticket == ticket);
        let Some(slot) = slot else { return false };
        slot.place = Some(place);
        true
    }

    /// Drops the oldest cached payloads while there are too many bytes of them.
    pub(crate) fn evict(&mut self) {
        while self.cached_bytes > self.cache_bytes_max {
            let position = self.position(self.cached_from);
            let slot = position.and_then(|position| self.slots.get_mut(position));
            let Some(slot) = slot.filter(|slot| slot.place.is_some()) else { break };
            self.cached_bytes -= slot.payload.take().map_or(0, |payload| payload.len());
            self.cached_from += 1;
        }
    }
}
