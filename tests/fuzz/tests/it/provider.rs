//! Everything that a provider can send: callbacks, answers of each endpoint, metadata; and the entries that describe it.

use leasehold_domain::{provider::ProviderFailure, scope::ScopeSet, time::Timestamp};
use leasehold_fuzz::run;
use leasehold_upstream::{
    account::{Account, account_in_id_token, parse_account},
    call::{Leg, RawAnswer},
    callback::{Callback, CallbackError, Expectation, UntrustedCallback},
    catalogue::{Catalogue, Provider},
    discovery::read_metadata,
    endpoints::{ConnectorSettings, EndpointPlan, Endpoints, Issuer},
    introspect::parse_introspection,
    revoke::{Revoked, parse_revocation},
    token::{TokenSet, parse_token_answer},
    transport::Completeness,
};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::tells_nothing;

const SENT_AT: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn providers() -> Vec<Provider> {
    Catalogue::load(None).unwrap().iter().map(|provider| Provider::clone(provider)).collect()
}

fn provider(name: &str) -> Provider {
    providers().into_iter().find(|provider| provider.name.as_str() == name).unwrap()
}

fn answer(leg: Leg, status: u16, body: &[u8]) -> RawAnswer {
    RawAnswer {
        leg,
        status,
        content_type: None,
        retry_after: None,
        completeness: Completeness::Whole,
        received: SENT_AT,
        body: Zeroizing::new(body.to_vec()),
    }
}

#[test]
fn a_callback_gives_out_nothing_before_its_state_is_known() {
    let other = SecretString::from("another state");
    run("callback", 20_000, |input| {
        let Ok(query) = str::from_utf8(input) else { return };
        let read = match UntrustedCallback::read(query) {
            Ok(read) => read,
            Err(refusal) => return tells_nothing(format!("{refusal:?} {refusal}")),
        };
        tells_nothing(format!("{read:?}"));
        let state = SecretString::from(read.state().expose_secret().to_owned());
        assert!(!state.expose_secret().is_empty());
        let expected = |state| Expectation { state, issuer: None, issuer_required: false };
        match read.judge(&expected(&state)).unwrap() {
            Callback::Code(code) => {
                let code = code.expose_secret();
                assert!(
                    (1..=4096).contains(&code.len()) && code.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
                );
            }
            Callback::Refused(refusal) => tells_nothing(format!("{refusal:?}")),
        }
        let issuer = Issuer::new("https://as.example").unwrap();
        let stranger = UntrustedCallback::read(query).unwrap().judge(&expected(&other));
        assert_eq!(
            stranger.err(),
            (state.expose_secret() != "another state").then_some(CallbackError::State)
        );
        let strict = Expectation { state: &state, issuer: Some(&issuer), issuer_required: true };
        if UntrustedCallback::read(query).unwrap().judge(&strict).is_ok() {
            assert!(query.contains("iss="), "an issuer that is required was named");
        }
    });
}

/// What holds of every token set.
fn is_bounded(provider: &Provider, set: &TokenSet) {
    // Scopes are no secret, and may hold anything that a provider likes.
    tells_nothing(format!("{set:?}").replace(&format!("{:?}", set.scopes), ""));
    let access = set.access_token.expose_secret();
    assert!((1..=16_384).contains(&access.len()) && access.bytes().all(|byte| byte.is_ascii_graphic()));
    if let Some(refresh) = &set.refresh_token {
        let refresh = refresh.expose_secret();
        assert!(
            (1..=16_384).contains(&refresh.len()) && refresh.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
        );
    }
    assert!((1..=32).contains(&set.token_type.len()) && set.token_type.is_ascii());
    assert!(set.expires_at.is_none_or(|end| end.at > SENT_AT));
    assert!(set.refresh_expires_at.is_none_or(|end| end.at > SENT_AT && set.refresh_token.is_some()));
    for (name, value) in &set.metadata {
        assert!(provider.entry.token.metadata.contains(name) && (1..=512).contains(&value.len()));
        if provider.name.as_str() == "salesforce" {
            let host = value.strip_prefix("https://").unwrap().split(['/', ':', '?']).next().unwrap();
            assert!(host.to_ascii_lowercase().ends_with(".salesforce.com"), "an instance at {host}");
        }
    }
    assert!(set.unkept <= provider.entry.token.unkept.len());
}

