use std::collections::BTreeMap;

use url::Url;
use zeroize::Zeroizing;

use super::*;
use crate::{
    catalogue::tests::built_in,
    proof::one_time_value,
    samples::{self, acme},
};

const REDIRECT: &str = "https://leasehold.example/cb/org/acme/con_1";

fn endpoints(authorize: &str) -> Endpoints {
    Endpoints { authorize: Url::parse(authorize).unwrap(), ..samples::endpoints() }
}

fn build(
    provider: &Provider,
    authorize: &str,
    scopes: &str,
    resource: Option<&Resource>,
) -> Result<SecretString, AuthorizeError> {
    AuthorizeRequest {
        provider,
        endpoints: &endpoints(authorize),
        client_id: "app 1",
        redirect_uri: REDIRECT,
        scopes: &scopes.parse()?,
        state: &one_time_value(&Zeroizing::new([1; 32])),
        verifier: &Verifier::from_random(&Zeroizing::new([2; 32])),
        nonce: Some(&one_time_value(&Zeroizing::new([3; 32]))),
        resource,
    }
    .url()
}

fn parameters(
    provider: &Provider,
    authorize: &str,
    scopes: &str,
    resource: Option<&str>,
) -> BTreeMap<String, String> {
    let resource = resource.map(|text| Resource::new(text).unwrap());
    let url = build(provider, authorize, scopes, resource.as_ref()).unwrap();
    let url = Url::parse(url.expose_secret()).unwrap();
    assert!(url.as_str().starts_with(authorize.split('?').next().unwrap()));
    url.query_pairs().into_owned().collect()
}

#[test]
fn the_request_carries_exactly_its_parameters() {
    let verifier = Verifier::from_random(&Zeroizing::new([2; 32]));
    let found = parameters(
        &acme(""),
        "https://acme.example/a",
        "files.read files.list",
        Some("https://MCP.example/"),
    );
    let expected = [
        ("client_id", "app 1"),
        ("code_challenge", verifier.challenge().as_str()),
        ("code_challenge_method", "S256"),
        ("nonce", one_time_value(&Zeroizing::new([3; 32])).expose_secret()),
        ("redirect_uri", REDIRECT),
        ("resource", "https://mcp.example"),
        ("response_type", "code"),
        ("scope", "files.list files.read"),
        ("state", one_time_value(&Zeroizing::new([1; 32])).expose_secret()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(found, BTreeMap::from(expected));
}

#[test]
fn an_entry_decides_on_separator_proof_keys_resource_and_extra_parameters() {
    let acme = acme(
        "[authorize]\nscope_separator = \"comma\"\nscopes = [\"openid\"]\npkce = \"off\"\nresource = \"never\"\n\
         params = { access_type = \"offline\" }\n",
    );
    let found = parameters(&acme, "https://acme.example/a", "b a", Some("https://mcp.example"));
    assert_eq!(found["scope"], "a,b,openid");
    assert_eq!(found["access_type"], "offline");
    assert!(!found.contains_key("code_challenge") && !found.contains_key("resource"));
}

#[test]
fn no_scope_is_no_parameter() {
    assert!(!parameters(&acme(""), "https://acme.example/a", "", None).contains_key("scope"));
}

#[test]
fn an_endpoint_keeps_its_own_query_but_cannot_set_a_parameter() {
    let found = parameters(&acme(""), "https://acme.example/a?tenant=1", "a", None);
    assert_eq!(found["tenant"], "1");
    for own in ["client_id=evil", "redirect_uri=https%3A%2F%2Fevil.example", "x=1&x=2"] {
        let found = build(&acme(""), &format!("https://acme.example/a?{own}"), "a", None);
        assert_eq!(found.unwrap_err(), AuthorizeError::DuplicateParameter, "{own}");
    }
}

#[test]
fn github_lets_the_person_choose_the_account() {
    let found = parameters(&built_in("github"), "https://github.com/login/oauth/authorize", "", None);
    assert_eq!(found["prompt"], "select_account");
    assert_eq!(found["code_challenge_method"], "S256");
}

#[test]
fn a_plain_redirect_uri_to_another_host_is_refused() {
    let acme = acme("");
    let request = AuthorizeRequest {
        provider: &acme,
        endpoints: &endpoints("https://acme.example/a"),
        client_id: "app",
        redirect_uri: "http://leasehold.example/cb",
        scopes: &ScopeSet::empty(),
        state: &SecretString::from("s"),
        verifier: &Verifier::from_random(&Zeroizing::new([2; 32])),
        nonce: None,
        resource: None,
    };
    assert_eq!(request.url().unwrap_err(), AuthorizeError::RedirectUri(EndpointUrlError::Scheme));
}
