//! Taking over a snapshot.
//!
//! It goes into a store of its own, the next epoch, and is read back from there as when a ledger opens: rows, blobs, tree, every digest. Only then does
//! the pointer name it. A crash before that leaves the old ledger, one after it the new.

use std::{
    fs::{self, File},
    io::BufReader,
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use leasehold_failpoint::failpoint;

use super::{
    Manifest,
    frames::{Frame, FrameReader, Pair},
};
use crate::{
    entry::Applied,
    error::{Fault, SnapshotError},
    hash, keys,
    lines::{
        Block, Line, blocks,
        stored::{Leaves, Stored},
    },
    merkle::Tree,
    open,
    postings::PageChain,
    release::drop_store,
    shared::{Loaded, Shared, StopOnPanic, lock},
    store::{Disk, Store, Writes},
};

/// How many lines of our own are carried over at once.
const LINES_AT_ONCE: usize = 1024;

impl Shared {
    pub(crate) fn install_snapshot(
        &self,
        file: &Path,
        store_id: [u8; open::STORE_ID_LEN],
    ) -> Result<Applied, SnapshotError> {
        let _turn = lock(&self.turn);
        let _stop = StopOnPanic { shared: self, what: "installing a snapshot" };
        self.check()?;
        let input = File::open(file).map_err(SnapshotError::io("open", file))?;
        let mut frames = FrameReader::new(BufReader::new(input), file)?;
        let Frame::Manifest(manifest) = frames.next()? else {
            return Err(SnapshotError::damaged(file, "it does not begin with a manifest"));
        };
        self.is_news(&manifest)?;

        let epoch = self.epoch() + 1;
        let path = self.place.epoch_dir(epoch);
        if path.exists() {
            fs::remove_dir_all(&path).map_err(SnapshotError::io("remove", &path))?;
        }
        failpoint!("install.begun");
        match self.filled(frames, &manifest, &path, file, store_id) {
            Ok(loaded) => Ok(self.switch(epoch, loaded)?),
            Err(error) => {
                // What cannot be removed now is removed when the ledger opens.
                drop(fs::remove_dir_all(&path));
                Err(error)
            }
        }
    }

    fn is_news(&self, manifest: &Manifest) -> Result<(), SnapshotError> {
        let memory = self.memory()?;
        let index = |applied: &Applied| applied.position.map(|position| position.index);
        let (snapshot, applied) = (index(&manifest.meta.applied), index(&memory.applied));
        if snapshot < applied {
            return Err(SnapshotError::Outdated {
                snapshot: snapshot.unwrap_or(0),
                applied: applied.unwrap_or(0),
            });
        }
        let have = memory.state.clock.next_seq;
        if manifest.lines_from > have {
            return Err(SnapshotError::Gap { from: manifest.lines_from, have });
        }
        Ok(())
    }

    /// A store with the snapshot's content, read back and verified.
    fn filled(
        &self,
        mut frames: FrameReader<BufReader<File>>,
        manifest: &Manifest,
        path: &Path,
        file: &Path,
        store_id: [u8; open::STORE_ID_LEN],
    ) -> Result<Loaded, SnapshotError> {
        let store = Arc::new(Store::open(path, self.options.cache_bytes)?);
        let mut filling = Filling {
            store: &store,
            disk: self.disk.as_ref(),
            flush_bytes: self.options.flush_bytes,
            unflushed: 0,
            tree: Tree::default(),
            pages: PageChain::default(),
        };
        let damaged = |fault: Fault| match fault {
            Fault::Damaged { what } => SnapshotError::damaged(file, what),
            Fault::Disk { .. } | Fault::OutOfOrder { .. } | Fault::Panicked { .. } | Fault::Closed => {
                SnapshotError::Fault(fault)
            }
        };
        self.carry_over(&mut filling, manifest.lines_from)?;
        loop {
            failpoint!("install.frame-read");
            match frames.next()? {
                Frame::Manifest(_) => return Err(SnapshotError::damaged(file, "it has two manifests")),
                Frame::Pairs(pairs) => filling.pairs(&pairs).map_err(damaged)?,
                Frame::Lines(block) => filling.lines(&block).map_err(damaged)?,
                Frame::End => break,
            }
        }
        if !frames.finish()? {
            return Err(SnapshotError::damaged(file, "bytes follow its end"));
        }
        let head = filling.tree.head();
        if (head.size, head.root) != (manifest.meta.size(), manifest.meta.root) {
            return Err(SnapshotError::damaged(file, "its lines do not have the root that it names"));
        }
        if filling.pages.finish().map_err(damaged)? != manifest.meta.runs {
            return Err(SnapshotError::damaged(file, "postings are missing"));
        }
        failpoint!("install.filled");
        open::begin(&store, store_id, &manifest.meta, self.disk.as_ref())?;
        open::load(store, None).map_err(damaged)
    }

    /// Puts the lines that the snapshot leaves out, from our own.
    fn carry_over(&self, filling: &mut Filling<'_>, end: u64) -> Result<(), Fault> {
        let mut next = 0;
        while next < end {
            let view = self.view()?;
            let stored_end = self.log()?.pending.first().min(end);
            let lines: Vec<Line> = if next < stored_end {
                let mut leaves = Leaves::new(&view);
                Stored::new(&view.store, next, stored_end)?
                    .take(LINES_AT_ONCE)
                    .map(|line| {
                        let line = line?;
                        leaves.check(&line)?;
                        Ok(line)
                    })
                    .collect::<Result<_, Fault>>()?
            } else {
                let most = usize::try_from(end - next).unwrap_or(usize::MAX);
                self.log()?.pending.lines_from(next).take(most.min(LINES_AT_ONCE)).collect()
            };
            for block in blocks(next, lines.into_iter().map(|line| line.bytes)) {
                filling.lines(&block)?;
                next = block.end();
            }
        }
        Ok(())
    }

    /// Makes the new epoch the current one.
    fn switch(&self, epoch: u64, loaded: Loaded) -> Result<Applied, Fault> {
        let mut written = lock(&self.writing);
        self.queue.clear();
        failpoint!("install.before-pointer");
        // From here on neither the old nor the new could be told to be current if it failed.
        let pointed =
            self.place.point_to(epoch).map_err(Fault::disk("name the new epoch in", self.place.dir()));
        self.or_stop(pointed)?;
        failpoint!("install.pointed");
        let (applied, size) = (loaded.memory.applied.clone(), loaded.log.pending.tree.size());
        let old = {
            let mut memory = self.memory_mut()?;
            let mut log = self.log_mut()?;
            *memory = loaded.memory;
            let old = std::mem::replace(&mut *log, loaded.log).store;
            self.epoch.store(epoch, Ordering::Release);
            old
        };
        *written = loaded.written;
        self.flushed.send_replace(applied.position);
        self.next_seq.send_replace(size);
        drop(written);
        failpoint!("install.switched");
        self.remove_old(epoch - 1, old);
        Ok(applied)
    }

    /// The old store is of no use any more; what cannot be removed now is removed when the ledger opens.
    fn remove_old(&self, epoch: u64, old: Option<Arc<Store>>) {
        let released = old.map(drop_store).transpose();
        let removed = match released {
            Ok(_) => fs::remove_dir_all(self.place.epoch_dir(epoch)).map_err(|error| error.to_string()),
            Err(fault) => Err(fault.to_string()),
        };
        if let Err(reason) = removed {
            tracing::warn!(epoch, reason, "the store of an old epoch stays until the next start");
        }
    }
}

/// A store that is being filled.
struct Filling<'a> {
    store: &'a Store,
    disk: &'a dyn Disk,
    flush_bytes: usize,
    unflushed: usize,
    tree: Tree,
    pages: PageChain,
}

