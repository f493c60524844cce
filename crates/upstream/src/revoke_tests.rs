use base64::{Engine as _, engine::general_purpose::STANDARD};
use leasehold_domain::provider::ProviderFailure;

use super::*;
use crate::{
    catalogue::tests::built_in,
    client::Client,
    samples::{acme, answer, client, endpoints},
};

fn call(provider: &Provider, client: &Client, kind: TokenKind) -> Result<Call, RevokeError> {
    Revocation {
        counterpart: Counterpart { provider, endpoints: &endpoints(), client, secret: 0 },
        inputs: &BTreeMap::new(),
        token: &SecretString::from("the token"),
        kind,
    }
    .call()
}

#[test]
fn rfc_7009_posts_the_token_with_its_kind_as_the_client() {
    let acme = acme("[revocation]\nkind = \"rfc7009\"\n");
    for (kind, hint) in [(TokenKind::Access, "access_token"), (TokenKind::Refresh, "refresh_token")] {
        let call = call(&acme, &client(), kind).unwrap();
        assert_eq!(call.leg, Leg::Revoke);
        assert_eq!(call.request.url.as_str(), "https://acme.example/revoke");
        assert_eq!(
            call.request.body.as_slice(),
            format!("token=the+token&token_type_hint={hint}").as_bytes()
        );
        let basic = format!("Basic {}", STANDARD.encode("app:new+secret"));
        assert_eq!(call.request.headers["authorization"].to_str().unwrap(), basic);
        assert!(call.request.headers["authorization"].is_sensitive());
    }
}

#[test]
fn a_public_client_revokes_by_its_id() {
    let acme = acme("[revocation]\nkind = \"rfc7009\"\n");
    let public = Client::new("app", vec![]).unwrap();
    let call = call(&acme, &public, TokenKind::Access).unwrap();
    assert_eq!(call.request.body.as_slice(), b"token=the+token&token_type_hint=access_token&client_id=app");
}

#[test]
fn github_deletes_a_resource_of_the_client() {
    let call = call(&built_in("github"), &client(), TokenKind::Access).unwrap();
    assert_eq!(call.request.method, Method::DELETE);
    assert_eq!(call.request.url.as_str(), "https://api.github.com/applications/app/token");
    assert_eq!(call.request.body.as_slice(), br#"{"access_token":"the token"}"#);
    let basic = format!("Basic {}", STANDARD.encode("app:new secret"));
    assert_eq!(call.request.headers["authorization"].to_str().unwrap(), basic);
    assert_eq!(call.request.headers["accept"], "application/vnd.github+json");
}

#[test]
fn a_client_id_stays_one_segment_of_the_path() {
    let enterprise = acme("[revocation]\nkind = \"github_grant\"\nurl = \"https://ghe.example/api/v3/\"\n");
    let odd = Client::new("../a?b", vec![SecretString::from("s")]).unwrap();
    let call = call(&enterprise, &odd, TokenKind::Access).unwrap();
    assert_eq!(call.request.url.as_str(), "https://ghe.example/api/v3/applications/%2E%2E%2Fa%3Fb/grant");
}

#[test]
fn what_a_provider_does_not_take_is_not_asked_of_it() {
    let refused = |provider: &Provider, kind| call(provider, &client(), kind).unwrap_err();
    assert_eq!(refused(&acme(""), TokenKind::Access), RevokeError::Unsupported);
    assert_eq!(refused(&built_in("github"), TokenKind::Refresh), RevokeError::Unsupported);
    let public = Client::new("app", vec![]).unwrap();
    assert_eq!(call(&built_in("github"), &public, TokenKind::Access).unwrap_err(), RevokeError::NoSecret);
}

#[test]
fn a_success_confirms_whatever_its_body_unless_that_takes_it_back() {
    let acme = acme("[revocation]\nkind = \"rfc7009\"\n");
    for (status, body) in [(200, ""), (200, "OK"), (200, "{}"), (204, "")] {
        assert_eq!(
            parse_revocation(&acme, &answer(Leg::Revoke, status, body)),
            Ok(Revoked::Confirmed),
            "{body}"
        );
    }
    let taken_back = answer(Leg::Revoke, 200, r#"{"error":"invalid_client"}"#);
    assert_eq!(parse_revocation(&acme, &taken_back).unwrap_err().class, ProviderFailure::ClientFault);
}

#[test]
fn a_refusal_confirms_nothing() {
    let acme = acme("[revocation]\nkind = \"rfc7009\"\n");
    for (status, body, class) in [
        (400, r#"{"error":"invalid_request"}"#, ProviderFailure::RequestFault),
        (401, r#"{"error":"invalid_client"}"#, ProviderFailure::ClientFault),
        (404, "", ProviderFailure::RequestFault),
        (302, "", ProviderFailure::RequestFault),
        (503, "", ProviderFailure::Transient),
        (429, "", ProviderFailure::Throttled(None)),
    ] {
        let failure = parse_revocation(&acme, &answer(Leg::Revoke, status, body)).unwrap_err();
        assert_eq!(failure.class, class, "{status}");
    }
    let kind = answer(Leg::Revoke, 400, r#"{"error":"unsupported_token_type"}"#);
    assert_eq!(parse_revocation(&acme, &kind), Ok(Revoked::KindUnsupported));
}
