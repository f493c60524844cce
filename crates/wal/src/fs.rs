//! The file operations that the log needs, and no others, so that the same code runs on a real and on a simulated disk.

mod disk;

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

pub use disk::DiskFs;

/// Held as long as the directory is ours; dropping it releases the lock.
pub type DirLock = Box<dyn Send + Sync>;

/// A directory of plain files. Every method may block.
pub trait Fs: Send + Sync {
    /// Creates a directory and its parents where missing, durably.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Creates a file that must not exist, for reading and writing. Its name is durable after `sync_dir`.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn FsFile>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn FsFile>>;
    /// Renames atomically, replacing `to`. Durable after `sync_dir`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file. Durable after `sync_dir`.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Names of the files in a directory, in any order; `NotFound` if there is no such directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes creations, renames and removals in the directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Locks the directory for this holder alone; `WouldBlock` if another has it.
    fn lock(&self, dir: &Path) -> io::Result<DirLock>;
}

/// One file. Readers share it with a single writer.
pub trait FsFile: Send + Sync {
    /// Current size in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Reads at `offset`; fewer bytes than asked for, or none, at the end of the file.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes all slices at `offset`, as one vectored write where the system takes them at once.
    fn write_at(&self, offset: u64, bufs: &mut [IoSlice<'_>]) -> io::Result<()>;
    /// Sets the size.
    fn truncate(&self, size: u64) -> io::Result<()>;
    /// Makes data and size durable (fdatasync).
    fn sync_data(&self) -> io::Result<()>;
    /// Makes data and all metadata durable (fsync).
    fn sync_all(&self) -> io::Result<()>;
}

/// Reads until `buf` is full or the file ends; answers how much there was.
pub(crate) fn read_full(file: &dyn FsFile, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(free) = buf.get_mut(done..).filter(|free| !free.is_empty()) {
        match file.read_at(offset + done as u64, free) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
