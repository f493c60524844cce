//! A disk that owes what was synced and nothing more. It follows a trace, and gives the folder as it may be found after the power has gone.
//!
//! A file's bytes and size are owed once `fsync` or `fdatasync` of that file has been answered, as far as they were written before it began; a name
//! that was made, moved or removed, once `fsync` of its folder has. `sync_file_range` owes nothing. What is not owed is there or not, in any mix:
//! writes whole, torn at 512 or 4,096 bytes, or missing with the size that they gave; renames always whole.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail, ensure};

use crate::{
    folder::{Content, Entry, Folder},
    seed::Numbers,
    trace::{Change, Traced},
};

/// What becomes of what is not owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All of it is gone.
    Everything,
    /// All of it is there, as after the end of the process alone.
    Nothing,
    /// Some of it, by a seed.
    Some(u64),
}

#[derive(Debug, Clone)]
enum Pending {
    Write { offset: u64, bytes: Vec<u8> },
    Truncate { size: u64 },
}

#[derive(Debug, Clone, Default)]
struct File {
    owed: Vec<u8>,
    /// With the number of the change.
    pending: Vec<(u64, Pending)>,
}

#[derive(Debug, Clone)]
enum Naming {
    Made { name: String, object: u64 },
    Removed { name: String },
    Moved { from: String, to: String },
}

/// The disk below one folder.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// Which object the system knows by a number now.
    objects: BTreeMap<u64, u64>,
    files: BTreeMap<u64, File>,
    folders: Vec<u64>,
    owed: BTreeMap<String, u64>,
    pending: Vec<(u64, Naming)>,
    begun: BTreeMap<u64, u64>,
    changes: u64,
    next: u64,
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

fn write(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let end = at(offset) + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    if let Some(place) = content.get_mut(at(offset)..end) {
        place.copy_from_slice(bytes);
    }
}

impl Pending {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => write(content, *offset, bytes),
            Self::Truncate { size } => content.resize(at(*size), 0),
        }
    }
}

impl Naming {
    fn folder(&self) -> &str {
        match self {
            Self::Made { name, .. } | Self::Removed { name } => parent(name),
            Self::Moved { to, .. } => parent(to),
        }
    }

    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Made { name, object } => drop(names.insert(name.clone(), *object)),
            Self::Removed { name } => drop(names.remove(name)),
            Self::Moved { from, to } => {
                if let Some(object) = names.remove(from) {
                    names.insert(to.clone(), object);
                }
            }
        }
    }
}

impl Disk {
    /// One that owes all that a folder holds.
    pub fn of(folder: &Folder) -> Self {
        let mut disk = Self::default();
        for (name, entry) in &folder.0 {
            let object = disk.object(entry.inode);
            disk.owed.insert(name.clone(), object);
            match &entry.content {
                Content::Folder => disk.folders.push(object),
                Content::File(bytes) => {
                    disk.files.insert(object, File { owed: bytes.clone(), pending: Vec::new() });
                }
            }
        }
        disk
    }

    /// A new object, which the system knows by this number from now on.
    fn object(&mut self, inode: u64) -> u64 {
        self.next += 1;
        self.objects.insert(inode, self.next);
        self.next
    }

    fn file(&mut self, traced: &Traced) -> anyhow::Result<&mut File> {
        let object =
            self.objects.get(&traced.inode).with_context(|| format!("{} was never made", traced.name))?;
        self.files.get_mut(object).with_context(|| format!("{} is no file", traced.name))
    }

    /// Follows one change.
    ///
    /// # Errors
    /// Where it is none that this disk can have: a change was missed before.
    pub fn follow(&mut self, traced: &Traced) -> anyhow::Result<()> {
        self.changes += 1;
        let (now, name) = (self.changes, &traced.name);
        match &traced.change {
            Change::Create | Change::Mkdir => {
                let object = self.object(traced.inode);
                if traced.change == Change::Create {
                    self.files.insert(object, File::default());
                } else {
                    self.folders.push(object);
                }
                self.pending.push((now, Naming::Made { name: name.clone(), object }));
            }
            Change::Write { offset, bytes } => {
                let pending = Pending::Write { offset: *offset, bytes: bytes.clone() };
                self.file(traced)?.pending.push((now, pending));
            }
            Change::Truncate { size } => {
                self.file(traced)?.pending.push((now, Pending::Truncate { size: *size }));
            }
            Change::Rename { to } => {
                ensure!(parent(name) == parent(to), "{name} was moved to another folder");
                self.pending.push((now, Naming::Moved { from: name.clone(), to: to.clone() }));
            }
            Change::Unlink | Change::Rmdir => {
                self.pending.push((now, Naming::Removed { name: name.clone() }));
            }
            Change::SyncBegin { sync, .. } => drop(self.begun.insert(*sync, now)),
            Change::SyncEnd { sync, folder } => {
                let begun = self.begun.remove(sync).context("a sync ended that did not begin")?;
                if *folder {
                    self.settle_names(name, begun);
                } else {
                    self.file(traced)?.settle(begun);
                }
            }
            Change::Range | Change::Fault { .. } => {}
        }
        Ok(())
    }

