//! The layer between a node and its files: what of it the tests set, and what it tells. Its own words are in `layer/layer.c`.

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};

use crate::trace::{self, Traced};

/// How many rules one process can be given.
const RULES_MAX: u32 = 64;

/// Calls that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Any write.
    Write,
    /// `fsync` and `fdatasync`.
    Sync,
    /// `sync_file_range`.
    Range,
    /// The opening of a file that is not there yet.
    Create,
    /// A rename; its rule is about the new name.
    Rename,
    /// `ftruncate`.
    Truncate,
    /// Any read.
    Read,
    /// The opening of a file that is there.
    Open,
    /// The removal of a file or folder.
    Unlink,
    /// The making of a folder.
    Mkdir,
    /// Whatever takes room: a write beyond the end, a new file, a new folder.
    Grow,
}

impl Call {
    /// Its name, in rules and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Range => "range",
            Self::Create => "create",
            Self::Rename => "rename",
            Self::Truncate => "truncate",
            Self::Read => "read",
            Self::Open => "open",
            Self::Unlink => "unlink",
            Self::Mkdir => "mkdir",
            Self::Grow => "grow",
        }
    }
}

/// What a call fails with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errno {
    /// The device does not.
    Io,
    /// There is no room.
    NoSpace,
}

impl Errno {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Io => "EIO",
            Self::NoSpace => "ENOSPC",
        }
    }

    /// What the system says for it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Io => "Input/output error",
            Self::NoSpace => "No space left on device",
        }
    }

    fn number(self) -> i32 {
        match self {
            Self::Io => rustix::io::Errno::IO.raw_os_error(),
            Self::NoSpace => rustix::io::Errno::NOSPC.raw_os_error(),
        }
    }
}

/// Which of the calls that match fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The nth alone.
    Once,
    /// The nth and all after it.
    On,
    /// Half of the nth, which must be a write, goes down; the rest of it and all after it fail.
    Half,
}

/// A rule: the nth call on files whose name below the folder matches fails.
#[derive(Debug, Clone, Copy)]
pub struct Rule<'a> {
    /// The call.
    pub call: Call,
    /// A shell's pattern; `*` also spans slashes.
    pub pattern: &'a str,
    /// Which one, from 1.
    pub nth: u32,
    /// It alone, or more.
    pub how: How,
    /// With what.
    pub errno: Errno,
}

/// A layer over a node's data folder. Its own files lie beside it.
pub struct Layer {
    root: PathBuf,
    beside: PathBuf,
    runs: Cell<u32>,
    rules: Cell<u32>,
}

impl Layer {
    /// One over `root`, whose files go into `beside`.
    ///
    /// # Errors
    /// Where either is not there.
    pub fn over(root: &Path, beside: &Path) -> anyhow::Result<Self> {
        let root = root.canonicalize().with_context(|| root.display().to_string())?;
        let beside = beside.canonicalize()?.join("layer");
        fs::create_dir_all(&beside)?;
        Ok(Self { root, beside, runs: Cell::new(0), rules: Cell::new(0) })
    }

    /// The environment for the next process, which begins a new trace, under these rules.
    ///
    /// # Errors
    /// Where the rules cannot be written.
    pub fn next(&self, rules: &[Rule<'_>]) -> anyhow::Result<Vec<(String, String)>> {
        self.runs.set(self.runs.get() + 1);
        self.rules.set(0);
        self.set(rules)?;
        let text = |path: &Path| path.display().to_string();
        Ok(vec![
            ("LD_PRELOAD".to_owned(), env!("LEASEHOLD_DISK_LAYER").to_owned()),
            ("LEASEHOLD_DISK_ROOT".to_owned(), text(&self.root)),
            ("LEASEHOLD_DISK_CONTROL".to_owned(), text(&self.control())),
            ("LEASEHOLD_DISK_TRACE".to_owned(), text(&self.trace_file())),
        ])
    }

    /// Sets these rules, in place of all before, from the next call of the running process on.
    ///
    /// # Errors
    /// Where they cannot be written, or a process was given too many.
    pub fn set(&self, rules: &[Rule<'_>]) -> anyhow::Result<()> {
        let mut text = String::new();
        for Rule { call, pattern, nth, how, errno } in rules {
            let number = self.rules.replace(self.rules.get() + 1);
            ensure!(number < RULES_MAX, "too many rules for one process");
            let how = match how {
                How::Once => "once",
                How::On => "on",
                How::Half => "half",
            };
            text.push_str(&format!("{number} {} {nth} {how} {} {pattern}\n", call.name(), errno.number()));
        }
        // The layer reads it before every call: it must always be whole.
        let temporary = self.beside.join("rules.part");
        fs::write(&temporary, text)?;
        fs::rename(&temporary, self.control()).context("cannot set the rules")
    }

    /// How long the trace is: whatever was acknowledged by now is durable in the disk that it describes up to there.
    pub fn traced(&self) -> u64 {
        fs::metadata(self.trace_file()).map_or(0, |found| found.len())
    }

    /// What the process did.
    ///
    /// # Errors
    /// Where the trace cannot be read.
    pub fn trace(&self) -> anyhow::Result<Vec<Traced>> {
        trace::parse(&fs::read(self.trace_file()).context("cannot read the trace")?)
    }

    /// The data folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn control(&self) -> PathBuf {
        self.beside.join("rules")
    }

    fn trace_file(&self) -> PathBuf {
        self.beside.join(format!("trace-{}", self.runs.get()))
    }
}
