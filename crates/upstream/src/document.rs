//! The body of an answer as an object, whichever way it was written, wiped when it is dropped.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value};
use url::form_urlencoded;
use zeroize::Zeroize;

use crate::{
    call::RawAnswer,
    catalogue::{Pointer, Scalar},
    transport::Completeness,
};

/// The most fields of a form-encoded body.
const FIELDS_MAX: usize = 64;

/// An object whose names are unique. It never prints.
pub(crate) struct Document(Value);

impl Document {
    /// Reads an answer's body: a JSON object, whatever type it claims to have, or a form where the type allows one. A JSON object ends
    /// with itself, so one that is whole is read even if the transfer broke off after it; a form is not.
    pub(crate) fn read(answer: &RawAnswer) -> Option<Self> {
        let body = answer.body.as_slice();
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
        if body.starts_with(b"{") {
            return serde_json::from_slice(body).ok();
        }
        let whole = answer.completeness == Completeness::Whole;
        (whole && may_be_form(answer.content_type.as_deref())).then(|| Self::read_form(body)).flatten()
    }

    /// Reads JSON that came in another way than as an answer.
    pub(crate) fn read_json(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    fn read_form(body: &[u8]) -> Option<Self> {
        let mut document = Self(Value::Object(Map::new()));
        let Value::Object(fields) = &mut document.0 else { return None };
        for (name, value) in form_urlencoded::parse(body) {
            let twice = fields.insert(name.into_owned(), Value::String(value.into_owned())).is_some();
            if twice || fields.len() > FIELDS_MAX {
                return None;
            }
        }
        Some(document)
    }

    /// The value at a pointer.
    pub(crate) fn at(&self, pointer: &Pointer) -> Option<&Value> {
        self.0.pointer(pointer.as_str())
    }

    /// The object at a pointer; without one, the whole.
    pub(crate) fn object(&self, within: Option<&Pointer>) -> Option<&Map<String, Value>> {
        within.map_or(Some(&self.0), |pointer| self.at(pointer))?.as_object()
    }

    /// Whether the value at a pointer is `expected`, in type too.
    pub(crate) fn says(&self, pointer: &Pointer, expected: &Scalar) -> bool {
        let found = self.at(pointer);
        match expected {
            Scalar::Boolean(expected) => found.and_then(Value::as_bool) == Some(*expected),
            Scalar::Integer(expected) => found.and_then(Value::as_i64) == Some(*expected),
            Scalar::Text(expected) => found.and_then(Value::as_str) == Some(expected),
        }
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Unique;

        impl<'de> Visitor<'de> for Unique {
            type Value = Document;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Document, A::Error> {
                let mut document = Document(Value::Object(Map::new()));
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    let fields =
                        document.0.as_object_mut().ok_or_else(|| A::Error::custom("not an object"))?;
                    // Which of two would count is for the writer to say, and it said both.
                    if fields.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name occurs twice"));
                    }
                }
                Ok(document)
            }
        }

        deserializer.deserialize_map(Unique)
    }
}

/// Forms come under their own type, as plain text, or under none at all.
fn may_be_form(content_type: Option<&str>) -> bool {
    let Some(content_type) = content_type else { return true };
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        || essence.eq_ignore_ascii_case("text/plain")
}
