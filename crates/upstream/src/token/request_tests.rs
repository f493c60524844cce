use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use leasehold_domain::provider::ProviderFailure;
use url::form_urlencoded;

use super::*;
use crate::{
    catalogue::tests::built_in,
    client::Client,
    endpoints::Endpoints,
    failure::{Code, Failure},
    samples::{self, acme, client},
};

const TOKEN_URL: &str = "https://acme.example/token?v=2";
const REDIRECT: &str = "https://leasehold.example/cb/org/acme/con_1";

fn endpoints(client_auth: Option<ClientAuth>) -> Endpoints {
    Endpoints { client_auth, ..samples::endpoints() }
}

fn body(call: &Call) -> BTreeMap<String, String> {
    let pairs: Vec<_> = form_urlencoded::parse(&call.request.body).into_owned().collect();
    let fields: BTreeMap<_, _> = pairs.iter().cloned().collect();
    assert_eq!(fields.len(), pairs.len(), "no parameter occurs twice");
    fields
}

fn exchange(counterpart: Counterpart<'_>) -> Call {
    CodeExchange {
        counterpart,
        code: &SecretString::from("the code"),
        verifier: &Verifier::from_stored(SecretString::from("v".repeat(43))).unwrap(),
        redirect_uri: REDIRECT,
        resource: Some(&Resource::new("https://mcp.example/").unwrap()),
    }
    .call()
    .unwrap()
}

fn refresh(counterpart: Counterpart<'_>, narrow_to: Option<&ScopeSet>) -> Call {
    Refresh {
        counterpart,
        refresh_token: &SecretString::from("the refresh token"),
        resource: Some(&Resource::new("https://mcp.example/").unwrap()),
        narrow_to,
    }
    .call()
    .unwrap()
}

fn map<const N: usize>(fields: [(&str, &str); N]) -> BTreeMap<String, String> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn an_exchange_carries_exactly_its_parameters_with_basic_authentication() {
    let acme = acme("[token]\nparams = { audience = \"x\" }\n");
    let client = client();
    let call =
        exchange(Counterpart { provider: &acme, endpoints: &endpoints(None), client: &client, secret: 0 });
    assert_eq!(call.leg, Leg::Exchange);
    assert_eq!((call.request.method.as_str(), call.request.url.as_str()), ("POST", TOKEN_URL));
    let authorization = &call.request.headers["authorization"];
    assert!(authorization.is_sensitive());
    assert_eq!(authorization.to_str().unwrap(), format!("Basic {}", STANDARD.encode("app:new+secret")));
    assert_eq!(call.request.headers["accept"], "application/json");
    assert_eq!(call.request.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(
        body(&call),
        map([
            ("audience", "x"),
            ("code", "the code"),
            ("code_verifier", &"v".repeat(43)),
            ("grant_type", "authorization_code"),
            ("redirect_uri", REDIRECT),
            ("resource", "https://mcp.example"),
        ])
    );
}

#[test]
fn a_refresh_carries_exactly_its_parameters() {
    let acme = acme("[token]\nauth = \"post\"\n");
    let client = client();
    let counterpart =
        Counterpart { provider: &acme, endpoints: &endpoints(None), client: &client, secret: 1 };
    let call = refresh(counterpart, None);
    assert!(!call.request.headers.contains_key("authorization"));
    assert_eq!(
        body(&call),
        map([
            ("client_id", "app"),
            ("client_secret", "old"),
            ("grant_type", "refresh_token"),
            ("refresh_token", "the refresh token"),
            ("resource", "https://mcp.example"),
        ])
    );
    let narrowed = refresh(counterpart, Some(&"b a".parse().unwrap()));
    assert_eq!(body(&narrowed)["scope"], "a b");
}

#[test]
fn a_public_client_sends_its_id_and_no_secret() {
    let public = Client::new("app", vec![]).unwrap();
    let acme = acme("[token]\nauth = \"basic\"\n");
    let call = refresh(
        Counterpart { provider: &acme, endpoints: &endpoints(None), client: &public, secret: 0 },
        None,
    );
    assert!(!call.request.headers.contains_key("authorization"));
    let sent = body(&call);
    assert_eq!(sent["client_id"], "app");
    assert!(!sent.contains_key("client_secret"));
}

#[test]
fn an_entry_that_says_none_keeps_the_secret_back() {
    let acme = acme("[token]\nauth = \"none\"\n");
    let client = client();
    let call = refresh(
        Counterpart { provider: &acme, endpoints: &endpoints(None), client: &client, secret: 0 },
        None,
    );
    assert!(
        !call.request.headers.contains_key("authorization") && !body(&call).contains_key("client_secret")
    );
}

#[test]
fn metadata_decides_how_to_authenticate_where_the_entry_is_silent() {
    let acme = acme("");
    let client = client();
    let endpoints = endpoints(Some(ClientAuth::Post));
    let call =
        refresh(Counterpart { provider: &acme, endpoints: &endpoints, client: &client, secret: 0 }, None);
    assert_eq!(body(&call)["client_secret"], "new secret");
}

#[test]
fn the_resource_goes_out_on_the_legs_that_the_entry_names() {
    let client = client();
    let endpoints = endpoints(None);
    for (rule, on_exchange, on_refresh) in
        [("every", true, true), ("not_on_refresh", true, false), ("never", false, false)]
    {
        let acme = acme(&format!("[authorize]\nresource = \"{rule}\"\n"));
        let counterpart = Counterpart { provider: &acme, endpoints: &endpoints, client: &client, secret: 0 };
        assert_eq!(body(&exchange(counterpart)).contains_key("resource"), on_exchange, "{rule}");
        assert_eq!(body(&refresh(counterpart, None)).contains_key("resource"), on_refresh, "{rule}");
    }
}

#[test]
fn github_takes_its_secret_in_the_body() {
    let github = built_in("github");
    let client = client();
    let call =
        exchange(Counterpart { provider: &github, endpoints: &endpoints(None), client: &client, secret: 0 });
    let sent = body(&call);
    assert_eq!(sent["client_secret"], "new secret");
    assert!(sent.contains_key("code_verifier") && !sent.contains_key("resource"));
}

#[test]
fn an_older_secret_is_offered_only_while_the_secret_is_to_blame() {
    let client = client();
    let failure = |class, code: &'static str| Failure { class, code: Code::Listed(code.into()), status: 401 };
    let refused = failure(ProviderFailure::ClientFault, "invalid_client");
    assert_eq!(client.next_secret(0, &refused), Some(1));
    assert_eq!(client.next_secret(1, &refused), None);
    assert_eq!(client.next_secret(0, &failure(ProviderFailure::ClientFault, "unauthorized_client")), None);
    assert_eq!(client.next_secret(0, &failure(ProviderFailure::GrantDead, "invalid_grant")), None);
}

#[test]
fn a_call_prints_none_of_its_secrets() {
    let acme = acme("[token]\nauth = \"post\"\n");
    let client = client();
    let call =
        exchange(Counterpart { provider: &acme, endpoints: &endpoints(None), client: &client, secret: 0 });
    let printed = format!("{call:?} {:?}", call.request);
    for secret in ["the code", "the+code", "vvvv", "secret", "cb/org"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
