//! Answers as text: tables for people, JSON for programs, one raw value for scripts.

use std::{borrow::Cow, fmt::Write as _};

use clap::ValueEnum;
use leasehold_client::v1::AsOf;
use serde::ser::{Serialize, SerializeMap, Serializer};
use zeroize::Zeroizing;

use super::{
    failure::Failure,
    record::{Record, Value},
};

/// In which form an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns, for people
    Table,
    /// One JSON value
    Json,
    /// One JSON value a line
    Jsonl,
}

/// In which form an answer is printed, and which part of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) format: Format,
    pub(super) field: Option<&'a str>,
    /// Whether it goes to a terminal, which what others wrote must not steer.
    pub(super) terminal: bool,
}

/// A list, and what it speaks of.
pub(super) struct List {
    /// What it lists, in the plural: its key in JSON.
    pub(super) noun: &'static str,
    /// The fields that a table shows.
    pub(super) columns: &'static [&'static str],
    pub(super) records: Vec<Record>,
    pub(super) as_of: Option<AsOf>,
}

/// Text that holds secrets for as long as it takes to print it.
type Text = Zeroizing<String>;

impl View<'_> {
    /// One thing.
    pub(super) fn one(&self, record: &Record) -> Result<Text, Failure> {
        if let Some(field) = self.field {
            return self.raw(field, [record]);
        }
        Ok(match self.format {
            Format::Table => details(record),
            Format::Json => json(record, true),
            Format::Jsonl => json(record, false),
        })
    }

    /// A list.
    pub(super) fn list(&self, list: &List) -> Result<Text, Failure> {
        if let Some(field) = self.field {
            return self.raw(field, &list.records);
        }
        Ok(match self.format {
            Format::Table => table(list),
            Format::Json => json(list, true),
            Format::Jsonl => {
                let mut text = Text::default();
                list.records.iter().for_each(|record| text.push_str(&json(record, false)));
                text
            }
        })
    }

    /// One of a stream, whose other members are not known yet.
    pub(super) fn streamed(&self, columns: &[&'static str], record: &Record) -> Result<Text, Failure> {
        if let Some(field) = self.field {
            return self.raw(field, [record]);
        }
        Ok(match self.format {
            Format::Table => {
                let cells = columns.iter().map(|name| cell(record.field(name)));
                Text::new(cells.collect::<Vec<_>>().join("  ") + "\n")
            }
            Format::Json | Format::Jsonl => json(record, false),
        })
    }

    fn raw<'r>(&self, field: &str, records: impl IntoIterator<Item = &'r Record>) -> Result<Text, Failure> {
        let mut text = Text::default();
        for record in records {
            let value = record.field(field).ok_or_else(|| no_such_field(field, record))?;
            let value = Zeroizing::new(value.text());
            text.push_str(
                if self.terminal { printable_lines(&value) } else { Cow::Borrowed(value.as_str()) }.as_ref(),
            );
            if !value.ends_with('\n') {
                text.push('\n');
            }
        }
        Ok(text)
    }
}

fn no_such_field(field: &str, record: &Record) -> Failure {
    let known = record.fields().iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    Failure::usage(format!("print the field {field}"), format!("the answer has {known}"))
}

/// The fields of one thing, one a line.
fn details(record: &Record) -> Text {
    let width = record.fields().iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = Text::default();
    for (name, value) in record.fields() {
        if let Value::Lines(lines) = value {
            // Indented, so that no line can pass for a field.
            let lines = lines.lines().map(|line| format!("  {}\n", printable(line)));
            push(&mut text, format_args!("{name}\n{}", lines.collect::<String>()));
            continue;
        }
        let cell = cell(Some(value));
        if cell != ABSENT {
            push(&mut text, format_args!("{name:width$}  {cell}\n"));
        }
    }
    text
}

fn table(list: &List) -> Text {
    let header = list.columns.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>();
    let mut rows = vec![header];
    for record in &list.records {
        rows.push(list.columns.iter().map(|name| cell(record.field(name))).collect());
    }
    let widths: Vec<_> = (0..list.columns.len())
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = Text::default();
    for row in &rows {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        push(&mut text, format_args!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end()));
    }
    if let Some(as_of) = &list.as_of {
        let complete = if as_of.complete { "complete" } else { "not complete: raise --limit" };
        push(&mut text, format_args!("as of {} events, {complete}\n", as_of.size));
    }
    text
}

/// What stands in a table where a value has nothing to show.
const ABSENT: &str = "-";

/// What a table shows of a value.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Absent) => ABSENT.to_owned(),
        Some(Value::Hidden(_)) => "(hidden: name it with --field, or use --output json)".to_owned(),
        Some(value) => match value.text() {
            text if text.is_empty() => ABSENT.to_owned(),
            text => printable(&text).into_owned(),
        },
    }
}

fn json(value: &impl Serialize, pretty: bool) -> Text {
    let encoded = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    let mut text = Text::new(encoded.expect("maps with text keys and no numbers but integers are JSON"));
    text.push('\n');
    text
}

impl Serialize for List {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(self.noun, &self.records)?;
        if let Some(as_of) = &self.as_of {
            let as_of = Record::default().with("size", as_of.size).with("complete", as_of.complete);
            map.serialize_entry("as_of", &as_of)?;
        }
        map.end()
    }
}

fn push(text: &mut String, args: std::fmt::Arguments<'_>) {
    text.write_fmt(args).expect("writing into memory does not fail");
}

/// Text of others, with everything made visible that a terminal would act on: control characters, and marks that reorder or hide text.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    escape(text, |letter| letter.is_control())
}

fn printable_lines(text: &str) -> Cow<'_, str> {
    escape(text, |letter| letter.is_control() && letter != '\n')
}

fn escape(text: &str, stray: impl Fn(char) -> bool) -> Cow<'_, str> {
    let stray = |letter: char| stray(letter) || is_format_mark(letter);
    if !text.contains(stray) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if stray(letter) { shown.extend(letter.escape_unicode()) } else { shown.push(letter) }
    }
    Cow::Owned(shown)
}

/// Unicode's marks for direction, joining and invisible text.
fn is_format_mark(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
