//! Answers of token endpoints, on this node's disk before anybody reads them, until their outcome is committed.
//!
//! A token endpoint that honours a refresh token once answers once. Between that answer and the commit of what it says, a crash must lose
//! nothing: so the answer's bytes are sealed, written to a file of their own and synced before they are parsed. A `sent` marker is written
//! before the request leaves, so that after a crash it is known which attempts may have reached the provider. That of an exchange holds what
//! is presented, sealed: a code can be presented again, where a refresh token may not.

mod moving;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use leasehold_domain::{
    id::{AuthorizationId, GrantId, OrganisationId},
    time::Timestamp,
};
use leasehold_failpoint::failpoint;
use leasehold_upstream::call::RawAnswer;
use leasehold_vault::{Entropy, Keyring, OutboxOwner, Owner, OwnerBinding, Sealed, Secret};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::keys::live::Keys;

/// Why the outbox does not take or give an entry. Each of these stops the refresh that it belongs to; a write error stops the node.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// The disk.
    #[error("the outbox file {path} cannot be {what}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// An entry does not open, or is not what was written.
    #[error("the outbox file {path} is damaged")]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
    /// The answer is longer than an entry may be.
    #[error("the provider's answer is too long to be kept")]
    TooLong,
    /// It could not be sealed.
    #[error("the provider's answer could not be sealed")]
    Sealing,
}

/// Which attempt an entry belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Attempt {
    /// A refresh.
    Refresh(GrantId, u64),
    /// An exchange of a code.
    Exchange(AuthorizationId),
}

impl Attempt {
    fn stem(self) -> String {
        match self {
            Self::Refresh(grant, attempt) => format!("{grant}-{attempt}"),
            Self::Exchange(authorization) => format!("{authorization}"),
        }
    }

    /// The attempt that a file's name belongs to, one that a crash left half written included.
    fn of_file(name: &str) -> Option<Self> {
        let name = name.strip_suffix(PART).unwrap_or(name);
        let stem = name.strip_suffix(".answer").or_else(|| name.strip_suffix(".sent"))?;
        match stem.split_once('-') {
            Some((grant, attempt)) => Some(Self::Refresh(grant.parse().ok()?, attempt.parse().ok()?)),
            None => Some(Self::Exchange(stem.parse().ok()?)),
        }
    }

    fn owner(self) -> Owner {
        match self {
            Self::Refresh(grant, attempt) => Owner::OutboxEntry { owner: OutboxOwner::Grant(grant), attempt },
            Self::Exchange(authorization) => {
                Owner::OutboxEntry { owner: OutboxOwner::Authorization(authorization), attempt: 1 }
            }
        }
    }

    /// What its marker holds is sealed apart from its answer.
    fn marker_owner(self) -> Owner {
        match self {
            Self::Refresh(..) => self.owner(),
            Self::Exchange(authorization) => {
                Owner::OutboxEntry { owner: OutboxOwner::Authorization(authorization), attempt: 2 }
            }
        }
    }
}

/// What the outbox knows of an attempt.
pub(crate) enum Kept {
    /// Nothing: its request never left.
    Nothing,
    /// The request may have left; there is no answer. With it, what the marker holds.
    Sent(Option<Secret>),
    /// The answer, and the moment before its request was sent.
    Answer(Box<RawAnswer>, Timestamp),
}

/// What a file's name ends in until the file is whole.
const PART: &str = ".part";

/// A folder of sealed answers.
#[derive(Clone)]
pub struct Outbox(Arc<Folder>);

struct Folder {
    path: PathBuf,
    organisation: OrganisationId,
    keys: Arc<Keys>,
    /// Whoever uses a file shares it; whoever counts what is under which key, or moves it to another, has it alone.
    moving: RwLock<()>,
}

impl Outbox {
    /// Opens the folder, and makes it where there is none.
    ///
    /// # Errors
    /// [`OutboxError::Io`] where the disk does not.
    pub fn open(path: &Path, organisation: OrganisationId, keys: Arc<Keys>) -> Result<Self, OutboxError> {
        fs::create_dir_all(path).map_err(|source| io_error(path, "made", source))?;
        if let Some(parent) = path.parent() {
            sync_folder(parent)?;
        }
        Ok(Self(Arc::new(Folder { path: path.to_owned(), organisation, keys, moving: RwLock::default() })))
    }

