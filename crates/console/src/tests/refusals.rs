//! Callbacks and links in the wrong hands.

use leasehold_domain::authorization::Phase;
use leasehold_sandbox::browser::{Browser, Form};

use super::support::{World, press, sign_in};

/// Alice's browser on the provider's page, after approving.
async fn at_the_provider(world: &World, url: &str) -> Browser {
    let mut browser = world.browse_as("alice", url).await;
    press(&mut browser, "approve").await;
    sign_in(&mut browser, "alice-at-files").await;
    browser
}

/// The address of the callback with which the provider answers Alice, which her browser does not open.
async fn callback_of(browser: &mut Browser, world: &World) -> String {
    browser.stop_before(format!("{}/cb/", world.url));
    press(browser, "Allow").await;
    browser.url().unwrap().to_string()
}

fn title(browser: &Browser) -> Vec<String> {
    browser.page().unwrap().select("h1")
}

#[tokio::test]
async fn a_callback_in_another_browser_is_not_used() {
    let world = World::start().await;
    let (id, url) = world.begin("alice").await;
    let mut alice = at_the_provider(&world, &url).await;
    let callback = callback_of(&mut alice, &world).await;

    let mut strange = Browser::new().unwrap();
    strange.goto(&callback).await.unwrap();
    assert_eq!(title(&strange), ["The provider's answer does not belong here"]);
    assert!(strange.url().unwrap().query().is_none(), "the code is left at once");
    let mut bob = world.browse_as("bob", &format!("{}/signin", world.url)).await;
    bob.goto(&callback).await.unwrap();
    assert_eq!(title(&bob), ["The provider's answer does not belong here"]);
    assert_eq!(world.phase(id), Phase::Approved, "the consent stays as it was");
}

#[tokio::test]
async fn a_stolen_state_cookie_is_worth_nothing_in_another_session() {
    let world = World::start().await;
    let (id, url) = world.begin("alice").await;
    let mut alice = at_the_provider(&world, &url).await;
    let name = format!("leasehold-state-{id}");
    let value = alice.cookie(&url, &name).unwrap();
    let callback = callback_of(&mut alice, &world).await;

    for (who, told) in [
        (Some("bob"), "This was begun in another browser"),
        (Some("alice"), "This was begun in another browser"),
        (None, "You are no longer signed in"),
    ] {
        let mut thief = match who {
            Some(who) => world.browse_as(who, &format!("{}/signin", world.url)).await,
            None => Browser::new().unwrap(),
        };
        assert!(thief.plant_cookie(&url, &format!("{name}={value}; Path=/")).unwrap());
        thief.goto(&callback).await.unwrap();
        assert_eq!(title(&thief), [told], "{who:?}");
        assert!(thief.url().unwrap().as_str().starts_with(&format!("{url}/problem/")));
        assert_eq!(thief.cookie(&url, &name), None, "the cookie is forgotten whatever happens");
    }
    assert_eq!(world.phase(id), Phase::Approved);
}

