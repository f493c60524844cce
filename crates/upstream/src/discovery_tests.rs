use serde_json::{Value, json};

use super::*;
use crate::catalogue::tests::{built_in, provider};

const ISSUER: &str = "https://as.example/tenant";

fn issuer() -> Issuer {
    Issuer::new(ISSUER).unwrap()
}

fn addresses(issuer: &str, kind: DiscoveryKind) -> Vec<String> {
    well_known(&Issuer::new(issuer).unwrap(), kind).into_iter().map(String::from).collect()
}

fn metadata() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://as.example/tenant/authorize",
        "token_endpoint": "https://as.example/tenant/token",
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256", "plain"],
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut changed = metadata();
    changed[name] = value;
    changed
}

fn without(name: &str) -> Value {
    let mut changed = metadata();
    changed.as_object_mut().unwrap().remove(name);
    changed
}

fn read(document: &Value) -> Result<Endpoints, MetadataError> {
    read_metadata(&built_in("generic-oauth2"), &issuer(), document.to_string().as_bytes())
}

#[test]
fn an_issuer_with_a_path_has_three_addresses_in_this_order() {
    for issuer in ["https://as.example/tenant", "https://as.example/tenant/"] {
        assert_eq!(
            addresses(issuer, DiscoveryKind::Oauth2),
            [
                "https://as.example/.well-known/oauth-authorization-server/tenant",
                "https://as.example/.well-known/openid-configuration/tenant",
                "https://as.example/tenant/.well-known/openid-configuration",
            ]
        );
    }
}

#[test]
fn an_issuer_without_a_path_has_two() {
    for issuer in ["https://as.example", "https://as.example/"] {
        assert_eq!(
            addresses(issuer, DiscoveryKind::Oauth2),
            [
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration",
            ]
        );
    }
}

#[test]
fn openid_connect_alone_is_asked_at_its_own_addresses() {
    assert_eq!(
        addresses(ISSUER, DiscoveryKind::Oidc),
        [
            "https://as.example/.well-known/openid-configuration/tenant",
            "https://as.example/tenant/.well-known/openid-configuration",
        ]
    );
}

#[test]
fn complete_metadata_becomes_endpoints() {
    let mut full = metadata();
    full["revocation_endpoint"] = json!("https://as.example/revoke");
    full["introspection_endpoint"] = json!("https://as.example/introspect");
    full["userinfo_endpoint"] = json!("https://as.example/userinfo");
    full["authorization_response_iss_parameter_supported"] = json!(true);
    full["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt", "client_secret_post"]);
    full["scopes_supported"] = json!(["a", "offline_access"]);
    let endpoints = read(&full).unwrap();
    assert_eq!(endpoints.issuer.unwrap().as_str(), ISSUER);
    assert_eq!(endpoints.authorize.as_str(), "https://as.example/tenant/authorize");
    assert_eq!(endpoints.token.as_str(), "https://as.example/tenant/token");
    assert_eq!(endpoints.revocation.unwrap().as_str(), "https://as.example/revoke");
    assert_eq!(endpoints.introspection.unwrap().as_str(), "https://as.example/introspect");
    assert_eq!(endpoints.userinfo.unwrap().as_str(), "https://as.example/userinfo");
    assert_eq!(endpoints.client_auth, Some(ClientAuth::Post));
    assert!(endpoints.iss_advertised && endpoints.offers_offline_access);
}

#[test]
fn metadata_that_lists_no_authentication_means_basic() {
    assert_eq!(read(&metadata()).unwrap().client_auth, Some(ClientAuth::Basic));
    let none_known = with("token_endpoint_auth_methods_supported", json!(["private_key_jwt"]));
    assert_eq!(read(&none_known).unwrap().client_auth, None);
}

#[test]
fn an_issuer_that_differs_by_one_byte_is_another() {
    for other in ["https://as.example/tenant/", "https://as.example/Tenant", "https://AS.example/tenant", ""]
    {
        assert_eq!(read(&with("issuer", json!(other))), Err(MetadataError::Issuer), "{other}");
    }
}

#[test]
fn proof_keys_must_be_promised_with_s256() {
    assert_eq!(read(&without("code_challenge_methods_supported")), Err(MetadataError::NoPkce));
    assert_eq!(read(&with("code_challenge_methods_supported", json!(["plain"]))), Err(MetadataError::NoPkce));
    let lenient = provider(
        "display_name = \"Acme\"\n[endpoints]\ndiscovery = \"oauth2\"\nconnector_issuer = true\n[authorize]\npkce = \"sent\"\n",
    );
    let bytes = without("code_challenge_methods_supported").to_string();
    assert!(read_metadata(&lenient, &issuer(), bytes.as_bytes()).is_ok());
}

#[test]
fn both_endpoints_of_the_code_flow_are_needed() {
    for name in ["authorization_endpoint", "token_endpoint"] {
        assert_eq!(read(&without(name)), Err(MetadataError::Missing(name)));
    }
    assert_eq!(read(&with("response_types_supported", json!(["token"]))), Err(MetadataError::NoCodeFlow));
}

#[test]
fn an_endpoint_that_is_plain_foreign_or_none_is_refused() {
    for (url, error) in [
        (
            "http://as.example/token",
            MetadataError::Endpoint { name: "token_endpoint", source: EndpointUrlError::Scheme },
        ),
        (
            "https://as.example/token#x",
            MetadataError::Endpoint { name: "token_endpoint", source: EndpointUrlError::Parts },
        ),
        ("token", MetadataError::Endpoint { name: "token_endpoint", source: EndpointUrlError::Malformed }),
        ("https://evil.example/token", MetadataError::ForeignHost("token_endpoint")),
        ("https://169.254.169.254/token", MetadataError::ForeignHost("token_endpoint")),
    ] {
        assert_eq!(read(&with("token_endpoint", json!(url))), Err(error), "{url}");
    }
}

#[test]
fn an_entry_can_list_a_second_host() {
    let listed = provider(
        "display_name = \"Acme\"\n[endpoints]\ndiscovery = \"oauth2\"\nconnector_issuer = true\n\
         extra_hosts = [\"tokens.example\"]\n",
    );
    let bytes = with("token_endpoint", json!("https://tokens.example/token")).to_string();
    assert!(read_metadata(&listed, &issuer(), bytes.as_bytes()).is_ok());
}

#[test]
fn metadata_with_a_name_twice_or_of_another_shape_is_refused() {
    let twice = metadata().to_string().replacen('{', &format!("{{\"issuer\":\"{ISSUER}\","), 1);
    for bytes in [twice.as_str(), "[]", "{}", "null", "{\"issuer\":1}", "{"] {
        let found = read_metadata(&built_in("generic-oauth2"), &issuer(), bytes.as_bytes());
        assert_eq!(found, Err(MetadataError::Unreadable), "{bytes}");
    }
}
