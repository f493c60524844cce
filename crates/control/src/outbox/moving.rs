//! What of the outbox is under which key, and its way to the current one: answers, and markers that hold what was presented.
//!
//! An answer that a crash left without its name counts as long as it opens, for it may be the only copy of a token; it gets its name before it
//! is moved, so that it is whole on disk at every moment. What a crash left of a marker counts for nothing: its request never left.

use std::{collections::BTreeMap, fs, sync::PoisonError};

use leasehold_vault::{Keyring, OsEntropy, Owner, Purpose, Sealed};

use super::{Attempt, Folder, Outbox, OutboxError, PART, io_error, read_if_there, sync_folder};

/// A file with something sealed in it.
struct Entry {
    name: String,
    owner: Owner,
    /// What stands before it, in clear: the moment, in a marker.
    before: Vec<u8>,
    sealed: Sealed,
}

impl Outbox {
    /// How many things are sealed by each version of their key. Blocks.
    pub(crate) fn versions(&self) -> Result<BTreeMap<u32, u64>, OutboxError> {
        let _alone = self.0.moving.write().unwrap_or_else(PoisonError::into_inner);
        let keyring = self.0.keyring()?;
        let mut versions = BTreeMap::new();
        for entry in self.0.entries(&keyring)? {
            *versions.entry(entry.sealed.key_version()).or_default() += 1;
        }
        Ok(versions)
    }

    /// Seals everything anew that a former key seals; answers how many.
    pub(crate) async fn rewrap(&self) -> Result<u64, OutboxError> {
        self.on_disk(|folder| {
            let _alone = folder.moving.write().unwrap_or_else(PoisonError::into_inner);
            let keyring = folder.keyring()?;
            let mut moved = 0;
            for entry in folder.entries(&keyring)? {
                if keyring.current_version(Purpose::RefreshTokens) != Ok(entry.sealed.key_version()) {
                    folder.seal_anew(&keyring, &entry)?;
                    moved += 1;
                }
            }
            Ok(moved)
        })
        .await
    }
}

impl Folder {
    fn entries(&self, keyring: &Keyring) -> Result<Vec<Entry>, OutboxError> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(|source| io_error(&self.path, "listed", source))? {
            let name = entry.map_err(|source| io_error(&self.path, "listed", source))?.file_name();
            let Some(name) = name.to_str() else { continue };
            let Some(attempt) = Attempt::of_file(name) else { continue };
            entries.extend(self.entry(keyring, name, attempt)?);
        }
        Ok(entries)
    }

    /// What is sealed in a file; none where nothing is, or nobody reads it.
    fn entry(&self, keyring: &Keyring, name: &str, attempt: Attempt) -> Result<Option<Entry>, OutboxError> {
        let path = self.path.join(name);
        let Some(bytes) = read_if_there(&path)? else { return Ok(None) };
        let damaged = || OutboxError::Damaged { path: path.clone() };
        let (owner, before, sealed) = if name.ends_with(".answer") {
            (attempt.owner(), &[][..], &bytes[..])
        } else if let Some(whole) = name.strip_suffix(PART) {
            let owner = attempt.owner();
            // Beside an answer that has its name it is what an interrupted move left.
            let counts = whole.ends_with(".answer")
                && !self.path.join(whole).exists()
                && self.unseal(keyring, owner, &bytes).is_some();
            if !counts {
                return Ok(None);
            }
            (owner, &[][..], &bytes[..])
        } else {
            let (at, presented) = bytes.split_first_chunk::<8>().ok_or_else(damaged)?;
            if presented.is_empty() {
                return Ok(None);
            }
            (attempt.marker_owner(), &at[..], presented)
        };
        let sealed = Sealed::from_bytes(sealed).map_err(|_| damaged())?;
        Ok(Some(Entry { name: name.to_owned(), owner, before: before.to_vec(), sealed }))
    }

    fn seal_anew(&self, keyring: &Keyring, entry: &Entry) -> Result<(), OutboxError> {
        let binding = self.binding(entry.owner);
        let damaged = |_| OutboxError::Damaged { path: self.path.join(&entry.name) };
        let secret = keyring.unseal(&binding, &entry.sealed).map_err(damaged)?;
        let anew = keyring.seal(&binding, &secret, &OsEntropy).map_err(|_| OutboxError::Sealing)?;
        let name = match entry.name.strip_suffix(PART) {
            Some(whole) => {
                self.give_name(&entry.name, whole)?;
                whole
            }
            None => &entry.name,
        };
        self.write(name, &[&entry.before[..], &anew.to_bytes()].concat())
    }

    /// Gives a whole file its name: what is written next under that name would go over it otherwise.
    fn give_name(&self, unnamed: &str, name: &str) -> Result<(), OutboxError> {
        let path = self.path.join(unnamed);
        fs::File::open(&path)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&path, self.path.join(name)))
            .map_err(|source| io_error(&path, "named", source))?;
        sync_folder(&self.path)
    }
}

#[cfg(test)]
#[path = "moving_tests.rs"]
mod tests;
