//! Reads one segment record by record, and tells a torn write from damage.
//!
//! A crash tears only the group that was in flight, and no callback of that group has run. Its sectors are each written
//! or not written; one that was not reads as zeros, or lies beyond the end of the file. So the first record that does
//! not verify may be cut only if
//!
//! 1. no later record was written after this one was durable (each names the offset below which all was durable),
//! 2. it reaches beyond the end of the file, or a sector of it is all zeros, and
//! 3. no single flipped bit explains it: such a record was written whole.
//!
//! Everything else was durable once and is damage. Where both readings fit, as for a lost sector that held a single set
//! bit, the log is refused.

use std::io;

use crate::FsFile;
use crate::fs::read_full;
use crate::record::{HEAD, Head, Position, Record};
use crate::segment::HEADER;

const SECTOR: usize = 512;
const CHUNK: usize = 1 << 20;
/// CRC32C polynomial, reflected.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// Where the verified part of a segment ends.
#[derive(Debug)]
pub(crate) struct Tail {
    /// End of the last record that verifies.
    pub(crate) offset: u64,
    pub(crate) chain: u32,
    /// Start of the group of the last record: all below is known to have been durable.
    pub(crate) group: u64,
    pub(crate) sealed: bool,
    pub(crate) size: u64,
    /// What follows, if anything does.
    pub(crate) bad: Option<Bad>,
}

#[derive(Debug)]
pub(crate) enum Bad {
    Torn,
    Damaged(String),
}

/// Visits every record in order until the end or the first that does not verify. `visit` may refuse a record.
pub(crate) fn scan(
    file: &dyn FsFile,
    segment: u64,
    chain: u32,
    mut visit: impl FnMut(u64, &Head, Record) -> Result<(), String>,
) -> io::Result<Tail> {
    let size = file.size()?;
    let mut window = Window { file, size, start: 0, buf: Vec::new() };
    let start = HEADER as u64;
    let mut tail = Tail { offset: start, chain, group: start, sealed: false, size, bad: None };
    while tail.offset < size {
        if tail.sealed {
            tail.bad = Some(Bad::Damaged("bytes follow the seal".to_owned()));
            break;
        }
        let at = Position { segment, offset: tail.offset };
        let verified = verify(&mut window, at)?;
        let Some((head, body)) = verified else {
            tail.bad = Some(judge(&mut window, at)?);
            break;
        };
        let record = if head.chain != tail.chain {
            Err("record does not follow the one before it".to_owned())
        } else if head.group < tail.group || head.group > tail.offset {
            Err("record belongs to no group".to_owned())
        } else {
            Record::decode(head.kind, body).ok_or_else(|| "record cannot be decoded".to_owned())
        };
        let sealed = match &record {
            Ok(Record::Seal { next }) if Some(*next) != segment.checked_add(1) => {
                tail.bad = Some(Bad::Damaged("seal names another segment".to_owned()));
                break;
            }
            Ok(record) => matches!(record, Record::Seal { .. }),
            Err(_) => false,
        };
        if let Err(reason) = record.and_then(|record| visit(tail.offset, &head, record)) {
            tail.bad = Some(Bad::Damaged(reason));
            break;
        }
        tail.sealed = sealed;
        tail.chain = head.crc;
        tail.group = head.group;
        tail.offset += (HEAD + head.padded()) as u64;
    }
    Ok(tail)
}

fn verify<'w>(window: &'w mut Window<'_>, at: Position) -> io::Result<Option<(Head, &'w [u8])>> {
    let Some(head) = Head::decode(window.get(at.offset, HEAD)?, at) else { return Ok(None) };
    let padded = window.get(at.offset + HEAD as u64, head.padded())?;
    let whole = padded.len() == head.padded() && crc32c::crc32c(padded) == head.body_crc;
    Ok(padded.get(..head.body_len as usize).filter(|_| whole).map(|body| (head, body)))
}

fn judge(window: &mut Window<'_>, at: Position) -> io::Result<Bad> {
    let size = window.size;
    let mut offset = at.offset + HEAD as u64;
    while offset < size {
        let later = Head::decode(window.get(offset, HEAD)?, Position { offset, ..at });
        if later.is_some_and(|head| head.group > at.offset && head.group <= offset) {
            return Ok(Bad::Damaged(format!(
                "record does not verify, yet it was durable before offset {offset}"
            )));
        }
        offset += HEAD as u64;
    }
    let bytes = window.get(at.offset, HEAD)?;
    if bytes.len() < HEAD {
        return Ok(Bad::Torn);
    }
    let Some(head) = Head::decode(bytes, at) else {
        return Ok(if bytes.iter().all(|byte| *byte == 0) {
            Bad::Torn
        } else {
            Bad::Damaged("record head does not verify".to_owned())
        });
    };
    let start = at.offset + HEAD as u64;
    let body = window.get(start, head.padded())?;
    if body.len() < head.padded() {
        return Ok(Bad::Torn);
    }
    if one_bit_explains(body.len(), crc32c::crc32c(body) ^ head.body_crc) {
        return Ok(Bad::Damaged("a bit has flipped in the record".to_owned()));
    }
    let first = SECTOR - (start % SECTOR as u64) as usize;
    let (first, rest) = body.split_at_checked(first).unwrap_or((body, &[]));
    let unwritten = |sector: &[u8]| sector.iter().all(|byte| *byte == 0);
    Ok(if unwritten(first) || rest.chunks(SECTOR).any(unwritten) {
        Bad::Torn
    } else {
        Bad::Damaged("record does not verify".to_owned())
    })
}

/// Whether flipping one bit among `length` bytes changes their CRC by `difference`.
///
/// CRCs are linear: the difference of a flip depends only on its distance from the end, one polynomial step a bit.
fn one_bit_explains(length: usize, difference: u32) -> bool {
    let mut syndrome = POLYNOMIAL;
    for _ in 0..length * 8 {
        if syndrome == difference {
            return true;
        }
        syndrome = (syndrome >> 1) ^ if syndrome & 1 == 1 { POLYNOMIAL } else { 0 };
    }
    false
}

/// A moving view of the file, so that small records do not cost a read each.
struct Window<'f> {
    file: &'f dyn FsFile,
    size: u64,
    start: u64,
    buf: Vec<u8>,
}

impl Window<'_> {
    /// Bytes from `offset` on; fewer than `length` only at the end of the file.
    fn get(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let length = length.min(usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX));
        if offset < self.start || offset + length as u64 > self.start + self.buf.len() as u64 {
            let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
            self.buf.resize(length.max(CHUNK).min(left), 0);
            self.start = offset;
            let read = read_full(self.file, offset, &mut self.buf)?;
            self.buf.truncate(read);
        }
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        Ok(self.buf.get(from..from + length).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::one_bit_explains;

    #[test]
    fn every_single_flipped_bit_is_recognised_as_one() {
        let clean: Vec<u8> = (0..64_u8).map(|i| i.wrapping_mul(37)).collect();
        let crc = crc32c::crc32c(&clean);
        for bit in 0..clean.len() * 8 {
            let mut flipped = clean.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(one_bit_explains(clean.len(), crc ^ crc32c::crc32c(&flipped)), "bit {bit}");
            flipped[(bit / 8 + 5) % 64] ^= 0x42;
            assert!(
                !one_bit_explains(clean.len(), crc ^ crc32c::crc32c(&flipped)),
                "three bits, first {bit}"
            );
        }
    }
}
