//! Installs packages that a lock file names, once per lock file and machine, for programs that a test brings along.
//!
//! The result is a folder below `<target>/interop/`. It appears by a rename, so a folder of that name is always complete; a file lock keeps
//! parallel test binaries from doing the work twice. Every package is checked against its hash in the lock file.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

use crate::digest::short;
use crate::install::{INSTALL_LIMIT, InstallError, at, lock, npm_ci};
use crate::run::{failure, run};
use crate::target::interop_folder;
use crate::toolchain::{Tool, Toolchain};

/// Installs the Python packages of a requirements file that pins each by version and hash. Answers with the folder to put on `PYTHONPATH`.
///
/// # Errors
///
/// If Python or pip is missing or fails, or the target folder cannot be written.
pub async fn python_packages(toolchain: &Toolchain, requirements: &str) -> Result<PathBuf, InstallError> {
    let python = toolchain.path(Tool::Python).ok_or(InstallError::Missing(Tool::Python))?;
    // The packages are compiled for one version of the language.
    let mut asked = Command::new(python);
    asked.args(["-c", "import sys; print(sys.implementation.cache_tag, sys.platform)"]);
    let version =
        run(&mut asked, INSTALL_LIMIT).await.map_err(|error| InstallError::Pip(error.to_string()))?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let base = interop_folder();
    let folder = base.join(format!("python-{}", short(&[requirements, &version])));
    fs::create_dir_all(&base).map_err(|error| at(&base, &error))?;
    let _lock = lock(folder.with_extension("lock")).await?;
    if !folder.exists() {
        pip_install(python, &base, &folder, requirements).await?;
    }
    Ok(folder)
}

async fn pip_install(
    python: &Path,
    base: &Path,
    folder: &Path,
    requirements: &str,
) -> Result<(), InstallError> {
    let draft = TempDir::with_prefix_in("installing-", base).map_err(|error| at(base, &error))?;
    let file = draft.path().join("requirements.lock");
    fs::write(&file, requirements).map_err(|error| at(&file, &error))?;
    let mut command = Command::new(python);
    command
        .args(["-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:"])
        .args(["--disable-pip-version-check", "--no-input", "--target"])
        .arg(draft.path())
        .arg("--requirement")
        .arg(&file);
    let output =
        run(&mut command, INSTALL_LIMIT).await.map_err(|error| InstallError::Pip(error.to_string()))?;
    if !output.status.success() {
        return Err(InstallError::Pip(failure(&command, &output).to_string()));
    }
    fs::rename(draft.keep(), folder).map_err(|error| at(folder, &error))
}

/// Installs the npm packages of a lock file, and runs no package's scripts. Answers with the folder that holds `node_modules`.
///
/// # Errors
///
/// If npm is missing or fails, or the target folder cannot be written.
pub async fn npm_packages(
    toolchain: &Toolchain,
    package: &str,
    lock_file: &str,
) -> Result<PathBuf, InstallError> {
    let npm = toolchain.path(Tool::Npm).ok_or(InstallError::Missing(Tool::Npm))?;
    let base = interop_folder();
    let folder = base.join(format!("npm-{}", short(&[package, lock_file])));
    fs::create_dir_all(&base).map_err(|error| at(&base, &error))?;
    let _lock = lock(folder.with_extension("lock")).await?;
    if !folder.exists() {
        let draft = npm_ci(npm, &base, package, lock_file).await?;
        fs::rename(draft.keep(), &folder).map_err(|error| at(&folder, &error))?;
    }
    Ok(folder)
}

/// A folder below `beside` that `make` fills, once for the same `parts`: what it is made of. `make` is given the folder to fill.
///
/// # Errors
///
/// If `make` fails, or the folder cannot be written.
pub async fn made_once(
    beside: &Path,
    parts: &[&str],
    make: impl AsyncFnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, InstallError> {
    let folder = beside.join(format!("made-{}", short(parts)));
    let _lock = lock(folder.with_extension("lock")).await?;
    if !folder.exists() {
        let draft = TempDir::with_prefix_in("making-", beside).map_err(|error| at(beside, &error))?;
        make(draft.path()).await.map_err(InstallError::Made)?;
        fs::rename(draft.keep(), &folder).map_err(|error| at(&folder, &error))?;
    }
    Ok(folder)
}
