//! Each fault, as a client sees it and as the record has it.

use leasehold_sandbox::{Fault, FaultRule, Outcome, fingerprint};

use crate::support::{CLIENT, Rig, SECRET};

async fn struck(fault: Fault) -> (Rig, String) {
    let rig = Rig::start().await;
    let (_, token) = rig.tokens().await;
    rig.sandbox.control().push_fault(FaultRule::once(fault).on_refresh()).unwrap();
    (rig, token)
}

/// The refresh token was not touched: it works once the fault has passed.
async fn untouched(rig: &Rig, token: &str, fault: &str) {
    let shown = rig.sandbox.control().presentations(&fingerprint(token));
    assert_eq!(shown[0].outcome, Outcome::Unprocessed);
    assert_eq!(shown[0].fault.as_deref(), Some(fault));
    assert_eq!(rig.refresh(token).await.status, 200);
}

/// The refresh token was used up: a client that sends it again has lost its family.
async fn used_up(rig: &Rig, token: &str, fault: &str) {
    let control = rig.sandbox.control();
    let shown = control.presentations(&fingerprint(token));
    assert_eq!(shown[0].outcome, Outcome::Accepted);
    assert_eq!(shown[0].fault.as_deref(), Some(fault));
    assert_eq!(control.families()[0].generation, 2);
    assert_eq!(rig.refresh(token).await.error(), "invalid_grant");
    assert_eq!(control.reuse_detected(), 1);
}

#[tokio::test]
async fn an_error_inside_a_200() {
    let (rig, token) = struck(Fault::ErrorWithOk { error: "invalid_refresh_token".to_owned() }).await;
    let reply = rig.refresh(&token).await;
    assert_eq!((reply.status, reply.error().as_str()), (200, "invalid_refresh_token"));
    untouched(&rig, &token, "error_with_ok").await;
}

#[tokio::test]
async fn any_status_with_any_error() {
    let fault = Fault::Error { status: 503, error: "temporarily_unavailable".to_owned(), description: None };
    let (rig, token) = struck(fault).await;
    let reply = rig.refresh(&token).await;
    assert_eq!((reply.status, reply.error().as_str()), (503, "temporarily_unavailable"));
    untouched(&rig, &token, "error").await;
}

#[tokio::test]
async fn a_spurious_invalid_grant() {
    let (rig, token) = struck(Fault::SpuriousInvalidGrant).await;
    let reply = rig.refresh(&token).await;
    assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_grant"));
    untouched(&rig, &token, "spurious_invalid_grant").await;
}

#[tokio::test]
async fn throttling_says_when_to_come_back() {
    let (rig, token) = struck(Fault::Throttled { retry_after_seconds: 7 }).await;
    let reply = rig.refresh(&token).await;
    assert_eq!(reply.status, 429);
    assert_eq!(reply.headers["retry-after"], "7");
    untouched(&rig, &token, "throttled").await;
}

#[tokio::test]
async fn a_page_of_html_where_json_belongs() {
    let (rig, token) = struck(Fault::Html { status: 200 }).await;
    let reply = rig.refresh(&token).await;
    assert_eq!(reply.status, 200);
    assert!(reply.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    untouched(&rig, &token, "html").await;
}

#[tokio::test]
async fn a_redirect_to_a_private_address() {
    let location = "http://169.254.169.254/latest/meta-data".to_owned();
    let (rig, token) = struck(Fault::Redirect { status: 307, location: location.clone() }).await;
    let reply = rig.refresh(&token).await;
    assert_eq!(reply.status, 307);
    assert_eq!(reply.headers["location"], *location);
    untouched(&rig, &token, "redirect").await;
}

#[tokio::test]
async fn a_connection_cut_before_anything_happened() {
    let (rig, token) = struck(Fault::Drop).await;
    assert!(rig.try_refresh(&token).await.is_err());
    untouched(&rig, &token, "drop").await;
}

#[tokio::test]
async fn a_request_hangs_until_it_is_released() {
    let (rig, token) = struck(Fault::Hang).await;
    let control = rig.sandbox.control().clone();
    let release = async {
        control.wait_until(|control| control.hanging() == 1).await;
        assert!(control.presentations(&fingerprint(&token)).is_empty());
        control.release_hanging();
    };
    let (reply, ()) = tokio::join!(rig.refresh(&token), release);
    assert_eq!(reply.status, 200);
    assert_eq!(control.hanging(), 0);
}

#[tokio::test]
async fn a_client_that_leaves_a_hanging_request_leaves_nothing_behind() {
    let (rig, token) = struck(Fault::Hang).await;
    let control = rig.sandbox.control();
    tokio::select! {
        reply = rig.try_refresh(&token) => panic!("answered: {reply:?}"),
        () = control.wait_until(|control| control.hanging() == 1) => {}
    }
    control.wait_until(|control| control.hanging() == 0).await;
    assert!(control.presentations(&fingerprint(&token)).is_empty());
    assert_eq!(rig.refresh(&token).await.status, 200);
}

#[tokio::test]
async fn a_request_that_took_effect_hangs() {
    let (rig, token) = struck(Fault::CommitThenHang).await;
    let control = rig.sandbox.control();
    tokio::select! {
        reply = rig.try_refresh(&token) => panic!("answered: {reply:?}"),
        () = control.wait_until(|control| control.hanging() == 1) => {}
    }
    used_up(&rig, &token, "commit_then_hang").await;
}

#[tokio::test]
async fn a_lost_answer() {
    let (rig, token) = struck(Fault::CommitThenDrop).await;
    assert!(rig.try_refresh(&token).await.is_err());
    used_up(&rig, &token, "commit_then_drop").await;
}

#[tokio::test]
async fn a_500_after_the_commit() {
    let (rig, token) = struck(Fault::CommitThenError { status: 500 }).await;
    let reply = rig.refresh(&token).await;
    assert_eq!((reply.status, reply.error().as_str()), (500, "server_error"));
    used_up(&rig, &token, "commit_then_error").await;
}

#[tokio::test]
async fn a_truncated_body_arrives_in_part() {
    let (rig, token) = struck(Fault::Truncated).await;
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &*token),
        ("client_id", CLIENT),
        ("client_secret", SECRET),
    ];
    let request = rig.http.post(rig.provider("/token")).body(crate::support::form(&fields));
    let mut response =
        request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let announced = response.content_length().unwrap();
    let mut received = 0;
    let broken = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => received += chunk.len() as u64,
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken);
    assert_eq!(received, announced / 2);
    used_up(&rig, &token, "truncated").await;
}

