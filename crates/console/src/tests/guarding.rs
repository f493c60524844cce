//! What every answer carries, and who is let in at all.

use axum::http::{Method, StatusCode};
use leasehold_domain::id::AuthorizationId;

use super::support::{World, ask};

const HTTPS: &str = "https://leasehold.example";
const HOST: (&str, &str) = ("host", "leasehold.example");
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn every_route(world: &World) -> Vec<(Method, String)> {
    let (id, _) = world.begin("alice").await;
    let unknown = AuthorizationId::from_bytes([9; 16]);
    let get = [
        "/".to_owned(),
        "/signin".to_owned(),
        format!("/signin/{}?code=c&state=s", world.idp),
        "/signin/x".to_owned(),
        format!("/connect/{id}"),
        format!("/connect/{unknown}"),
        "/connect/x".to_owned(),
        "/connect/%ff".to_owned(),
        format!("/connect/{id}/account"),
        format!("/connect/{id}/done"),
        format!("/connect/{id}/signed-out"),
        format!("/connect/{id}/problem/SUBJECT_MISMATCH/{TRACE}"),
        format!("/problem/INTERNAL/{TRACE}"),
        "/problem/NONE/x".to_owned(),
        "/cb/org/provider/con?code=c&state=s".to_owned(),
        "/cb/org/provider/con".to_owned(),
        "/nowhere".to_owned(),
        "//evil.example/".to_owned(),
    ];
    let post =
        [format!("/connect/{id}"), format!("/connect/{id}/account"), "/signout".to_owned(), "/".to_owned()];
    let get = get.into_iter().map(|path| (Method::GET, path));
    get.chain(post.into_iter().map(|path| (Method::POST, path))).collect()
}

