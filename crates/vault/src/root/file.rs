//! The root key in a file of its owner's alone.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use zeroize::Zeroizing;

use super::{CreateRootKeyError, LoadRootKeyError, read_bounded};

/// The permission bits of a mode, and those among them that a root key file may not have.
const PERMISSIONS: u32 = 0o7777;
const FORBIDDEN: u32 = PERMISSIONS & !0o600;

/// Reads a file's line, once its mode and kind are known to be right.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, LoadRootKeyError> {
    let unreadable = |source| LoadRootKeyError::ReadFile { path: path.display().to_string(), source };
    // Opening a pipe would block for its writer, so the kind is looked at first. What is trusted is asked of the open file.
    let is_file = fs::metadata(path).map_err(unreadable)?.is_file();
    if !is_file {
        return Err(LoadRootKeyError::NotAFile { path: path.display().to_string() });
    }
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(LoadRootKeyError::NotAFile { path: path.display().to_string() });
    }
    let mode = metadata.mode() & PERMISSIONS;
    if mode & FORBIDDEN != 0 {
        return Err(LoadRootKeyError::FileOpenToOthers { path: path.display().to_string(), mode });
    }
    read_bounded(file).map_err(unreadable)
}

/// Writes a new file and syncs it and its directory.
pub(super) fn create(path: &Path, line: &[u8]) -> Result<(), CreateRootKeyError> {
    let unwritable = |source| CreateRootKeyError::Write { path: path.display().to_string(), source };
    // Exclusive creation neither follows a symbolic link nor opens what another process made meanwhile.
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            CreateRootKeyError::Exists { path: path.display().to_string() }
        } else {
            unwritable(error)
        }
    })?;
    let written = file.write_all(line).and_then(|()| file.sync_all()).and_then(|()| sync_directory_of(path));
    if let Err(error) = written {
        // The file is ours and of no use. Where even this fails, the next attempt says that it exists.
        let _ = fs::remove_file(path);
        return Err(unwritable(error));
    }
    Ok(())
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::{
        RootKey, RootKeySource,
        testing::{Counting, ORGANISATION},
    };

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_created_file_has_mode_0600_and_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("root.key");
        let created = RootKey::create_file(&path, &Counting::new()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & PERMISSIONS, 0o600);
        let read = RootKeySource::File(path).load().unwrap();
        assert_eq!(read.check(ORGANISATION), created.check(ORGANISATION));
    }

    #[test]
    fn creating_never_overwrites() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("root.key");
        fs::write(&path, "precious").unwrap();
        let refused = RootKey::create_file(&path, &Counting::new());
        assert!(matches!(refused, Err(CreateRootKeyError::Exists { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"precious");

        let link = directory.path().join("link");
        let target = directory.path().join("target");
        symlink(&target, &link).unwrap();
        assert!(matches!(
            RootKey::create_file(&link, &Counting::new()),
            Err(CreateRootKeyError::Exists { .. })
        ));
        assert!(!target.exists(), "a dangling link is not followed");
    }

    #[test]
    fn a_missing_directory_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("none").join("root.key");
        let error = RootKey::create_file(&path, &Counting::new()).err().unwrap();
        assert!(error.to_string().contains(&path.display().to_string()));
        assert!(matches!(error, CreateRootKeyError::Write { .. }));
    }

    #[test]
    fn a_file_open_to_others_is_refused_with_the_command_that_mends_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("root.key");
        RootKey::create_file(&path, &Counting::new()).unwrap();
        for mode in [0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o700, 0o4600, 0o2600] {
            set_mode(&path, mode);
            let error = RootKeySource::File(path.clone()).load().err().unwrap();
            assert!(matches!(&error, LoadRootKeyError::FileOpenToOthers { mode: seen, .. } if *seen == mode));
            assert!(error.to_string().ends_with(&format!("run `chmod 600 {}`", path.display())));
        }
        for mode in [0o600, 0o400] {
            set_mode(&path, mode);
            assert!(RootKeySource::File(path.clone()).load().is_ok());
        }
    }

    #[test]
    fn what_is_no_file_or_no_key_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let missing = RootKeySource::File(directory.path().join("none")).load();
        assert!(matches!(missing, Err(LoadRootKeyError::ReadFile { .. })));
        let folder = RootKeySource::File(directory.path().to_owned()).load();
        assert!(matches!(folder, Err(LoadRootKeyError::NotAFile { .. })));

        let path = directory.path().join("root.key");
        RootKey::create_file(&path, &Counting::new()).unwrap();
        let line = fs::read(&path).unwrap();
        for content in
            [Vec::new(), b"hunter2\n".to_vec(), line.repeat(2), line.repeat(1000), line[1..].to_vec()]
        {
            fs::write(&path, content).unwrap();
            let error = RootKeySource::File(path.clone()).load().err().unwrap();
            assert!(matches!(error, LoadRootKeyError::Malformed { .. }));
            assert!(!error.to_string().contains("hunter2"), "what was read is not repeated");
        }
    }
}
