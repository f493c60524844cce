//! Segment files: names, the header, and creation.
//!
//! A segment is born complete: written under a temporary name, synced, renamed, and its directory synced before the
//! first record goes in. Its header repeats the state of the log at that point, so older segments can be purged.

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use leasehold_failpoint::failpoint;

use crate::codec::{Fields, Put};
use crate::{Failure, Fs, FsFile, Identity, State};

/// Size of the header; records follow at once.
pub(crate) const HEADER: usize = 256;
pub(crate) const FORMAT: u32 = 1;
const MAGIC: [u8; 8] = *b"LHWALSEG";
const SUFFIX: &str = ".seg";
/// Suffix of files that a crash may leave and the next open removes.
pub(crate) const TEMPORARY: &str = ".tmp";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) identity: Identity,
    pub(crate) id: u64,
    /// The first segment that must exist.
    pub(crate) oldest: u64,
    /// Chain value at the end of the segment before, its seal included.
    pub(crate) chain: u32,
    pub(crate) state: State,
}

pub(crate) enum HeaderError {
    Damaged,
    Format(u32),
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.put(&MAGIC);
        bytes.put_u32(FORMAT);
        bytes.put(&self.identity.cluster);
        bytes.put_u64(self.identity.node);
        bytes.put_u64(self.id);
        bytes.put_u64(self.oldest);
        bytes.put_u32(self.chain);
        bytes.put_state(&self.state);
        bytes.resize(HEADER - 4, 0);
        bytes.put_u32(crc32c::crc32c(&bytes));
        bytes
    }

    /// The chain value that the first record carries on.
    pub(crate) fn crc(&self) -> u32 {
        self.encode().last_chunk().map_or(0, |crc| u32::from_le_bytes(*crc))
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let (content, crc) = bytes.split_last_chunk::<4>().ok_or(HeaderError::Damaged)?;
        let mut fields = Fields::new(content);
        if bytes.len() != HEADER || crc32c::crc32c(content) != u32::from_le_bytes(*crc) {
            return Err(HeaderError::Damaged);
        }
        let format =
            (fields.array() == Some(MAGIC)).then(|| fields.u32()).flatten().ok_or(HeaderError::Damaged)?;
        if format != FORMAT {
            return Err(HeaderError::Format(format));
        }
        Self::fields(fields).ok_or(HeaderError::Damaged)
    }

    fn fields(mut fields: Fields<'_>) -> Option<Self> {
        let header = Self {
            identity: Identity { cluster: fields.array()?, node: fields.u64()? },
            id: fields.u64()?,
            oldest: fields.u64()?,
            chain: fields.u32()?,
            state: fields.state()?,
        };
        fields.rest().iter().all(|byte| *byte == 0).then_some(header)
    }
}

pub(crate) fn path(dir: &Path, id: u64) -> PathBuf {
    dir.join(format!("{id:020}{SUFFIX}"))
}

/// The id that a file name stands for, if it names a segment.
pub(crate) fn id_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

pub(crate) fn create(fs: &dyn Fs, dir: &Path, header: &Header) -> Result<Arc<dyn FsFile>, Failure> {
    let target = path(dir, header.id);
    publish(fs, dir, &target, &header.encode())?;
    fs.open(&target).map_err(Failure::io("open", target))
}

/// Writes a file that is either wholly there under its name or not at all, durably; replaces an older one.
pub(crate) fn publish(fs: &dyn Fs, dir: &Path, target: &Path, content: &[u8]) -> Result<(), Failure> {
    let mut name = target.as_os_str().to_owned();
    name.push(TEMPORARY);
    let temporary = PathBuf::from(name);
    match fs.remove(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Failure::io("remove", temporary)(error));
        }
        Ok(()) | Err(_) => {}
    }
    let file = fs.create(&temporary).map_err(Failure::io("create", temporary.clone()))?;
    failpoint!("wal.file-created");
    file.write_at(0, &mut [IoSlice::new(content)]).map_err(Failure::io("write", temporary.clone()))?;
    failpoint!("wal.file-written");
    file.sync_all().map_err(Failure::io("sync", temporary.clone()))?;
    failpoint!("wal.file-synced");
    fs.rename(&temporary, target).map_err(Failure::io("rename", temporary))?;
    failpoint!("wal.file-renamed");
    fs.sync_dir(dir).map_err(Failure::io("sync", dir.to_owned()))
}
