//! How a canary could look in some bytes: as it is, escaped, or encoded.
//!
//! Base64 depends on where in a longer text the canary begins, so there are three of each alphabet, cut to what does not depend on its neighbours.

use std::collections::BTreeSet;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is what its name says")]
pub enum Form {
    Clear,
    Json,
    JsonUnicode,
    RustDebug,
    Html,
    Query,
    PercentAll,
    HexLower,
    HexUpper,
    Base64,
    Base64Url,
    Utf16Little,
    Utf16Big,
    Numbers,
}

/// All of them.
pub const ALL: [Form; 14] = [
    Form::Clear,
    Form::Json,
    Form::JsonUnicode,
    Form::RustDebug,
    Form::Html,
    Form::Query,
    Form::PercentAll,
    Form::HexLower,
    Form::HexUpper,
    Form::Base64,
    Form::Base64Url,
    Form::Utf16Little,
    Form::Utf16Big,
    Form::Numbers,
];

impl Form {
    /// What to look for: several where the form depends on what stands around.
    pub fn of(self, piece: &[u8]) -> BTreeSet<Vec<u8>> {
        let text = str::from_utf8(piece).ok();
        let each = |write: &dyn Fn(u8) -> String| piece.iter().map(|byte| write(*byte)).collect::<String>();
        let one = |text: Option<String>| text.map(String::into_bytes).into_iter().collect();
        match self {
            Self::Clear => BTreeSet::from([piece.to_vec()]),
            Self::Json => one(text.map(|text| {
                let quoted = serde_json::Value::from(text).to_string();
                quoted.trim_start_matches('"').strip_suffix('"').unwrap_or(&quoted).to_owned()
            })),
            Self::JsonUnicode => {
                one(text.map(|text| text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()))
            }
            Self::RustDebug => one(text.map(|text| text.escape_debug().to_string())),
            Self::Html => one(text.map(|text| {
                let escaped = text.replace('&', "&#38;").replace('"', "&#34;");
                escaped.replace('<', "&#60;").replace('>', "&#62;").replace('\'', "&#39;")
            })),
            Self::Query => one(Some(url::form_urlencoded::byte_serialize(piece).collect())),
            Self::PercentAll => one(Some(each(&|byte| format!("%{byte:02X}")))),
            Self::HexLower => one(Some(each(&|byte| format!("{byte:02x}")))),
            Self::HexUpper => one(Some(each(&|byte| format!("{byte:02X}")))),
            Self::Base64 => base64(piece, |bytes| STANDARD.encode(bytes)),
            Self::Base64Url => base64(piece, |bytes| URL_SAFE.encode(bytes)),
            Self::Utf16Little => wide(text, u16::to_le_bytes),
            Self::Utf16Big => wide(text, u16::to_be_bytes),
            Self::Numbers => {
                let numbers: Vec<String> = piece.iter().map(ToString::to_string).collect();
                BTreeSet::from([numbers.join(", ").into_bytes(), numbers.join(",").into_bytes()])
            }
        }
    }
}

fn wide(text: Option<&str>, bytes: impl Fn(u16) -> [u8; 2]) -> BTreeSet<Vec<u8>> {
    text.map(|text| text.encode_utf16().flat_map(bytes).collect()).into_iter().collect()
}

/// The encodings of a piece at each of the three offsets, without the characters at both ends that its neighbours have a part in.
fn base64(piece: &[u8], encode: impl Fn(&[u8]) -> String) -> BTreeSet<Vec<u8>> {
    let at = |offset: usize| {
        let shifted: Vec<u8> = std::iter::repeat_n(0, offset).chain(piece.iter().copied()).collect();
        let encoded = encode(&shifted).into_bytes();
        let begin = (offset * 8).div_ceil(6);
        let end = shifted.len() * 8 / 6;
        encoded.get(begin..end).map(<[u8]>::to_vec)
    };
    (0..3).filter_map(at).collect()
}
