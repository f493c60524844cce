//! The scripted browser against the sandbox's pages.

use leasehold_sandbox::browser::{BrowserError, Form};

use crate::support::{PASSWORD, Rig, login};

#[tokio::test]
async fn the_pages_are_hardened() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    let page = browser.goto(&rig.authorization(&rig.provider("/authorize"), &[])).await.unwrap();
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert!(page.select("script").is_empty());
    assert_eq!(page.select("label"), ["Username", "Password"]);
    assert_eq!(page.select("html[lang]").len(), 1);
}

#[tokio::test]
async fn the_history_tells_each_step_and_no_referer_leaks() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    browser.goto(&rig.authorization(&rig.provider("/authorize"), &[])).await.unwrap();
    browser.submit(&login("alice")).await.unwrap();
    browser.submit(&Form::with_button("Allow")).await.unwrap();
    let steps: Vec<(String, u16)> =
        browser.history().iter().map(|visit| (visit.url.path().to_owned(), visit.status.as_u16())).collect();
    let expected =
        [("/authorize", 303), ("/login", 200), ("/login", 303), ("/consent", 200), ("/consent", 303)];
    assert_eq!(steps, expected.map(|(path, status)| (path.to_owned(), status)));
    assert!(browser.history().iter().all(|visit| visit.referer.is_none()));
    let posts: Vec<_> = browser.history().iter().filter(|visit| visit.method == "POST").collect();
    assert!(posts.iter().all(|visit| visit.origin.as_deref() == Some("null")));
    assert!(posts.iter().all(|visit| visit.fetch_site == "same-origin"));
}

#[tokio::test]
async fn cookies_of_one_issuer_never_reach_the_other() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    browser.goto(&rig.authorization(&rig.provider("/authorize"), &[])).await.unwrap();
    browser.submit(&login("alice")).await.unwrap();
    assert!(browser.cookie(rig.sandbox.provider_issuer(), "sandbox_provider").is_some());
    browser.goto(&rig.idp("/logout")).await.unwrap();
    assert!(browser.history().last().unwrap().cookies.is_empty());
}

#[tokio::test]
async fn signing_in_replaces_a_planted_session() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    browser.goto(&rig.authorization(&rig.provider("/authorize"), &[])).await.unwrap();
    let before = browser.cookie(rig.sandbox.provider_issuer(), "sandbox_provider").unwrap();
    browser.submit(&login("alice")).await.unwrap();
    assert_ne!(browser.cookie(rig.sandbox.provider_issuer(), "sandbox_provider").unwrap(), before);
}

#[tokio::test]
async fn a_transaction_cannot_be_finished_in_another_browser() {
    let rig = Rig::start().await;
    let mut victim = rig.browser();
    victim.goto(&rig.authorization(&rig.provider("/authorize"), &[])).await.unwrap();
    let page = victim.submit(&login("alice")).await.unwrap().url.clone();
    let mut attacker = rig.browser();
    attacker.goto(&rig.authorization(&rig.provider("/authorize"), &[])).await.unwrap();
    attacker.submit(&login("bob")).await.unwrap();
    assert_eq!(attacker.goto(page.as_str()).await.unwrap().status.as_u16(), 400);
}

#[tokio::test]
async fn a_forged_form_is_refused() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    let page = browser.goto(&rig.authorization(&rig.provider("/authorize"), &[])).await.unwrap();
    let transaction = page.url.query_pairs().next().unwrap().1.into_owned();
    let fields = [("transaction", &*transaction), ("username", "alice"), ("password", PASSWORD)];
    let page =
        browser.submit_forged("http://attacker.test/", &rig.provider("/login"), &fields).await.unwrap();
    assert_eq!(page.status.as_u16(), 403);
    let visit = browser.history().last().unwrap();
    assert!(visit.cookies.is_empty(), "lax cookies stay at home on a foreign post");
    assert_eq!(visit.origin.as_deref(), Some("http://attacker.test"));
}

#[tokio::test]
async fn a_script_that_fills_in_what_is_not_there_fails() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    assert!(matches!(browser.submit(&Form::only()).await, Err(BrowserError::NoPage)));
    browser.goto(&rig.authorization(&rig.provider("/authorize"), &[])).await.unwrap();
    let unknown_field = login("alice").fill("pin", "1");
    assert!(
        matches!(browser.submit(&unknown_field).await, Err(BrowserError::NoField(name)) if name == "pin")
    );
    let unknown_button = login("alice").press("Allow");
    assert!(matches!(browser.submit(&unknown_button).await, Err(BrowserError::NoButton(_))));
    assert!(matches!(browser.submit(&Form::with_id("consent")).await, Err(BrowserError::NoForm { .. })));
    let incomplete = Form::with_id("login").fill("username", "alice");
    assert!(
        matches!(browser.submit(&incomplete).await, Err(BrowserError::Required(name)) if name == "password")
    );
    assert!(matches!(browser.click("Register").await, Err(BrowserError::NoLink(_))));
}

#[tokio::test]
async fn too_many_wrong_passwords_end_the_transaction() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    browser.goto(&rig.authorization(&rig.provider("/authorize"), &[])).await.unwrap();
    let wrong = Form::with_id("login").fill("username", "alice").fill("password", "wrong");
    for _ in 0..10 {
        assert_eq!(browser.submit(&wrong).await.unwrap().status.as_u16(), 422);
    }
    assert_eq!(browser.submit(&login("alice")).await.unwrap().status.as_u16(), 400);
}

#[tokio::test]
async fn a_script_can_run_as_a_task_of_its_own() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    let url = rig.authorization(&rig.provider("/authorize"), &[]);
    let task = tokio::spawn(async move {
        browser.goto(&url).await.unwrap();
        browser.submit(&login("alice")).await.unwrap().has_form("consent")
    });
    assert!(task.await.unwrap());
}
