//! Which files a path stands for, and what stands in them. Reads and bounds; does not understand.

use std::{
    fs::{self, File as Opened},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::super::{
    failure::{During as _, Failure},
    secret::refused,
};
use crate::private_file;

/// The most files.
const FILES_MAX: usize = 500;
/// The longest file, in bytes.
const FILE_LEN_MAX: u64 = 1024 * 1024;

/// A file that was read.
#[derive(Debug)]
pub(crate) struct File {
    /// As it was named: the path that was given, and the file's name.
    pub(crate) name: Arc<str>,
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// The files of a path, each kind in the order of their names.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) tables: Vec<File>,
    pub(crate) policies: Vec<File>,
}

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: Arc<str>,
    /// From 1 on.
    pub(crate) line: usize,
}

/// Something that is wrong with what stands there. It repeats no value that could be a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    pub(crate) place: Place,
    pub(crate) text: String,
}

impl Place {
    pub(crate) fn problem(&self, text: impl Into<String>) -> Problem {
        Problem { place: self.clone(), text: text.into() }
    }
}

impl File {
    /// The place of a byte.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let line = 1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
        Place { file: self.name.clone(), line }
    }

    /// The folder that paths in it are relative to.
    pub(crate) fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        }
    }
}

impl Files {
    /// Reads a file, or all `*.toml` and `*.cedar` files of a folder, without those of the folders in it.
    ///
    /// # Errors
    /// A [`Failure`] where one cannot be read, or there is none.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let attempted = || format!("read resources from {}", path.display());
        let mut paths = if fs::metadata(path).during(attempted())?.is_dir() {
            let entries = fs::read_dir(path).during(attempted())?;
            let entries = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
            entries.during(attempted())?
        } else {
            vec![path.to_owned()]
        };
        // Editors leave hidden files behind.
        let hidden =
            |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        paths.retain(|path| extension(path).is_some() && !hidden(path));
        paths.sort();
        if paths.is_empty() {
            let why = "there is no .toml and no .cedar file";
            return Err(Failure::local(attempted(), "FILES_MISSING", why));
        }
        if paths.len() > FILES_MAX {
            let why = format!("there are more than {FILES_MAX} files");
            return Err(Failure::local(attempted(), "FILES_REFUSED", why));
        }
        let mut files = Self::default();
        for path in paths {
            let kind = extension(&path);
            let read = read(path)?;
            if kind == Some("cedar") { files.policies.push(read) } else { files.tables.push(read) }
        }
        Ok(files)
    }
}

fn extension(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()? {
        "toml" => Some("toml"),
        "cedar" => Some("cedar"),
        _ => None,
    }
}

fn read(path: PathBuf) -> Result<File, Failure> {
    let attempted = || format!("read {}", path.display());
    let opened = Opened::open(&path).during(attempted())?;
    let text = private_file::read_text(opened, FILE_LEN_MAX).map_err(|error| refused(attempted(), &error))?;
    Ok(File { name: path.display().to_string().into(), text: text.as_str().to_owned(), path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(folder.path().join(name), format!("# {name}\n")).unwrap();
        }
        folder
    }

    fn names(files: &[File]) -> Vec<String> {
        files.iter().map(|file| file.path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_folder_stands_for_its_tables_and_policies_in_the_order_of_their_names() {
        let folder = folder(&["b.toml", "a.toml", "2.cedar", "1.cedar", "github.secret", ".hidden.toml"]);
        fs::create_dir(folder.path().join("c")).unwrap();
        fs::write(folder.path().join("c/deeper.toml"), "").unwrap();
        let files = Files::read(folder.path()).unwrap();
        assert_eq!(names(&files.tables), ["a.toml", "b.toml"]);
        assert_eq!(names(&files.policies), ["1.cedar", "2.cedar"]);
        let one = Files::read(&folder.path().join("b.toml")).unwrap();
        assert_eq!((names(&one.tables).len(), one.policies.len()), (1, 0));
    }

    #[test]
    fn what_has_nothing_to_apply_is_refused() {
        let folder = folder(&["github.secret"]);
        assert_eq!(Files::read(folder.path()).unwrap_err().code(), "FILES_MISSING");
        assert_eq!(Files::read(&folder.path().join("none.toml")).unwrap_err().code(), "IO");
        assert_eq!(Files::read(&folder.path().join("github.secret")).unwrap_err().code(), "FILES_MISSING");
    }

    #[test]
    fn a_place_is_a_line_from_one_on() {
        let file = File { name: "x".into(), path: "x".into(), text: "a\nb\nc".to_owned() };
        assert_eq!([0, 1, 2, 4, 99].map(|offset| file.place(offset).line), [1, 1, 2, 3, 3]);
    }
}
