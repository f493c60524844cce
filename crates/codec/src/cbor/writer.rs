//! Writing heads and contents. That they are the shortest is minicbor's doing; that fields ascend is checked
//! when the lists compile.

use std::convert::Infallible;

use minicbor::encode::{Encoder, Error};

use super::Wire;

/// Bytes being written.
pub struct Writer(Encoder<Vec<u8>>);

impl Writer {
    /// Continues `bytes`.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Encoder::new(bytes))
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_writer()
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) {
        written(self.0.u64(value));
    }

    /// A truth value.
    pub fn bool(&mut self, value: bool) {
        written(self.0.bool(value));
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) {
        written(self.0.bytes(value));
    }

    /// A text.
    pub fn text(&mut self, value: &str) {
        written(self.0.str(value));
    }

    /// Nothing.
    pub fn null(&mut self) {
        written(self.0.null());
    }

    /// The head of an array of `len` items, which follow.
    pub fn array(&mut self, len: usize) {
        written(self.0.array(len as u64));
    }

    /// The head of a map of `len` entries, which follow.
    pub fn map(&mut self, len: usize) {
        written(self.0.map(len as u64));
    }

    /// A field of a record, unless it is left out.
    pub fn field(&mut self, number: u64, value: &impl Wire) {
        if !value.is_absent() {
            self.uint(number);
            value.put(self);
        }
    }

    /// The head of a variant whose content follows.
    pub fn variant(&mut self, number: u64) {
        self.map(1);
        self.uint(number);
    }
}

fn written<T>(result: Result<T, Error<Infallible>>) {
    assert!(result.is_ok(), "memory takes every byte");
}
