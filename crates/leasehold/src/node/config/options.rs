//! Reading options out of a TOML table: each by its name, with its default and its bounds. Everything that is wrong is found in one reading, with
//! its line, and what is left over at the end is no option.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    net::SocketAddr,
    ops::RangeInclusive,
    path::PathBuf,
};

use ipnet::IpNet;
use leasehold_upstream::transport::HostPattern;
use toml::de::{DeTable, DeValue};
use url::Url;

/// How alike an unknown name and an option have to be for the option to be meant, from 0 to 1.
const ALIKE_MIN: f64 = 0.8;

/// Something that is wrong with a configuration, or with what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The line of the file, where one is at fault.
    pub line: Option<usize>,
    /// The option, with its table.
    pub option: String,
    /// What is wrong, and what to do about it.
    pub problem: String,
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.option.is_empty() {
            write!(f, "{}: ", self.option)?;
        }
        f.write_str(&self.problem)
    }
}

/// The options of one table that were not taken yet.
pub(super) struct Options<'a> {
    /// What stands before the names of its options: the table's own, and a dot.
    prefix: String,
    /// The whole file, to count lines in.
    file: &'a str,
    values: BTreeMap<String, (usize, DeValue<'a>)>,
    known: Vec<&'static str>,
    lines: BTreeMap<&'static str, usize>,
}

/// What was found, and every option that was asked for, with its table.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) findings: Vec<Finding>,
    pub(super) known: Vec<String>,
}

impl Read {
    /// Something is wrong with an option that can be read.
    pub(super) fn find(&mut self, line: Option<usize>, option: &str, problem: impl Into<String>) {
        self.findings.push(Finding { line, option: option.to_owned(), problem: problem.into() });
    }
}

impl<'a> Options<'a> {
    /// The whole of a file.
    pub(super) fn of(file: &'a str, read: &mut Read) -> Self {
        let (table, errors) = DeTable::parse_recoverable(file);
        for error in &errors {
            read.find(error.span().map(|span| line_in(file, span.start)), "", error.message());
        }
        Self::within(String::new(), file, table.into_inner())
    }

    fn within(prefix: String, file: &'a str, table: DeTable<'a>) -> Self {
        let values = table.into_iter().map(|(name, value)| {
            let line = line_in(file, name.span().start);
            (name.into_inner().into_owned(), (line, value.into_inner()))
        });
        Self { prefix, file, values: values.collect(), known: Vec::new(), lines: BTreeMap::new() }
    }

    /// The line of an option that was taken.
    pub(super) fn line(&self, name: &str) -> Option<usize> {
        self.lines.get(name).copied()
    }

    /// An option that need not be there.
    pub(super) fn optional<T: Value>(&mut self, name: &'static str, read: &mut Read) -> Option<T> {
        let (line, value) = self.take(name, read)?;
        match T::read(&value) {
            Ok(value) => Some(value),
            Err(problem) => {
                read.find(Some(line), &self.full(name), problem);
                None
            }
        }
    }

    /// An option that has to be there.
    pub(super) fn required<T: Value>(&mut self, name: &'static str, read: &mut Read) -> Option<T> {
        if !self.values.contains_key(name) {
            self.ask(name, read);
            read.find(None, &self.full(name), format!("is missing: it needs {}", T::WHAT));
            return None;
        }
        self.optional(name, read)
    }

    /// An option with a default.
    pub(super) fn or<T: Value>(&mut self, name: &'static str, default: T, read: &mut Read) -> T {
        self.optional(name, read).unwrap_or(default)
    }

    /// A number with a default and bounds.
    pub(super) fn within_or(
        &mut self,
        name: &'static str,
        default: u64,
        bounds: RangeInclusive<u64>,
        read: &mut Read,
    ) -> u64 {
        let value = self.or(name, default, read);
        if bounds.contains(&value) {
            return value;
        }
        let (least, most) = bounds.into_inner();
        let most = if most == u64::MAX { String::new() } else { format!(", and {most} at most") };
        read.find(
            self.line(name),
            &self.full(name),
            format!("{value} is out of bounds: {least} at least{most}"),
        );
        default
    }

