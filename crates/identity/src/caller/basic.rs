//! A name and an API credential in an `Authorization: Basic` header, as OAuth clients send them (RFC 6749 section 2.3.1).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use leasehold_vault::CredentialSecret;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use super::{Refused, behind};

/// Whom a client says that it is, and with which credential it proves it. Without `Debug`.
pub struct Basic {
    /// The client identifier: whoever reads it compares it with the owner of the credential.
    pub client_id: String,
    /// The credential.
    pub secret: CredentialSecret,
}

/// Reads the value of an `Authorization` header of the scheme `Basic` (RFC 7617), in which name and password are form-encoded first.
///
/// # Errors
/// [`Refused::Malformed`] for anything else.
pub fn basic(header: &[u8]) -> Result<Basic, Refused> {
    read(header).ok_or(Refused::Malformed)
}

fn read(header: &[u8]) -> Option<Basic> {
    let encoded = behind(b"basic ", header).ok()?;
    let bytes = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let (client_id, secret) = str::from_utf8(&bytes).ok()?.split_once(':')?;
    let secret = CredentialSecret::parse(&form_decoded(secret)?).ok()?;
    Some(Basic { client_id: form_decoded(client_id)?.to_string(), secret })
}

/// `application/x-www-form-urlencoded`, undone. Text in which nothing needs encoding is as it was.
fn form_decoded(text: &str) -> Option<Zeroizing<String>> {
    let spaced = Zeroizing::new(text.replace('+', " "));
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(Zeroizing::new(decoded.into_owned()))
}

#[cfg(test)]
mod tests {
    use leasehold_domain::id::CredentialId;
    use leasehold_vault::{CredentialKind, OsEntropy};

    use super::*;

    fn shown() -> (String, leasehold_vault::CredentialHash) {
        let id = CredentialId::from_bytes([7; 16]);
        let credential = CredentialSecret::draw(CredentialKind::Workload, id, &OsEntropy);
        let hash = credential.hash();
        (credential.reveal().to_string(), hash)
    }

    fn header(text: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(text)).into_bytes()
    }

    #[test]
    fn a_name_and_a_credential_are_read_encoded_or_not() {
        let (text, hash) = shown();
        let encoded = text.replace('_', "%5F").replace('.', "%2e").replace('-', "%2D");
        for (name, secret) in [("demo-gateway", &text), ("demo%2Dgateway", &encoded)] {
            let read = basic(&header(&format!("{name}:{secret}"))).ok().unwrap();
            assert_eq!(read.client_id, "demo-gateway");
            assert!(read.secret.matches(&hash));
        }
        let lower = format!("basic   {}", STANDARD.encode(format!("demo-gateway:{text}")));
        assert!(basic(lower.as_bytes()).is_ok());
    }

    #[test]
    fn a_header_of_another_form_is_malformed() {
        let (text, _) = shown();
        for bad in [
            b"Basic".to_vec(),
            b"Basic ".to_vec(),
            b"Basic %%%".to_vec(),
            format!("Bearer {}", STANDARD.encode(format!("demo-gateway:{text}"))).into_bytes(),
            header(""),
            header("demo-gateway"),
            header("demo-gateway:"),
            header("demo-gateway:password"),
            header(&format!("demo-gateway:{text} ")),
            header(&format!("demo-gateway:{text}:")),
            header(&format!("%ff:{text}")),
            b"Basic \xff".to_vec(),
        ] {
            assert_eq!(basic(&bad).err(), Some(Refused::Malformed), "{}", String::from_utf8_lossy(&bad));
        }
    }
}
