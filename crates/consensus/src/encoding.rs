//! What this crate writes into a log payload or hands to the ledger to keep, in our own encoding.
//!
//! CBOR arrays of definite length, the first item of an outermost one being the format. Nothing is tolerated that was not
//! written here: an unknown kind, a wrong length or a byte too many is an error, and the node stops on it. Votes and log ids
//! on their own are fields of the write-ahead log's records and need no encoding here.

mod entry;
mod membership;
#[cfg(test)]
mod tests;

use minicbor::Decoder;

pub(crate) use entry::{decode_payload, encode_payload};
pub(crate) use membership::{decode_membership, encode_membership};

const FORMAT: u8 = 1;

/// Bytes that this version did not write, or that are damaged.
#[derive(Debug, thiserror::Error)]
#[error("malformed {what}")]
pub(crate) struct Malformed {
    what: &'static str,
    #[source]
    source: minicbor::decode::Error,
}

impl Malformed {
    fn of(what: &'static str) -> impl FnOnce(minicbor::decode::Error) -> Self {
        move |source| Self { what, source }
    }
}

type Decoded<T> = Result<T, minicbor::decode::Error>;

/// Reads all of `bytes` with `read`.
fn whole<'a, T>(
    what: &'static str,
    bytes: &'a [u8],
    read: impl FnOnce(&mut Decoder<'a>) -> Decoded<T>,
) -> Result<T, Malformed> {
    let mut decoder = Decoder::new(bytes);
    let read = read(&mut decoder).and_then(|value| match decoder.position() == bytes.len() {
        true => Ok(value),
        false => Err(minicbor::decode::Error::message("bytes follow the end")),
    });
    read.map_err(Malformed::of(what))
}

fn length(decoder: &mut Decoder<'_>) -> Decoded<u64> {
    decoder.array()?.ok_or_else(|| minicbor::decode::Error::message("array of no stated length"))
}

fn array(decoder: &mut Decoder<'_>, expected: u64) -> Decoded<()> {
    match length(decoder)? == expected {
        true => Ok(()),
        false => Err(minicbor::decode::Error::message("array of another length")),
    }
}

fn format(decoder: &mut Decoder<'_>) -> Decoded<()> {
    match decoder.u8()? == FORMAT {
        true => Ok(()),
        false => Err(minicbor::decode::Error::message("unknown format")),
    }
}