#[test]
fn a_token_answer_becomes_a_bounded_set_or_a_failure_that_repeats_nothing() {
    let providers = providers();
    let asked: ScopeSet = "files.read mail.read".parse().unwrap();
    run("token_answer", 2_000, |input| {
        for provider in &providers {
            for (leg, status) in
                [(Leg::Exchange, 200), (Leg::Refresh, 200), (Leg::Refresh, 400), (Leg::Exchange, 500)]
            {
                let answer = answer(leg, status, input);
                match parse_token_answer(provider, &answer, &asked, SENT_AT) {
                    Ok(set) => {
                        assert_eq!(status, 200, "tokens come with success");
                        is_bounded(provider, &set);
                    }
                    Err(failure) => {
                        tells_nothing(format!("{failure:?} {failure}"));
                        if status == 500 && failure.class == ProviderFailure::Transient {
                            panic!(
                                "a code is good once, and after a server's error nobody knows: {failure:?}"
                            );
                        }
                    }
                }
            }
        }
    });
}

#[test]
fn an_answer_that_was_put_away_reads_back_byte_for_byte() {
    run("raw_answer", 20_000, |input| match RawAnswer::from_bytes(input) {
        Ok(read) => {
            tells_nothing(format!("{read:?}"));
            assert_eq!(read.to_bytes().as_slice(), input);
        }
        Err(refusal) => tells_nothing(refusal),
    });
}

#[test]
fn metadata_leads_nowhere_but_to_its_issuer_and_the_hosts_of_the_entry() {
    let issuers = [
        ("generic-oauth2", "https://as.example/tenant"),
        ("generic-oidc", "https://as.example/tenant"),
        ("google", "https://accounts.google.com"),
        ("salesforce", "https://acme.my.salesforce.com"),
        ("microsoft-entra", "https://login.microsoftonline.com/organizations/v2.0"),
    ]
    .map(|(name, issuer)| (provider(name), Issuer::new(issuer).unwrap()));
    run("metadata", 5_000, |input| {
        for (provider, issuer) in &issuers {
            let found = match read_metadata(provider, issuer, input) {
                Ok(found) => found,
                Err(refusal) => {
                    tells_nothing(format!("{refusal:?} {refusal}"));
                    continue;
                }
            };
            let own = issuer.as_str().split('/').nth(2).unwrap();
            let Endpoints { authorize, token, revocation, introspection, userinfo, .. } = &found;
            for url in
                [Some(authorize), Some(token), revocation.as_ref(), introspection.as_ref(), userinfo.as_ref()]
            {
                let Some(url) = url else { continue };
                let host = url.host_str().unwrap();
                let known =
                    host == own || provider.entry.endpoints.extra_hosts.iter().any(|extra| extra == host);
                assert!(
                    known && matches!(url.scheme(), "https" | "http") && url.fragment().is_none(),
                    "{url}"
                );
                assert!(url.scheme() == "https", "{url}");
            }
        }
    });
}

#[test]
fn an_introspection_says_active_only_where_the_answer_does() {
    let sandbox = provider("sandbox");
    run("introspection", 10_000, |input| {
        match parse_introspection(&sandbox, &answer(Leg::Introspect, 200, input)) {
            Ok(said) => tells_nothing(format!("{said:?}")),
            Err(failure) => tells_nothing(format!("{failure:?} {failure}")),
        }
        assert!(parse_introspection(&sandbox, &answer(Leg::Introspect, 401, input)).is_err());
    });
}

