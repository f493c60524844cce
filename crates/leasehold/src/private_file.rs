//! Files with secrets in them: read only if others cannot, and written so that they never could.

use std::{
    fs::{File, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use thiserror::Error;
use zeroize::Zeroizing;

/// Who, besides the owner, must not be able to read or write a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Nobody may.
    Owner,
    /// The group may: orchestrators mount secrets like that.
    OwnerAndGroup,
}

/// Why a file was not read.
#[derive(Debug, Error)]
pub enum ReadPrivateError {
    /// Others may read it.
    #[error("others may read or write it (its mode is {mode:o})")]
    Readable {
        /// Its permission bits.
        mode: u32,
    },
    /// It is larger than what it should hold.
    #[error("it is larger than {limit} bytes")]
    TooLong {
        /// The bound.
        limit: u64,
    },
    /// It is not text.
    #[error("it is not UTF-8 text")]
    NotText,
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads a file of at most `limit` bytes that only `audience` can read.
///
/// # Errors
/// [`ReadPrivateError`].
pub(crate) fn read(
    path: &Path,
    audience: Audience,
    limit: u64,
) -> Result<Zeroizing<String>, ReadPrivateError> {
    let file = File::open(path)?;
    // Asked of what was opened, and not of the name, which may mean another file by now.
    let metadata = file.metadata()?;
    let mode = metadata.mode() & 0o777;
    let others = match audience {
        Audience::Owner => 0o077,
        Audience::OwnerAndGroup => 0o027,
    };
    if metadata.is_file() && mode & others != 0 {
        return Err(ReadPrivateError::Readable { mode });
    }
    read_text(file, limit)
}

/// Reads at most `limit` bytes of text.
///
/// # Errors
/// [`ReadPrivateError`], but never [`ReadPrivateError::Readable`].
pub(crate) fn read_text(from: impl io::Read, limit: u64) -> Result<Zeroizing<String>, ReadPrivateError> {
    let room = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
    // The whole room at once: growing would leave copies behind, unwiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    from.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(ReadPrivateError::TooLong { limit });
    }
    str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned())).map_err(|_| ReadPrivateError::NotText)
}

/// Replaces a file by one that only its owner can read: whole or not at all.
///
/// # Errors
/// What the file system says.
pub(crate) fn replace(path: &Path, contents: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o600)).tempfile_in(folder)?;
    file.write_all(contents.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file(mode: u32, contents: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        for (mode, audience, refused) in [
            (0o600, Audience::Owner, false),
            (0o400, Audience::Owner, false),
            (0o640, Audience::Owner, true),
            (0o604, Audience::Owner, true),
            (0o620, Audience::Owner, true),
            (0o440, Audience::OwnerAndGroup, false),
            (0o444, Audience::OwnerAndGroup, true),
            (0o660, Audience::OwnerAndGroup, true),
        ] {
            let (_folder, path) = file(mode, "x");
            let readable = matches!(read(&path, audience, 10), Err(ReadPrivateError::Readable { .. }));
            assert_eq!(readable, refused, "{mode:o} {audience:?}");
        }
    }

    #[test]
    fn what_is_too_long_or_no_text_is_refused() {
        let (_folder, path) = file(0o600, "four");
        assert_eq!(*read(&path, Audience::Owner, 4).unwrap(), "four");
        assert!(matches!(read(&path, Audience::Owner, 3), Err(ReadPrivateError::TooLong { limit: 3 })));
        assert!(matches!(read_text(&[0xff][..], 3), Err(ReadPrivateError::NotText)));
    }

    #[test]
    fn a_replaced_file_is_private_whatever_it_was_before() {
        let (folder, path) = file(0o644, "before");
        replace(&path, "after").unwrap();
        assert_eq!(*read(&path, Audience::Owner, 10).unwrap(), "after");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
