//! The identifiers of token types (RFC 8693 section 3), as far as they are taken or given.

use leasehold_identity::subject_token::Declared;

/// An access token.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// An ID token.
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
/// A JWT.
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// A lease, under a name of ours.
const LEASE: &str = "urn:leasehold:token-type:lease";

/// What a subject token is declared as; `None` for types that cannot be verified here.
pub(crate) fn declared(identifier: &str) -> Option<Declared> {
    match identifier {
        JWT => Some(Declared::Jwt),
        ID_TOKEN => Some(Declared::IdToken),
        ACCESS_TOKEN => Some(Declared::AccessToken),
        _ => None,
    }
}

/// How what is asked for will be called in the answer, which is as it was called in the request; `None` for what is never given. A lease's token
/// is an access token whatever it is called, so `token_type` is how to use it, and never `N_A`.
pub(crate) fn issued(requested: Option<&str>) -> Option<&'static str> {
    match requested {
        None | Some(ACCESS_TOKEN) => Some(ACCESS_TOKEN),
        Some(LEASE) => Some(LEASE),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_called_what_it_was_asked_for_as() {
        assert_eq!(issued(None), Some(ACCESS_TOKEN));
        assert_eq!(issued(Some(ACCESS_TOKEN)), Some(ACCESS_TOKEN));
        assert_eq!(issued(Some(LEASE)), Some(LEASE));
        for never in [JWT, ID_TOKEN, "urn:ietf:params:oauth:token-type:refresh_token", "", "lease"] {
            assert_eq!(issued(Some(never)), None, "{never}");
        }
    }

    #[test]
    fn only_what_can_be_verified_may_be_declared() {
        assert_eq!(declared(JWT), Some(Declared::Jwt));
        assert_eq!(declared(ID_TOKEN), Some(Declared::IdToken));
        assert_eq!(declared(ACCESS_TOKEN), Some(Declared::AccessToken));
        for bad in [
            LEASE,
            "",
            "jwt",
            "urn:ietf:params:oauth:token-type:refresh_token",
            "urn:ietf:params:oauth:token-type:saml2",
            "urn:ietf:params:oauth:token-type:JWT",
        ] {
            assert_eq!(declared(bad), None, "{bad}");
        }
    }
}