impl Filling<'_> {
    fn pairs(&mut self, pairs: &[Pair]) -> Result<(), Fault> {
        let mut writes = Writes::default();
        for (key, content) in pairs {
            match key.first().copied() {
                Some(keys::ROW | keys::BLOB) => {}
                Some(keys::POSTINGS) => self.pages.follow(key, content)?,
                Some(_) | None => return Err(Fault::damaged("it has a value of an unknown kind")),
            }
            if key.len() > keys::KEY_LEN_MAX || content.len() > keys::CONTENT_LEN_MAX {
                return Err(Fault::damaged("it has a value that is longer than any may be"));
            }
            writes.put(key, content);
        }
        self.write(writes)
    }

    fn lines(&mut self, block: &Block) -> Result<(), Fault> {
        if block.first != self.tree.size() {
            return Err(Fault::damaged(format!("line {} is missing", self.tree.size())));
        }
        let mut writes = Writes::default();
        let content = block.to_content();
        if content.len() > keys::CONTENT_LEN_MAX {
            return Err(Fault::damaged("it has a value that is longer than any may be"));
        }
        writes.put(&keys::lines(block.first), &content);
        for line in &block.lines {
            self.tree.append(hash::leaf(line), |id, tile| writes.put(&keys::tile(id), &tile.to_bytes()));
        }
        self.write(writes)
    }

    /// What is not flushed sled does not let go of.
    fn write(&mut self, writes: Writes) -> Result<(), Fault> {
        self.unflushed += writes.bytes();
        self.store.write(self.disk, writes.into_batch())?;
        if self.unflushed >= self.flush_bytes {
            self.unflushed = 0;
            self.store.flush(self.disk)?;
        }
        Ok(())
    }
}
