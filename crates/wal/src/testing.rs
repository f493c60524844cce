//! A simulated disk, for tests of this crate and of those above it.
//!
//! [`SimFs`] keeps two views: what a running process reads, and what would survive a loss of power. Between them lie the
//! operations that no sync has covered; a crash keeps any part of them, down to single sectors. Faults can be injected
//! by kind and count, the disk can be full, and a sync can be held back while a test lines up what waits for it.

mod crash;
mod world;

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

pub use crash::Tear;
pub use world::Call;
use world::World;

use crate::{DirLock, Fs, FsFile};

/// A disk in memory. Clones share it.
#[derive(Clone, Default)]
pub struct SimFs(Arc<Sim>);

#[derive(Default)]
struct Sim {
    world: Mutex<World>,
    gate: Condvar,
}

impl SimFs {
    /// An empty disk without limit.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn of(world: World) -> Self {
        Self(Arc::new(Sim { world: Mutex::new(world), gate: Condvar::new() }))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the `nth` call of this kind from now on, counted from 1, fail with `error`; 0 takes the fault back.
    ///
    /// A failed sync loses what it should have made durable, although it stays readable: as on Linux, a second sync of
    /// the same data succeeds and makes nothing durable.
    pub fn fail(&self, call: Call, nth: u64, error: io::ErrorKind) {
        self.world().fault = (nth > 0).then_some((call, nth, error));
    }

    /// Limits the sum of all file sizes to `bytes` above the present one; a write beyond it is cut short and fails with
    /// `StorageFull`. `None` takes the limit back.
    pub fn limit_space(&self, bytes: Option<u64>) {
        let mut world = self.world();
        world.space_max = bytes.map(|bytes| world.used() + bytes);
    }

    /// Number of calls that changed or synced something.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.world().calls
    }

    /// Number of syncs of files, as a test of grouping needs them.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.world().syncs
    }

    /// Holds every sync of a file from now on, until the answer is released or dropped.
    #[must_use]
    pub fn hold_syncs(&self) -> HeldSyncs {
        self.world().held = true;
        HeldSyncs(self.clone())
    }

    /// From now on, keeps a copy of the disk after every call that changes or syncs something.
    pub fn record_history(&self) {
        self.world().history = Some(Vec::new());
    }

    /// The copies recorded, each with the number of calls before and including the one it follows.
    #[must_use]
    pub fn history(&self) -> Vec<(u64, Self)> {
        let history = self.world().history.clone().unwrap_or_default();
        history.into_iter().map(|(calls, world)| (calls, Self::of(world))).collect()
    }

    /// The disk as a new process finds it after this one was killed: nothing written is lost, and no lock is held.
    #[must_use]
    pub fn killed(&self) -> Self {
        Self::of(self.world().restarted())
    }

    /// How many pieces a loss of power may keep or lose, each for itself: sectors, file sizes and names.
    #[must_use]
    pub fn unsynced_pieces(&self, tear: Tear) -> usize {
        self.world().pieces(tear).len()
    }

    /// The disk after a loss of power that kept those unsynced pieces, by number in the order of the calls, for which
    /// `keep` says so.
    #[must_use]
    pub fn crashed(&self, tear: Tear, keep: impl FnMut(usize) -> bool) -> Self {
        Self::of(self.world().crashed(tear, keep))
    }

    /// The content of a file as a process reads it.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub fn content(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.world().content(path).cloned()
    }

    /// Overwrites a file durably, or creates it: damage, planted from outside.
    pub fn plant(&self, path: &Path, content: Vec<u8>) {
        self.world().plant(path, content);
    }

    /// Removes a file durably, from outside.
    pub fn unplant(&self, path: &Path) {
        self.world().unplant(path);
    }

    /// Every file with its content, as a process reads them.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.world().files()
    }
}

/// Syncs of files wait as long as this lives.
pub struct HeldSyncs(SimFs);

impl HeldSyncs {
    /// Waits until a sync is being held.
    pub fn wait(&self) {
        let sim = &self.0.0;
        let world = sim.gate.wait_while(self.0.world(), |world| world.waiting == 0);
        drop(world);
    }

    /// Lets held syncs go on.
    pub fn release(self) {}
}

impl Drop for HeldSyncs {
    fn drop(&mut self) {
        self.0.world().held = false;
        self.0.0.gate.notify_all();
    }
}

impl Fs for SimFs {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.world().create_dir(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn FsFile>> {
        let inode = self.world().create(path)?;
        Ok(Arc::new(SimFile { fs: self.clone(), inode }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn FsFile>> {
        let inode = self.world().open(path)?;
        Ok(Arc::new(SimFile { fs: self.clone(), inode }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.world().rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.world().remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.world().list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.world().sync_dir(dir)
    }

    fn lock(&self, dir: &Path) -> io::Result<DirLock> {
        if !self.world().locks.insert(dir.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimLock { fs: self.clone(), dir: dir.to_owned() }))
    }
}

struct SimLock {
    fs: SimFs,
    dir: PathBuf,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.fs.world().locks.remove(&self.dir);
    }
}

struct SimFile {
    fs: SimFs,
    inode: u64,
}

impl FsFile for SimFile {
    fn size(&self) -> io::Result<u64> {
        self.fs.world().size(self.inode)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.fs.world().read(self.inode, offset, buf)
    }

    fn write_at(&self, offset: u64, bufs: &mut [IoSlice<'_>]) -> io::Result<()> {
        let data = bufs.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.fs.world().write(self.inode, offset, data)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.fs.world().truncate(self.inode, size)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut world = self.fs.world();
        world.waiting += 1;
        self.fs.0.gate.notify_all();
        let held = self.fs.0.gate.wait_while(world, |world| world.held);
        let mut world = held.unwrap_or_else(PoisonError::into_inner);
        world.waiting -= 1;
        world.sync(self.inode)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }
}
