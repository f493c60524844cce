//! A person as an identity provider vouches for them. Personal data: nothing here prints.

use std::fmt;

use leasehold_domain::{
    identity_provider::{JoinClaim, Registration},
    subject::Identifier,
    text::Label,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Who signed in.
pub struct Person {
    /// The issuer and the value of its join claim.
    pub identifier: Identifier,
    /// The email address in lower case, if the identity provider says that it verified it and it is plain ASCII with one `@`.
    pub email: Option<Label<254>>,
    /// What the identity provider calls the person: for pages, and never to decide anything.
    pub name: Option<Label<128>>,
}

/// A token has no usable join claim: absent, empty, too long or of another form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the token has no usable join claim")]
pub struct NoJoinClaim;

/// The claims beside `sub` that may name a person, and the one standard claim that the client library does not read.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct ExtraClaims {
    pub(crate) tid: Option<String>,
    pub(crate) oid: Option<String>,
    pub(crate) nbf: Option<f64>,
}

impl openidconnect::AdditionalClaims for ExtraClaims {}

// The client library wants `Debug`; what it would print is personal data.
impl fmt::Debug for ExtraClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExtraClaims(..)")
    }
}

/// The identifier that claims give under a registration. `tid` and `oid` are joined as `tid/oid`.
pub(crate) fn identifier(
    registration: &Registration,
    sub: Option<&str>,
    extra: &ExtraClaims,
) -> Result<Identifier, NoJoinClaim> {
    let value = match registration.join_claim {
        JoinClaim::Sub => Label::new(sub.ok_or(NoJoinClaim)?),
        JoinClaim::TidOid => {
            let (tid, oid) = extra.tid.as_deref().zip(extra.oid.as_deref()).ok_or(NoJoinClaim)?;
            if !is_uuid(tid) || !is_uuid(oid) {
                return Err(NoJoinClaim);
            }
            Label::new(&format!("{tid}/{oid}"))
        }
    };
    let value = value.map_err(|_| NoJoinClaim)?;
    Ok(Identifier { issuer: registration.issuer.clone(), value })
}

/// A UUID in lower case, which is how Entra writes tenants and objects: another spelling would be another value.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// An address that may resolve somebody, in lower case. ASCII alone: other letters fold into it under some rules and not under
/// others, and two systems that disagree about that would let one person stand for another.
pub(crate) fn plain_email(text: &str) -> Option<Label<254>> {
    let (local, domain) = text.split_once('@')?;
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic());
    (plain(local) && plain(domain) && !domain.contains('@'))
        .then(|| Label::new(&text.to_ascii_lowercase()).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use leasehold_domain::{id::Name, text::Uri};

    use super::*;

    const TENANT: &str = "0b5f2c1e-27a4-4c0e-9d53-1f0c6a2b7e90";
    const OBJECT: &str = "9a1d4f66-0c3b-4ad8-8f7e-5b2e8c4d1a37";

    fn registration(join_claim: JoinClaim) -> Registration {
        Registration {
            name: Name::new("corp").unwrap(),
            issuer: Uri::new("https://idp.example").unwrap(),
            client_id: Label::new("leasehold").unwrap(),
            join_claim,
            email_domains: Vec::new(),
        }
    }

    fn claims(tid: Option<&str>, oid: Option<&str>) -> ExtraClaims {
        ExtraClaims { tid: tid.map(str::to_owned), oid: oid.map(str::to_owned), nbf: None }
    }

    fn value(join_claim: JoinClaim, sub: Option<&str>, extra: &ExtraClaims) -> Option<String> {
        let identifier = identifier(&registration(join_claim), sub, extra).ok()?;
        Some(identifier.value.as_str().to_owned())
    }

    #[test]
    fn the_join_claim_of_the_registration_names_the_person_and_no_other_does() {
        let extra = claims(Some(TENANT), Some(OBJECT));
        assert_eq!(value(JoinClaim::Sub, Some("alice"), &extra).as_deref(), Some("alice"));
        assert_eq!(value(JoinClaim::TidOid, Some("alice"), &extra), Some(format!("{TENANT}/{OBJECT}")));
        assert_eq!(value(JoinClaim::Sub, None, &extra), None);
        assert_eq!(value(JoinClaim::TidOid, Some("alice"), &claims(Some(TENANT), None)), None);
        assert_eq!(value(JoinClaim::TidOid, Some("alice"), &claims(None, Some(OBJECT))), None);
    }

    #[test]
    fn a_join_claim_of_another_form_is_refused() {
        assert_eq!(value(JoinClaim::Sub, Some(""), &claims(None, None)), None);
        assert_eq!(value(JoinClaim::Sub, Some(&"x".repeat(256)), &claims(None, None)), None);
        assert_eq!(value(JoinClaim::Sub, Some("a\nb"), &claims(None, None)), None);
        let upper = TENANT.to_uppercase();
        for bad in [upper.as_str(), "", "a/b", &TENANT.replace('-', "a"), &format!("{TENANT}0")] {
            assert_eq!(value(JoinClaim::TidOid, None, &claims(Some(bad), Some(OBJECT))), None, "{bad}");
            assert_eq!(value(JoinClaim::TidOid, None, &claims(Some(TENANT), Some(bad))), None, "{bad}");
        }
    }

    #[test]
    fn an_email_counts_only_in_plain_ascii_with_one_at_sign() {
        let plain = |text: &str| plain_email(text).map(|email| email.as_str().to_owned());
        assert_eq!(plain("Alice@Example.COM").as_deref(), Some("alice@example.com"));
        for bad in [
            "",
            "alice",
            "@example.com",
            "alice@",
            "alice@evil.test@example.com",
            "alice @example.com",
            "alice@example.com\n",
            // The Kelvin sign folds to k in Unicode, and not in ASCII.
            "ali\u{212a}e@example.com",
            "alice@\u{212a}orp.example",
            &format!("{}@example.com", "x".repeat(250)),
        ] {
            assert_eq!(plain(bad), None, "{bad}");
        }
    }
}
