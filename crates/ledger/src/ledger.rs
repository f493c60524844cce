//! The handle: what consensus feeds and everything else reads.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use leasehold_codec::touches::Topic;
use leasehold_domain::{
    machine::Reply,
    state::{BlobKey, State},
    text::Sealed,
};
use tokio::sync::watch;

use crate::{
    entry::{Applied, Entry, Position},
    error::{Fault, OpenError, SnapshotError},
    hash::Hash,
    lines::Line,
    merkle::{TreeHead, prove::ProofError},
    open,
    options::Options,
    place::Place,
    queue::Backlog,
    scrub::Scrub,
    shared::{OnFatal, Shared, lock},
    snapshot::SnapshotMeta,
    store::{Disk, RealDisk},
    walk::BlobPage,
    writer,
    written::StateDigest,
};

/// The ledger of one node. Clones share it; when the last one goes without [`Ledger::close`], it is as after a crash of the process.
///
/// Calls block: on a lock, on the disk, and [`Ledger::apply`] on the writer when too much waits. Call them where blocking is allowed.
#[derive(Clone)]
pub struct Ledger {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    store_id: [u8; open::STORE_ID_LEN],
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.queue.stop();
        self.join();
    }
}

impl Handle {
    fn join(&self) {
        if let Some(writer) = lock(&self.writer).take() {
            // A writer that panicked has said so already.
            drop(writer.join());
        }
    }
}

impl Ledger {
    /// Opens the ledger in `dir`, or begins one. `on_fatal` is called once, from whichever thread meets it, when the ledger stops: the process
    /// must end, for nothing is served any more.
    ///
    /// # Errors
    /// [`OpenError`]: it is in use, of an unknown format, damaged, or the system refused.
    pub fn open(dir: &Path, options: Options, on_fatal: OnFatal) -> Result<Self, OpenError> {
        Self::open_on(dir, options, Arc::new(RealDisk), on_fatal)
    }

    pub(crate) fn open_on(
        dir: &Path,
        options: Options,
        disk: Arc<dyn Disk>,
        on_fatal: OnFatal,
    ) -> Result<Self, OpenError> {
        let place = Place::take(dir)?;
        let opened = open::current(&place, options.cache_bytes, disk.as_ref())?;
        let loaded = open::load(Arc::new(opened.store), opened.noted).map_err(OpenError::from_fault(dir))?;
        let shared = Arc::new(Shared::new(options, place, disk, opened.epoch, loaded, on_fatal));
        let writer = writer::start(&shared).map_err(OpenError::io("start the writer of", dir))?;
        let handle = Handle { shared, store_id: opened.store_id, writer: Mutex::new(Some(writer)) };
        Ok(Self { handle: Arc::new(handle) })
    }

    /// Writes and flushes what this node's log has, and notes that the close was orderly, which spares the next open reading every blob. Every
    /// other call fails from here on.
    ///
    /// # Errors
    /// [`Fault`] when it had stopped before, or the disk refuses.
    pub fn close(&self) -> Result<(), Fault> {
        let shared = self.shared();
        shared.check()?;
        shared.queue.checkpoint();
        shared.check()?;
        shared.stop(Fault::Closed);
        self.handle.join();
        shared.release()
    }

    fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// 16 random bytes that name this ledger, whatever node or organisation it is of, from its first open on.
    pub fn store_id(&self) -> [u8; open::STORE_ID_LEN] {
        self.handle.store_id
    }

    /// Where the ledger stands: all that the last entry changed can be read.
    ///
    /// # Errors
    /// [`Fault`] when it has stopped.
    pub fn applied(&self) -> Result<Applied, Fault> {
        Ok(self.shared().log()?.applied.clone())
    }

    /// Up to which entry all is durable in the store: nothing later may be purged from the log.
    pub fn flushed(&self) -> Option<Position> {
        *self.shared().flushed.borrow()
    }

    /// Follows [`Ledger::flushed`].
    pub fn subscribe_flushed(&self) -> watch::Receiver<Option<Position>> {
        self.shared().flushed.subscribe()
    }

