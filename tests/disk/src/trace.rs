//! What a process did to its files, in the order in which it did it, as the layer has noted it.

use anyhow::{Context, bail, ensure};

const MAGIC: u32 = 0x4b53_444c;

/// One change, or one sync that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A file was made.
    Create,
    /// A folder was made.
    Mkdir,
    /// Bytes were written at an offset.
    Write {
        /// Where.
        offset: u64,
        /// Which.
        bytes: Vec<u8>,
    },
    /// The size was set.
    Truncate {
        /// To what.
        size: u64,
    },
    /// A sync began.
    SyncBegin {
        /// Its number.
        sync: u64,
        /// Whether of a folder.
        folder: bool,
    },
    /// A sync was answered, well.
    SyncEnd {
        /// Its number.
        sync: u64,
        /// Whether of a folder.
        folder: bool,
    },
    /// The name became another.
    Rename {
        /// Which.
        to: String,
    },
    /// A file's name was removed.
    Unlink,
    /// A folder was removed.
    Rmdir,
    /// `sync_file_range`, which makes nothing durable.
    Range,
    /// A call was refused by a rule.
    Fault {
        /// Which call.
        call: String,
    },
}

/// A change of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// How long the trace was once it was noted.
    pub end: u64,
    /// By which number the system knew the file.
    pub inode: u64,
    /// Its name below the folder, as of then.
    pub name: String,
    /// What was done.
    pub change: Change,
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, len: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(len).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }
}

/// Reads a trace. One that a kill has cut short in its last record ends before it.
///
/// # Errors
/// Where it is no trace.
pub fn parse(bytes: &[u8]) -> anyhow::Result<Vec<Traced>> {
    let (mut rest, mut traced) = (Rest(bytes), Vec::new());
    while !rest.0.is_empty() {
        let Some(next) = record(&mut rest, bytes.len())? else { break };
        traced.push(next);
    }
    Ok(traced)
}

fn record(rest: &mut Rest<'_>, len: usize) -> anyhow::Result<Option<Traced>> {
    let head = (rest.u32(), rest.u32(), rest.u64(), rest.u64(), rest.u64());
    let lens = (rest.u32(), rest.u32(), rest.u64());
    let ((Some(magic), Some(op), Some(inode), Some(a), Some(b)), (Some(name), Some(other), Some(data))) =
        (head, lens)
    else {
        return Ok(None);
    };
    ensure!(magic == MAGIC, "the trace is broken");
    let (Some(name), Some(other), Some(data)) =
        (rest.take(u64::from(name)), rest.take(u64::from(other)), rest.take(data))
    else {
        return Ok(None);
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).context("a name that is no text");
    let change = match op {
        1 => Change::Create,
        2 => Change::Mkdir,
        3 => Change::Write { offset: a, bytes: data.to_vec() },
        4 => Change::Truncate { size: a },
        5 => Change::SyncBegin { sync: a, folder: b != 0 },
        6 => Change::SyncEnd { sync: a, folder: b != 0 },
        7 => Change::Rename { to: text(other)? },
        8 => Change::Unlink,
        9 => Change::Rmdir,
        10 => Change::Range,
        11 => Change::Fault { call: text(other)? },
        unknown => bail!("the trace has an unknown record {unknown}"),
    };
    Ok(Some(Traced { end: (len - rest.0.len()) as u64, inode, name: text(name)?, change }))
}
