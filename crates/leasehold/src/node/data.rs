//! The data directory: what lies where, and the file that says whose it is.
//!
//! `node.toml` is written once, at the first start, before anything else. It names the cluster and the node, and whether the data are for
//! development only, which `serve` refuses.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use leasehold_vault::Entropy;
use serde::{Deserialize, Serialize};

/// The format that this version writes and reads.
const FORMAT: u32 = 1;

/// Where everything of a node lies.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

/// Whose data these are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    format: u32,
    /// The cluster, as 32 hexadecimal digits.
    cluster: String,
    /// The node's number in its cluster.
    pub node: u64,
    /// Whether `dev` made them.
    pub development: bool,
}

impl Identity {
    /// The cluster's id.
    ///
    /// # Errors
    /// Where the file does not hold 32 hexadecimal digits.
    pub fn cluster(&self) -> anyhow::Result<[u8; 16]> {
        let number = u128::from_str_radix(&self.cluster, 16).ok().filter(|_| self.cluster.len() == 32);
        number.map(u128::to_be_bytes).context("node.toml: cluster is not 32 hexadecimal digits")
    }
}

/// Lets this process make files for its own user only, whatever made the data directory.
pub(crate) fn keep_files_private() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

impl DataDir {
    /// Opens the directory, and makes it where there is none, for this user alone.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("cannot make the data directory {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The file that says whose data these are.
    pub fn identity_file(&self) -> PathBuf {
        self.0.join("node.toml")
    }

    /// The write-ahead log.
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// The ledger.
    pub fn ledger(&self) -> PathBuf {
        self.0.join("ledger")
    }

    /// Snapshots.
    pub fn snapshots(&self) -> PathBuf {
        self.0.join("snapshots")
    }

    /// Answers of providers that are not committed yet.
    pub fn outbox(&self) -> PathBuf {
        self.0.join("outbox")
    }

    /// The root key that `dev` makes for itself.
    pub fn root_key(&self) -> PathBuf {
        self.0.join("root.key")
    }

    /// The bootstrap credential, until it is redeemed.
    pub fn bootstrap(&self) -> PathBuf {
        self.0.join("bootstrap")
    }

    /// Looks whether a node could start with the data at `path`, and changes nothing.
    ///
    /// # Errors
    /// As [`Self::identity`], and where something else than a directory is there.
    pub fn examine(path: &Path, node: u64, development: bool) -> anyhow::Result<()> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => bail!("{} is not a directory", path.display()),
            // It is made at the first start.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
        let data = Self(path.to_owned());
        match data.known_identity(node, development)? {
            Some(_) => Ok(()),
            None => data.nothing_stray(&data.identity_file()),
        }
    }

    /// Reads whose data these are, or says it at a first start.
    ///
    /// # Errors
    /// Where the file says something else: another format, another node, or data that `dev` made where `serve` starts, or the reverse.
    pub fn identity(&self, node: u64, development: bool, entropy: &dyn Entropy) -> anyhow::Result<Identity> {
        match self.known_identity(node, development)? {
            Some(identity) => Ok(identity),
            None => self.first_identity(&self.identity_file(), node, development, entropy),
        }
    }

    /// Whose data these are, where that was said before.
    fn known_identity(&self, node: u64, development: bool) -> anyhow::Result<Option<Identity>> {
        let path = self.identity_file();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let identity: Identity =
            toml::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
        if identity.format != FORMAT {
            bail!(
                "{}: format {} is not known to this version, which knows {FORMAT}",
                path.display(),
                identity.format
            );
        }
        if identity.development && !development {
            bail!(
                "{} was made by `leasehold dev`: its keys and passwords are not for production. Start `serve` with another data directory",
                self.0.display()
            );
        }
        if !identity.development && development {
            bail!("{} is a production data directory: `leasehold dev` does not touch it", self.0.display());
        }
        if identity.node != node {
            bail!("{}: this is node {}, not node {node}", path.display(), identity.node);
        }
        identity.cluster()?;
        Ok(Some(identity))
    }

    /// A log or a ledger without the file that names them has lost it, or is not ours.
    fn nothing_stray(&self, identity: &Path) -> anyhow::Result<()> {
        for stray in [self.log(), self.ledger()] {
            if stray.exists() {
                bail!(
                    "{} exists, but {} does not: this data directory is not complete",
                    stray.display(),
                    identity.display()
                );
            }
        }
        Ok(())
    }

    fn first_identity(
        &self,
        path: &Path,
        node: u64,
        development: bool,
        entropy: &dyn Entropy,
    ) -> anyhow::Result<Identity> {
        self.nothing_stray(path)?;
        let mut cluster = [0; 16];
        entropy.fill(&mut cluster);
        let cluster = format!("{:032x}", u128::from_be_bytes(cluster));
        let identity = Identity { format: FORMAT, cluster, node, development };
        let text = toml::to_string(&identity).context("cannot write node.toml")?;
        write_private(path, text.as_bytes())?;
        Ok(identity)
    }
}

/// Writes a file that only this user may read, whole or not at all, and durably. Replaces one that is there.
///
/// # Errors
/// Where the disk refuses.
pub fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let temporary = path.with_extension("part");
    let put = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    };
    put().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use leasehold_vault::OsEntropy;

    use super::*;

    #[test]
    fn a_second_start_finds_what_the_first_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path()).unwrap();
        let first = data.identity(1, false, &OsEntropy).unwrap();
        assert_eq!(data.identity(1, false, &OsEntropy).unwrap(), first);
    }

    #[test]
    fn serve_refuses_what_dev_made_and_dev_what_serve_made() {
        for development in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let data = DataDir::open(dir.path()).unwrap();
            data.identity(1, development, &OsEntropy).unwrap();
            assert!(data.identity(1, !development, &OsEntropy).is_err());
            assert!(DataDir::examine(dir.path(), 1, !development).is_err());
            assert!(DataDir::examine(dir.path(), 2, development).is_err());
            DataDir::examine(dir.path(), 1, development).unwrap();
        }
    }

    #[test]
    fn a_log_without_its_identity_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path()).unwrap();
        fs::create_dir(data.log()).unwrap();
        assert!(DataDir::examine(dir.path(), 1, false).is_err());
        assert!(data.identity(1, false, &OsEntropy).is_err());
        assert!(!dir.path().join("node.toml").exists());
    }

    #[test]
    fn an_examination_makes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        DataDir::examine(dir.path(), 1, false).unwrap();
        DataDir::examine(&dir.path().join("not-yet"), 1, false).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(DataDir::examine(&file, 1, false).is_err());
    }
}
