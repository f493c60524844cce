//! Writing JSON in the one form that lines have.

use std::io::Write;

use super::values::Json;

/// A line being written.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(1024))
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Begins an object.
    pub(super) fn open(&mut self) {
        self.0.push(b'{');
    }

    /// Ends an object.
    pub(super) fn close(&mut self) {
        self.0.push(b'}');
    }

    /// The name of a member, whose value follows. A value never ends with a brace that opens, so the last
    /// byte tells whether this is the first.
    pub(super) fn name(&mut self, name: &str) {
        let separator = if self.0.last() == Some(&b'{') { "" } else { "," };
        self.print(format_args!("{separator}\"{name}\":"));
    }

    /// A member, unless it is absent.
    pub(super) fn member(&mut self, name: &str, value: &impl Json) {
        if !value.is_absent() {
            self.name(name);
            value.render(self);
        }
    }

    /// A member whose value is a word that needs no escaping.
    pub(super) fn word(&mut self, name: &str, word: &str) {
        self.name(name);
        self.print(format_args!("\"{word}\""));
    }

    /// An array.
    pub(super) fn array<'a, T: Json + 'a>(&mut self, items: impl IntoIterator<Item = &'a T>) {
        self.0.push(b'[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.0.push(b',');
            }
            item.render(self);
        }
        self.0.push(b']');
    }

    /// A string. Only what must be escaped is.
    pub(super) fn string(&mut self, text: &str) {
        self.0.push(b'"');
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => self.0.extend([b'\\', byte]),
                0..=0x1f => self.print(format_args!("\\u{byte:04x}")),
                _ => self.0.push(byte),
            }
        }
        self.0.push(b'"');
    }

    /// What prints as text in which nothing need be escaped, bare.
    pub(super) fn print(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("memory takes every byte");
    }
}
