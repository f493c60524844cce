use super::*;
use crate::{
    catalogue::tests::built_in,
    endpoints::Issuer,
    samples::{acme, answer, endpoints},
};

fn call(provider: &Provider, token: &str) -> Result<Call, AccountLookupError> {
    AccountLookup {
        provider,
        endpoints: &endpoints(),
        inputs: &BTreeMap::new(),
        access_token: &SecretString::from(token),
    }
    .call()
}

fn read(provider: &Provider, body: &str) -> Result<Account, Failure> {
    parse_account(provider, &answer(Leg::Account, 200, body))
}

#[test]
fn the_lookup_goes_where_the_entry_says_with_the_token_as_bearer() {
    let github = call(&built_in("github"), "at").unwrap().request;
    assert_eq!((github.method.as_str(), github.url.as_str()), ("GET", "https://api.github.com/user"));
    assert_eq!(github.headers["authorization"], "Bearer at");
    assert!(github.headers["authorization"].is_sensitive());
    let oidc = call(&built_in("generic-oidc"), "at").unwrap().request;
    assert_eq!(oidc.url.as_str(), "https://acme.example/userinfo");
}

#[test]
fn a_provider_that_is_found_by_its_issuer_is_asked_below_it() {
    let sandbox = built_in("sandbox");
    let token = SecretString::from("at");
    for (issuer, url) in [
        (Some("http://127.0.0.1:9000"), Some("http://127.0.0.1:9000/api/me")),
        (Some("https://as.example/tenant/"), Some("https://as.example/tenant/api/me")),
        (None, None),
    ] {
        let endpoints = Endpoints { issuer: issuer.map(|text| Issuer::new(text).unwrap()), ..endpoints() };
        let inputs = BTreeMap::new();
        let lookup = AccountLookup {
            provider: &sandbox,
            endpoints: &endpoints,
            inputs: &inputs,
            access_token: &token,
        };
        assert_eq!(lookup.call().ok().map(|call| String::from(call.request.url)).as_deref(), url);
    }
}

#[test]
fn there_is_no_lookup_where_the_provider_has_none_or_the_token_fits_no_header() {
    assert_eq!(call(&acme(""), "at").unwrap_err(), AccountLookupError::Unsupported);
    assert_eq!(call(&built_in("github"), "a\nb").unwrap_err(), AccountLookupError::Token);
}

#[test]
fn an_id_is_a_text_or_an_integer() {
    let github = read(&built_in("github"), r#"{"id":583231,"login":"octocat"}"#).unwrap();
    assert_eq!((github.id.as_str(), github.label.as_deref()), ("583231", Some("octocat")));
    let oidc = read(&built_in("generic-oidc"), r#"{"sub":"u-1","email":"a@example.org"}"#).unwrap();
    assert_eq!((oidc.id.as_str(), oidc.label.as_deref()), ("u-1", Some("a@example.org")));
}

#[test]
fn an_account_without_a_usable_id_is_malformed() {
    for body in
        ["{}", r#"{"sub":""}"#, r#"{"sub":1.5}"#, r#"{"sub":"a b"}"#, r#"{"sub":null}"#, r#"{"sub":["x"]}"#]
    {
        assert_eq!(
            read(&built_in("generic-oidc"), body).unwrap_err().class,
            ProviderFailure::Malformed,
            "{body}"
        );
    }
    let long = format!(r#"{{"sub":"{}"}}"#, "x".repeat(256));
    assert_eq!(read(&built_in("generic-oidc"), &long).unwrap_err().class, ProviderFailure::Malformed);
}

#[test]
fn a_label_loses_what_could_deceive() {
    let body = format!(r#"{{"sub":"u","name":" \u202eevil\u0007 {} "}}"#, "x".repeat(300));
    let label = read(&built_in("generic-oidc"), &body).unwrap().label.unwrap();
    assert!(label.starts_with("evil x"), "{label}");
    assert!(label.chars().count() <= 128);
    assert_eq!(
        read(&built_in("generic-oidc"), r#"{"sub":"u","name":"\u200b"}"#).unwrap().label.unwrap(),
        "u"
    );
}

#[test]
fn a_refused_token_is_no_verdict_on_the_grant() {
    for status in [401, 403] {
        let refused = answer(Leg::Account, status, r#"{"message":"Bad credentials"}"#);
        assert_eq!(
            parse_account(&built_in("github"), &refused).unwrap_err().class,
            ProviderFailure::RequestFault
        );
    }
}

#[test]
fn an_account_does_not_print() {
    let account = read(&built_in("github"), r#"{"id":583231,"login":"octocat"}"#).unwrap();
    assert_eq!(format!("{account:?}"), "Account([redacted])");
}
