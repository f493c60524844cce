//! Who makes a call: by API credential, by client certificate or by browser session.
//!
//! Whoever answers a [`Refused`] says the same in every case, that the caller is not known; the reasons are for logs and counters.

use leasehold_domain::{
    actor::{Principal, Proof},
    revocation::Selector,
    state::State,
    subject::Kind,
};
use leasehold_vault::CredentialSecret;
use thiserror::Error;

use crate::session::{Session, Standing};

mod basic;
mod certificate;
mod credential;

pub use basic::{Basic, basic};
pub use certificate::{by_certificate, certificate_fingerprint};
pub use credential::by_credential;

/// Why a caller is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Error)]
#[non_exhaustive]
pub enum Refused {
    /// The header, credential or certificate is not of the expected form.
    #[error("the proof is malformed")]
    Malformed,
    /// The credential, or the name in the certificate, is not registered, or the secret is wrong. These are one case: nobody learns
    /// which ids exist.
    #[error("the caller is not known")]
    Unknown,
    /// The certificate's names stand for several workloads, or it has several SPIFFE ids.
    #[error("the certificate stands for more than one caller")]
    Ambiguous,
    /// The credential, certificate or session has ended, or has not begun.
    #[error("the proof is not valid at this time")]
    Expired,
    /// Whoever it belongs to may not do anything.
    #[error("the caller is disabled")]
    Disabled,
}

/// Reads the value of an `Authorization` header that carries an API credential (RFC 6750 section 2.1): the scheme, whose letters'
/// case does not matter, spaces, and the credential.
///
/// # Errors
/// [`Refused::Malformed`] for anything else.
pub fn bearer(header: &[u8]) -> Result<CredentialSecret, Refused> {
    let text = behind(b"bearer ", header)?;
    CredentialSecret::parse(text).map_err(|_| Refused::Malformed)
}

/// What stands behind a scheme, whose letters' case does not matter, and spaces.
fn behind<'a>(scheme: &[u8], header: &'a [u8]) -> Result<&'a str, Refused> {
    let (named, rest) = header.split_at_checked(scheme.len()).ok_or(Refused::Malformed)?;
    if !named.eq_ignore_ascii_case(scheme) {
        return Err(Refused::Malformed);
    }
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    rest.get(spaces..).and_then(|text| str::from_utf8(text).ok()).ok_or(Refused::Malformed)
}

/// Finds the person who holds a browser session. It ends with the subject's disabling and with any revocation of the subject that
/// came after the sign-in.
///
/// # Errors
/// [`Refused`]; a session whose sign-in is still under way is [`Refused::Unknown`].
pub fn by_session(state: &State, session: &Session) -> Result<(Principal, Proof), Refused> {
    let Standing::SignedIn { subject, seq, .. } = session.standing() else {
        return Err(Refused::Unknown);
    };
    let known = state.subjects.get(subject).ok_or(Refused::Unknown)?;
    if !known.enabled || known.kind != Kind::Person {
        return Err(Refused::Disabled);
    }
    if state.epoch(Selector::Subject(*subject)).leases > *seq {
        return Err(Refused::Expired);
    }
    Ok((Principal::Person(*subject), Proof::SignIn))
}

#[cfg(test)]
mod tests {
    use leasehold_domain::id::CredentialId;
    use leasehold_vault::{CredentialKind, OsEntropy};

    use super::*;

    fn credential() -> CredentialSecret {
        CredentialSecret::draw(CredentialKind::Workload, CredentialId::from_bytes([7; 16]), &OsEntropy)
    }

    #[test]
    fn a_bearer_header_gives_its_credential_whatever_the_case_of_the_scheme() {
        let credential = credential();
        let hash = credential.hash();
        let text = credential.reveal();
        for scheme in ["Bearer ", "bearer ", "BEARER ", "Bearer   "] {
            let header = format!("{scheme}{}", *text);
            assert!(bearer(header.as_bytes()).is_ok_and(|read| read.matches(&hash)), "{scheme:?}");
        }
    }

    #[test]
    fn a_header_of_another_form_is_malformed() {
        let text = credential().reveal();
        let text = text.as_str();
        for bad in [
            String::new(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            text.to_owned(),
            format!("Bearer{text}"),
            format!("Bearer\t{text}"),
            format!("Basic {text}"),
            format!("Bearer {text} "),
            format!("Bearer {text}, Bearer {text}"),
            format!(" Bearer {text}"),
            "Bearer eyJhbGciOiJub25lIn0.e30.".to_owned(),
        ] {
            assert_eq!(bearer(bad.as_bytes()).err(), Some(Refused::Malformed), "{bad}");
        }
        assert_eq!(bearer(b"Bearer \xff\xfe").err(), Some(Refused::Malformed));
    }
}
