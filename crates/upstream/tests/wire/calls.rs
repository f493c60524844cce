//! Whole calls: built, sent over a wire, put away as bytes, read again and understood.

use std::{collections::BTreeMap, net::SocketAddr};

use axum::response::Response;
use leasehold_domain::{
    id::Name,
    provider::ProviderFailure,
    scope::ScopeSet,
    time::{Span, Timestamp},
};
use leasehold_upstream::{
    account::{AccountLookup, parse_account},
    call::{Call, RawAnswer, SendError},
    catalogue::{Catalogue, Provider},
    client::{Client, Counterpart},
    endpoints::{ConnectorSettings, EndpointPlan, Endpoints, ManualEndpoints},
    introspect::{Introspected, Introspection, parse_introspection},
    proof::Verifier,
    revoke::{Revocation, Revoked, TokenKind, parse_revocation},
    token::{CodeExchange, Refresh, TokenSet, parse_token_answer},
    transport::{NotSent, Unanswered},
};
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::server::{Server, Then, raw, response, transport};

const SENT_AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn provider(name: &str) -> Provider {
    let catalogue = Catalogue::load(None).unwrap();
    Provider::clone(catalogue.get(&Name::new(name).unwrap()).unwrap())
}

fn endpoints(address: SocketAddr) -> Endpoints {
    let at = |path: &str| format!("http://{address}/{path}");
    let stated = ConnectorSettings {
        endpoints: Some(ManualEndpoints {
            authorize: at("authorize"),
            token: at("token"),
            revocation: Some(at("revoke")),
            introspection: Some(at("introspect")),
            userinfo: Some(at("userinfo")),
        }),
        ..ConnectorSettings::default()
    };
    match provider("generic-oauth2").plan(&stated).unwrap() {
        EndpointPlan::Known(endpoints) => *endpoints,
        EndpointPlan::Discover { .. } => panic!("endpoints were stated"),
    }
}

fn client() -> Client {
    Client::new("app", vec![SecretString::from("secret")]).unwrap()
}

fn refresh(provider: &Provider, address: SocketAddr) -> Call {
    Refresh {
        counterpart: Counterpart { provider, endpoints: &endpoints(address), client: &client(), secret: 0 },
        refresh_token: &SecretString::from("rt-1"),
        resource: None,
        narrow_to: None,
    }
    .call()
    .unwrap()
}

/// Sends a call and passes its answer through the bytes in which it would be put away.
async fn send(call: Call) -> Result<RawAnswer, SendError> {
    let answer = call.send(&transport(), SENT_AT).await?;
    Ok(RawAnswer::from_bytes(&answer.to_bytes()).unwrap())
}

async fn refreshed(answer: fn() -> Response) -> Result<TokenSet, ProviderFailure> {
    let server = Server::new(move |_| answer()).await;
    let sandbox = provider("sandbox");
    let raw = send(refresh(&sandbox, server.address)).await.unwrap();
    assert_eq!(server.seen().len(), 1, "a call is sent once");
    parse_token_answer(&sandbox, &raw, &ScopeSet::empty(), SENT_AT).map_err(|failure| failure.class)
}

