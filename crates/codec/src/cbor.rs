//! Canonical CBOR: every value has exactly one form (RFC 8949 section 4.2.1), and a decoder refuses every
//! other.
//!
//! A record is a map from field numbers, in ascending order, to values; an absent optional field is left out.
//! A choice is its variant's number alone, or a map of one entry from that number to the variant's content.
//! Lengths are definite, heads are the shortest, and there are no tags, floats or negative numbers. Field and
//! variant numbers are never used again for something else.
//!
//! Which number belongs to which field stands in the lists of the submodules, one short entry a type. What
//! the bytes are for is not known here.

use thiserror::Error;

mod commands;
mod macros;
mod reader;
mod rows;
mod shared;
mod values;
mod writer;

pub use reader::{Fields, Reader};
pub use writer::Writer;

/// A value with one form in bytes.
pub trait Wire: Sized {
    /// Writes it.
    fn put(&self, writer: &mut Writer);

    /// Reads it.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that [`Wire::put`] would not write.
    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Whether a record leaves it out.
    fn is_absent(&self) -> bool {
        false
    }

    /// What stands for it where a record has left it out, if that is allowed.
    fn absent() -> Option<Self> {
        None
    }

    /// Reads it where a record has not left it out.
    ///
    /// # Errors
    /// As [`Wire::take`].
    fn take_present(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::take(reader)
    }
}

/// Why bytes are refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem} at byte {at}")]
pub struct DecodeError {
    /// How many bytes had been read.
    pub at: usize,
    /// Why.
    pub problem: Problem,
}

/// Why bytes are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The bytes end too early, or another type of value stands here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A number or length is written longer than it need be.
    #[error("not in the shortest form")]
    NotShortest,
    /// The record lacks this field, or has it out of order.
    #[error("no field {0} where it belongs")]
    MissingField(u64),
    /// The record has this field, which it should not have here.
    #[error("field {0} is unknown, repeated or out of order")]
    UnknownField(u64),
    /// The choice has no such variant, or that variant has another content.
    #[error("unknown variant {0}")]
    UnknownVariant(u64),
    /// The members of a set or the keys of a map do not ascend.
    #[error("members do not ascend")]
    NotAscending,
    /// There are more of them than there may be.
    #[error("more than {0} of them")]
    TooMany(usize),
    /// The value breaks a rule of its type.
    #[error("not a valid {0}")]
    Invalid(&'static str),
    /// Something follows the value.
    #[error("bytes follow the value")]
    Trailing,
    /// The first byte names a form that this version does not know.
    #[error("unknown format {0}")]
    UnknownFormat(u8),
    /// The first byte of a key names a table that this version does not know.
    #[error("unknown table {0}")]
    UnknownTable(u8),
    /// The row says that it belongs under another key.
    #[error("the row belongs under another key")]
    WrongKey,
}

/// The bytes of a value.
pub fn to_vec(value: &impl Wire) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    value.put(&mut writer);
    writer.into_bytes()
}

/// Reads a value that takes up all of `bytes`.
///
/// # Errors
/// [`DecodeError`] for anything that [`to_vec`] would not write.
pub fn from_slice<T: Wire>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    let value = T::take(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

#[cfg(test)]
#[path = "cbor/tests.rs"]
mod tests;
