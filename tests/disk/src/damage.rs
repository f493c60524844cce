//! Damage to a stopped node's files: what a disk, a cable or a careless hand may leave.

use std::fmt;

use anyhow::Context;

use crate::{folder::Folder, seed::Numbers};

/// How much a torn page or a lost sector takes.
const PAGE: u64 = 4096;

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// One bit is another.
    Flip {
        /// In which byte.
        at: u64,
        /// Which bit.
        bit: u8,
    },
    /// 4,096 bytes are zero.
    Zeroed {
        /// From which on.
        at: u64,
    },
    /// The last byte is gone.
    CutByOne,
    /// The second half is gone.
    CutByHalf,
    /// The file is as it was at an earlier stop.
    Stale,
    /// The file is gone.
    Missing,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flip { at, bit } => write!(f, "bit {bit} of byte {at} flipped"),
            Self::Zeroed { at } => write!(f, "4 KiB from {at} zeroed"),
            Self::CutByOne => write!(f, "cut by a byte"),
            Self::CutByHalf => write!(f, "cut by half"),
            Self::Stale => write!(f, "an older copy put back"),
            Self::Missing => write!(f, "missing"),
        }
    }
}

impl Damage {
    /// The folder after it. None where nothing would be changed: there is no older copy, or the bytes were zero.
    ///
    /// # Errors
    /// Where there is no such file.
    pub fn of(self, folder: &Folder, older: &Folder, name: &str) -> anyhow::Result<Option<Folder>> {
        let before = folder.bytes(name).with_context(|| format!("no file {name}"))?;
        let mut bytes = before.to_vec();
        match self {
            Self::Flip { at, bit } => {
                if let Some(byte) = usize::try_from(at).ok().and_then(|at| bytes.get_mut(at)) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Zeroed { at } => {
                let (at, len) = (usize::try_from(at)?, bytes.len());
                let end = (at + PAGE as usize).min(len);
                bytes.get_mut(at..end).unwrap_or_default().fill(0);
            }
            Self::CutByOne => bytes.truncate(bytes.len().saturating_sub(1)),
            Self::CutByHalf => bytes.truncate(bytes.len() / 2),
            Self::Stale => match older.bytes(name) {
                Some(older) => bytes = older.to_vec(),
                None => return Ok(None),
            },
            Self::Missing => return Ok(Some(folder.without(name))),
        }
        if bytes == before { Ok(None) } else { folder.with(name, bytes).map(Some) }
    }
}

/// How many bytes of a file are not the zeros that fill its end.
pub fn written(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

/// The damage that one file gets: every kind, at its head, in its middle and at its end, and at `more` places by a seed, one in eight of them among
/// the zeros that fill its end.
pub fn all(bytes: &[u8], numbers: &mut Numbers, more: usize) -> Vec<Damage> {
    let mut all = vec![Damage::CutByOne, Damage::CutByHalf, Damage::Stale, Damage::Missing];
    let (len, whole) = (written(bytes) as u64, bytes.len() as u64);
    if len == 0 {
        return all;
    }
    let last = len - 1;
    let mut places = vec![0, len.min(16) / 2, len / 3, len / 2, last - last.min(5), last];
    places.extend((0..more).map(|nth| numbers.below(if nth % 8 == 7 { whole } else { len })));
    all.extend(places.into_iter().map(|at| Damage::Flip { at, bit: (numbers.draw() % 8) as u8 }));
    let pages = len.div_ceil(PAGE);
    let mut zeroed = vec![0, pages / 2, pages - 1];
    zeroed.extend((0..more / 8).map(|_| numbers.below(pages)));
    zeroed.sort_unstable();
    zeroed.dedup();
    all.extend(zeroed.into_iter().map(|page| Damage::Zeroed { at: page * PAGE }));
    all
}