#[tokio::test]
async fn an_oversized_body_is_the_right_answer_and_padding() {
    let (rig, token) = struck(Fault::Oversized { bytes: 300_000 }).await;
    let reply = rig.refresh(&token).await;
    assert!(reply.text.len() > 300_000);
    assert!(rig.sandbox.control().is_active(&reply.field("access_token")));
    used_up(&rig, &token, "oversized").await;
}

#[tokio::test]
async fn a_slow_answer_is_right_in_the_end() {
    let (rig, token) = struck(Fault::Slow { millis: 20 }).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(rig.refresh(&token).await.status, 200);
    assert!(begun.elapsed() >= std::time::Duration::from_millis(20));
    used_up(&rig, &token, "slow").await;
}

#[tokio::test]
async fn a_form_encoded_answer() {
    let (rig, token) = struck(Fault::FormEncoded).await;
    let reply = rig.refresh(&token).await;
    assert_eq!(reply.headers["content-type"], "application/x-www-form-urlencoded");
    let fields: std::collections::BTreeMap<String, String> =
        url::form_urlencoded::parse(reply.text.as_bytes()).into_owned().collect();
    assert!(rig.sandbox.control().is_active(&fields["access_token"]));
    assert_eq!(fields["expires_in"], "3600");
    used_up(&rig, &token, "form_encoded").await;
}

#[tokio::test]
async fn scopes_separated_by_commas() {
    let (rig, token) = struck(Fault::CommaScopes).await;
    assert_eq!(rig.refresh(&token).await.field("scope"), "files.read,files.write");
}

#[tokio::test]
async fn a_narrower_scope_than_asked_for_is_real() {
    let (rig, token) = struck(Fault::NarrowScope { scope: "files.write".to_owned() }).await;
    let reply = rig.refresh(&token).await;
    assert_eq!(reply.field("scope"), "files.write");
    assert_eq!(rig.api("/api/files", &reply.field("access_token")).await.status, 403);
}

#[tokio::test]
async fn a_code_exchange_can_be_narrowed_as_well() {
    let rig = Rig::start().await;
    let fault = Fault::NarrowScope { scope: "files.read".to_owned() };
    rig.sandbox.control().push_fault(FaultRule::once(fault).on_grant("authorization_code")).unwrap();
    let reply = rig.exchange(&rig.code().await).await;
    assert_eq!(reply.field("scope"), "files.read");
    assert_eq!(rig.sandbox.control().families()[0].scope, ["files.read"]);
}

#[tokio::test]
async fn an_answer_without_refresh_token_leaves_the_old_one_valid() {
    let (rig, token) = struck(Fault::OmitRefreshToken).await;
    let reply = rig.refresh(&token).await;
    assert!(reply.json().get("refresh_token").is_none());
    assert!(rig.sandbox.control().is_active(&reply.field("access_token")));
    assert_eq!(rig.refresh(&token).await.status, 200);
    assert_eq!(rig.sandbox.control().reuse_detected(), 0);
}

#[tokio::test]
async fn an_answer_without_expires_in() {
    let (rig, token) = struck(Fault::OmitExpiresIn).await;
    assert!(rig.refresh(&token).await.json().get("expires_in").is_none());
}

#[tokio::test]
async fn a_sticky_fault_strikes_until_it_is_cleared() {
    let rig = Rig::start().await;
    let (_, token) = rig.tokens().await;
    let control = rig.sandbox.control();
    let fault = Fault::Error { status: 500, error: "server_error".to_owned(), description: None };
    control.push_fault(FaultRule::sticky(fault).on_refresh().for_client(CLIENT)).unwrap();
    for _ in 0..3 {
        assert_eq!(rig.refresh(&token).await.status, 500);
    }
    assert_eq!(control.pending_faults().len(), 1);
    control.clear_faults();
    assert_eq!(rig.refresh(&token).await.status, 200);
    assert_eq!(control.refresh_requests(CLIENT), 4);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_hanging_request() {
    let (rig, token) = struck(Fault::Hang).await;
    let control = rig.sandbox.control().clone();
    let (http, url) = (rig.http.clone(), rig.provider("/token"));
    let body = crate::support::form(&[("grant_type", "refresh_token"), ("refresh_token", &*token)]);
    let request = http.post(url).header("content-type", "application/x-www-form-urlencoded").body(body);
    let hanging = tokio::spawn(request.send());
    control.wait_until(|control| control.hanging() == 1).await;
    rig.sandbox.shutdown().await;
    assert_eq!(control.hanging(), 0);
    assert!(hanging.await.is_ok());
}
