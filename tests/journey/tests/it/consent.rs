//! Consents: only the right person, in the right browser, in time, once.

use leasehold_domain::time::Span;
use leasehold_journey::{World, people::AtProvider, reason};
use leasehold_proto::v1::{
    AuthorizationPhase, ConsentReason, StartAuthorizationRequest, WaitAuthorizationRequest,
    grant_service_client::GrantServiceClient,
};
use leasehold_sandbox::browser::{Browser, Form};

const READ: [&str; 1] = ["files.read"];
const BOTH: [&str; 2] = ["files.read", "files.write"];

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_leads_to_a_lease_whose_token_works() {
    let world = World::start().await.unwrap();
    let needed = world.acquire(&READ).await.unwrap().consent();
    assert_eq!(needed.reason(), ConsentReason::NoGrant);
    assert_eq!(needed.missing_scopes, READ);
    world.consent(&needed.connect_url, "alice", &[]).await.unwrap();
    let lease = world.acquire(&READ).await.unwrap().lease();
    assert!(world.sandbox().is_active(&lease.access_token));
    assert_eq!(lease.scopes, READ);
    assert_eq!(lease.generation, 1);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connect_url_holds_the_id_of_the_consent_and_nothing_else() {
    let world = World::start().await.unwrap();
    let needed = world.acquire(&READ).await.unwrap().consent();
    let expected = format!("http://{}/connect/{}", world.dev.node.console, needed.authorization);
    assert_eq!(needed.connect_url, expected);
    let again = world.acquire(&READ).await.unwrap().consent();
    assert_eq!(again.connect_url, needed.connect_url, "asking again gives the same URL");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_person_is_refused_and_nothing_changes() {
    let world = World::start().await.unwrap();
    let needed = world.acquire(&READ).await.unwrap().consent();
    let mut browser = Browser::new().unwrap();
    let page = world.open(&mut browser, &needed.connect_url, "bob").await.unwrap();
    assert_eq!(page.status, 403);
    assert!(!page.has_form("consent"));
    assert!(!page.text.contains("alice") && !page.text.contains("Alice"), "the refusal names nobody");
    // The right person still can.
    world.consent(&needed.connect_url, "alice", &[]).await.unwrap();
    world.acquire(&READ).await.unwrap().lease();
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_that_is_declined_on_our_page_grants_nothing() {
    let world = World::start().await.unwrap();
    let needed = world.acquire(&READ).await.unwrap().consent();
    let mut browser = Browser::new().unwrap();
    world.open(&mut browser, &needed.connect_url, "alice").await.unwrap();
    let page = browser.submit(&Form::with_id("consent").press("decline")).await.unwrap();
    assert!(page.status.as_u16() < 500);
    let again = world.acquire(&READ).await.unwrap().consent();
    assert_ne!(again.authorization, needed.authorization, "a declined consent is over");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_that_is_refused_at_the_provider_grants_nothing() {
    let world = World::start().await.unwrap();
    let needed = world.acquire(&READ).await.unwrap().consent();
    let mut browser = Browser::new().unwrap();
    world.open(&mut browser, &needed.connect_url, "alice").await.unwrap();
    world.to_provider(&mut browser, "alice").await.unwrap();
    let page = browser.submit(&Form::with_id("consent").press("deny")).await.unwrap();
    assert!(!page.has_form("account"));
    assert!(page.url.query().is_none(), "the callback's query is left at once: {}", page.url);
    world.acquire(&READ).await.unwrap().consent();
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrowed_consent_is_recorded_as_granted_and_what_is_missing_is_named() {
    let world = World::start().await.unwrap();
    world.alice_consents(&BOTH, &["files.write"]).await.unwrap();
    let lease = world.acquire(&READ).await.unwrap().lease();
    assert_eq!(lease.scopes, READ);
    let needed = world.acquire(&BOTH).await.unwrap().consent();
    assert_eq!(needed.reason(), ConsentReason::ScopesMissing);
    assert_eq!(needed.missing_scopes, ["files.write"]);
    // Step-up: the same grant can do more.
    world.consent(&needed.connect_url, "alice", &[]).await.unwrap();
    let wider = world.acquire(&BOTH).await.unwrap().lease();
    assert_eq!(wider.scopes, BOTH);
    assert_eq!(wider.grant, lease.grant);
    assert_eq!(wider.generation, 2);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_than_the_grants_is_refused_on_a_new_consent_and_its_tokens_are_revoked() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let needed = world.acquire(&BOTH).await.unwrap().consent();
    let mut browser = Browser::new().unwrap();
    world.open(&mut browser, &needed.connect_url, "alice").await.unwrap();
    let page = world.to_account(&mut browser, AtProvider { account: "bob", refused: &[] }).await.unwrap();
    assert!(!page.has_form("account"), "a different account is not offered for confirmation");
    let bob_ended = |control: &leasehold_sandbox::Control| {
        control
            .families()
            .iter()
            .filter(|family| family.account.contains("bob"))
            .all(|family| family.ended.is_some())
    };
    world.sandbox().wait_until(bob_ended).await;
    let lease = world.acquire(&READ).await.unwrap().lease();
    assert_eq!(lease.generation, 1, "the grant is as it was");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_the_person_rejects_never_becomes_a_grant() {
    let world = World::start().await.unwrap();
    let needed = world.acquire(&READ).await.unwrap().consent();
    let mut browser = Browser::new().unwrap();
    world.open(&mut browser, &needed.connect_url, "alice").await.unwrap();
    world.to_account(&mut browser, AtProvider { account: "bob", refused: &[] }).await.unwrap();
    browser.submit(&Form::with_id("account").press("reject")).await.unwrap();
    world.acquire(&READ).await.unwrap().consent();
    world
        .sandbox()
        .wait_until(|control| control.families().iter().all(|family| family.ended.is_some()))
        .await;
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_good_once() {
    let world = World::start().await.unwrap();
    let needed = world.acquire(&READ).await.unwrap().consent();
    let mut browser = Browser::new().unwrap();
    world.open(&mut browser, &needed.connect_url, "alice").await.unwrap();
    world.to_account(&mut browser, AtProvider { account: "alice", refused: &[] }).await.unwrap();
    let callback = callback_of(&browser);
    let page = browser.goto(&callback).await.unwrap();
    assert!(page.status.as_u16() >= 400 || !page.has_form("consent"), "a replayed callback leads nowhere");
    assert_eq!(world.sandbox().code_reuse_detected(), 0, "the code was not sent a second time");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_in_a_browser_without_a_session_is_refused_and_the_code_is_not_sent() {
    let world = World::start().await.unwrap();
    let needed = world.acquire(&READ).await.unwrap().consent();
    let mut browser = Browser::new().unwrap();
    world.open(&mut browser, &needed.connect_url, "alice").await.unwrap();
    world.to_provider(&mut browser, "alice").await.unwrap();
    browser.stop_before(format!("http://{}/cb/", world.dev.node.console));
    browser.submit(&Form::with_id("consent").press("allow")).await.unwrap();
    let callback = browser.url().unwrap().to_string();
    let mut stranger = Browser::new().unwrap();
    let page = stranger.goto(&callback).await.unwrap();
    assert!(!page.has_form("account"));
    assert!(page.url.query().is_none() || page.status.as_u16() >= 400, "{}", page.url);
    assert!(world.sandbox().families().is_empty(), "no code was exchanged");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_in_another_persons_session_is_refused() {
    let world = World::start().await.unwrap();
    let needed = world.acquire(&READ).await.unwrap().consent();
    let mut alice = Browser::new().unwrap();
    world.open(&mut alice, &needed.connect_url, "alice").await.unwrap();
    world.to_provider(&mut alice, "alice").await.unwrap();
    alice.stop_before(format!("http://{}/cb/", world.dev.node.console));
    alice.submit(&Form::with_id("consent").press("allow")).await.unwrap();
    let callback = alice.url().unwrap().to_string();
    let mut bob = Browser::new().unwrap();
    world.open(&mut bob, &needed.connect_url, "bob").await.unwrap();
    let page = bob.goto(&callback).await.unwrap();
    assert!(!page.has_form("account"));
    assert!(world.sandbox().families().is_empty(), "no code was exchanged");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_has_had_its_ten_minutes_is_refused() {
    let world = World::start().await.unwrap();
    let needed = world.acquire(&READ).await.unwrap().consent();
    let mut browser = Browser::new().unwrap();
    world.open(&mut browser, &needed.connect_url, "alice").await.unwrap();
    world.to_provider(&mut browser, "alice").await.unwrap();
    world.clock.advance(Span::from_mins(11));
    let page = browser.submit(&Form::with_id("consent").press("allow")).await.unwrap();
    assert!(!page.has_form("account"), "{}", page.text);
    assert!(world.sandbox().families().is_empty(), "no code was exchanged");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_approval_without_the_sessions_token_is_refused() {
    let world = World::start().await.unwrap();
    let needed = world.acquire(&READ).await.unwrap().consent();
    let mut browser = Browser::new().unwrap();
    world.open(&mut browser, &needed.connect_url, "alice").await.unwrap();
    let page = browser
        .submit_forged("http://evil.example", &needed.connect_url, &[("decision", "approve")])
        .await
        .unwrap();
    assert!((400..500).contains(&page.status.as_u16()), "{}: {}", page.status, page.text);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_ours_sends_a_referrer_and_none_keeps_a_code_in_its_url() {
    let world = World::start().await.unwrap();
    let needed = world.acquire(&READ).await.unwrap().consent();
    world.consent(&needed.connect_url, "alice", &[]).await.unwrap();
    let mut browser = Browser::new().unwrap();
    let needed = world.acquire(&BOTH).await.unwrap().consent();
    let page = world.open(&mut browser, &needed.connect_url, "alice").await.unwrap();
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    let page = world.to_account(&mut browser, AtProvider { account: "alice", refused: &[] }).await.unwrap();
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert!(page.url.query().is_none());
    let ours = world.dev.node.console.to_string();
    let left_ours = browser.history().iter().filter(|visit| !visit.url.as_str().contains(&ours));
    for visit in left_ours {
        let referer = visit.referer.as_deref().unwrap_or_default();
        assert!(!referer.contains(&ours), "{} was told {referer}", visit.url);
    }
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_while_a_consent_is_open_wins() {
    let world = World::start().await.unwrap();
    let needed = world.acquire(&READ).await.unwrap().consent();
    let mut browser = Browser::new().unwrap();
    world.open(&mut browser, &needed.connect_url, "alice").await.unwrap();
    world.to_provider(&mut browser, "alice").await.unwrap();
    world.revoke_subject("alice").await;
    let page = browser.submit(&Form::with_id("consent").press("allow")).await.unwrap();
    assert!(!page.has_form("account"), "{}", page.text);
    let again = world.acquire(&READ).await.unwrap().consent();
    assert_ne!(again.authorization, needed.authorization);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_between_the_exchange_and_the_confirmation_revokes_the_tokens_upstream() {
    let world = World::start().await.unwrap();
    let needed = world.acquire(&READ).await.unwrap().consent();
    let mut browser = Browser::new().unwrap();
    world.open(&mut browser, &needed.connect_url, "alice").await.unwrap();
    let page = world.to_account(&mut browser, AtProvider { account: "alice", refused: &[] }).await.unwrap();
    assert!(page.has_form("account"));
    world.revoke_subject("alice").await;
    let page = browser.submit(&Form::with_id("account").press("confirm")).await.unwrap();
    assert!(page.status.as_u16() >= 400, "{}: {}", page.status, page.text);
    world
        .sandbox()
        .wait_until(|control| control.families().iter().all(|family| family.ended.is_some()))
        .await;
    world.acquire(&READ).await.unwrap().consent();
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_a_consent_learns_how_it_ended() {
    let world = World::start().await.unwrap();
    let mut grants = GrantServiceClient::new(world.admin());
    let started = grants
        .start_authorization(StartAuthorizationRequest {
            connector: "sandbox".to_owned(),
            subject: "alice".to_owned(),
            mcp_server: "files".to_owned(),
            ..StartAuthorizationRequest::default()
        })
        .await
        .unwrap()
        .into_inner();
    let request = |wait_seconds| WaitAuthorizationRequest {
        authorization: started.authorization.clone(),
        wait_seconds,
    };
    let open = grants.wait_authorization(request(0)).await.unwrap().into_inner();
    assert_eq!(open.phase(), AuthorizationPhase::Open);
    let mut waiting = grants.clone();
    let (waited, consented) = tokio::join!(
        waiting.wait_authorization(request(30)),
        world.consent(&started.connect_url, "alice", &[])
    );
    consented.unwrap();
    // A wait answers at each step as well as at the end; the end is what is asked for last.
    drop(waited);
    let ended = grants.wait_authorization(request(30)).await.unwrap().into_inner();
    assert_eq!(ended.phase(), AuthorizationPhase::Granted);
    assert!(ended.grant.is_some_and(|grant| grant.account.contains("alice")));
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_for_scopes_that_the_mcp_server_does_not_need_is_refused() {
    let world = World::start().await.unwrap();
    let request = StartAuthorizationRequest {
        connector: "sandbox".to_owned(),
        subject: "alice".to_owned(),
        mcp_server: "files".to_owned(),
        scopes: vec!["profile".to_owned()],
        ..StartAuthorizationRequest::default()
    };
    let refused = GrantServiceClient::new(world.admin()).start_authorization(request).await.unwrap_err();
    assert_eq!(reason(&refused), "SCOPES_NOT_REGISTERED");
    world.stop().await.unwrap();
}

fn callback_of(browser: &Browser) -> String {
    let callback = browser.history().iter().find(|visit| visit.url.path().starts_with("/cb/"));
    callback.map(|visit| visit.url.to_string()).unwrap()
}
