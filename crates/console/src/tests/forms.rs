//! Every way in which a form can be forged, spoilt or late, against every form.

use axum::http::{Method, StatusCode};
use leasehold_domain::authorization::Phase;

use super::support::{World, actor, ask};

const TYPE: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

struct Attempt {
    what: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
    code: &'static str,
    status: StatusCode,
}

#[tokio::test]
async fn no_form_is_taken_that_is_not_this_sessions_own() {
    let world = World::start().await;
    let (id, _) = world.begin("alice").await;
    let app = world.app("https://leasehold.example");
    let (session, csrf) = world.session("alice");
    let (_, other_csrf) = world.session("alice");
    let before = world.events();
    let own = || ("origin", "https://leasehold.example".to_owned());
    let cookie = || ("cookie", format!("__Host-leasehold-session={session}"));
    let typed = || (TYPE.0, TYPE.1.to_owned());
    let forms = [
        (format!("/connect/{id}"), "decision=approve".to_owned()),
        (format!("/connect/{id}"), "decision=decline".to_owned()),
        (format!("/connect/{id}/account"), "decision=confirm".to_owned()),
        (format!("/connect/{id}/account"), "decision=reject".to_owned()),
        ("/signout".to_owned(), format!("authorization={id}")),
    ];
    for (path, fields) in forms {
        let good = format!("csrf={csrf}&{fields}");
        let attempt = |what, headers, body: &str, status, code| Attempt {
            what,
            headers,
            body: body.to_owned(),
            code,
            status,
        };
        let forbidden = StatusCode::FORBIDDEN;
        let attempts = [
            attempt("no origin at all", vec![cookie(), typed()], &good, forbidden, "CROSS_SITE_REFUSED"),
            attempt(
                "another origin",
                vec![cookie(), typed(), ("origin", "https://evil.example".to_owned())],
                &good,
                forbidden,
                "CROSS_SITE_REFUSED",
            ),
            attempt(
                "null, cross-site",
                vec![
                    cookie(),
                    typed(),
                    ("origin", "null".to_owned()),
                    ("sec-fetch-site", "cross-site".to_owned()),
                ],
                &good,
                forbidden,
                "CROSS_SITE_REFUSED",
            ),
            attempt(
                "null, and no word of the browser",
                vec![cookie(), typed(), ("origin", "null".to_owned())],
                &good,
                forbidden,
                "CROSS_SITE_REFUSED",
            ),
            attempt(
                "no token",
                vec![cookie(), typed(), own()],
                &fields,
                StatusCode::BAD_REQUEST,
                "INVALID_ARGUMENT",
            ),
            attempt(
                "another token",
                vec![cookie(), typed(), own()],
                &format!("csrf=AAAA&{fields}"),
                forbidden,
                "FORM_REFUSED",
            ),
            attempt(
                "an empty token",
                vec![cookie(), typed(), own()],
                &format!("csrf=&{fields}"),
                forbidden,
                "FORM_REFUSED",
            ),
            attempt(
                "the token of another session",
                vec![cookie(), typed(), own()],
                &format!("csrf={other_csrf}&{fields}"),
                forbidden,
                "FORM_REFUSED",
            ),
            attempt(
                "a token twice",
                vec![cookie(), typed(), own()],
                &format!("{good}&csrf={csrf}"),
                StatusCode::BAD_REQUEST,
                "INVALID_ARGUMENT",
            ),
            attempt(
                "a field too many",
                vec![cookie(), typed(), own()],
                &format!("{good}&scope=all"),
                StatusCode::BAD_REQUEST,
                "INVALID_ARGUMENT",
            ),
            attempt(
                "a type that no form has",
                vec![cookie(), own(), (TYPE.0, "text/plain".to_owned())],
                &good,
                StatusCode::BAD_REQUEST,
                "INVALID_ARGUMENT",
            ),
            attempt(
                "too long",
                vec![cookie(), typed(), own()],
                &format!("{good}&x={}", "x".repeat(16 * 1024)),
                StatusCode::PAYLOAD_TOO_LARGE,
                "TOO_LARGE",
            ),
            attempt(
                "the session twice",
                vec![cookie(), cookie(), typed(), own()],
                &good,
                forbidden,
                "SESSION_ENDED",
            ),
            attempt("no session", vec![typed(), own()], &good, forbidden, "SESSION_ENDED"),
            attempt(
                "a broken session",
                vec![("cookie", format!("__Host-leasehold-session={session}A")), typed(), own()],
                &good,
                forbidden,
                "SESSION_ENDED",
            ),
        ];
        for attempt in attempts {
            let harmless = path == "/signout" && attempt.code == "SESSION_ENDED";
            let headers: Vec<(&str, &str)> = [("host", "leasehold.example")]
                .into_iter()
                .chain(attempt.headers.iter().map(|(name, value)| (*name, value.as_str())))
                .collect();
            let answer = ask(&app, Method::POST, &path, &headers, attempt.body).await;
            if harmless {
                // There is nothing to end.
                assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path} {}", attempt.what);
                continue;
            }
            assert_eq!(answer.status, attempt.status, "{path} {}", attempt.what);
            assert!(answer.text.contains(attempt.code), "{path} {}", attempt.what);
            assert!(answer.cookies().is_empty(), "{path} {}", attempt.what);
        }
    }
    assert_eq!((world.phase(id), world.events()), (Phase::Open, before), "nothing changed");
}

