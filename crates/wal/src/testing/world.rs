//! The state of the simulated disk and what each call does to it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// A kind of call that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Creating a file.
    Create,
    /// Opening a file.
    Open,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Truncating.
    Truncate,
    /// Syncing a file.
    Sync,
    /// Syncing a directory.
    SyncDir,
    /// Renaming.
    Rename,
    /// Removing.
    Remove,
}

/// Something that no sync has covered yet.
#[derive(Clone, Debug)]
pub(super) enum Pending {
    Write { inode: u64, offset: u64, data: Vec<u8> },
    Truncate { inode: u64, size: u64 },
    Link { path: PathBuf, inode: u64 },
    Rename { from: PathBuf, to: PathBuf },
    Unlink { path: PathBuf },
}

impl Pending {
    fn inode(&self) -> Option<u64> {
        match self {
            Self::Write { inode, .. } | Self::Truncate { inode, .. } => Some(*inode),
            Self::Link { .. } | Self::Rename { .. } | Self::Unlink { .. } => None,
        }
    }
}

/// Files and their names.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) names: BTreeMap<PathBuf, u64>,
    pub(super) data: BTreeMap<u64, Vec<u8>>,
}

impl View {
    pub(super) fn apply(&mut self, change: &Pending) {
        match change {
            Pending::Write { inode, offset, data } => {
                let (start, file) = (at(*offset), self.data.entry(*inode).or_default());
                let end = start + data.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                if let Some(target) = file.get_mut(start..end) {
                    target.copy_from_slice(data);
                }
            }
            Pending::Truncate { inode, size } => self.data.entry(*inode).or_default().resize(at(*size), 0),
            Pending::Link { path, inode } => {
                self.names.insert(path.clone(), *inode);
            }
            Pending::Rename { from, to } => {
                if let Some(inode) = self.names.remove(from) {
                    self.names.insert(to.clone(), inode);
                }
            }
            Pending::Unlink { path } => {
                self.names.remove(path);
            }
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) seen: View,
    pub(super) durable: View,
    pub(super) pending: Vec<Pending>,
    dirs: BTreeSet<PathBuf>,
    next_inode: u64,
    pub(super) locks: BTreeSet<PathBuf>,
    pub(super) fault: Option<(Call, u64, io::ErrorKind)>,
    pub(super) space_max: Option<u64>,
    pub(super) calls: u64,
    pub(super) syncs: u64,
    pub(super) held: bool,
    pub(super) waiting: usize,
    pub(super) history: Option<Vec<(u64, Self)>>,
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl World {
    pub(super) fn used(&self) -> u64 {
        self.seen
            .names
            .values()
            .filter_map(|inode| self.seen.data.get(inode))
            .map(|data| data.len() as u64)
            .sum()
    }

    fn strike(&mut self, call: Call) -> io::Result<()> {
        let Some((kind, nth, error)) = &mut self.fault else { return Ok(()) };
        if *kind != call {
            return Ok(());
        }
        *nth -= 1;
        if *nth > 0 {
            return Ok(());
        }
        let error = *error;
        self.fault = None;
        Err(error.into())
    }

    fn done(&mut self) {
        self.calls += 1;
        if let Some(mut history) = self.history.take() {
            history.push((self.calls, self.clone()));
            self.history = Some(history);
        }
    }

    fn change(&mut self, change: Pending) {
        self.seen.apply(&change);
        self.pending.push(change);
        self.done();
    }

    pub(super) fn restarted(&self) -> Self {
        let (seen, durable, pending) = (self.seen.clone(), self.durable.clone(), self.pending.clone());
        Self {
            seen,
            durable,
            pending,
            dirs: self.dirs.clone(),
            next_inode: self.next_inode,
            ..Self::default()
        }
    }

    pub(super) fn create_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.dirs.insert(dir.to_owned());
        Ok(())
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<u64> {
        self.strike(Call::Create)?;
        if self.seen.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.next_inode += 1;
        let inode = self.next_inode;
        self.seen.data.insert(inode, Vec::new());
        self.durable.data.insert(inode, Vec::new());
        self.change(Pending::Link { path: path.to_owned(), inode });
        Ok(inode)
    }

    pub(super) fn open(&mut self, path: &Path) -> io::Result<u64> {
        self.strike(Call::Open)?;
        self.seen.names.get(path).copied().ok_or_else(not_found)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.strike(Call::Rename)?;
        self.content(from)?;
        self.change(Pending::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.strike(Call::Remove)?;
        self.content(path)?;
        self.change(Pending::Unlink { path: path.to_owned() });
        Ok(())
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        if !self.dirs.contains(dir) {
            return Err(not_found());
        }
        let inside = self.seen.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.strike(Call::SyncDir)?;
        let inside = |path: &PathBuf| path.parent() == Some(dir);
        self.settle(|change| match change {
            Pending::Link { path, .. } | Pending::Unlink { path } | Pending::Rename { to: path, .. } => {
                inside(path)
            }
            Pending::Write { .. } | Pending::Truncate { .. } => false,
        });
        self.done();
        Ok(())
    }

    pub(super) fn size(&self, inode: u64) -> io::Result<u64> {
        self.seen.data.get(&inode).map(|data| data.len() as u64).ok_or_else(not_found)
    }

    pub(super) fn read(&mut self, inode: u64, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.strike(Call::Read)?;
        let data = self.seen.data.get(&inode).ok_or_else(not_found)?;
        let rest = data.get(at(offset)..).unwrap_or_default();
        let length = rest.len().min(buf.len());
        if let (Some(target), Some(source)) = (buf.get_mut(..length), rest.get(..length)) {
            target.copy_from_slice(source);
        }
        Ok(length)
    }

    pub(super) fn write(&mut self, inode: u64, offset: u64, mut data: Vec<u8>) -> io::Result<()> {
        self.strike(Call::Write)?;
        let size = self.size(inode)?;
        let room = self.space_max.map(|max| max.saturating_sub(self.used()));
        let fits = room.map_or(usize::MAX, |room| at((size + room).saturating_sub(offset)));
        let full = data.len() > fits;
        data.truncate(fits);
        if !data.is_empty() {
            self.change(Pending::Write { inode, offset, data });
        }
        if full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    pub(super) fn truncate(&mut self, inode: u64, size: u64) -> io::Result<()> {
        self.strike(Call::Truncate)?;
        self.change(Pending::Truncate { inode, size });
        Ok(())
    }

    pub(super) fn sync(&mut self, inode: u64) -> io::Result<()> {
        self.syncs += 1;
        let struck = self.strike(Call::Sync);
        if struck.is_err() {
            self.pending.retain(|change| change.inode() != Some(inode));
        } else {
            self.settle(|change| change.inode() == Some(inode));
        }
        self.done();
        struck
    }

    fn settle(&mut self, covered: impl Fn(&Pending) -> bool) {
        let (settled, left) = std::mem::take(&mut self.pending).into_iter().partition(covered);
        self.pending = left;
        let settled: Vec<Pending> = settled;
        for change in &settled {
            self.durable.apply(change);
        }
    }

    pub(super) fn content(&self, path: &Path) -> io::Result<&Vec<u8>> {
        self.seen.names.get(path).and_then(|inode| self.seen.data.get(inode)).ok_or_else(not_found)
    }

    pub(super) fn plant(&mut self, path: &Path, content: Vec<u8>) {
        self.next_inode += 1;
        for view in [&mut self.seen, &mut self.durable] {
            view.data.insert(self.next_inode, content.clone());
            view.names.insert(path.to_owned(), self.next_inode);
        }
        self.dirs.extend(path.parent().map(Path::to_owned));
    }

    pub(super) fn unplant(&mut self, path: &Path) {
        self.seen.names.remove(path);
        self.durable.names.remove(path);
    }

    pub(super) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = self.seen.names.iter();
        files.filter_map(|(path, inode)| Some((path.clone(), self.seen.data.get(inode)?.clone()))).collect()
    }

    pub(super) fn emptied(&self, durable: View) -> Self {
        Self {
            seen: durable.clone(),
            durable,
            dirs: self.dirs.clone(),
            next_inode: self.next_inode,
            ..Self::default()
        }
    }
}
