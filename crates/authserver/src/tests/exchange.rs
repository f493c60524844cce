use url::form_urlencoded::Serializer;

use super::*;

const GOOD: [(&str, &str); 5] = [
    ("grant_type", GRANT_TYPE),
    ("subject_token", "eyJ.very.secret"),
    ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
    ("resource", "https://files.example/mcp"),
    ("audience", "sandbox"),
];

/// The good request with some parameters replaced, left out where the value is empty, or added.
fn read_with(changes: &[(&str, &str)]) -> Result<Asked, Refusal> {
    let mut all = GOOD.to_vec();
    for change in changes {
        all.retain(|(name, _)| *name != change.0);
        all.push(*change);
    }
    let body = Serializer::new(String::new()).extend_pairs(all).finish();
    read(Parameters::parse(body.as_bytes())?)
}

fn refused(changes: &[(&str, &str)]) -> (&'static str, String) {
    let refusal = read_with(changes).err().unwrap_or_else(|| panic!("{changes:?} was taken"));
    assert_eq!(refusal.status, StatusCode::BAD_REQUEST, "{changes:?}");
    for secret in ["very.secret", "a-very-odd-value"] {
        assert!(!refusal.description.contains(secret), "{}", refusal.description);
    }
    (refusal.error, refusal.description)
}

#[test]
fn what_is_asked_for_is_read() {
    use secrecy::ExposeSecret as _;
    let grant = GrantId::from_bytes([4; 16]);
    let asked = read_with(&[
        ("scope", "files.write files.read"),
        ("account", &grant.to_string()),
        ("requested_token_type", "urn:leasehold:token-type:lease"),
        ("a_later_extension", "x"),
    ])
    .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert_eq!(asked.resource.as_str(), "https://files.example/mcp");
    assert_eq!(asked.audience, "sandbox");
    assert_eq!(asked.subject_token.expose_secret(), "eyJ.very.secret");
    assert_eq!(asked.declared, Declared::Jwt);
    assert_eq!(asked.scopes.unwrap().to_string(), "files.read files.write");
    assert_eq!(asked.account, Some(grant));
    assert_eq!(asked.issued, "urn:leasehold:token-type:lease");
}

#[test]
fn what_is_left_out_is_left_to_the_cluster() {
    let asked = read_with(&[]).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert_eq!((asked.scopes, asked.account), (None, None));
    assert_eq!(asked.issued, "urn:ietf:params:oauth:token-type:access_token");
}

#[test]
fn what_the_request_has_to_have_is_named() {
    for name in ["grant_type", "subject_token", "subject_token_type"] {
        assert_eq!(refused(&[(name, "")]), ("invalid_request", format!("{name}: missing")));
    }
    for name in ["resource", "audience"] {
        assert_eq!(refused(&[(name, "")]), ("invalid_target", format!("{name}: missing")));
    }
}

#[test]
fn another_grant_type_is_not_supported() {
    for other in [
        "authorization_code",
        "client_credentials",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "a-very-odd-value",
    ] {
        assert_eq!(refused(&[("grant_type", other)]).0, "unsupported_grant_type", "{other}");
    }
}

#[test]
fn a_token_type_that_cannot_be_verified_or_given_is_refused() {
    for other in ["urn:ietf:params:oauth:token-type:saml2", "jwt", "a-very-odd-value"] {
        assert_eq!(refused(&[("subject_token_type", other)]).0, "invalid_request");
        assert_eq!(refused(&[("requested_token_type", other)]).0, "invalid_request");
    }
}

#[test]
fn a_target_that_is_no_uri_or_no_name_is_invalid() {
    for bad in ["files", "/mcp", "https://files.example/mcp#a-very-odd-value", "urn:x:y", "https://a b"] {
        assert_eq!(refused(&[("resource", bad)]).0, "invalid_target", "{bad}");
    }
    for bad in ["a\nb".to_owned(), "x".repeat(AUDIENCE_LEN_MAX + 1)] {
        assert_eq!(refused(&[("audience", &bad)]).0, "invalid_target", "{bad}");
    }
}

#[test]
fn a_scope_that_is_none_is_invalid() {
    let many = (0..65).map(|n| format!("s{n} ")).collect::<String>();
    for bad in ["files.read \"x\"", "ä", "a\\b", &many] {
        assert_eq!(refused(&[("scope", bad)]).0, "invalid_scope", "{bad}");
    }
}

#[test]
fn what_is_known_and_not_done_is_refused_by_its_name() {
    for name in UNSUPPORTED {
        let (error, description) = refused(&[(name, "a-very-odd-value")]);
        assert_eq!(error, "invalid_request");
        assert!(description.starts_with(name), "{description}");
    }
    assert_eq!(refused(&[("account", "a-very-odd-value")]).0, "invalid_request");
}