#[tokio::test]
async fn a_form_under_no_referrer_is_taken_on_the_browsers_word() {
    let world = World::start().await;
    let (id, _) = world.begin("alice").await;
    let app = world.app("https://leasehold.example");
    let (session, csrf) = world.session("alice");
    let cookie = format!("__Host-leasehold-session={session}");
    let headers = [
        ("host", "leasehold.example"),
        ("cookie", &cookie),
        TYPE,
        ("origin", "null"),
        ("sec-fetch-site", "same-origin"),
    ];
    let answer =
        ask(&app, Method::POST, &format!("/connect/{id}"), &headers, format!("csrf={csrf}&decision=approve"))
            .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(answer.header("location").starts_with(world.sandbox.provider_issuer()));
    let state = answer.cookies();
    let [line] = state.as_slice() else { panic!("{} cookies", state.len()) };
    assert!(line.starts_with(&format!("__Host-leasehold-state-{id}=")));
    assert!(line.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"));
    assert_eq!(world.phase(id), Phase::Approved);
}

#[tokio::test]
async fn a_decision_that_no_button_makes_is_refused() {
    let world = World::start().await;
    let (id, _) = world.begin("alice").await;
    let app = world.app("https://leasehold.example");
    let (session, csrf) = world.session("alice");
    let cookie = format!("__Host-leasehold-session={session}");
    let headers =
        [("host", "leasehold.example"), ("cookie", &cookie), TYPE, ("origin", "https://leasehold.example")];
    for path in [format!("/connect/{id}"), format!("/connect/{id}/account")] {
        for decision in ["", "Approve", "yes"] {
            let body = format!("csrf={csrf}&decision={decision}");
            assert_eq!(ask(&app, Method::POST, &path, &headers, body).await.status, StatusCode::BAD_REQUEST);
        }
    }
    assert_eq!(world.phase(id), Phase::Open);
}

/// A session that was ended by a revocation of its subject is no session, however well its cookie opens.
#[tokio::test]
async fn a_session_that_was_ended_sends_no_form() {
    let world = World::start().await;
    let (id, url) = world.begin("alice").await;
    let mut alice = world.browse_as("alice", &url).await;
    let subject = world.subject("alice");
    assert_eq!(actor(&world.control, subject).proof, leasehold_domain::actor::Proof::SignIn);
    world.control.disable_subject(&world.admin, "alice", "").await.unwrap();
    super::support::press(&mut alice, "approve").await;
    assert_eq!(alice.page().unwrap().select("h1"), ["You are no longer signed in"]);
    assert_eq!(world.phase(id), Phase::Open);
}

#[tokio::test]
async fn a_browser_holds_a_bounded_number_of_states() {
    let world = World::start().await;
    let (id, _) = world.begin("alice").await;
    let app = world.app("https://leasehold.example");
    let (session, csrf) = world.session("alice");
    let digest = leasehold_domain::text::Digest::from_bytes([1; 32]);
    let mut cookie = format!("__Host-leasehold-session={session}");
    let others: Vec<_> =
        (1..=12).map(|byte| leasehold_domain::id::AuthorizationId::from_bytes([byte; 16])).collect();
    for (age, other) in others.iter().enumerate() {
        let at = world.control.now() + leasehold_domain::time::Span::from_secs(age as u64);
        let state = crate::state_cookie::StateCookie::new(*other, digest, "s".to_owned().into(), at);
        let value = state.seal(&world.control.keyring(), world.control.entropy()).unwrap();
        cookie = format!("{cookie}; __Host-leasehold-state-{other}={value}");
    }
    let headers = [
        ("host", "leasehold.example"),
        ("cookie", cookie.as_str()),
        TYPE,
        ("origin", "https://leasehold.example"),
    ];
    let answer =
        ask(&app, Method::POST, &format!("/connect/{id}"), &headers, format!("csrf={csrf}&decision=approve"))
            .await;
    let lines = answer.cookies();
    assert_eq!(lines.len(), 6, "the five oldest are forgotten, and one is set");
    for (line, oldest) in lines.iter().zip(&others) {
        assert!(
            line.starts_with(&format!("__Host-leasehold-state-{oldest}=;")) || line.contains(&id.to_string())
        );
    }
}
