//! Where answers go: standard output, and nothing else goes there.

use std::io::{self, IsTerminal as _, Write as _};

use super::{
    failure::Failure,
    record::Record,
    view::{Format, List, View},
};

/// Standard output, in the form that was asked for.
#[derive(Debug)]
pub(super) struct Output {
    format: Format,
    field: Option<String>,
    terminal: bool,
    /// Whether a stream's columns were named already.
    headed: bool,
}

impl Output {
    pub(super) fn new(format: Format, field: Option<String>) -> Self {
        Self { format, field, terminal: io::stdout().is_terminal(), headed: false }
    }

    /// Prints one thing.
    pub(super) fn one(&self, record: &Record) -> Result<(), Failure> {
        self.raw(self.view().one(record)?.as_bytes())
    }

    /// Prints a list.
    pub(super) fn list(&self, list: &List) -> Result<(), Failure> {
        self.raw(self.view().list(list)?.as_bytes())
    }

    /// Prints one of a stream, at once.
    pub(super) fn streamed(&mut self, columns: &[&'static str], record: &Record) -> Result<(), Failure> {
        if self.is_table() && !self.headed {
            let header = columns.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>();
            self.raw((header.join("  ") + "\n").as_bytes())?;
            self.headed = true;
        }
        self.raw(self.view().streamed(columns, record)?.as_bytes())
    }

    /// Prints bytes as they are.
    pub(super) fn raw(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| Failure::output(&error))
    }

    /// Whether people read the answer, and not a program.
    pub(super) fn is_table(&self) -> bool {
        self.format == Format::Table && self.field.is_none()
    }

    fn view(&self) -> View<'_> {
        View { format: self.format, field: self.field.as_deref(), terminal: self.terminal }
    }
}
