//! Length-framed bytes: how several fields become one input of a cipher or a hash without ambiguity.
//!
//! Each field follows its length, and the first field is a label that says what the whole is for, so two different lists of fields
//! never give the same bytes, and an input meant for one use is never one of another.

/// A label and fields, framed.
pub(crate) struct Frame(Vec<u8>);

impl Frame {
    /// Begins a frame. The label is unique to one use in this crate and carries that use's version.
    pub(crate) fn new(label: &'static str) -> Self {
        Self(Vec::with_capacity(256)).field(label.as_bytes())
    }

    /// Adds a field behind its length, four bytes in big-endian order.
    pub(crate) fn field(mut self, bytes: &[u8]) -> Self {
        let len = u32::try_from(bytes.len()).expect("fields are ids, numbers and labels, far below 4 GiB");
        self.0.extend_from_slice(&len.to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// The framed bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(fields: &[Vec<u8>]) -> Vec<u8> {
        fields.iter().fold(Frame::new("test"), |frame, field| frame.field(field)).0
    }

    proptest! {
        #[test]
        fn different_fields_never_frame_to_the_same_bytes(
            left in prop::collection::vec(prop::collection::vec(0u8..3, 0..4), 0..4),
            right in prop::collection::vec(prop::collection::vec(0u8..3, 0..4), 0..4),
        ) {
            prop_assert_eq!(left == right, framed(&left) == framed(&right));
        }
    }
}
