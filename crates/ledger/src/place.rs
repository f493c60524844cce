//! The ledger's directory: which epoch is current, and whether it was closed in order.
//!
//! ```text
//! lock           held while the ledger is open
//! current        the number of the current epoch
//! epoch-<n>/     the store of an epoch; an installed snapshot begins the next one
//! closed         after an orderly close: what the next start is to know, guarded by what the
//!                store's files looked like
//! ```
//!
//! Each small file is written under another name, synced, renamed, and its directory synced: a crash leaves the old one or the new one.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use leasehold_failpoint::failpoint;

use crate::{error::OpenError, keys};

const CURRENT: &str = "current";
const CLOSED: &str = "closed";
const LOCK: &str = "lock";
/// What a file is called while it is written, after its name.
pub(crate) const UNFINISHED: &str = "new";
const EPOCH: &str = "epoch-";
/// Stands before the number while an epoch that nothing depends on yet is being begun.
const BEGINNING: &str = "beginning ";

/// The ledger's directory, locked.
pub(crate) struct Place {
    dir: PathBuf,
    _lock: File,
}

/// What the directory says about the current epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Current {
    /// Nothing was ever written, or no more than a beginning.
    Fresh,
    /// This one.
    Epoch(u64),
}

pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Writes a file so that a crash leaves the old one or the new one.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let temporary = path.with_extension(UNFINISHED);
    let mut file = File::create(&temporary)?;
    write(&mut file)?;
    failpoint!("ledger.file-written");
    file.sync_all()?;
    failpoint!("ledger.file-synced");
    fs::rename(&temporary, path)?;
    failpoint!("ledger.file-renamed");
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

impl Place {
    /// Takes the directory, making it where there is none.
    pub(crate) fn take(dir: &Path) -> Result<Self, OpenError> {
        fs::create_dir_all(dir).map_err(OpenError::io("create", dir))?;
        let path = dir.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(OpenError::io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir: dir.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: dir.to_owned() }),
            Err(TryLockError::Error(source)) => Err(OpenError::Io { what: "lock", path, source }),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn epoch_dir(&self, epoch: u64) -> PathBuf {
        self.dir.join(format!("{EPOCH}{epoch}"))
    }

    fn damaged(&self, what: impl Into<String>) -> OpenError {
        OpenError::Damaged { path: self.dir.clone(), what: what.into() }
    }

