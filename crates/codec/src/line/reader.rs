//! Reading JSON in the one form that lines have, and refusing every other. There is no tree in between, and
//! nothing to nest without end.

use std::borrow::Cow;

use super::{LineProblem, ParseError, values::Json};

/// A line being read.
pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn problem(&self, problem: LineProblem) -> ParseError {
        ParseError { at: self.at, problem }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Passes `token`, if it stands here.
    pub(super) fn passes(&mut self, token: &str) -> bool {
        let stands = self.rest().starts_with(token);
        if stands {
            self.at += token.len();
        }
        stands
    }

    fn expect(&mut self, token: &'static str) -> Result<(), ParseError> {
        if self.passes(token) { Ok(()) } else { Err(self.problem(LineProblem::Expected(token))) }
    }

    /// Begins an object.
    pub(super) fn open(&mut self) -> Result<(), ParseError> {
        self.expect("{")
    }

    /// Ends an object.
    pub(super) fn close(&mut self) -> Result<(), ParseError> {
        self.expect("}")
    }

    /// Ends: nothing may follow.
    pub(super) fn finish(&self) -> Result<(), ParseError> {
        if self.rest().is_empty() { Ok(()) } else { Err(self.problem(LineProblem::Trailing)) }
    }

    /// Passes the name of a member, if it stands here with the comma that belongs before it.
    fn passes_name(&mut self, name: &str) -> bool {
        let first = self.text.get(..self.at).is_some_and(|read| read.ends_with('{'));
        let separator = if first { "" } else { "," };
        let value = self
            .rest()
            .strip_prefix(separator)
            .and_then(|rest| rest.strip_prefix('"'))
            .and_then(|rest| rest.strip_prefix(name))
            .and_then(|rest| rest.strip_prefix("\":"));
        if let Some(value) = value {
            self.at = self.text.len() - value.len();
        }
        value.is_some()
    }

    /// The name of a member that must be there.
    pub(super) fn name(&mut self, name: &'static str) -> Result<(), ParseError> {
        if self.passes_name(name) { Ok(()) } else { Err(self.problem(LineProblem::Missing(name))) }
    }

    /// A member, which may be absent if its type says so.
    pub(super) fn member<T: Json>(&mut self, name: &'static str) -> Result<T, ParseError> {
        if self.passes_name(name) {
            return T::parse(self);
        }
        T::absent().ok_or_else(|| self.problem(LineProblem::Missing(name)))
    }

    /// An array.
    pub(super) fn array<T: Json>(&mut self) -> Result<Vec<T>, ParseError> {
        self.expect("[")?;
        let mut items = Vec::new();
        if self.passes("]") {
            return Ok(items);
        }
        loop {
            items.push(T::parse(self)?);
            if self.passes("]") {
                return Ok(items);
            }
            self.expect(",")?;
        }
    }

    /// An unsigned integer without leading zeros.
    pub(super) fn uint(&mut self) -> Result<u64, ParseError> {
        let rest = self.rest();
        let len = rest.bytes().take_while(u8::is_ascii_digit).count();
        let digits = rest.get(..len).unwrap_or_default();
        let value = digits.parse().ok().filter(|_| digits == "0" || !digits.starts_with('0'));
        let value = value.ok_or_else(|| self.problem(LineProblem::Expected("an unsigned integer")))?;
        self.at += len;
        Ok(value)
    }

    /// A string, escaped where it must be and nowhere else.
    pub(super) fn string(&mut self) -> Result<Cow<'t, str>, ParseError> {
        self.expect("\"")?;
        let mut text = Cow::Borrowed("");
        loop {
            let rest = self.rest();
            let plain = rest.bytes().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).count();
            text += rest.get(..plain).unwrap_or_default();
            self.at += plain;
            if self.passes("\"") {
                return Ok(text);
            }
            text.to_mut().push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        if self.passes("\\\"") {
            return Ok('"');
        }
        if self.passes("\\\\") {
            return Ok('\\');
        }
        let control = (0..0x20u8).find(|byte| self.passes(&format!("\\u{byte:04x}")));
        control.map(char::from).ok_or_else(|| self.problem(LineProblem::Expected("a string in its one form")))
    }

    /// A string that a type reads for itself.
    pub(super) fn text<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ParseError> {
        let start = self.at;
        let text = self.string()?;
        read(&text).ok_or(ParseError { at: start, problem: LineProblem::Invalid(name) })
    }
}