    /// Follows how many lines there are: the sequence number of the next event.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared().next_seq.subscribe()
    }

    /// Applies a committed entry, which must follow the last one. One reply for each proposal, in order; all that it changed can be read when
    /// this returns. Waits while too much waits to be written.
    ///
    /// # Errors
    /// [`Fault`] when the ledger has stopped, or stops for this entry.
    pub fn apply(&self, entry: Entry) -> Result<Vec<Reply>, Fault> {
        self.shared().apply(entry)
    }

    /// This node's log has every entry up to `index` on its disk; only those are written to the store.
    pub fn wal_durable(&self, index: u64) {
        self.shared().queue.durable(index);
    }

    /// Writes what is durable in this node's log, makes it durable in the store, and answers up to where. To be called before the log is purged.
    ///
    /// # Errors
    /// [`Fault`] when the ledger has stopped.
    pub fn checkpoint(&self) -> Result<Option<Position>, Fault> {
        self.shared().queue.checkpoint();
        self.shared().check()?;
        Ok(self.flushed())
    }

    /// How much waits to be written.
    pub fn backlog(&self) -> Backlog {
        self.shared().queue.backlog()
    }

    /// Reads the deciding state. Entries wait meanwhile: keep it short.
    ///
    /// # Errors
    /// [`Fault`] when the ledger has stopped.
    pub fn read<R>(&self, read: impl FnOnce(&State) -> R) -> Result<R, Fault> {
        self.shared().read(read)
    }

    /// A ciphertext or text that the domain stores and never reads.
    ///
    /// # Errors
    /// [`Fault`] when the ledger has stopped, or it cannot be read as it was written.
    pub fn blob(&self, key: &BlobKey) -> Result<Option<Sealed>, Fault> {
        self.shared().blob(key)
    }

    /// The blobs of whole buckets from `from` on, until there are at least `enough` or all were seen. Blocks.
    ///
    /// # Errors
    /// [`Fault`] when the ledger has stopped, or stops for what it reads.
    pub fn blobs(&self, from: u16, enough: usize) -> Result<BlobPage, Fault> {
        self.shared().blobs(from, enough)
    }

    /// Up to `lines_max` lines and about `bytes_max` bytes from line `from` on: at least one, if there is one.
    ///
    /// # Errors
    /// [`Fault`] when the ledger has stopped, or a line is not the one that was written.
    pub fn lines(&self, from: u64, lines_max: usize, bytes_max: usize) -> Result<Vec<Line>, Fault> {
        self.shared().lines(from, lines_max, bytes_max)
    }

    /// One line.
    ///
    /// # Errors
    /// As [`Ledger::lines`].
    pub fn line(&self, seq: u64) -> Result<Option<Line>, Fault> {
        Ok(self.shared().lines(seq, 1, 0)?.into_iter().next())
    }

    /// The numbers of the lines that touch this, the newest first: at most `limit`, all below `before`.
    ///
    /// # Errors
    /// [`Fault`] when the ledger has stopped, or the index cannot be read as it was written.
    pub fn postings(&self, topic: Topic, before: Option<u64>, limit: usize) -> Result<Vec<u64>, Fault> {
        self.shared().postings(topic, before, limit)
    }

    /// The Merkle tree over all lines that can be read.
    ///
    /// # Errors
    /// [`Fault`] when the ledger has stopped.
    pub fn tree(&self) -> Result<TreeHead, Fault> {
        self.shared().tree()
    }

    /// The Merkle tree as it was at `size`.
    ///
    /// # Errors
    /// [`ProofError`]: it never had that size yet, or the ledger has stopped.
    pub fn tree_at(&self, size: u64) -> Result<TreeHead, ProofError> {
        self.shared().tree_at(size)
    }

    /// That line `seq` is in the tree of `size` (RFC 6962 section 2.1.1).
    ///
    /// # Errors
    /// [`ProofError`]: there is no such line or size, or the ledger has stopped.
    pub fn prove_inclusion(&self, seq: u64, size: u64) -> Result<Vec<Hash>, ProofError> {
        self.shared().prove_inclusion(seq, size)
    }

    /// That the tree of `old` is a prefix of the tree of `new` (RFC 6962 section 2.1.2).
    ///
    /// # Errors
    /// [`ProofError`]: there are no such sizes, or the ledger has stopped.
    pub fn prove_consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, ProofError> {
        self.shared().prove_consistency(old, new)
    }

    /// What every node that stands at the same entry has in common, as of the last entry that is written to the store.
    ///
    /// # Errors
    /// [`Fault`] when the ledger has stopped.
    pub fn state_digest(&self) -> Result<StateDigest, Fault> {
        self.shared().state_digest()
    }

    /// The same as of this entry; none where it is not written yet, or not among the last 1,024.
    ///
    /// # Errors
    /// [`Fault`] when the ledger has stopped.
    pub fn state_digest_at(&self, index: u64) -> Result<Option<StateDigest>, Fault> {
        self.shared().state_digest_at(index)
    }

    /// Reads a little of all that is stored against what it must be, and answers where to go on; `None` when all of it was read. Whoever calls
    /// says how fast. What is found damaged stops the ledger.
    ///
    /// # Errors
    /// [`Fault`] when the ledger has stopped, or something is not what was written.
    pub fn scrub(&self, from: Scrub) -> Result<Option<Scrub>, Fault> {
        self.shared().scrub(from)
    }

    /// Writes an image of one moment to a file in `dir`, and removes all but the last two. It holds the lines from `lines_from` on: 0 for a
    /// receiver of which nothing is known. Apply and the writer go on meanwhile.
    ///
    /// # Errors
    /// [`SnapshotError`]: the system refused, or the ledger has stopped.
    pub fn build_snapshot(&self, dir: &Path, lines_from: u64) -> Result<SnapshotMeta, SnapshotError> {
        self.shared().build_snapshot(dir, lines_from)
    }

    /// Takes over the image in `file`, once it is verified in full: what is applied, unflushed or stored here is replaced by it.
    ///
    /// # Errors
    /// [`SnapshotError`]; the ledger is as it was then, unless it is a fault.
    pub fn install_snapshot(&self, file: &Path) -> Result<Applied, SnapshotError> {
        self.shared().install_snapshot(file, self.store_id())
    }
}

#[cfg(test)]
impl Ledger {
    /// Where the store stands.
    pub(crate) fn written_meta(&self) -> crate::meta::Meta {
        lock(&self.shared().writing).meta.clone()
    }

    /// Takes a blob out of the store, behind the ledger's back.
    pub(crate) fn danger_lose_a_blob(&self) {
        let store = self.shared().view().unwrap().store;
        let (key, _) = store.last(crate::keys::space(crate::keys::BLOB)).unwrap().unwrap();
        let mut writes = crate::store::Writes::default();
        writes.remove(&key);
        store.write(&RealDisk, writes.into_batch()).unwrap();
    }

    /// Puts another first line into the store, with a guard that holds.
    pub(crate) fn danger_replace_first_line(&self, line: &'static [u8]) {
        let store = self.shared().view().unwrap().store;
        let key = crate::keys::lines(0);
        let content = store.get(&key).unwrap().unwrap();
        let mut block = crate::lines::Block::from_content(0, &content).unwrap();
        block.lines[0] = bytes::Bytes::from_static(line);
        let mut writes = crate::store::Writes::default();
        writes.put(&key, &block.to_content());
        store.write(&RealDisk, writes.into_batch()).unwrap();
    }
}
