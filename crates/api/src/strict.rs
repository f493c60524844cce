//! Whether the bytes of a message say what the interface knows, and nothing else.
//!
//! The generated code drops unknown fields without a word, lets the last of two values win, and takes any text for a decoding fault of
//! ours. Here all of that is refused before a message is decoded, with the name of the message and the number of the field. What passes
//! decodes, and decodes in one way only.

mod body;

use std::collections::BTreeSet;

use thiserror::Error;

use crate::interface::{Field, Form, Interface, Shape, ShapeId};

pub(crate) use body::Checked;

/// The longest message that a caller may send, in bytes.
pub(crate) const MESSAGE_LEN_MAX: usize = 256 * 1024;
/// How deep messages may stand in one another. The interface needs four levels.
const DEPTH_MAX: usize = 16;

/// What is wrong with the bytes of a message. Says where, and never what stands there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Flaw {
    /// The interface has no such field.
    #[error("{message} has no field {number}")]
    UnknownField { message: String, number: u64 },
    /// A field that may stand there once stands there twice.
    #[error("{message}.{field} stands there twice")]
    Twice { message: String, field: String },
    /// Two of several fields that exclude one another.
    #[error("{message}.{field} excludes another field that is there too")]
    Excluded { message: String, field: String },
    /// Another form of value than the field has.
    #[error("{message}.{field} has another type")]
    WrongType { message: String, field: String },
    /// A text that is none.
    #[error("{message}.{field} is not UTF-8")]
    NotText { message: String, field: String },
    /// The bytes end too soon, or a number is too long.
    #[error("{message} is cut off or damaged")]
    Damaged { message: String },
    /// Messages in messages, too many.
    #[error("{message} is nested too deeply")]
    TooDeep { message: String },
}

impl Flaw {
    /// The field, as a path for `google.rpc.BadRequest`.
    pub(crate) fn field(&self) -> String {
        match self {
            Self::UnknownField { message, number } => format!("{message}.{number}"),
            Self::Twice { message, field }
            | Self::Excluded { message, field }
            | Self::WrongType { message, field }
            | Self::NotText { message, field } => format!("{message}.{field}"),
            Self::Damaged { message } | Self::TooDeep { message } => message.clone(),
        }
    }
}

/// Checks the bytes of one message.
///
/// # Errors
/// The first [`Flaw`].
pub(crate) fn check(interface: &Interface, message: ShapeId, bytes: &[u8]) -> Result<(), Flaw> {
    walk(interface, message, bytes, 0)
}

fn walk(interface: &Interface, id: ShapeId, bytes: &[u8], depth: usize) -> Result<(), Flaw> {
    let shape = interface.shape(id);
    let damaged = || Flaw::Damaged { message: shape.name.clone() };
    if depth == DEPTH_MAX {
        return Err(Flaw::TooDeep { message: shape.name.clone() });
    }
    let mut seen = BTreeSet::new();
    let mut choices = BTreeSet::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (key, after) = varint(rest).ok_or_else(damaged)?;
        let (number, wire) = (key >> 3, key & 7);
        let known = u32::try_from(number).ok().and_then(|number| shape.fields.get(&number));
        let field = known.ok_or_else(|| Flaw::UnknownField { message: shape.name.clone(), number })?;
        if !field.repeated && !seen.insert(number) {
            return Err(Flaw::Twice { message: shape.name.clone(), field: field.name.clone() });
        }
        if field.choice.is_some_and(|choice| !choices.insert(choice)) {
            return Err(Flaw::Excluded { message: shape.name.clone(), field: field.name.clone() });
        }
        rest = value(interface, shape, field, wire, after, depth)?;
    }
    Ok(())
}

/// Checks the value at the start of `bytes`, and gives what comes after it.
fn value<'a>(
    interface: &Interface,
    shape: &Shape,
    field: &Field,
    wire: u64,
    bytes: &'a [u8],
    depth: usize,
) -> Result<&'a [u8], Flaw> {
    let damaged = || Flaw::Damaged { message: shape.name.clone() };
    let fixed = |len: usize| bytes.get(len..).ok_or_else(damaged);
    match (field.form, wire) {
        (Form::Varint, 0) => varint(bytes).map(|(_, after)| after).ok_or_else(damaged),
        (Form::Fixed64, 1) => fixed(8),
        (Form::Fixed32, 5) => fixed(4),
        (form, 2) => {
            let (len, after) = varint(bytes).ok_or_else(damaged)?;
            let len = usize::try_from(len).map_err(|_| damaged())?;
            let (inner, after) = after.split_at_checked(len).ok_or_else(damaged)?;
            match form {
                Form::Bytes => {}
                Form::Text => {
                    let flaw = |_| Flaw::NotText { message: shape.name.clone(), field: field.name.clone() };
                    str::from_utf8(inner).map_err(flaw)?;
                }
                Form::Message(id) => walk(interface, id, inner, depth + 1)?,
                Form::Varint | Form::Fixed64 | Form::Fixed32 if field.repeated => {
                    packed(form, inner).ok_or_else(damaged)?;
                }
                Form::Varint | Form::Fixed64 | Form::Fixed32 => return Err(wrong_type(shape, field)),
            }
            Ok(after)
        }
        _ => Err(wrong_type(shape, field)),
    }
}

fn wrong_type(shape: &Shape, field: &Field) -> Flaw {
    Flaw::WrongType { message: shape.name.clone(), field: field.name.clone() }
}

/// Numbers one behind the other, without keys between them.
fn packed(form: Form, mut bytes: &[u8]) -> Option<()> {
    match form {
        Form::Fixed64 => bytes.len().is_multiple_of(8).then_some(()),
        Form::Fixed32 => bytes.len().is_multiple_of(4).then_some(()),
        Form::Varint => {
            while !bytes.is_empty() {
                bytes = varint(bytes)?.1;
            }
            Some(())
        }
        Form::Text | Form::Bytes | Form::Message(_) => None,
    }
}

/// The number at the start of `bytes`, and what comes after it. At most ten bytes and 64 bits.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0u64;
    for (place, byte) in bytes.iter().take(10).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if place == 9 && bits > 1 {
            return None;
        }
        number |= bits << (7 * place);
        if byte & 0x80 == 0 {
            return bytes.get(place + 1..).map(|after| (number, after));
        }
    }
    None
}

#[cfg(test)]
#[path = "strict_tests.rs"]
mod tests;