    /// Which epoch is current.
    pub(crate) fn current(&self) -> Result<Current, OpenError> {
        let path = self.dir.join(CURRENT);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return if self.epochs()?.is_empty() {
                    Ok(Current::Fresh)
                } else {
                    Err(self.damaged("the file that names the current epoch is missing"))
                };
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(self.damaged("the file that names the current epoch is unreadable"));
            }
            Err(error) => return Err(OpenError::io("read", path)(error)),
        };
        let (beginning, number) =
            text.strip_prefix(BEGINNING).map_or((false, text.as_str()), |number| (true, number));
        let epoch = number.strip_suffix('\n').and_then(|number| number.parse::<u64>().ok());
        match epoch.filter(|epoch| format!("{epoch}\n") == number) {
            Some(_) if beginning => Ok(Current::Fresh),
            Some(epoch) => Ok(Current::Epoch(epoch)),
            None => Err(self.damaged("the file that names the current epoch is unreadable")),
        }
    }

    /// Says that this epoch is being begun and that nothing depends on it yet.
    pub(crate) fn begin(&self, epoch: u64) -> Result<(), OpenError> {
        self.point(&format!("{BEGINNING}{epoch}\n"))
    }

    /// Makes this epoch the current one, for good once it returns.
    pub(crate) fn point_to(&self, epoch: u64) -> Result<(), OpenError> {
        self.point(&format!("{epoch}\n"))
    }

    fn point(&self, text: &str) -> Result<(), OpenError> {
        let path = self.dir.join(CURRENT);
        sync_dir(&self.dir).map_err(OpenError::io("sync", &self.dir))?;
        replace(&path, |file| file.write_all(text.as_bytes())).map_err(OpenError::io("write", path))
    }

    fn epochs(&self) -> Result<Vec<u64>, OpenError> {
        let mut epochs = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(OpenError::io("list", &self.dir))? {
            let entry = entry.map_err(OpenError::io("list", &self.dir))?;
            epochs.extend(
                entry.file_name().to_str().and_then(|name| name.strip_prefix(EPOCH)?.parse::<u64>().ok()),
            );
        }
        Ok(epochs)
    }

    /// Removes every epoch but this one: what an install left behind.
    pub(crate) fn remove_others(&self, keep: Option<u64>) -> Result<(), OpenError> {
        for epoch in self.epochs()? {
            if Some(epoch) != keep {
                let path = self.epoch_dir(epoch);
                fs::remove_dir_all(&path).map_err(OpenError::io("remove", path))?;
            }
        }
        Ok(())
    }

    /// Notes that the epoch was closed in order, after its last byte was written, and what the next start is to know.
    pub(crate) fn mark_closed(&self, epoch: u64, note: &[u8]) -> io::Result<()> {
        let looks = self.looks_of(epoch)?;
        let content = keys::guarded(looks.as_bytes(), note);
        replace(&self.dir.join(CLOSED), |file| file.write_all(&content))
    }

    /// What was noted when the epoch was closed in order, if it looks as it did then. The note is used up: from here on a crash counts.
    pub(crate) fn was_closed(&self, epoch: u64) -> Result<Option<Vec<u8>>, OpenError> {
        let path = self.dir.join(CLOSED);
        let mut noted = match fs::read(&path) {
            Ok(noted) => noted,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::io("read", path)(error)),
        };
        let looks = self.looks_of(epoch).map_err(OpenError::io("look at", self.epoch_dir(epoch)))?;
        fs::remove_file(&path).map_err(OpenError::io("remove", path))?;
        sync_dir(&self.dir).map_err(OpenError::io("sync", &self.dir))?;
        Ok(keys::content_len(looks.as_bytes(), &noted).map(|len| {
            noted.truncate(len);
            noted
        }))
    }

    /// Names, lengths and times of change of the store's files.
    fn looks_of(&self, epoch: u64) -> io::Result<String> {
        let mut looks = Vec::new();
        for entry in fs::read_dir(self.epoch_dir(epoch))? {
            let entry = entry?;
            let file = entry.metadata()?;
            if file.is_file() {
                let (name, len) = (entry.file_name(), file.len());
                looks.push(format!(
                    "{epoch} {} {len} {}.{:09}\n",
                    name.display(),
                    file.mtime(),
                    file.mtime_nsec()
                ));
            }
        }
        looks.sort();
        Ok(looks.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::take(dir.path()).unwrap();
        assert!(matches!(Place::take(dir.path()), Err(OpenError::InUse { .. })));
        drop(place);
        assert!(Place::take(dir.path()).is_ok());
    }

    #[test]
    fn a_beginning_that_was_cut_short_is_fresh_and_a_missing_pointer_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::take(dir.path()).unwrap();
        assert_eq!(place.current().unwrap(), Current::Fresh);
        place.begin(1).unwrap();
        fs::create_dir(place.epoch_dir(1)).unwrap();
        assert_eq!(place.current().unwrap(), Current::Fresh);
        place.point_to(1).unwrap();
        assert_eq!(place.current().unwrap(), Current::Epoch(1));
        fs::remove_file(dir.path().join(CURRENT)).unwrap();
        assert!(matches!(place.current(), Err(OpenError::Damaged { .. })));
        for text in ["", "1", "01\n", "x\n", "beginning \n", "1\n2\n"] {
            fs::write(dir.path().join(CURRENT), text).unwrap();
            assert!(matches!(place.current(), Err(OpenError::Damaged { .. })), "{text:?}");
        }
    }

    #[test]
    fn a_close_is_noted_once_and_for_files_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::take(dir.path()).unwrap();
        let epoch = place.epoch_dir(1);
        fs::create_dir(&epoch).unwrap();
        fs::write(epoch.join("db"), b"bytes").unwrap();
        assert_eq!(place.was_closed(1).unwrap(), None);
        place.mark_closed(1, b"note").unwrap();
        assert_eq!(place.was_closed(1).unwrap(), Some(b"note".to_vec()));
        assert_eq!(place.was_closed(1).unwrap(), None, "the note is used up");
        place.mark_closed(1, b"note").unwrap();
        fs::write(epoch.join("db"), b"other bytes").unwrap();
        assert_eq!(place.was_closed(1).unwrap(), None);
    }

    #[test]
    fn what_an_install_left_behind_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::take(dir.path()).unwrap();
        for epoch in 1..=3 {
            fs::create_dir(place.epoch_dir(epoch)).unwrap();
        }
        place.remove_others(Some(2)).unwrap();
        assert_eq!(place.epochs().unwrap(), vec![2]);
    }
}