#[tokio::test]
async fn a_code_becomes_a_token_set() {
    let server = Server::new(|_| {
        response(200, "application/json", r#"{"access_token":"at-1","refresh_token":"rt-1","expires_in":60}"#)
    })
    .await;
    let sandbox = provider("sandbox");
    let call = CodeExchange {
        counterpart: Counterpart {
            provider: &sandbox,
            endpoints: &endpoints(server.address),
            client: &client(),
            secret: 0,
        },
        code: &SecretString::from("code-1"),
        verifier: &Verifier::from_random(&Zeroizing::new([7; 32])),
        redirect_uri: "https://leasehold.example/cb",
        resource: None,
    }
    .call()
    .unwrap();
    let raw = send(call).await.unwrap();
    assert!(raw.received >= SENT_AT && raw.received < SENT_AT + Span::from_secs(60));
    let set = parse_token_answer(&sandbox, &raw, &"a".parse().unwrap(), SENT_AT).unwrap();
    assert_eq!(set.access_token.expose_secret(), "at-1");
    assert_eq!(set.expires_at.unwrap().at, SENT_AT + Span::from_secs(60));

    let seen = &server.seen()[0];
    assert_eq!(seen.target, "/token");
    let sent: BTreeMap<String, String> = form_urlencoded::parse(&seen.body).into_owned().collect();
    assert_eq!((sent["grant_type"].as_str(), sent["code"].as_str()), ("authorization_code", "code-1"));
    assert_eq!(sent["code_verifier"].len(), 43);
    assert!(seen.headers["authorization"].to_str().unwrap().starts_with("Basic "));
    assert_eq!(seen.headers["user-agent"], "leasehold");
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_the_next() {
    let set =
        refreshed(|| response(200, "application/json", r#"{"access_token":"at-2","refresh_token":"rt-2"}"#))
            .await;
    assert_eq!(set.unwrap().refresh_token.unwrap().expose_secret(), "rt-2");
}

#[tokio::test]
async fn every_bad_answer_has_its_class() {
    let big =
        || response(200, "application/json", format!("{{\"access_token\":\"{}\"}}", "x".repeat(70_000)));
    let redirect = || {
        Response::builder()
            .status(302)
            .header("location", "https://169.254.169.254/")
            .body("".into())
            .unwrap()
    };
    let slow = || {
        let mut answer = response(429, "text/plain", "");
        answer.headers_mut().insert("retry-after", "9".parse().unwrap());
        answer
    };
    let dead = || response(400, "application/json", r#"{"error":"invalid_grant"}"#);
    let page = || response(200, "text/html", "<html>maintenance</html>");
    let cut = || response(200, "application/json", r#"{"access_token":"at"#);
    let crash = || response(500, "text/html", "<html>");
    let cases: [(fn() -> Response, ProviderFailure); 7] = [
        (big, ProviderFailure::Malformed),
        (redirect, ProviderFailure::RequestFault),
        (slow, ProviderFailure::Throttled(Some(Span::from_secs(9)))),
        (dead, ProviderFailure::GrantDead),
        (page, ProviderFailure::Malformed),
        (cut, ProviderFailure::Malformed),
        (crash, ProviderFailure::Ambiguous),
    ];
    for (index, (answer, class)) in cases.into_iter().enumerate() {
        assert_eq!(refreshed(answer).await.unwrap_err(), class, "case {index}");
    }
}

#[tokio::test]
async fn a_call_without_an_answer_has_its_class_too() {
    let sandbox = provider("sandbox");
    for then in [Then::Hang, Then::Close] {
        let address = raw(b"", then).await;
        let error = send(refresh(&sandbox, address)).await.unwrap_err();
        assert!(matches!(error, SendError::Unanswered(Unanswered::Timeout | Unanswered::Lost)), "{error:?}");
        assert_eq!(error.class(), ProviderFailure::Ambiguous);
    }
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = send(refresh(&sandbox, gone)).await.unwrap_err();
    assert_eq!((error, error.class()), (SendError::NotSent(NotSent::Connect), ProviderFailure::Transient));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_ambiguous() {
    let sandbox = provider("sandbox");
    let address =
        raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"access_token\":\"at", Then::Hang).await;
    let answer = send(refresh(&sandbox, address)).await.unwrap();
    let failure = parse_token_answer(&sandbox, &answer, &ScopeSet::empty(), SENT_AT).unwrap_err();
    assert_eq!(failure.class, ProviderFailure::Ambiguous);
}

#[tokio::test]
async fn the_other_calls_reach_their_endpoints() {
    let server = Server::new(|target| match target {
        "/revoke" => response(200, "text/plain", ""),
        "/introspect" => response(200, "application/json", r#"{"active":true,"scope":"a"}"#),
        "/userinfo" => response(200, "application/json", r#"{"sub":"u-1","preferred_username":"alice"}"#),
        _ => response(404, "text/plain", ""),
    })
    .await;
    let (sandbox, oidc) = (provider("sandbox"), provider("generic-oidc"));
    let endpoints = endpoints(server.address);
    let client = client();
    let counterpart = Counterpart { provider: &sandbox, endpoints: &endpoints, client: &client, secret: 0 };
    let token = SecretString::from("at-1");
    let inputs = BTreeMap::new();

    let call =
        Revocation { counterpart, inputs: &inputs, token: &token, kind: TokenKind::Access }.call().unwrap();
    assert_eq!(parse_revocation(&sandbox, &send(call).await.unwrap()), Ok(Revoked::Confirmed));

    let call = Introspection { counterpart, token: &token, kind: TokenKind::Access }.call().unwrap();
    let said = parse_introspection(&sandbox, &send(call).await.unwrap()).unwrap();
    assert_eq!(said, Introspected::Active { scopes: Some("a".parse().unwrap()), expires_at: None });

    let call =
        AccountLookup { provider: &oidc, endpoints: &endpoints, inputs: &inputs, access_token: &token }
            .call();
    let account = parse_account(&oidc, &send(call.unwrap()).await.unwrap()).unwrap();
    assert_eq!((account.id.as_str(), account.label.as_deref()), ("u-1", Some("alice")));

    assert_eq!(server.targets(), ["/revoke", "/introspect", "/userinfo"]);
    assert_eq!(server.seen()[2].headers["authorization"], "Bearer at-1");
}
