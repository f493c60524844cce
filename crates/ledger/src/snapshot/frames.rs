//! The frames of a snapshot file.
//!
//! ```text
//! file:  "leasehold snapshot\n" | format | frame ... frame
//! frame: kind | length | content | CRC32C over these and the CRC32C of the frame before
//! ```
//!
//! The chain of checksums means that a frame that is lost, repeated or moved is told from one that was written; without the last frame, which says
//! that it is the last, a file is cut.

use std::{
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use leasehold_failpoint::failpoint;

use super::Manifest;
use crate::{
    cursor::{Cursor, put_bytes},
    error::SnapshotError,
    keys,
    lines::Block,
    meta::Meta,
    open::FORMAT,
};

const MAGIC: &[u8] = b"leasehold snapshot\n";
const MANIFEST: u8 = 1;
const PAIRS: u8 = 2;
const LINES: u8 = 3;
const END: u8 = 4;
/// The bytes before a frame's content.
const HEAD_LEN: usize = 5;
/// Where a frame of pairs is closed.
const PAIRS_BYTES: usize = 256 * 1024;
/// The longest content.
const CONTENT_LEN_MAX: usize = 1 << 20;

const _: () = assert!(
    PAIRS_BYTES + keys::VALUE_LEN_MAX + keys::KEY_LEN_MAX + 8 <= CONTENT_LEN_MAX,
    "a frame of pairs must be one that is read"
);

/// A key in the store and its content.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// A part of a snapshot.
pub(super) enum Frame {
    /// What it is a snapshot of: the first frame.
    Manifest(Manifest),
    /// Rows, blobs and pages of postings.
    Pairs(Vec<Pair>),
    /// Lines in a row.
    Lines(Block),
    /// There is no more.
    End,
}

/// Writes frames.
pub(super) struct FrameWriter<W> {
    out: W,
    chain: u32,
    pairs: Vec<u8>,
}

impl<W: Write> FrameWriter<W> {
    pub(super) fn new(mut out: W, manifest: &Manifest) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        out.write_all(&FORMAT.to_le_bytes())?;
        let mut frames = Self { out, chain: 0, pairs: Vec::new() };
        let mut content = manifest.lines_from.to_le_bytes().to_vec();
        content.extend_from_slice(&manifest.meta.to_bytes());
        frames.frame(MANIFEST, &content)?;
        Ok(frames)
    }

    fn frame(&mut self, kind: u8, content: &[u8]) -> io::Result<()> {
        let len = u32::try_from(content.len()).map_err(io::Error::other)?;
        let head = [&[kind][..], &len.to_le_bytes()].concat();
        self.chain = crc32c::crc32c_append(crc32c::crc32c_append(self.chain, &head), content);
        self.out.write_all(&head)?;
        self.out.write_all(content)?;
        self.out.write_all(&self.chain.to_le_bytes())?;
        failpoint!("snapshot.frame-written");
        Ok(())
    }

    pub(super) fn pair(&mut self, key: &[u8], content: &[u8]) -> io::Result<()> {
        put_bytes(&mut self.pairs, key);
        put_bytes(&mut self.pairs, content);
        if self.pairs.len() >= PAIRS_BYTES { self.close_pairs() } else { Ok(()) }
    }

    fn close_pairs(&mut self) -> io::Result<()> {
        if self.pairs.is_empty() {
            return Ok(());
        }
        let pairs = std::mem::take(&mut self.pairs);
        self.frame(PAIRS, &pairs)
    }

    pub(super) fn lines(&mut self, block: &Block) -> io::Result<()> {
        self.close_pairs()?;
        let content = [&block.first.to_le_bytes()[..], &block.to_content()].concat();
        self.frame(LINES, &content)
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.close_pairs()?;
        self.frame(END, &[])?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Reads frames.
pub(super) struct FrameReader<R> {
    input: R,
    path: PathBuf,
    chain: u32,
}

impl<R: Read> FrameReader<R> {
    pub(super) fn new(input: R, path: &Path) -> Result<Self, SnapshotError> {
        let mut frames = Self { input, path: path.to_owned(), chain: 0 };
        let mut magic = [0; MAGIC.len()];
        frames.fill(&mut magic)?;
        if magic != MAGIC {
            return Err(frames.damaged("it is no snapshot"));
        }
        let mut format = [0; 4];
        frames.fill(&mut format)?;
        match u32::from_le_bytes(format) {
            FORMAT => Ok(frames),
            found => Err(SnapshotError::UnknownFormat { found, known: FORMAT }),
        }
    }

    fn damaged(&self, what: &str) -> SnapshotError {
        SnapshotError::damaged(&self.path, what)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), SnapshotError> {
        self.input.read_exact(bytes).map_err(|error| {
            if error.kind() == ErrorKind::UnexpectedEof {
                self.damaged("it is cut")
            } else {
                SnapshotError::io("read", &self.path)(error)
            }
        })
    }

    pub(super) fn next(&mut self) -> Result<Frame, SnapshotError> {
        let mut head = [0; HEAD_LEN];
        self.fill(&mut head)?;
        let [kind, len @ ..] = head;
        let len = u32::from_le_bytes(len) as usize;
        if len > CONTENT_LEN_MAX {
            return Err(self.damaged("a frame is longer than any may be"));
        }
        let mut content = vec![0; len];
        self.fill(&mut content)?;
        let mut chain = [0; 4];
        self.fill(&mut chain)?;
        self.chain = crc32c::crc32c_append(crc32c::crc32c_append(self.chain, &head), &content);
        if chain != self.chain.to_le_bytes() {
            return Err(self.damaged("a frame fails its check"));
        }
        frame(kind, &content).ok_or_else(|| self.damaged("a frame cannot be read"))
    }

    /// Whether nothing follows the end.
    pub(super) fn finish(mut self) -> Result<bool, SnapshotError> {
        let mut byte = [0];
        let read = self.input.read(&mut byte).map_err(SnapshotError::io("read", &self.path))?;
        Ok(read == 0)
    }
}

fn frame(kind: u8, content: &[u8]) -> Option<Frame> {
    let mut cursor = Cursor(content);
    match kind {
        MANIFEST => {
            let lines_from = cursor.u64()?;
            Some(Frame::Manifest(Manifest { lines_from, meta: Meta::from_bytes(cursor.0)? }))
        }
        PAIRS => {
            let mut pairs = Vec::new();
            while !cursor.is_done() {
                pairs.push((cursor.bytes()?.to_vec(), cursor.bytes()?.to_vec()));
            }
            Some(Frame::Pairs(pairs))
        }
        LINES => {
            let first = cursor.u64()?;
            Block::from_content(first, cursor.0).ok().map(Frame::Lines)
        }
        END => cursor.is_done().then_some(Frame::End),
        _ => None,
    }
}
