//! Drawing what is random: ids, salts, one-time values. Always before proposing.

use aws_lc_rs::digest::{SHA256, digest};
use leasehold_domain::{
    id::NoteId,
    subject::Note,
    text::{Commitment, Digest, Label},
};
use leasehold_vault::Entropy;
use zeroize::Zeroizing;

use crate::problem::Problem;

/// The longest free text that stands beside the ledger, in bytes.
const NOTE_LEN_MAX: usize = 1000;

/// 16 random bytes, for an id or a salt.
pub(crate) fn sixteen(entropy: &dyn Entropy) -> [u8; 16] {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    bytes
}

/// 32 random bytes, for a one-time value.
pub(crate) fn thirty_two(entropy: &dyn Entropy) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    entropy.fill(&mut *bytes);
    bytes
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// SHA-256 as the domain keeps it.
pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_bytes(sha256(bytes))
}

/// A commitment to fields with a salt: SHA-256 over each field behind its length in 4 bytes, big endian, the salt last.
pub(crate) fn commit(fields: &[&str], salt: [u8; 16]) -> Commitment {
    let mut framed = Vec::new();
    for field in fields.iter().map(|field| field.as_bytes()).chain([salt.as_slice()]) {
        let len = u32::try_from(field.len()).unwrap_or(u32::MAX);
        framed.extend_from_slice(&len.to_be_bytes());
        framed.extend_from_slice(field);
    }
    Commitment::from_bytes(sha256(&framed))
}

/// A note from a free text; none where the text is empty.
///
/// # Errors
/// [`Problem::Invalid`] for a text that is too long or has control characters.
pub(crate) fn note(entropy: &dyn Entropy, text: &str) -> Result<Option<Note>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let text = Label::<NOTE_LEN_MAX>::new(text).map_err(|error| Problem::invalid("reason", error))?;
    let salt = sixteen(entropy);
    let commitment = commit(&[text.as_str()], salt);
    Ok(Some(Note { id: NoteId::from_bytes(sixteen(entropy)), text, salt, commitment }))
}
