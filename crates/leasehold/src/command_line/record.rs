//! What a command answers with, whatever the format: named fields in order.

use std::collections::BTreeMap;

use leasehold_client::v1::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

/// One thing: its fields, in the order in which they are shown.
#[derive(Default)]
pub(super) struct Record {
    fields: Vec<(&'static str, Value)>,
    /// What it is in JSON, where it is JSON already.
    verbatim: Option<Box<RawValue>>,
}

/// A field's value.
pub(super) enum Value {
    /// It has none.
    Absent,
    Text(String),
    /// Text of several lines, which tables keep apart.
    Lines(String),
    Number(u64),
    Flag(bool),
    List(Vec<String>),
    Pairs(BTreeMap<String, String>),
    /// A secret that tables leave out: it is printed where it is asked for.
    Hidden(SecretString),
    /// A secret that is shown this once, in every format.
    Once(SecretString),
}

impl Record {
    /// One more field.
    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// What is JSON already, and is printed as it is where JSON is asked for.
    #[must_use]
    pub(super) fn verbatim(mut self, json: Box<RawValue>) -> Self {
        self.verbatim = Some(json);
        self
    }

    /// The fields.
    pub(super) fn fields(&self) -> &[(&'static str, Value)] {
        &self.fields
    }

    /// A field.
    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

impl Value {
    /// The value as text: what `--field` prints, and what stands in a table unless it is hidden there.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Absent => String::new(),
            Self::Text(text) | Self::Lines(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Flag(true) => "yes".to_owned(),
            Self::Flag(false) => "no".to_owned(),
            Self::List(list) => list.join(" "),
            Self::Pairs(pairs) => {
                pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
            }
            Self::Hidden(secret) | Self::Once(secret) => secret.expose_secret().to_owned(),
        }
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        if text.is_empty() { Self::Absent } else { Self::Text(text) }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Vec<String>> for Value {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Text(moment(at.unix_millis))
    }
}

impl<Some: Into<Self>> From<Option<Some>> for Value {
    fn from(value: Option<Some>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(json) = &self.verbatim {
            return json.serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        self.fields.iter().try_for_each(|(name, value)| map.serialize_entry(name, &Shown(value)))?;
        map.end()
    }
}

/// A value as JSON shows it. Secrets are shown: whoever asks for JSON asks for everything.
struct Shown<'value>(&'value Value);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Absent => serializer.serialize_none(),
            Value::Text(text) | Value::Lines(text) => serializer.serialize_str(text),
            Value::Number(number) => serializer.serialize_u64(*number),
            Value::Flag(flag) => serializer.serialize_bool(*flag),
            Value::List(list) => list.serialize(serializer),
            Value::Pairs(pairs) => pairs.serialize(serializer),
            Value::Hidden(secret) | Value::Once(secret) => serializer.serialize_str(secret.expose_secret()),
        }
    }
}

/// A moment in UTC, as RFC 3339 writes it with milliseconds; the bare number where no calendar reaches it.
fn moment(unix_millis: u64) -> String {
    let seconds = i64::try_from(unix_millis / 1000).ok();
    let Some(at) = seconds.and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).ok()) else {
        return unix_millis.to_string();
    };
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    let (month, millis) = (u8::from(month), unix_millis % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The word for a value of an enum of the interface: its name without the prefix that all of its names have.
pub(super) fn word(name: &str, prefix: &str) -> Value {
    match name.strip_prefix(prefix).unwrap_or(name) {
        "UNSPECIFIED" => Value::Absent,
        rest => Value::Text(rest.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_rfc_3339_writes_them() {
        assert_eq!(moment(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(moment(1_753_868_096_789), "2025-07-30T09:34:56.789Z");
        assert_eq!(moment(u64::MAX), u64::MAX.to_string());
    }

    #[test]
    fn words_lose_their_prefix_and_the_unspecified_one_is_absent() {
        assert_eq!(word("GRANT_PHASE_NEEDS_CONSENT", "GRANT_PHASE_").text(), "needs_consent");
        assert!(matches!(word("GRANT_PHASE_UNSPECIFIED", "GRANT_PHASE_"), Value::Absent));
    }

    #[test]
    fn fields_keep_their_order_in_json() {
        let record =
            Record::default().with("zebra", 1u32).with("ant", "a\"b").with("none", Option::<u64>::None);
        assert_eq!(serde_json::to_string(&record).unwrap(), r#"{"zebra":1,"ant":"a\"b","none":null}"#);
    }
}
