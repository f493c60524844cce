use super::*;
use crate::samples::{acme, answer, client, endpoints};

const SUPPORTED: &str = "[introspection]\nsupported = true\n";

#[test]
fn introspection_posts_the_token_where_the_entry_allows_it() {
    let client = client();
    let endpoints = endpoints();
    let token = SecretString::from("the token");
    let call = |provider: &Provider| {
        let counterpart = Counterpart { provider, endpoints: &endpoints, client: &client, secret: 0 };
        Introspection { counterpart, token: &token, kind: TokenKind::Access }.call()
    };
    let request = call(&acme(SUPPORTED)).unwrap().request;
    assert_eq!(request.url.as_str(), "https://acme.example/introspect");
    assert_eq!(request.body.as_slice(), b"token=the+token&token_type_hint=access_token");
    assert_eq!(call(&acme("")).unwrap_err(), IntrospectUnsupported);
}

#[test]
fn an_active_token_has_scopes_and_an_end_where_they_are_stated() {
    let read = |body: &str| parse_introspection(&acme(SUPPORTED), &answer(Leg::Introspect, 200, body));
    assert_eq!(
        read(r#"{"active":true,"scope":"b a","exp":1700000000}"#),
        Ok(Introspected::Active {
            scopes: Some("a b".parse().unwrap()),
            expires_at: Some(Timestamp::from_millis(1_700_000_000_000)),
        })
    );
    assert_eq!(read(r#"{"active":true}"#), Ok(Introspected::Active { scopes: None, expires_at: None }));
    assert_eq!(read(r#"{"active":false,"scope":"a"}"#), Ok(Introspected::Inactive));
}

#[test]
fn an_answer_that_does_not_say_is_malformed() {
    for body in ["{}", r#"{"active":"true"}"#, r#"{"active":1}"#, "", "true"] {
        let failure = parse_introspection(&acme(SUPPORTED), &answer(Leg::Introspect, 200, body)).unwrap_err();
        assert_eq!(failure.class, ProviderFailure::Malformed, "{body}");
    }
}