#[tokio::test]
async fn every_answer_carries_every_header() {
    let world = World::start().await;
    let app = world.app(HTTPS);
    let (session, _) = world.session("alice");
    let cookie = format!("__Host-leasehold-session={session}");
    let strangers = [("host", "leasehold.example"), ("origin", HTTPS)];
    let persons = [("host", "leasehold.example"), ("origin", HTTPS), ("cookie", cookie.as_str())];
    let misdirected = [("host", "evil.example")];
    for (method, path) in every_route(&world).await {
        for headers in [&strangers[..], &persons, &misdirected] {
            let answer = ask(&app, method.clone(), &path, headers, "").await;
            let what = format!("{method} {path} {}", answer.status);
            for (name, value) in [
                ("cache-control", "no-store"),
                ("referrer-policy", "no-referrer"),
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("cross-origin-opener-policy", "same-origin"),
                ("strict-transport-security", "max-age=31536000"),
            ] {
                assert_eq!(answer.header(name), value, "{what}");
            }
            let policy = answer.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{what}: {policy}");
            assert!(policy.ends_with("base-uri 'none'; frame-ancestors 'none'"), "{what}: {policy}");
            assert!(policy.contains("form-action '"), "{what}: {policy}");
            if answer.status == StatusCode::SEE_OTHER {
                assert!(answer.text.is_empty(), "{what}");
            } else {
                assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{what}");
                assert!(answer.text.starts_with("<!doctype html>"), "{what}");
                assert!(!answer.text.contains("<script"), "{what}");
            }
            for line in answer.cookies() {
                assert!(line.starts_with("__Host-leasehold-"), "{what}");
                assert!(
                    line.ends_with("; HttpOnly; SameSite=Lax; Secure") && line.contains("; Path=/; "),
                    "{what}"
                );
                assert!(!line.contains("Domain"), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn an_address_with_a_query_is_left_whatever_it_asks() {
    let world = World::start().await;
    let app = world.app(HTTPS);
    for (method, path) in every_route(&world).await {
        if !path.contains('?') {
            continue;
        }
        let answer = ask(&app, method, &path, &[HOST], "").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        let location = answer.header("location");
        assert!(location.starts_with("/problem/") && !location.contains('?'), "{path} {location}");
        let told = ask(&app, Method::GET, location, &[HOST], "").await;
        assert!(told.status.is_client_error(), "{path}");
        let trace = location.rsplit('/').next().unwrap();
        assert!(told.text.contains(trace), "the page shows the trace of the request that was refused");
    }
}

#[tokio::test]
async fn only_requests_for_this_host_are_served() {
    let world = World::start().await;
    let app = world.app(HTTPS);
    let status = async |headers: &[(&str, &str)]| ask(&app, Method::GET, "/", headers, "").await.status;
    assert_eq!(status(&[("host", "leasehold.example")]).await, StatusCode::OK);
    assert_eq!(status(&[("host", "leasehold.example:443")]).await, StatusCode::OK);
    for wrong in ["evil.example", "leasehold.example.evil.example", "leasehold.example:8443", "127.0.0.1", ""]
    {
        assert_eq!(status(&[("host", wrong)]).await, StatusCode::MISDIRECTED_REQUEST, "{wrong}");
    }
    assert_eq!(status(&[]).await, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(
        status(&[("host", "leasehold.example"), ("host", "evil.example")]).await,
        StatusCode::MISDIRECTED_REQUEST
    );
    // Over HTTP/2 the host stands in the address.
    let absolute = |uri| ask(&app, Method::GET, uri, &[], "");
    assert_eq!(absolute("https://leasehold.example/").await.status, StatusCode::OK);
    assert_eq!(absolute("https://evil.example/").await.status, StatusCode::MISDIRECTED_REQUEST);
    let forwarded = [("host", "evil.example"), ("x-forwarded-host", "leasehold.example")];
    assert_eq!(status(&forwarded).await, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn only_pages_are_served_and_only_by_get_and_post() {
    let world = World::start().await;
    let app = world.app(HTTPS);
    for method in [Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE, Method::TRACE] {
        let answer = ask(&app, method.clone(), "/", &[HOST], "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    for dest in ["iframe", "image", "script", "empty", "object"] {
        let answer = ask(&app, Method::GET, "/signin", &[HOST, ("sec-fetch-dest", dest)], "").await;
        assert_eq!((answer.status, answer.cookies().len()), (StatusCode::FORBIDDEN, 0), "{dest}");
    }
    let answer = ask(&app, Method::GET, "/signin", &[HOST, ("sec-fetch-dest", "document")], "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_connection_that_nobody_names_is_not_served() {
    let world = World::start().await;
    let request = axum::http::Request::builder()
        .uri("/")
        .header(HOST.0, HOST.1)
        .body(axum::body::Body::empty())
        .unwrap();
    let response = tower::ServiceExt::oneshot(world.app(HTTPS), request).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_node_that_is_full_says_so_at_once() {
    let world = World::start().await;
    let mut settings = crate::Settings::new(&HTTPS.parse().unwrap()).unwrap();
    settings.in_flight_max = 0;
    let app = crate::router(world.control.clone(), settings);
    let answer = ask(&app, Method::GET, "/", &[HOST], "").await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "5"));
    assert!(answer.text.contains("OVERLOADED"));
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up() {
    let world = World::start().await;
    let mut settings = crate::Settings::new(&HTTPS.parse().unwrap()).unwrap();
    settings.answer_within = tokio::time::Duration::ZERO;
    let app = crate::router(world.control.clone(), settings);
    let (session, csrf) = world.session("alice");
    let (id, _) = world.begin("alice").await;
    let cookie = format!("__Host-leasehold-session={session}");
    let headers =
        [HOST, ("cookie", &cookie), ("origin", HTTPS), ("content-type", "application/x-www-form-urlencoded")];
    let body = format!("csrf={csrf}&decision=decline");
    let answer = ask(&app, Method::POST, &format!("/connect/{id}"), &headers, body).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.text.contains("TIMED_OUT") && answer.text.contains(&format!("href=\"/connect/{id}\"")));
}

/// Nothing that comes with a request decides where a browser is sent.
#[tokio::test]
async fn nobody_is_sent_to_where_a_request_says() {
    let world = World::start().await;
    let app = world.app(HTTPS);
    let (session, csrf) = world.session("alice");
    let cookie = format!("__Host-leasehold-session={session}");
    let evil = "https%3A%2F%2Fevil.example%2F";
    for path in
        [format!("/signin?return_to={evil}"), format!("/signin?then=%2F%2Fevil.example&redirect_uri={evil}")]
    {
        let answer = ask(&app, Method::GET, &path, &[HOST], "").await;
        let location = answer.header("location");
        assert!(location.starts_with(world.sandbox.idp_issuer()) && !location.contains("evil"), "{path}");
    }
    let headers =
        [HOST, ("cookie", &cookie), ("origin", HTTPS), ("content-type", "application/x-www-form-urlencoded")];
    for target in [evil, "%2F%2Fevil.example", "%2Fhome", "aut_x", ""] {
        let body = format!("csrf={csrf}&authorization={target}");
        let answer = ask(&app, Method::POST, "/signout", &headers, body).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::BAD_REQUEST, ""), "{target}");
    }
    for path in [
        "//evil.example/",
        "/%2F%2Fevil.example",
        "/\\evil.example",
        "/connect/%2F%2Fevil.example",
        "/connect/..%2F..%2F",
    ] {
        let Ok(_) = path.parse::<axum::http::Uri>() else { continue };
        let answer = ask(&app, Method::GET, path, &[HOST], "").await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::NOT_FOUND, ""), "{path}");
    }
    let away =
        ask(&app, Method::GET, &format!("/cb/a/b/c?state=s&iss={evil}&error_uri={evil}"), &[HOST], "").await;
    assert!(away.header("location").starts_with("/problem/NOT_FOUND/"));
}

#[tokio::test]
async fn the_consent_page_lets_its_form_go_to_the_provider_and_no_further() {
    let world = World::start().await;
    let (id, _) = world.begin("alice").await;
    let mut settings = crate::Settings::new(&HTTPS.parse().unwrap()).unwrap();
    settings.detours = vec!["https://login.provider.example/start?x".parse().unwrap()];
    let app = crate::router(world.control.clone(), settings);
    let (session, _) = world.session("alice");
    let cookie = format!("__Host-leasehold-session={session}");
    let answer = ask(&app, Method::GET, &format!("/connect/{id}"), &[HOST, ("cookie", &cookie)], "").await;
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("; form-action 'self' 127.0.0.1:* https://login.provider.example; "), "{policy}");
    let home = ask(&app, Method::GET, "/", &[HOST, ("cookie", &cookie)], "").await;
    assert!(home.header("content-security-policy").contains("; form-action 'self'; "));
    let nobody = ask(&app, Method::GET, "/", &[HOST], "").await;
    assert!(nobody.header("content-security-policy").contains("; form-action 'none'; "));
}

#[tokio::test]
async fn a_trace_of_the_caller_is_shown_and_any_other_is_drawn() {
    let world = World::start().await;
    let app = world.app(HTTPS);
    let carried = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let answer = ask(&app, Method::GET, "/nowhere", &[HOST, ("traceparent", &carried)], "").await;
    assert!(answer.text.contains(TRACE));
    let answer = ask(&app, Method::GET, "/nowhere", &[HOST, ("traceparent", "<b>")], "").await;
    assert!(!answer.text.contains("<b>"));
}
