//! What the system shows of a process, and what lies in folders.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// The arguments of a process.
///
/// # Errors
/// Where the system does not show them.
pub fn arguments(pid: u32) -> anyhow::Result<Vec<u8>> {
    read(pid, "cmdline")
}

/// The environment that a process began with.
///
/// # Errors
/// Where the system does not show it.
pub fn environment(pid: u32) -> anyhow::Result<Vec<u8>> {
    read(pid, "environ")
}

/// The names of the files that a process has open or mapped.
///
/// # Errors
/// Where the system does not show them.
pub fn open_files(pid: u32) -> anyhow::Result<Vec<u8>> {
    let mut names = read(pid, "maps")?;
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).context("cannot list the open files")? {
        // Closed in the meantime.
        let Ok(target) = fs::read_link(entry?.path()) else { continue };
        names.extend(target.as_os_str().as_encoded_bytes());
        names.push(b'\n');
    }
    Ok(names)
}

fn read(pid: u32, name: &str) -> anyhow::Result<Vec<u8>> {
    fs::read(format!("/proc/{pid}/{name}")).with_context(|| format!("cannot read {name} of process {pid}"))
}

/// Every file below a folder, with its bytes. One that went while it was looked for is left out.
///
/// # Errors
/// Where a folder cannot be listed.
pub fn files(folder: &Path) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            all.extend(files(&path)?);
        } else if let Ok(bytes) = fs::read(&path) {
            all.push((path, bytes));
        }
    }
    all.sort();
    Ok(all)
}

/// Copies a folder.
///
/// # Errors
/// Where something cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_folder(&from, &to)?;
        } else {
            fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        }
    }
    Ok(())
}