#[tokio::test]
async fn a_callback_with_another_state_is_not_used_and_ends_nothing() {
    let world = World::start().await;
    let (id, url) = world.begin("alice").await;
    let mut alice = at_the_provider(&world, &url).await;
    let callback = callback_of(&mut alice, &world).await;
    let state = alice.query("state").unwrap();
    let cookie = format!("leasehold-state-{id}");

    let mut returning = Browser::new().unwrap();
    for name in ["leasehold-session", cookie.as_str()] {
        let line = format!("{name}={}; Path=/", alice.cookie(&url, name).unwrap());
        assert!(returning.plant_cookie(&url, &line).unwrap());
    }
    let forged = [
        callback.replace(&state, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        format!("{callback}&state={state}"),
        callback.split('?').next().unwrap().to_owned(),
    ];
    for forged in forged {
        returning.goto(&forged).await.unwrap();
        assert_eq!(title(&returning), ["The provider's answer does not belong here"]);
        assert!(returning.cookie(&url, &cookie).is_some(), "nobody can end a consent from outside");
    }
    let other_path = callback.replace("/sandbox/", "/github/");
    returning.goto(&other_path).await.unwrap();
    assert_eq!(title(&returning), ["There is no such page"]);

    // An issuer that was not asked is not believed, and uses up nothing but this browser's cookie (RFC 9207 section 2.4).
    returning.goto(&callback.replace("iss=", "iss=https%3A%2F%2Fevil.example&was=")).await.unwrap();
    assert_eq!(title(&returning), ["The provider's answer does not belong here"]);
    assert_eq!(returning.cookie(&url, &cookie), None);
    assert_eq!(world.phase(id), Phase::Approved);
}

#[tokio::test]
async fn a_callback_is_used_once() {
    let world = World::start().await;
    let (id, url) = world.begin("alice").await;
    let mut alice = at_the_provider(&world, &url).await;
    let cookie = format!("leasehold-state-{id}");
    let kept = alice.cookie(&url, &cookie).unwrap();
    press(&mut alice, "Allow").await;
    assert!(matches!(world.phase(id), Phase::Exchanged { .. }));
    let callback =
        alice.history().iter().find(|visit| visit.url.path().starts_with("/cb/")).unwrap().url.clone();
    alice.goto(callback.as_str()).await.unwrap();
    assert_eq!(title(&alice), ["The provider's answer does not belong here"]);
    assert!(alice.plant_cookie(&url, &format!("{cookie}={kept}; Path=/")).unwrap());
    alice.goto(callback.as_str()).await.unwrap();
    assert_eq!(title(&alice), ["This step is over"]);
    assert!(matches!(world.phase(id), Phase::Exchanged { .. }));
    assert_eq!(world.sandbox.control().code_reuse_detected(), 0);
}

#[tokio::test]
async fn the_account_is_confirmed_only_where_the_consent_was_approved() {
    let world = World::start().await;
    let (id, url) = world.begin("alice").await;
    let mut alice = at_the_provider(&world, &url).await;
    press(&mut alice, "Allow").await;
    let elsewhere = world.browse_as("alice", &format!("{}/signin", world.url)).await;
    let mut elsewhere = elsewhere;
    elsewhere.goto(&format!("{url}/account")).await.unwrap();
    assert_eq!(title(&elsewhere), ["This was begun in another browser"]);
    assert!(matches!(world.phase(id), Phase::Exchanged { .. }));
}

#[tokio::test]
async fn a_step_that_is_over_leads_to_how_it_ended() {
    let world = World::start().await;
    let (_, url) = world.begin("alice").await;
    let mut one = world.browse_as("alice", &url).await;
    let mut other = world.browse_as("alice", &url).await;
    press(&mut one, "decline").await;
    press(&mut other, "approve").await;
    assert_eq!(title(&other), ["You declined"]);
    assert_eq!(other.url().unwrap().as_str(), format!("{url}/done"));
}

#[tokio::test]
async fn a_link_that_was_revoked_says_so() {
    let world = World::start().await;
    let (_, url) = world.begin("alice").await;
    let mut alice = world.browse_as("alice", &url).await;
    world.control.set_mcp_server_enabled(&world.admin, "drive", None, false).await.unwrap();
    press(&mut alice, "approve").await;
    assert_eq!(title(&alice), ["This request was withdrawn"]);
    alice.goto(&format!("{url}/done")).await.unwrap();
    assert_eq!(title(&alice), ["This request was withdrawn"]);
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_said_to_be_the_trouble() {
    let world = World::start().await;
    let (id, url) = world.begin("alice").await;
    world.sandbox.control().edit_metadata(
        leasehold_sandbox::Issuer::Provider,
        "issuer",
        "https://evil.example".into(),
    );
    let alice = world.browse_as("alice", &url).await;
    let page = alice.page().unwrap();
    assert_eq!((page.status.as_u16(), page.header("retry-after")), (503, Some("5")));
    assert_eq!(title(&alice), ["The provider cannot be reached"]);
    assert_eq!(world.phase(id), Phase::Open);
}

#[tokio::test]
async fn a_sign_in_that_this_browser_did_not_begin_signs_nobody_in() {
    let world = World::start().await;
    let mut alice = Browser::new().unwrap();
    alice.stop_before(format!("{}/signin/", world.url));
    alice.goto(&format!("{}/signin", world.url)).await.unwrap();
    sign_in(&mut alice, "alice").await;
    let callback = alice.url().unwrap().to_string();

    // Into a browser without a session, with a sign-in of its own, and with a person.
    let mut victim = Browser::new().unwrap();
    victim.goto(&callback).await.unwrap();
    assert_eq!(title(&victim), ["This sign-in is over"]);
    assert!(victim.url().unwrap().query().is_none());
    victim.goto(&format!("{}/signin", world.url)).await.unwrap();
    victim.goto(&callback).await.unwrap();
    assert_eq!(title(&victim), ["You could not be signed in"]);
    assert_eq!(victim.cookie(&world.url, "leasehold-session"), None);
    let mut bob = world.browse_as("bob", &format!("{}/signin", world.url)).await;
    bob.goto(&callback).await.unwrap();
    assert_eq!(title(&bob), ["This sign-in is over"]);
    bob.goto(&format!("{}/", world.url)).await.unwrap();
    assert_eq!(title(&bob), ["Hello, bob <b>Example</b>"]);
}

#[tokio::test]
async fn a_forged_form_of_another_site_is_refused() {
    let world = World::start().await;
    let (id, url) = world.begin("alice").await;
    let mut alice = world.browse_as("alice", &url).await;
    alice.submit_forged("https://evil.example/", &url, &[("decision", "approve")]).await.unwrap();
    assert_eq!(title(&alice), ["This was sent by another site"]);
    alice.goto(&url).await.unwrap();
    let forged = Form::with_button("approve").tamper("csrf", "AAAA");
    alice.submit(&forged).await.unwrap();
    assert_eq!(title(&alice), ["This form was not accepted"]);
    assert_eq!(world.phase(id), Phase::Open);
}
