//! The payload of a log entry: nothing, a batch of proposals, or a membership.

use std::convert::Infallible;

use bytes::Bytes;
use minicbor::{Decoder, Encoder};

use super::{Decoded, FORMAT, Malformed, array, format, membership, whole};
use crate::types::{Batch, Payload};

const BLANK: u8 = 0;
const BATCH: u8 = 1;
const MEMBERSHIP: u8 = 2;

/// The bytes that the log keeps for an entry.
pub(crate) fn encode_payload(payload: &Payload) -> Bytes {
    let capacity = if let Payload::Normal(batch) = payload { batch.0.len() + 16 } else { 64 };
    let mut encoder = Encoder::new(Vec::with_capacity(capacity));
    let written = (|| {
        encoder.array(3)?.u8(FORMAT)?;
        match payload {
            Payload::Blank => {
                encoder.u8(BLANK)?.null()?;
            }
            Payload::Normal(batch) => {
                encoder.u8(BATCH)?.bytes(&batch.0)?;
            }
            Payload::Membership(members) => {
                encoder.u8(MEMBERSHIP)?;
                membership::write(&mut encoder, members)?;
            }
        }
        Ok::<_, minicbor::encode::Error<Infallible>>(())
    })();
    written.expect("writing to a vector does not fail");
    Bytes::from(encoder.into_writer())
}

/// Reads a payload back; a batch shares the bytes it was read from.
///
/// # Errors
///
/// If [`encode_payload`] did not write this.
pub(crate) fn decode_payload(bytes: &Bytes) -> Result<Payload, Malformed> {
    whole("log entry", bytes, |decoder| {
        array(decoder, 3)?;
        format(decoder)?;
        body(decoder, bytes)
    })
}

fn body(decoder: &mut Decoder<'_>, bytes: &Bytes) -> Decoded<Payload> {
    match decoder.u8()? {
        BLANK => decoder.null().map(|()| Payload::Blank),
        BATCH => decoder.bytes().map(|batch| Payload::Normal(Batch(bytes.slice_ref(batch)))),
        MEMBERSHIP => membership::read(decoder).map(Payload::Membership),
        _ => Err(minicbor::decode::Error::message("unknown kind of entry")),
    }
}
