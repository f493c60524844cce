//! Changes files in every way that the node's libraries do: through std and libc, and by system calls of its own, as rustix makes them. The suite
//! starts it under the layer and compares what the layer has seen.

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    use std::{
        fs::{self, File},
        io::{IoSlice, Write},
        os::unix::fs::FileExt,
        path::PathBuf,
    };

    use anyhow::Context;
    use rustix::fs::{CWD, Mode, OFlags};

    let folder = PathBuf::from(std::env::args().nth(1).context("say which folder")?);
    let mut file = File::create(folder.join("std.part"))?;
    file.write_all(b"one")?;
    let vectored = file.write_vectored(&[IoSlice::new(b"two"), IoSlice::new(b"three")])?;
    anyhow::ensure!(vectored == 8, "{vectored} bytes of 8");
    file.write_all_at(b"four", 20)?;
    file.set_len(22)?;
    file.sync_data()?;
    file.sync_all()?;
    fs::rename(folder.join("std.part"), folder.join("std"))?;
    fs::create_dir(folder.join("sub"))?;
    fs::write(folder.join("sub/gone"), b"gone")?;
    File::open(&folder)?.sync_all()?;
    fs::remove_dir_all(folder.join("sub"))?;

    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC;
    let raw = rustix::fs::openat(CWD, folder.join("raw.part"), flags, Mode::RUSR | Mode::WUSR)?;
    rustix::io::write(&raw, b"one")?;
    rustix::io::pwrite(&raw, b"four", 20)?;
    rustix::fs::ftruncate(&raw, 22)?;
    rustix::fs::fdatasync(&raw)?;
    rustix::fs::fsync(&raw)?;
    rustix::fs::renameat(CWD, folder.join("raw.part"), CWD, folder.join("raw"))?;
    rustix::fs::unlinkat(CWD, folder.join("raw"), rustix::fs::AtFlags::empty())?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {}