    /// A table. Its own options are read by the caller, who also ends it.
    pub(super) fn table(&mut self, name: &'static str, read: &mut Read) -> Option<Self> {
        let (line, value) = self.take(name, read)?;
        if let DeValue::Table(table) = value {
            return Some(Self::within(format!("{}{name}.", self.prefix), self.file, table));
        }
        read.find(Some(line), &self.full(name), wrong("a table", &value));
        None
    }

    /// Finds what is left over: no option.
    pub(super) fn end(self, read: &mut Read) {
        for (name, (line, _)) in &self.values {
            let full = format!("{}{name}", self.prefix);
            let alike = self.known.iter().map(|known| (strsim::jaro_winkler(known, name), known));
            let nearest =
                alike.filter(|(alike, _)| *alike >= ALIKE_MIN).max_by(|(a, _), (b, _)| a.total_cmp(b));
            let problem = match nearest {
                Some((_, known)) => format!("there is no such option: is {}{known} meant?", self.prefix),
                None => "there is no such option: `leasehold serve --example-config` prints all of them"
                    .to_owned(),
            };
            read.find(Some(*line), &full, problem);
        }
    }

    fn ask(&mut self, name: &'static str, read: &mut Read) {
        self.known.push(name);
        read.known.push(self.full(name));
    }

    fn take(&mut self, name: &'static str, read: &mut Read) -> Option<(usize, DeValue<'a>)> {
        self.ask(name, read);
        let taken = self.values.remove(name)?;
        self.lines.insert(name, taken.0);
        Some(taken)
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

fn line_in(file: &str, at: usize) -> usize {
    file.get(..at).unwrap_or_default().matches('\n').count() + 1
}

/// What an option can be.
pub(super) trait Value: Sized {
    /// It in words, after "it needs".
    const WHAT: &'static str;

    /// Reads it, or says what is wrong.
    fn read(value: &DeValue<'_>) -> Result<Self, String>;
}

fn wrong(what: &str, value: &DeValue<'_>) -> String {
    format!("it needs {what}, and not a value of the kind {}", value.type_str())
}

fn text<'v>(what: &str, value: &'v DeValue<'_>) -> Result<&'v str, String> {
    let text = value.as_str().ok_or_else(|| wrong(what, value))?;
    if text.is_empty() { Err(format!("it is empty: it needs {what}")) } else { Ok(text) }
}

macro_rules! parsed {
    ($kind:ty, $what:literal) => {
        impl Value for $kind {
            const WHAT: &'static str = $what;

            fn read(value: &DeValue<'_>) -> Result<Self, String> {
                let text = text(Self::WHAT, value)?;
                text.parse().map_err(|_| format!("{text:?} cannot be read: it needs {}", Self::WHAT))
            }
        }
    };
}

parsed!(String, "text in quotes");
parsed!(PathBuf, "a path in quotes");
parsed!(SocketAddr, "an address and a port in quotes, such as \"127.0.0.1:7400\"");
parsed!(IpNet, "an address block in quotes, such as \"10.1.0.0/16\"");

impl Value for Url {
    const WHAT: &'static str = "a URL in quotes, such as \"https://leasehold.example\"";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        // Somebody may have put a password into it: it is not repeated.
        text(Self::WHAT, value)?.parse().map_err(|_| format!("it cannot be read: it needs {}", Self::WHAT))
    }
}

impl Value for bool {
    const WHAT: &'static str = "true or false";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| wrong(Self::WHAT, value))
    }
}

impl Value for u64 {
    const WHAT: &'static str = "a number that is not negative";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let number = value.as_integer().ok_or_else(|| wrong(Self::WHAT, value))?;
        let digits = number.as_str().replace('_', "");
        Self::from_str_radix(&digits, number.radix())
            .map_err(|_| format!("{} cannot be read: it needs {}", number.as_str(), Self::WHAT))
    }
}

impl<T: Value> Value for Vec<T> {
    const WHAT: &'static str = "a list in brackets";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let list = value.as_array().ok_or_else(|| wrong(Self::WHAT, value))?;
        list.iter().map(|one| T::read(one.get_ref())).collect()
    }
}

impl Value for HostPattern {
    const WHAT: &'static str = "a host in quotes, such as \"login.example\" or \"*.login.example\"";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = text(Self::WHAT, value)?;
        Self::new(text).ok_or_else(|| format!("{text:?} cannot be read: it needs {}", Self::WHAT))
    }
}
