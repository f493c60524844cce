//! Whose log this is, and how far it has come.
//!
//! The identity file is what makes an emptied directory differ from a new one: once it says that segments exist, or that
//! the node has voted, a directory without them is damage. A node that forgot its vote could elect two leaders.

use std::io;
use std::path::{Path, PathBuf};

use crate::codec::{Fields, Put};
use crate::fs::read_full;
use crate::segment::{FORMAT, publish};
use crate::{Failure, Fs, OpenError};

const MAGIC: [u8; 8] = *b"LHWALID\0";
const SIZE: usize = 64;
pub(crate) const NAME: &str = "identity";

/// The cluster and the node that a log belongs to. Node ids are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Random id of the cluster.
    pub cluster: [u8; 16],
    /// Id of the node in it.
    pub node: u64,
}

/// Only ever rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The directory is ours; no segment need exist yet.
    Created = 0,
    /// Segments exist.
    Started = 1,
    /// A vote is durable in them.
    Voted = 2,
}

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

pub(crate) fn write(fs: &dyn Fs, dir: &Path, identity: Identity, stage: Stage) -> Result<(), Failure> {
    let mut bytes = Vec::with_capacity(SIZE);
    bytes.put(&MAGIC);
    bytes.put_u32(FORMAT);
    bytes.put(&identity.cluster);
    bytes.put_u64(identity.node);
    bytes.put(&[stage as u8]);
    bytes.resize(SIZE - 4, 0);
    bytes.put_u32(crc32c::crc32c(&bytes));
    publish(fs, dir, &path(dir), &bytes)
}

/// The stage recorded, or `None` if there is no identity file.
pub(crate) fn read(fs: &dyn Fs, dir: &Path, ours: Identity) -> Result<Option<Stage>, OpenError> {
    let path = path(dir);
    let mut bytes = [0; SIZE + 1];
    let read = fs.open(&path).and_then(|file| read_full(file.as_ref(), 0, &mut bytes));
    let length = match read {
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::io("read", path)(error).into()),
    };
    let damaged =
        |reason: &str| OpenError::Damaged { file: path.clone(), offset: 0, reason: reason.to_owned() };
    let content = bytes.get(..length).filter(|content| content.len() == SIZE);
    let (content, crc) =
        content.and_then(<[u8]>::split_last_chunk::<4>).ok_or_else(|| damaged("wrong size"))?;
    if crc32c::crc32c(content) != u32::from_le_bytes(*crc) {
        return Err(damaged("checksum does not match"));
    }
    let mut fields = Fields::new(content);
    let magic = fields.array().filter(|magic| *magic == MAGIC);
    let format = magic.and_then(|_| fields.u32()).ok_or_else(|| damaged("not an identity file"))?;
    if format != FORMAT {
        return Err(OpenError::Format { file: path, found: format });
    }
    if fields.array() != Some(ours.cluster) {
        return Err(OpenError::Foreign { file: path, what: "cluster" });
    }
    if fields.u64() != Some(ours.node) {
        return Err(OpenError::Foreign { file: path, what: "node" });
    }
    match fields.u8() {
        Some(0) => Ok(Some(Stage::Created)),
        Some(1) => Ok(Some(Stage::Started)),
        Some(2) => Ok(Some(Stage::Voted)),
        Some(_) | None => Err(damaged("unknown stage")),
    }
}
