//! A person connects an account, from the link to the end, in a browser that obeys every policy.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use leasehold_domain::authorization::{End, Phase};
use leasehold_sandbox::{
    Issuer,
    browser::{Browser, Form},
};
use tracing_subscriber::fmt::MakeWriter;

use super::support::{World, press, sign_in};

async fn to_the_account(world: &World, url: &str) -> Browser {
    let mut browser = world.browse_as("alice", url).await;
    press(&mut browser, "approve").await;
    sign_in(&mut browser, "alice-at-files").await;
    press(&mut browser, "Allow").await;
    browser
}

#[tokio::test]
async fn a_person_connects_an_account() {
    let world = World::start().await;
    let (id, url) = world.begin("alice").await;

    let mut browser = world.browse_as("alice", &url).await;
    assert_eq!(browser.url().unwrap().as_str(), url, "the code of the sign-in is left at once");
    let consent = browser.page().unwrap();
    for told in [
        "the administrator root",
        "drive",
        "https://mcp.example/files",
        "Sandbox",
        "127.0.0.1",
        "files.read",
        "files.write",
    ] {
        assert!(consent.text.contains(told), "{told}");
    }
    let state_cookie = format!("leasehold-state-{id}");
    assert_eq!(browser.cookie(&url, &state_cookie), None, "no state before the approval");

    press(&mut browser, "approve").await;
    assert_eq!(world.phase(id), Phase::Approved);
    assert!(browser.cookie(&url, &state_cookie).is_some());
    sign_in(&mut browser, "alice-at-files").await;
    press(&mut browser, "Allow").await;

    assert_eq!(browser.url().unwrap().as_str(), format!("{url}/account"));
    assert_eq!(browser.cookie(&url, &state_cookie), None, "the state is used up");
    let account = browser.page().unwrap();
    assert_eq!(account.select(".account"), ["alice-at-files"]);
    assert_eq!(account.select(".granted li"), ["files.read", "files.write"]);
    assert!(matches!(world.phase(id), Phase::Exchanged { .. }));

    press(&mut browser, "confirm").await;
    assert_eq!(browser.page().unwrap().select("h1"), ["Your account is connected"]);
    assert!(matches!(world.phase(id), Phase::Ended(End::Confirmed(_))));

    assert!(browser.rejected_cookies().is_empty());
    let ours = browser.history().iter().filter(|visit| visit.url.as_str().starts_with(&world.url));
    for visit in ours {
        assert!(
            visit.url.query().is_none() || visit.status == 303,
            "a page was shown at an address with a query"
        );
    }
    assert!(
        browser
            .history()
            .iter()
            .all(|visit| { visit.referer.as_deref().is_none_or(|referer| !referer.starts_with(&world.url)) })
    );
}

#[tokio::test]
async fn scopes_that_the_provider_did_not_grant_are_shown_as_refused() {
    let world = World::start().await;
    let (_, url) = world.begin("alice").await;
    let mut browser = world.browse_as("alice", &url).await;
    press(&mut browser, "approve").await;
    sign_in(&mut browser, "alice-at-files").await;
    browser.submit(&Form::with_button("Allow").untick("scope", "files.write")).await.unwrap();
    let account = browser.page().unwrap();
    assert_eq!(account.select(".granted li"), ["files.read"]);
    assert_eq!(account.select(".refused li"), ["files.write"]);
    press(&mut browser, "confirm").await;
    assert_eq!(browser.page().unwrap().select(".granted li"), ["files.read"]);
}

#[tokio::test]
async fn the_wrong_account_is_rejected_and_nothing_becomes_active() {
    let world = World::start().await;
    let (id, url) = world.begin("alice").await;
    let mut browser = to_the_account(&world, &url).await;
    press(&mut browser, "reject").await;
    assert_eq!(browser.page().unwrap().select("h1"), ["This was not the right account"]);
    assert_eq!(world.phase(id), Phase::Ended(End::AccountMismatch));
    assert_eq!(world.control.read_now(|state| state.grants.iter().count()), 0);
}

#[tokio::test]
async fn declining_here_never_reaches_the_provider() {
    let world = World::start().await;
    let (id, url) = world.begin("alice").await;
    let mut browser = world.browse_as("alice", &url).await;
    press(&mut browser, "decline").await;
    assert_eq!(browser.page().unwrap().select("h1"), ["You declined"]);
    assert_eq!(world.phase(id), Phase::Ended(End::Declined));
    let provider = world.sandbox.provider_issuer();
    assert!(!browser.history().iter().any(|visit| visit.url.as_str().starts_with(provider)));
    // The link leads to how it ended from now on.
    browser.goto(&url).await.unwrap();
    assert_eq!(browser.url().unwrap().as_str(), format!("{url}/done"));
}