    /// Notes that the attempt's request is about to leave. Durable when it returns.
    pub(crate) async fn sent(&self, attempt: Attempt, at: Timestamp) -> Result<(), OutboxError> {
        self.mark(attempt, move |_| Ok(at.as_millis().to_be_bytes().to_vec())).await
    }

    /// The same, with what is about to be presented.
    pub(crate) async fn sent_with(
        &self,
        entropy: Arc<dyn Entropy>,
        attempt: Attempt,
        at: Timestamp,
        presented: Arc<Secret>,
    ) -> Result<(), OutboxError> {
        let marked = move |folder: &Folder| {
            let sealed = folder.seal(attempt.marker_owner(), &presented, &*entropy)?;
            Ok([&at.as_millis().to_be_bytes()[..], &sealed].concat())
        };
        self.mark(attempt, marked).await
    }

    async fn mark(
        &self,
        attempt: Attempt,
        content: impl FnOnce(&Folder) -> Result<Vec<u8>, OutboxError> + Send + 'static,
    ) -> Result<(), OutboxError> {
        self.on_disk(move |folder| {
            let _shared = folder.shared();
            let stem = attempt.stem();
            // An answer to an earlier send of this attempt, whose client was refused, says nothing about this one.
            folder.remove(&format!("{stem}.answer{PART}"))?;
            folder.remove(&format!("{stem}.answer"))?;
            folder.write(&format!("{stem}.sent"), &content(folder)?)
        })
        .await
    }

    async fn on_disk<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<R, OutboxError> + Send + 'static,
    ) -> Result<R, OutboxError> {
        let folder = self.0.clone();
        match tokio::task::spawn_blocking(move || work(&folder)).await {
            Ok(done) => done,
            Err(error) => Err(io_error(&self.0.path, "used", io::Error::other(error))),
        }
    }

    /// Keeps the answer. Durable when it returns.
    pub(crate) async fn keep(
        &self,
        entropy: Arc<dyn Entropy>,
        attempt: Attempt,
        sent_at: Timestamp,
        answer: &RawAnswer,
    ) -> Result<(), OutboxError> {
        let bytes = answer.to_bytes();
        let mut framed = Zeroizing::new(Vec::with_capacity(bytes.len() + 8));
        framed.extend_from_slice(&sent_at.as_millis().to_be_bytes());
        framed.extend_from_slice(&bytes);
        let secret = Secret::copy_of(&framed).map_err(|_| OutboxError::TooLong)?;
        self.on_disk(move |folder| {
            let _shared = folder.shared();
            let sealed = folder.seal(attempt.owner(), &secret, &*entropy)?;
            folder.write(&format!("{}.answer", attempt.stem()), &sealed)
        })
        .await
    }

    /// The attempts of which anything is kept, at most `limit`.
    pub(crate) fn attempts(&self, limit: usize) -> Result<Vec<Attempt>, OutboxError> {
        let path = &self.0.path;
        let mut found = Vec::new();
        for entry in fs::read_dir(path).map_err(|source| io_error(path, "listed", source))? {
            let name = entry.map_err(|source| io_error(path, "listed", source))?.file_name();
            found.extend(name.to_str().and_then(Attempt::of_file));
            if found.len() > limit * 4 {
                break;
            }
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(limit);
        Ok(found)
    }

    /// What is known of an attempt.
    pub(crate) fn find(&self, attempt: Attempt) -> Result<Kept, OutboxError> {
        // What is read is opened before it can be moved to another key, and that one be retired.
        let _shared = self.0.shared();
        let keyring = self.0.keyring()?;
        let path = self.0.path.join(format!("{}.answer", attempt.stem()));
        if let Some(bytes) = read_if_there(&path)? {
            return self.answer(&keyring, attempt, &bytes).ok_or(OutboxError::Damaged { path });
        }
        // A crash may have come between the last byte and the file's name. What opens is whole, and may be the only copy of a token.
        let unnamed = self.0.path.join(format!("{}.answer{PART}", attempt.stem()));
        if let Some(kept) = read_if_there(&unnamed)?.and_then(|bytes| self.answer(&keyring, attempt, &bytes))
        {
            return Ok(kept);
        }
        let path = self.0.path.join(format!("{}.sent", attempt.stem()));
        let Some(marker) = read_if_there(&path)? else { return Ok(Kept::Nothing) };
        let damaged = || OutboxError::Damaged { path: path.clone() };
        let (_, presented) = marker.split_first_chunk::<8>().ok_or_else(damaged)?;
        if presented.is_empty() {
            return Ok(Kept::Sent(None));
        }
        self.0
            .unseal(&keyring, attempt.marker_owner(), presented)
            .map(|code| Kept::Sent(Some(code)))
            .ok_or_else(damaged)
    }

    fn answer(&self, keyring: &Keyring, attempt: Attempt, bytes: &[u8]) -> Option<Kept> {
        let secret = self.0.unseal(keyring, attempt.owner(), bytes)?;
        let (at, answer) = secret.expose().split_first_chunk::<8>()?;
        let answer = RawAnswer::from_bytes(answer).ok()?;
        Some(Kept::Answer(Box::new(answer), Timestamp::from_millis(u64::from_be_bytes(*at))))
    }

    /// Forgets an attempt whose outcome is committed.
    pub(crate) async fn forget(&self, attempt: Attempt) -> Result<(), OutboxError> {
        self.on_disk(move |folder| {
            let _shared = folder.shared();
            let stem = attempt.stem();
            folder.remove(&format!("{stem}.answer{PART}"))?;
            folder.remove(&format!("{stem}.answer"))?;
            failpoint!("outbox.answer-removed");
            folder.remove(&format!("{stem}.sent{PART}"))?;
            folder.remove(&format!("{stem}.sent"))
        })
        .await
    }
}