#[test]
fn a_revocation_is_confirmed_by_success_or_by_a_code_that_says_so() {
    let providers = providers();
    run("revocation", 4_000, |input| {
        for provider in &providers {
            for status in [200, 400, 503] {
                match parse_revocation(provider, &answer(Leg::Revoke, status, input)) {
                    Ok(Revoked::Confirmed) => {
                        let already = !provider.entry.revocation.already.is_empty();
                        assert!(status == 200 || (status == 400 && already), "{}: {status}", provider.name);
                    }
                    Ok(Revoked::KindUnsupported) => assert_ne!(status, 200),
                    Err(failure) => tells_nothing(format!("{failure:?} {failure}")),
                }
            }
        }
    });
}

fn is_shown_safely(account: &Account, realm: bool) {
    tells_nothing(format!("{account:?}"));
    assert!((1..=255).contains(&account.id.len()) && account.id.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!realm || account.id.matches('/').count() == 1, "{}", account.id);
    if let Some(label) = &account.label {
        assert!((1..=128).contains(&label.chars().count()) && !label.chars().any(char::is_control));
        assert!(
            !label.contains(['\u{202e}', '\u{200f}', '\u{2066}', '\u{feff}']),
            "a label does not turn its line"
        );
    }
}

#[test]
fn an_account_is_bounded_and_safe_to_show() {
    let providers = providers();
    run("account", 4_000, |input| {
        for provider in &providers {
            match parse_account(provider, &answer(Leg::Account, 200, input)) {
                Ok(account) => is_shown_safely(&account, provider.entry.account.realm.is_some()),
                Err(failure) => tells_nothing(format!("{failure:?} {failure}")),
            }
        }
    });
}

#[test]
fn an_id_token_names_an_account_only_for_its_client_and_issuer() {
    let entra = provider("microsoft-entra");
    let at = "https://login.microsoftonline.com/organizations";
    let metadata = serde_json::json!({
        "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
        "authorization_endpoint": format!("{at}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{at}/oauth2/v2.0/token"),
    });
    let issuer = Issuer::new(&format!("{at}/v2.0")).unwrap();
    let endpoints = read_metadata(&entra, &issuer, metadata.to_string().as_bytes()).unwrap();
    run("id_token", 20_000, |input| {
        let Ok(text) = str::from_utf8(input) else { return };
        let token = SecretString::from(text);
        match account_in_id_token(&entra, &endpoints, "client-1", Some(&token)) {
            Ok(account) => is_shown_safely(&account, true),
            Err(failure) => tells_nothing(format!("{failure:?} {failure}")),
        }
        assert!(
            account_in_id_token(&entra, &endpoints, "client-3", Some(&token)).is_err(),
            "for another client"
        );
    });
}

#[test]
fn an_entry_that_is_in_order_leads_to_endpoints_or_asks_for_what_it_needs() {
    run("entry", 3_000, |input| {
        let Ok(text) = str::from_utf8(input) else { return };
        let provider = match Provider::read("acme.toml", text) {
            Ok(provider) => provider,
            Err(refusal) => return assert!(refusal.to_string().starts_with("acme.toml: ")),
        };
        let entry = &provider.entry;
        assert!((1..=64).contains(&entry.display_name.chars().count()));
        for name in entry
            .authorize
            .params
            .keys()
            .chain(entry.token.params.keys())
            .chain(entry.token.refresh_params.keys())
        {
            assert!(
                !["state", "code", "client_secret", "redirect_uri", "refresh_token"].contains(&name.as_str()),
                "{name}"
            );
        }
        for issuer in [None, Some("https://acme.example".to_owned())] {
            let stated = ConnectorSettings { issuer, ..ConnectorSettings::default() };
            if let Ok(EndpointPlan::Known(endpoints)) = provider.plan(&stated) {
                assert!(endpoints.token.scheme() == "https" || endpoints.token.host_str().is_some());
            }
        }
        // An entry reads the same again.
        assert_eq!(format!("{provider:?}"), format!("{:?}", Provider::read("acme.toml", text).unwrap()));
    });
}
