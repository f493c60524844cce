//! Which of the outside tools this machine has, by its `PATH`. Starts none of them.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A tool that cargo does not bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// `node`: any version that npm runs on. The servers run on a Node of their own, from the lock file.
    Node,
    /// `npm`.
    Npm,
    /// `python3`, 3.9 or later.
    Python,
    /// `pip3`, which says that `python3 -m pip` is there.
    Pip,
}

impl Tool {
    const ALL: [Self; 4] = [Self::Node, Self::Npm, Self::Python, Self::Pip];

    /// The program's name, as one would type it.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Npm => "npm",
            Self::Python => "python3",
            Self::Pip => "pip3",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program())
    }
}

/// Whether the tools a test needs are here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Availability {
    /// All of them are.
    Ready(Toolchain),
    /// The first that is not.
    Missing(Tool),
}

/// The tools found on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    found: BTreeMap<Tool, PathBuf>,
}

impl Toolchain {
    /// Looks in the folders of this process's `PATH`.
    #[must_use]
    pub fn find() -> Self {
        Self::find_in(&env::var_os("PATH").unwrap_or_default())
    }

    /// Looks in the folders of `search`, written as `PATH` is.
    #[must_use]
    pub fn find_in(search: &OsStr) -> Self {
        let locate = |tool: Tool| {
            env::split_paths(search)
                .map(|folder| folder.join(tool.program()))
                .find(|file| is_executable(file))
        };
        Self { found: Tool::ALL.into_iter().filter_map(|tool| Some((tool, locate(tool)?))).collect() }
    }

    /// Whether all of `needed` were found.
    #[must_use]
    pub fn availability(self, needed: &[Tool]) -> Availability {
        match needed.iter().find(|tool| !self.found.contains_key(tool)) {
            Some(missing) => Availability::Missing(*missing),
            None => Availability::Ready(self),
        }
    }

    /// Where `tool` is, if it was found.
    #[must_use]
    pub fn path(&self, tool: Tool) -> Option<&Path> {
        self.found.get(&tool).map(PathBuf::as_path)
    }
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::OpenOptionsExt as _;

    use super::*;

    fn program(folder: &Path, name: &str, mode: u32) {
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(folder.join(name)).unwrap();
    }

    #[test]
    fn a_missing_tool_is_named() {
        let folder = tempfile::tempdir().unwrap();
        program(folder.path(), "node", 0o755);
        let toolchain = Toolchain::find_in(folder.path().as_os_str());
        assert_eq!(toolchain.path(Tool::Node), Some(folder.path().join("node").as_path()));
        assert_eq!(toolchain.availability(&[Tool::Node, Tool::Npm]), Availability::Missing(Tool::Npm));
    }

    #[test]
    fn a_file_that_cannot_be_executed_is_no_tool() {
        let folder = tempfile::tempdir().unwrap();
        program(folder.path(), "python3", 0o644);
        let toolchain = Toolchain::find_in(folder.path().as_os_str());
        assert_eq!(toolchain.availability(&[Tool::Python]), Availability::Missing(Tool::Python));
    }

    #[test]
    fn what_is_found_first_in_the_path_is_used() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        program(first.path(), "npm", 0o755);
        program(second.path(), "npm", 0o755);
        let search = env::join_paths([first.path(), second.path()]).unwrap();
        assert_eq!(Toolchain::find_in(&search).path(Tool::Npm), Some(first.path().join("npm").as_path()));
    }
}