#[tokio::test]
async fn declining_at_the_provider_is_told_apart_from_declining_here() {
    let world = World::start().await;
    let (id, url) = world.begin("alice").await;
    let mut browser = world.browse_as("alice", &url).await;
    press(&mut browser, "approve").await;
    sign_in(&mut browser, "alice-at-files").await;
    press(&mut browser, "Deny").await;
    assert_eq!(browser.url().unwrap().as_str(), format!("{url}/done"));
    assert_eq!(browser.page().unwrap().select("h1"), ["The provider did not agree"]);
    assert_eq!(world.phase(id), Phase::Ended(End::RefusedByProvider));
}

#[tokio::test]
async fn another_person_is_refused_and_may_make_way_for_the_right_one() {
    let world = World::start().await;
    let (id, url) = world.begin("alice").await;
    let mut browser = world.browse_as("bob", &url).await;
    let before = world.events();
    let page = browser.page().unwrap();
    assert_eq!(page.status, 403);
    assert_eq!(page.select("h1"), ["This request is for somebody else"]);
    for name in ["alice", "drive", "files", "Sandbox"] {
        assert!(!page.text.contains(name), "it names {name}");
    }
    browser.goto(&format!("{url}/done")).await.unwrap();
    assert_eq!(browser.page().unwrap().status, 403);
    browser.goto(&format!("{url}/account")).await.unwrap();
    assert_eq!(browser.page().unwrap().status, 403);
    assert_eq!((world.phase(id), world.events()), (Phase::Open, before), "nothing changed");

    browser.submit(&Form::with_id("sign-out")).await.unwrap();
    assert_eq!(browser.page().unwrap().select("h1"), ["You are signed out"]);
    assert_eq!(browser.cookie(&url, "leasehold-session"), None);
    world.sandbox.control().sign_out(Issuer::Idp, "bob").unwrap();
    browser.click("sign-in").await.unwrap();
    sign_in(&mut browser, "alice").await;
    assert!(browser.page().unwrap().has_form("consent"));
}

#[tokio::test]
async fn somebody_who_is_no_subject_is_told_so_and_gets_no_session() {
    let world = World::start().await;
    let (id, url) = world.begin("alice").await;
    let browser = world.browse_as("stranger", &url).await;
    let page = browser.page().unwrap();
    assert_eq!((page.status.as_u16(), page.select("h1")), (403, vec!["You are not known here".to_owned()]));
    assert!(page.url.query().is_none());
    assert_eq!(browser.cookie(&url, "leasehold-session"), None);
    assert_eq!(world.phase(id), Phase::Open);
}

#[tokio::test]
async fn a_sign_in_leads_home_and_out_again() {
    let world = World::start().await;
    let mut browser = Browser::new().unwrap();
    browser.goto(&format!("{}/", world.url)).await.unwrap();
    assert_eq!(browser.page().unwrap().select("h1"), ["You are not signed in"]);
    browser.click("sign-in").await.unwrap();
    let signing_in = browser.cookie(&world.url, "leasehold-session").unwrap();
    sign_in(&mut browser, "alice").await;
    assert_eq!(browser.url().unwrap().path(), "/");
    assert_eq!(browser.page().unwrap().select("h1"), ["Hello, alice <b>Example</b>"]);
    assert_ne!(
        browser.cookie(&world.url, "leasehold-session").unwrap(),
        signing_in,
        "the session is a new one"
    );
    browser.submit(&Form::with_id("sign-out")).await.unwrap();
    assert_eq!(browser.page().unwrap().select("h1"), ["You are not signed in"]);
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Every query of the flow carries a secret: a state, a code. None of their values is in any line, nor is anything that the sandbox issued.
#[tokio::test]
async fn nothing_secret_of_a_flow_is_in_the_log() {
    let lines = Lines::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(lines.clone()).finish();
    // A second one, or call sites that another test's thread meets first are switched off for this thread as well.
    let _other = tracing::Dispatch::new(tracing_subscriber::registry());
    // The runtime of this test has one thread, so the default of this thread is that of every task.
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::start().await;
    let (_, url) = world.begin("alice").await;
    let mut browser = to_the_account(&world, &url).await;
    press(&mut browser, "confirm").await;
    let mut secrets = world.sandbox.control().all_secrets();
    for visit in browser.history() {
        for (name, value) in visit.url.query_pairs() {
            if matches!(&*name, "code" | "state" | "nonce") {
                secrets.push(value.into_owned());
            }
        }
    }
    assert!(secrets.len() >= 8);
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("served a browser") && log.contains("/cb/{organisation}/{provider}/{connector}"));
    for secret in secrets {
        assert!(!log.contains(&secret), "a secret is in the log");
    }
    let ours: Vec<&str> = log.lines().filter(|line| line.contains("leasehold_console")).collect();
    assert!(!ours.is_empty());
    for line in ours {
        assert!(!line.contains('?'), "a query is in {line}");
    }
}
