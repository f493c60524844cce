//! The scripted browser between small sites of our own: where it must behave as browsers do.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use leasehold_sandbox::browser::{Browser, BrowserError, Form};
use tokio::net::TcpListener;

async fn site(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn to(status: StatusCode, target: String) -> Response {
    (status, [("location", target)]).into_response()
}

/// Answers with what it was sent.
fn mirror() -> Router {
    async fn show(headers: HeaderMap, body: String) -> String {
        let text = |name: &str| headers.get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
        format!("cookie={} referer={} origin={} body={body}", text("cookie"), text("referer"), text("origin"))
    }
    Router::new().route("/mirror", get(show).post(show))
}

const FORM: &str = r#"<form method="post" action="/send"><input name="a" value="1"></form>"#;

#[tokio::test]
async fn form_action_binds_the_redirects_after_a_form_too() {
    let other = site(mirror()).await;
    let target = format!("{other}/mirror");
    let router = Router::new()
        .route("/", get(|| async { ([("content-security-policy", "form-action 'self'")], Html(FORM)) }))
        .route("/open", get(|| async { Html(FORM) }))
        .route("/send", post(move || async { to(StatusCode::SEE_OTHER, target) }));
    let base = site(router).await;
    let mut browser = Browser::new().unwrap();
    browser.goto(&base).await.unwrap();
    let blocked = browser.submit(&Form::only()).await.map(|page| page.url.clone());
    assert!(matches!(blocked, Err(BrowserError::FormActionForbids { origin }) if origin == other));
    browser.goto(&format!("{base}/open")).await.unwrap();
    assert_eq!(browser.submit(&Form::only()).await.unwrap().status.as_u16(), 200);
}

#[tokio::test]
async fn a_strict_cookie_stays_behind_when_another_site_leads_back() {
    let router = Router::new()
        .route("/set", get(|| async { (StatusCode::OK, [("set-cookie", "strict=1; SameSite=Strict")]) }))
        .route("/lax", get(|| async { (StatusCode::OK, [("set-cookie", "lax=1; SameSite=Lax")]) }))
        .merge(mirror());
    let base = site(router).await;
    let back = format!("{base}/mirror");
    let away = site(Router::new().route("/", get(move || async { to(StatusCode::FOUND, back) }))).await;
    let mut browser = Browser::new().unwrap();
    browser.goto(&format!("{base}/set")).await.unwrap();
    browser.goto(&format!("{base}/lax")).await.unwrap();
    let direct = browser.goto(&format!("{base}/mirror")).await.unwrap().text.clone();
    assert!(direct.contains("cookie=strict=1; lax=1"), "{direct}");
    let led_back = browser.follow_from(&format!("{away}/"), &format!("{base}/mirror")).await.unwrap();
    assert!(led_back.text.contains("cookie=lax=1 "), "{}", led_back.text);
    let own_page = format!("{base}/mirror");
    let round_trip = browser.follow_from(&own_page, &away).await.unwrap();
    assert!(round_trip.text.contains("cookie=lax=1 "), "{}", round_trip.text);
}

#[tokio::test]
async fn a_307_repeats_the_post_and_a_303_does_not() {
    let router = Router::new()
        .route("/", get(|| async { Html(FORM) }))
        .route("/send", post(|| async { to(StatusCode::TEMPORARY_REDIRECT, "/mirror".to_owned()) }))
        .merge(mirror());
    let base = site(router).await;
    let mut browser = Browser::new().unwrap();
    browser.goto(&base).await.unwrap();
    let page = browser.submit(&Form::only().fill("a", "2")).await.unwrap();
    assert!(page.text.ends_with(&format!("origin={base} body=a=2")), "{}", page.text);
    let router = Router::new()
        .route("/", get(|| async { Html(FORM) }))
        .route("/send", post(|| async { to(StatusCode::SEE_OTHER, "/mirror".to_owned()) }))
        .merge(mirror());
    browser.goto(&site(router).await).await.unwrap();
    let page = browser.submit(&Form::only()).await.unwrap();
    assert!(page.text.ends_with("origin=- body="), "{}", page.text);
}

#[tokio::test]
async fn another_site_learns_the_origin_of_a_link_and_none_under_no_referrer() {
    let other = site(mirror()).await;
    let link = format!(r#"<a href="{other}/mirror">Go on</a>"#);
    let hidden = link.clone();
    let router = Router::new()
        .route("/open", get(move || async { Html(link) }))
        .route("/hidden", get(move || async { ([("referrer-policy", "no-referrer")], Html(hidden)) }));
    let base = site(router).await;
    let mut browser = Browser::new().unwrap();
    browser.goto(&format!("{base}/open?code=secret")).await.unwrap();
    let page = browser.click("Go on").await.unwrap();
    assert!(page.text.contains(&format!("referer={base}/ ")), "{}", page.text);
    browser.goto(&format!("{base}/hidden?code=secret")).await.unwrap();
    let page = browser.click("Go on").await.unwrap();
    assert!(page.text.contains("referer=- "), "{}", page.text);
}

#[tokio::test]
async fn a_loop_of_redirects_ends() {
    let router = Router::new().route("/", get(|| async { to(StatusCode::FOUND, "/".to_owned()) }));
    let base = site(router).await;
    let mut browser = Browser::new().unwrap();
    let ended = browser.goto(&base).await.map(|page| page.url.clone());
    assert!(matches!(ended, Err(BrowserError::TooManyRedirects)));
    assert_eq!(browser.history().len(), 21);
}

#[tokio::test]
async fn every_kind_of_field_is_filled_in_as_a_person_would() {
    const FORM: &str = r#"<form method="post" action="/mirror">
        <input type="hidden" name="h" value="kept"><input name="off" value="x" disabled>
        <textarea name="t">old</textarea>
        <select name="s"><option value="1">One</option><option value="2" selected>Two</option></select>
        <input type="radio" name="r" value="a" checked><input type="radio" name="r" value="b">
        <input type="checkbox" name="c" value="1" checked><input type="checkbox" name="c" value="2">
        <button name="go" value="first">First</button><button name="go" value="second">Second</button>
        </form>"#;
    let base = site(Router::new().route("/", get(|| async { Html(FORM) })).merge(mirror())).await;
    let mut browser = Browser::new().unwrap();
    browser.goto(&base).await.unwrap();
    let untouched = browser.submit(&Form::only()).await.unwrap();
    assert!(untouched.text.ends_with("body=h=kept&t=old&s=2&r=a&c=1&go=first"), "{}", untouched.text);
    browser.goto(&base).await.unwrap();
    let filled = Form::with_button("Second")
        .fill("t", "new")
        .fill("s", "1")
        .fill("r", "b")
        .untick("c", "1")
        .tick("c", "2");
    let page = browser.submit(&filled).await.unwrap();
    assert!(page.text.ends_with("body=h=kept&t=new&s=1&r=b&c=2&go=second"), "{}", page.text);
    browser.goto(&base).await.unwrap();
    let no_option = browser.submit(&Form::only().fill("s", "3")).await.map(|page| page.url.clone());
    assert!(matches!(no_option, Err(BrowserError::NoField(name)) if name == "s"));
}
