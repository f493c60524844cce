//! A planted secret, and the pieces of it that are looked for.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use leasehold_vault::{Entropy as _, OsEntropy};

use crate::input::Input;

/// How many bytes at either end of a secret are looked for by themselves: whoever cuts a secret short has not hidden it.
const END_LEN: usize = 24;
/// Fewer bytes than this are found by chance.
const PIECE_LEN_MIN: usize = 12;
/// The longest secret that is looked for whole.
const WHOLE_LEN_MAX: usize = 512;

/// A secret that was planted, or was seen being made. Without `Debug`, as all secrets.
pub struct Canary {
    /// By which way.
    pub input: Input,
    pieces: BTreeSet<Vec<u8>>,
}

impl Canary {
    /// A secret. Of a signed token its signature is the secret, of an API credential what follows its id.
    pub fn new(input: Input, value: &[u8]) -> Self {
        let mut pieces = BTreeSet::new();
        let text = str::from_utf8(value).unwrap_or_default();
        let part = if text.starts_with("eyJ") && text.matches('.').count() == 2 {
            text.rsplit('.').next()
        } else if text.starts_with("lh_") {
            text.split('.').nth(1)
        } else {
            None
        };
        let value = part.map_or(value, str::as_bytes);
        if let Some(bytes) = part.and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()) {
            pieces.extend(ends(&bytes));
        }
        pieces.extend(ends(value));
        if value.len() <= WHOLE_LEN_MAX {
            pieces.insert(value.to_vec());
        }
        pieces.retain(|piece| piece.len() >= PIECE_LEN_MIN);
        Self { input, pieces }
    }

    /// Looks for exactly these bytes.
    pub fn piece(input: Input, bytes: &[u8]) -> Self {
        Self { input, pieces: BTreeSet::from([bytes.to_vec()]) }
    }

    /// What is looked for.
    pub fn pieces(&self) -> &BTreeSet<Vec<u8>> {
        &self.pieces
    }
}

fn ends(value: &[u8]) -> [Vec<u8>; 2] {
    let (first, last) =
        (value.get(..END_LEN), value.len().checked_sub(END_LEN).and_then(|from| value.get(from..)));
    [first.unwrap_or(value).to_vec(), last.unwrap_or(value).to_vec()]
}

/// A fresh secret to plant, with characters in its middle that every encoding writes in its own way.
pub fn planted() -> String {
    format!("{}\"\\&%+ <'>{}", word(), word())
}

/// A fresh secret of letters and digits.
pub fn word() -> String {
    let mut bytes = [0; 18];
    OsEntropy.fill(&mut bytes);
    // No hyphen at an end, which some grammars refuse.
    format!("c{}c", URL_SAFE_NO_PAD.encode(bytes).replace('-', "x").replace('_', "y"))
}
