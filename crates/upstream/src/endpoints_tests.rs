use super::*;
use crate::catalogue::tests::{built_in, provider};

fn stated(issuer: Option<&str>, manual: Option<(&str, &str)>) -> ConnectorSettings {
    ConnectorSettings {
        issuer: issuer.map(str::to_owned),
        endpoints: manual.map(|(authorize, token)| ManualEndpoints {
            authorize: authorize.to_owned(),
            token: token.to_owned(),
            ..ManualEndpoints::default()
        }),
        inputs: BTreeMap::new(),
    }
}

#[test]
fn fixed_endpoints_need_nothing_and_take_nothing() {
    let github = built_in("github");
    let EndpointPlan::Known(endpoints) = github.plan(&stated(None, None)).unwrap() else {
        panic!("not known")
    };
    assert_eq!(endpoints.token.as_str(), "https://github.com/login/oauth/access_token");
    assert_eq!(github.plan(&stated(Some("https://evil.example"), None)), Err(EndpointError::IssuerFixed));
    let manual = Some(("https://evil.example/a", "https://evil.example/t"));
    assert_eq!(github.plan(&stated(None, manual)), Err(EndpointError::EndpointsFixed));
}

#[test]
fn an_open_issuer_is_to_be_discovered_as_it_is_written() {
    let plan = built_in("generic-oauth2").plan(&stated(Some("https://as.example/t/"), None)).unwrap();
    let issuer = Issuer::new("https://as.example/t/").unwrap();
    assert_eq!(plan, EndpointPlan::Discover { issuer, kind: DiscoveryKind::Oauth2 });
    assert_eq!(built_in("generic-oidc").plan(&stated(None, None)), Err(EndpointError::NothingStated));
}

#[test]
fn endpoints_by_hand_keep_the_issuer_to_compare_callbacks_with() {
    let generic = built_in("generic-oauth2");
    let manual = Some(("https://as.example/a", "https://as.example/t"));
    let EndpointPlan::Known(endpoints) = generic.plan(&stated(Some("https://as.example"), manual)).unwrap()
    else {
        panic!("not known")
    };
    assert_eq!(endpoints.issuer.unwrap().as_str(), "https://as.example");
    let plain = Some(("https://as.example/a", "http://as.example/t"));
    assert_eq!(
        generic.plan(&stated(None, plain)),
        Err(EndpointError::Endpoint { name: "token", source: EndpointUrlError::Scheme })
    );
}

#[test]
fn inputs_fill_templates_and_no_others_are_taken() {
    let acme = provider(
        "display_name = \"Acme\"\n[inputs.at]\ntitle = \"Subdomain\"\nform = \"label\"\n[endpoints]\n\
         issuer = \"https://{at}.acme.example\"\nauthorize = \"https://{at}.acme.example/a\"\n\
         token = \"https://{at}.acme.example/t\"\n",
    );
    let with = |name: &str, value: &str| ConnectorSettings {
        inputs: BTreeMap::from([(name.to_owned(), value.to_owned())]),
        ..ConnectorSettings::default()
    };
    let EndpointPlan::Known(endpoints) = acme.plan(&with("at", "eu")).unwrap() else { panic!("not known") };
    assert_eq!(endpoints.token.as_str(), "https://eu.acme.example/t");
    assert_eq!(endpoints.issuer.unwrap().as_str(), "https://eu.acme.example");
    assert_eq!(acme.plan(&with("by", "eu")), Err(EndpointError::UnknownInput("by".to_owned())));
    let form = Err(EndpointError::Template(TemplateError::Form("at".to_owned())));
    assert_eq!(acme.plan(&with("at", "evil.example/")), form);
}

#[test]
fn an_issuer_has_neither_query_nor_fragment_nor_credentials() {
    assert_eq!(Issuer::new("https://as.example?x"), Err(IssuerError::Query));
    for text in ["https://as.example#x", "https://me@as.example", "http://as.example", "as.example"] {
        assert!(Issuer::new(text).is_err(), "{text}");
    }
    assert!(Issuer::new("http://127.0.0.1:9000").is_ok(), "loopback, for development");
}