impl Folder {
    /// Held while a file is written, removed, or read and opened.
    fn shared(&self) -> RwLockReadGuard<'_, ()> {
        self.moving.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn keyring(&self) -> Result<Arc<Keyring>, OutboxError> {
        self.keys.current().map_err(|_| OutboxError::Sealing)
    }

    const fn binding(&self, owner: Owner) -> OwnerBinding {
        OwnerBinding { organisation: self.organisation, owner }
    }

    /// Seals for a file. Within the turn in which the file is written: once a look at the keys had the folder alone, nothing more comes under a
    /// former one.
    fn seal(&self, owner: Owner, secret: &Secret, entropy: &dyn Entropy) -> Result<Vec<u8>, OutboxError> {
        let sealed = self.keyring()?.seal(&self.binding(owner), secret, entropy);
        sealed.map(|sealed| sealed.to_bytes().to_vec()).map_err(|_| OutboxError::Sealing)
    }

    fn unseal(&self, keyring: &Keyring, owner: Owner, bytes: &[u8]) -> Option<Secret> {
        keyring.unseal(&self.binding(owner), &Sealed::from_bytes(bytes).ok()?).ok()
    }

    fn remove(&self, name: &str) -> Result<(), OutboxError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(io_error(&path, "removed", source)),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), OutboxError> {
        let path = self.path.join(name);
        let temporary = self.path.join(format!("{name}{PART}"));
        let put = || -> io::Result<()> {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
            file.write_all(bytes)?;
            failpoint!("outbox.file-written");
            file.sync_all()?;
            failpoint!("outbox.file-synced");
            fs::rename(&temporary, &path)?;
            failpoint!("outbox.file-renamed");
            Ok(())
        };
        put().map_err(|source| io_error(&path, "written", source))?;
        sync_folder(&self.path)
    }
}

fn read_if_there(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, OutboxError> {
    let mut bytes = Zeroizing::new(Vec::new());
    match File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error(path, "read", source)),
    }
}

fn sync_folder(path: &Path) -> Result<(), OutboxError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|source| io_error(path, "synced", source))
}

fn io_error(path: &Path, what: &'static str, source: io::Error) -> OutboxError {
    OutboxError::Io { path: path.to_owned(), what, source }
}
