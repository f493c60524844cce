//! A provider that is an attacker: what it publishes, where it leads, what it answers, and how long it takes.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a trick says where it differs, and is like the others elsewhere"
)]

use std::{sync::atomic::Ordering, time::Duration};

use leasehold_proto::v1::{
    CreateConnectorRequest, Exposure, GrantPhase, Isolation, ListGrantsRequest, Need,
    RegisterMcpServerRequest, StartAuthorizationRequest, catalog_service_client::CatalogServiceClient,
    grant_service_client::GrantServiceClient,
};
use leasehold_sandbox::browser::{Browser, Form, Page};
use leasehold_secrets::{
    canary::{Canary, word},
    input::Input,
    production::Production,
    search::Search,
};
use tokio::time::Instant;

use crate::{
    attacker::{Attacker, TRICKS, Trick},
    scene::with_a_lease,
};

/// How long the node may take over any one of its tricks.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many grants are active.
async fn active(production: &Production, admin: &str) -> usize {
    let mut grants = GrantServiceClient::new(production.speaking(admin).unwrap());
    let listed = grants.list(ListGrantsRequest::default()).await.unwrap().into_inner().grants;
    listed.iter().filter(|grant| grant.phase() == GrantPhase::Active).count()
}

/// Walks Alice through a consent at the attacker's, up to where it leads. The browser obeys the attacker and comes back with a code.
async fn consent(
    production: &Production,
    browser: &mut Browser,
    url: &str,
    attacker: &Attacker,
    trick: Trick,
) -> Page {
    let page = browser.goto(url).await.unwrap();
    let page = if page.has_form("login") {
        production.people().open(browser, url, "alice").await.unwrap().clone()
    } else {
        page.clone()
    };
    // Metadata that are no good are found out before anybody is asked.
    if !page.has_form("consent") {
        return page;
    }
    browser.stop_before(format!("{}/", attacker.url));
    let page = browser.submit(&Form::with_id("consent").press("approve")).await.unwrap().clone();
    if !page.stopped {
        return page;
    }
    let query =
        |name: &str| page.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let issuer = match trick {
        Trick::CallbackNamesAnother => production.sandbox.provider_issuer().to_owned(),
        _ => format!("{}/{}", attacker.url, trick.name()),
    };
    attacker.redirects.lock().unwrap().push(query("redirect_uri").unwrap());
    let redirect = match trick {
        // The code of one connector, at the address of another one.
        Trick::CallbackAtAnothersAddress => attacker.redirects.lock().unwrap().first().unwrap().clone(),
        _ => query("redirect_uri").unwrap(),
    };
    let back = url::Url::parse_with_params(
        &redirect,
        [("code", word().as_str()), ("state", &query("state").unwrap()), ("iss", &issuer)],
    )
    .unwrap();
    browser.follow_from(&attacker.url, back.as_str()).await.unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_it_tries_is_dialled_logged_shown_or_granted_and_every_bound_holds() {
    // Her grant at an honest provider must survive.
    let (mut production, furnished, _) = with_a_lease().await;
    let attacker = Attacker::start(&production.authority).await;
    assert_eq!(active(&production, &furnished.admin).await, 1);

    let mut shown = Vec::new();
    for trick in TRICKS {
        let url = connector(&production, &furnished.admin, &attacker, trick).await;
        let mut browser = production.browser().unwrap();
        let began = Instant::now();
        let page = consent(&production, &mut browser, &url, &attacker, trick).await;
        assert!(began.elapsed() < PATIENCE, "{trick:?} took {:?}", began.elapsed());
        assert!(!page.text.contains("<script"), "{trick:?} runs a script: {}", page.text);
        println!(
            "{trick:?}: {} {:?}, account asked: {}",
            page.status,
            page.select("h1"),
            page.has_form("account")
        );
        assert_eq!(
            page.has_form("account"),
            trick.leads_to_the_account(),
            "{trick:?}: {} {}",
            page.status,
            page.text
        );
        shown.extend(page.text.into_bytes());
        let active = active(&production, &furnished.admin).await;
        assert_eq!(active, 1, "{trick:?} was granted something, or a grant was lost");
    }
    assert_eq!(attacker.dialled.load(Ordering::SeqCst), 0, "an address that is not allowed was dialled");
    assert!(production.end_by("-TERM").await.unwrap().success());
    let (log, _) = production.logs_and_output().unwrap();
    let search = Search::new(&[
        Canary::new(Input::ProvidersText, attacker.text.as_bytes()),
        Canary::new(Input::AccessToken, attacker.token.as_bytes()),
    ])
    .unwrap();
    assert!(search.find(&log).is_empty(), "the log repeats the provider");
    assert!(search.find(&shown).is_empty(), "a page repeats the provider");
    production.stop().await.unwrap();
}

/// A connector at the attacker's, and a consent that an administrator starts for Alice. Answers with its URL.
async fn connector(production: &Production, admin: &str, attacker: &Attacker, trick: Trick) -> String {
    let provider = if trick == Trick::AccountIsScript { "generic-oidc" } else { "generic-oauth2" };
    let mut catalog = CatalogServiceClient::new(production.speaking(admin).unwrap());
    catalog
        .create_connector(CreateConnectorRequest {
            name: trick.name(),
            provider: provider.to_owned(),
            client_id: "leasehold".to_owned(),
            client_secret: word(),
            issuer: format!("{}/{}", attacker.url, trick.name()),
            isolation: Isolation::Shared.into(),
            exposure: Exposure::HandOut.into(),
            ..CreateConnectorRequest::default()
        })
        .await
        .unwrap();
    let scopes = vec!["files.read".to_owned()];
    catalog
        .register_mcp_server(RegisterMcpServerRequest {
            name: format!("{}-mcp", trick.name()),
            resource: format!("https://{}.example.test/mcp", trick.name()),
            needs: vec![Need { connector: trick.name(), scopes: scopes.clone() }],
            ..RegisterMcpServerRequest::default()
        })
        .await
        .unwrap();
    let start = StartAuthorizationRequest {
        connector: trick.name(),
        subject: "alice".to_owned(),
        mcp_server: format!("{}-mcp", trick.name()),
        scopes,
        ..StartAuthorizationRequest::default()
    };
    let mut grants = GrantServiceClient::new(production.speaking(admin).unwrap());
    grants.start_authorization(start).await.unwrap().into_inner().connect_url
}
