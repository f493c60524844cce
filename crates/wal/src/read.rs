//! Reading entries, from memory or back from the segment files, and never without checking them.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::fs::read_full;
use crate::index::Place;
use crate::record::{HEAD, Head, Position, Record};
use crate::{Entry, Failure, FsFile, LogId, ReadError, Wal, segment};

enum Source {
    Memory(Bytes),
    Disk(Place, Option<Arc<dyn FsFile>>),
}

impl Wal {
    /// The entries of `range` that the log holds, from its first on, until the next would exceed `bytes_max`; at least
    /// one if there is any. Entries not yet durable are included. May read from disk.
    ///
    /// # Errors
    ///
    /// If an entry on disk cannot be read back as it was written; this ends the log.
    pub fn read(&self, range: Range<u64>, bytes_max: usize) -> Result<Vec<Entry>, ReadError> {
        let mut found = Vec::new();
        let mut bytes = 0_usize;
        let front = self.shared.front();
        let start = range.start.max(front.index.first());
        for index in start..range.end {
            let Some((id, slot)) = front.index.get(index) else { break };
            let (size, source) = match (&slot.payload, slot.place) {
                (Some(payload), _) => (payload.len(), Source::Memory(payload.clone())),
                (None, Some(place)) => {
                    (place.length, Source::Disk(place, front.files.get(&place.segment).cloned()))
                }
                (None, None) => break,
            };
            bytes = bytes.saturating_add(size);
            if bytes > bytes_max && !found.is_empty() {
                break;
            }
            found.push((id, source));
        }
        drop(front);
        let entries = found.into_iter().map(|(id, source)| match source {
            Source::Memory(payload) => Ok(Entry { id, payload }),
            Source::Disk(place, file) => self.read_back(id, place, file),
        });
        let entries: Result<Vec<_>, Failure> = entries.collect();
        entries.map_err(|failure| {
            self.shared.poison(&failure);
            failure.into()
        })
    }

    fn read_back(&self, id: LogId, place: Place, file: Option<Arc<dyn FsFile>>) -> Result<Entry, Failure> {
        let Place { segment, offset, length } = place;
        let path = segment::path(&self.dir, segment);
        let damaged = || Failure::Damaged { file: path.clone(), offset };
        let file = file.ok_or_else(damaged)?;
        let mut record = vec![0; length];
        read_full(file.as_ref(), offset, &mut record).map_err(Failure::io("read", path.clone()))?;
        let head = Head::decode(&record, Position { segment, offset }).ok_or_else(damaged)?;
        let body =
            record.get(HEAD..).filter(|body| crc32c::crc32c(body) == head.body_crc).ok_or_else(damaged)?;
        let body = body.get(..head.body_len as usize).ok_or_else(damaged)?;
        match Record::decode(head.kind, body) {
            Some(Record::Entry(entry)) if entry.id == id => Ok(entry),
            Some(_) | None => Err(damaged()),
        }
    }
}
