//! One table of a file, asked for its fields: what was not asked for is unknown, and every problem has its line.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::files::{File, Place, Problem};

/// A table of a file on its way to being understood.
pub(super) struct Table<'t> {
    file: &'t File,
    table: &'t DeTable<'t>,
    /// Where it begins.
    pub(super) place: Place,
    /// What it is about, in problems.
    pub(super) subject: String,
    asked: BTreeSet<&'static str>,
    places: BTreeMap<String, Place>,
    problems: Vec<Problem>,
}

/// Where the fields of a table stand, and what is wrong with it.
pub(super) type End = (BTreeMap<String, Place>, Vec<Problem>);

impl<'t> Table<'t> {
    pub(super) fn new(
        file: &'t File,
        table: &'t DeTable<'t>,
        place: Place,
        subject: impl Into<String>,
    ) -> Self {
        let subject = subject.into();
        let (asked, places, problems) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
        Self { file, table, place, subject, asked, places, problems }
    }

    /// Something is wrong with the table as a whole.
    pub(super) fn refuse(&mut self, text: impl Display) {
        self.problems.push(self.place.problem(format!("{}: {text}", self.subject)));
    }

    /// Something is wrong with a field.
    pub(super) fn refuse_field(&mut self, name: &str, text: impl Display) {
        let place = self.places.get(name).unwrap_or(&self.place);
        self.problems.push(place.problem(format!("{}: {name}: {text}", self.subject)));
    }

    /// Where a field stands, or else the table.
    pub(super) fn at(&self, name: &str) -> Place {
        self.places.get(name).unwrap_or(&self.place).clone()
    }

    /// A text, if the field is there.
    pub(super) fn text(&mut self, name: &'static str) -> Option<&'t str> {
        let value = self.value(name)?;
        let text = value.as_str();
        if text.is_none() {
            self.refuse_field(name, "a text in quotes");
        }
        text
    }

    /// A text that is what `read` takes.
    pub(super) fn parsed<T, E: Display>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(name)?;
        read(text).map_err(|error| self.refuse_field(name, error)).ok()
    }

    /// The same, of a field that has to be there.
    pub(super) fn demanded<T, E: Display>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if self.value(name).is_none() {
            self.refuse(format!("it needs {name}"));
        }
        self.parsed(name, read)
    }

    /// One of some words; the first where the field is not there.
    pub(super) fn word(&mut self, name: &'static str, words: &[&'static str]) -> String {
        let expected = || format!("one of {}", words.join(", "));
        let known = |text: &str| words.iter().find(|word| **word == text).copied().ok_or_else(expected);
        let first = words.first().copied().unwrap_or_default();
        self.parsed(name, known).unwrap_or(first).to_owned()
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, name: &'static str, default: bool) -> bool {
        let Some(value) = self.value(name) else { return default };
        value.as_bool().unwrap_or_else(|| {
            self.refuse_field(name, "true or false");
            default
        })
    }

    /// A list of texts, each of them what `read` takes, none twice.
    pub(super) fn set<E: Display>(
        &mut self,
        name: &'static str,
        read: impl Fn(&str) -> Result<String, E>,
    ) -> BTreeSet<String> {
        self.value(name).map(|value| self.members(name, value, read)).unwrap_or_default()
    }

    /// A table of such lists.
    pub(super) fn sets<K: Display, E: Display>(
        &mut self,
        name: &'static str,
        key: impl Fn(&str) -> Result<String, K>,
        read: impl Fn(&str) -> Result<String, E>,
    ) -> BTreeMap<String, BTreeSet<String>> {
        let Some(value) = self.value(name) else { return BTreeMap::new() };
        let Some(table) = value.as_table() else {
            self.refuse_field(name, "a table of lists");
            return BTreeMap::new();
        };
        let mut sets = BTreeMap::new();
        for (given, value) in table {
            let field = format!("{name}.{}", given.get_ref());
            self.places.insert(field.clone(), self.file.place(given.span().start));
            match key(given.get_ref()) {
                Ok(key) => {
                    sets.insert(key, self.members(&field, value.get_ref(), &read));
                }
                Err(error) => self.refuse_field(&field, error),
            }
        }
        sets
    }

    fn members<E: Display>(
        &mut self,
        field: &str,
        value: &DeValue<'_>,
        read: impl Fn(&str) -> Result<String, E>,
    ) -> BTreeSet<String> {
        let mut members = BTreeSet::new();
        let Some(list) = value.as_array() else {
            self.refuse_field(field, "a list of texts in quotes");
            return members;
        };
        for member in list {
            match member.get_ref().as_str().map(&read) {
                None => self.refuse_field(field, "a list of texts in quotes"),
                Some(Err(error)) => self.refuse_field(field, error),
                Some(Ok(text)) => {
                    let place = self.file.place(member.span().start);
                    self.places.insert(format!("{field}.{text}"), place);
                    if !members.insert(text.clone()) {
                        self.refuse_field(field, format!("{text} stands there twice"));
                    }
                }
            }
        }
        members
    }

    /// The end: whatever was not asked for is unknown.
    pub(super) fn end(mut self) -> End {
        for (key, _) in self.table {
            let name: &str = key.get_ref();
            if self.asked.contains(name) {
                continue;
            }
            let place = self.file.place(key.span().start);
            let why = match name {
                "client_secret" => {
                    "a secret never stands in a file like this: name a file or a variable with client_secret_file or client_secret_env"
                        .to_owned()
                }
                _ => format!("there is no field {name}: see `leasehold apply --schema`"),
            };
            self.problems.push(place.problem(format!("{}: {why}", self.subject)));
        }
        (self.places, self.problems)
    }

    fn value(&mut self, name: &'static str) -> Option<&'t DeValue<'t>> {
        self.asked.insert(name);
        let (_, value) = self.table.iter().find(|(key, _)| key.get_ref() == name)?;
        self.places.insert(name.to_owned(), self.file.place(Spanned::span(value).start));
        Some(value.get_ref())
    }
}