    fn settle_names(&mut self, folder: &str, begun: u64) {
        for (_, naming) in
            self.pending.extract_if(.., |(at, naming)| *at < begun && naming.folder() == folder)
        {
            naming.apply(&mut self.owed);
        }
    }

    /// How many changes are not owed yet.
    pub fn unowed(&self) -> usize {
        self.pending.len() + self.files.values().map(|file| file.pending.len()).sum::<usize>()
    }

    /// The folder as it may be found now.
    ///
    /// # Errors
    /// Where a name is left without its folder, which no disk does.
    pub fn found(&self, loss: Loss) -> anyhow::Result<Folder> {
        let mut mix = Mix::new(loss);
        let mut names = self.owed.clone();
        for (_, naming) in &self.pending {
            if mix.keeps() {
                naming.apply(&mut names);
            }
        }
        // What stands in a folder that is not there is not there.
        let known = names.clone();
        names.retain(|name, _| {
            let mut above = parent(name);
            while !above.is_empty() && known.contains_key(above) {
                above = parent(above);
            }
            above.is_empty()
        });
        let mut folder = Folder::default();
        for (name, object) in names {
            let content = match self.files.get(&object) {
                Some(file) => Content::File(file.found(&mut mix)),
                None if self.folders.contains(&object) => Content::Folder,
                None => bail!("{name} is neither a file nor a folder"),
            };
            let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            folder.0.insert(name, Entry { content, inode: object, modified });
        }
        Ok(folder)
    }

    /// Puts that folder somewhere.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn put(&self, loss: Loss, path: &Path) -> anyhow::Result<()> {
        self.found(loss)?.put(path)
    }
}

impl File {
    fn settle(&mut self, begun: u64) {
        for (_, pending) in self.pending.extract_if(.., |(at, _)| *at < begun) {
            pending.apply(&mut self.owed);
        }
    }

    fn found(&self, mix: &mut Mix) -> Vec<u8> {
        let mut content = self.owed.clone();
        for (_, pending) in &self.pending {
            match pending {
                Pending::Truncate { .. } if !mix.keeps() => {}
                Pending::Truncate { .. } => pending.apply(&mut content),
                Pending::Write { offset, bytes } => mix.write(&mut content, *offset, bytes),
            }
        }
        content
    }
}

/// Which of the changes that are not owed are there.
struct Mix {
    numbers: Option<Numbers>,
    all: bool,
    /// How many in a hundred.
    kept: u64,
    /// Where writes tear.
    sector: u64,
    /// All up to some change, and none after it, rather than any.
    prefix: bool,
    over: bool,
}

impl Mix {
    fn new(loss: Loss) -> Self {
        let mut numbers = match loss {
            Loss::Some(seed) => Some(Numbers::new(seed, "loss")),
            Loss::Everything | Loss::Nothing => None,
        };
        let mut drawn = |bound| numbers.as_mut().map_or(0, |numbers| numbers.below(bound));
        let kept = [10, 50, 50, 90].get(at(drawn(4))).copied().unwrap_or(50);
        let (sector, prefix) = (if drawn(2) == 0 { 512 } else { 4096 }, drawn(3) == 0);
        Self { numbers, all: loss == Loss::Nothing, kept, sector, prefix, over: false }
    }

    fn keeps(&mut self) -> bool {
        let Some(numbers) = &mut self.numbers else { return self.all };
        if self.prefix {
            self.over |= !numbers.chance(self.kept);
            return !self.over;
        }
        numbers.chance(self.kept)
    }

    /// The pieces of a write that are there; of those that are not, sometimes the size is.
    fn write(&mut self, content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
        let end = offset + bytes.len() as u64;
        let mut from = offset;
        while from < end {
            let to = ((from / self.sector + 1) * self.sector).min(end);
            if self.keeps()
                && let Some(piece) = bytes.get(at(from - offset)..at(to - offset))
            {
                write(content, from, piece);
            }
            from = to;
        }
        let sized = self.numbers.as_mut().is_some_and(|numbers| numbers.chance(20));
        if sized && content.len() < at(end) {
            content.resize(at(end), 0);
        }
    }
}
