//! A folder as it is, held in memory, and put somewhere else: names, bytes, and which file is which.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, ensure};

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A folder.
    Folder,
    /// A file's bytes.
    File(Vec<u8>),
}

/// One name.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it stands for.
    pub content: Content,
    /// By which number the system knew it.
    pub inode: u64,
    /// When it was changed last.
    pub modified: SystemTime,
}

/// A folder's content, by names below it.
#[derive(Debug, Clone, Default)]
pub struct Folder(pub BTreeMap<String, Entry>);

impl Folder {
    /// Reads a folder.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let mut entries = BTreeMap::new();
        let mut waiting = vec![PathBuf::new()];
        while let Some(below) = waiting.pop() {
            for entry in fs::read_dir(path.join(&below)).with_context(|| path.display().to_string())? {
                let entry = entry?;
                let name = below.join(entry.file_name());
                let found = entry.metadata()?;
                let content = if found.is_dir() {
                    waiting.push(name.clone());
                    Content::Folder
                } else {
                    Content::File(fs::read(entry.path())?)
                };
                let entry = Entry { content, inode: found.ino(), modified: found.modified()? };
                entries.insert(name.to_str().context("a name that is no text")?.to_owned(), entry);
            }
        }
        Ok(Self(entries))
    }

    /// Puts it into `path`, which is made anew, as its user's own, with the dates that it had.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn put(&self, path: &Path) -> anyhow::Result<()> {
        if path.exists() {
            fs::remove_dir_all(path)?;
        }
        fs::create_dir_all(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        for (name, entry) in &self.0 {
            let target = path.join(name);
            match &entry.content {
                Content::Folder => fs::create_dir(&target)?,
                Content::File(bytes) => {
                    fs::write(&target, bytes).with_context(|| target.display().to_string())?;
                    fs::set_permissions(&target, fs::Permissions::from_mode(0o600))?;
                    fs::File::options().write(true).open(&target)?.set_modified(entry.modified)?;
                }
            }
        }
        Ok(())
    }

    /// The names of its files.
    pub fn files(&self) -> Vec<String> {
        let files = self.0.iter().filter(|(_, entry)| entry.content != Content::Folder);
        files.map(|(name, _)| name.clone()).collect()
    }

    /// A file's bytes.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        match self.0.get(name).map(|entry| &entry.content) {
            Some(Content::File(bytes)) => Some(bytes),
            Some(Content::Folder) | None => None,
        }
    }

    /// The same with other bytes in a file, whose date stays: damage keeps no dates.
    ///
    /// # Errors
    /// Where there is no such file.
    pub fn with(&self, name: &str, bytes: Vec<u8>) -> anyhow::Result<Self> {
        let mut changed = self.clone();
        let entry = changed.0.get_mut(name).with_context(|| format!("no file {name}"))?;
        ensure!(entry.content != Content::Folder, "{name} is a folder");
        entry.content = Content::File(bytes);
        Ok(changed)
    }

    /// The same without a file.
    pub fn without(&self, name: &str) -> Self {
        let mut changed = self.clone();
        changed.0.remove(name);
        changed
    }
}
