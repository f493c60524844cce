//! The journey against npm `oidc-provider`, which is certified and not ours, as identity provider and as OAuth provider with rotation on. It
//! counts for itself what it was asked; see `leasehold_interop::Ledger`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod calls;
mod people;
mod scene;

use std::{fs, time::Duration};

use leasehold_interop::{Ledger, LiveTokens, OidcProvider, Verdict, require, verify_ledger};
use leasehold_journey::{reason, world::none_in};
use leasehold_proto::v1::{
    ConsentReason, GrantPhase, RedeemBootstrapRequest,
    administrator_service_client::AdministratorServiceClient,
};
use leasehold_sandbox::browser::Browser;

use crate::scene::{CLIENT, Scene};

const READ: [&str; 1] = ["files.read"];
const BOTH: [&str; 2] = ["files.read", "files.write"];
const ALL: [&str; 3] = ["files.read", "files.write", "profile"];
/// How long the node may take to reach the provider with a revocation.
const UPSTREAM_LIMIT: Duration = Duration::from_secs(15);

/// Asserts that `refreshes` requests were made, that each was accepted, that none presented a token again, and that nothing was taken for theft.
fn assert_refreshed_cleanly(seen: &Ledger, refreshes: u64) {
    assert_eq!(seen.requests("refresh_token", CLIENT), refreshes, "{seen:?}");
    assert_eq!(seen.outcomes("refresh_token", CLIENT, "ok"), refreshes, "{seen:?}");
    assert_eq!(seen.refresh_tokens.len() as u64, refreshes, "each has presented another token: {seen:?}");
    assert_eq!(seen.presented_again().count(), 0, "{seen:?}");
    assert!(seen.reuses.is_empty(), "{seen:?}");
}

/// Waits until nothing that our client was ever given is live at the provider.
async fn all_revoked(provider: &OidcProvider) {
    let none = LiveTokens { access_tokens: 0, refresh_tokens: 0 };
    let revoked = async {
        while provider.live_tokens(CLIENT).await.unwrap() != none {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(UPSTREAM_LIMIT, revoked).await.is_err() {
        panic!("still live: {:?}, {:?}", provider.live_tokens(CLIENT).await, provider.ledger().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alice_consents_in_part_and_her_token_is_leased_refreshed_and_revoked() {
    let scene = Scene::start(&require!(Node, Npm)).await.unwrap();

    let needed = scene.acquire(&ALL).await.unwrap().consent();
    assert_eq!(needed.reason(), ConsentReason::NoGrant);
    assert_eq!(needed.missing_scopes, ALL);
    let account = scene.consent(&needed.connect_url, "alice", &["files.write"]).await.unwrap();
    assert_eq!(account, "alice", "what she confirmed");
    let grants = scene.grants().await.unwrap();
    let [grant] = grants.as_slice() else { panic!("one grant: {grants:?}") };
    assert_eq!(grant.phase(), GrantPhase::Active);
    assert_eq!(grant.account, "alice");
    assert!(ALL.iter().all(|scope| grant.requested_scopes.iter().any(|asked| asked == scope)), "{grant:?}");
    assert_eq!(grant.granted_scopes, ["files.read", "openid", "profile"], "what was refused is not granted");
    let needed = scene.acquire(&ALL).await.unwrap().consent();
    assert_eq!(needed.reason(), ConsentReason::ScopesMissing);
    assert_eq!(needed.missing_scopes, ["files.write"]);

    let first = scene.acquire(&READ).await.unwrap().lease();
    assert_eq!((first.generation, first.token_type.as_str()), (1, "Bearer"));
    assert_eq!(first.scopes, grant.granted_scopes, "the lease says what the token can do");
    let (status, body) = scene.call("files.read", &first.access_token).await.unwrap();
    assert_eq!(
        (status, body["subject"].as_str(), body["client"].as_str()),
        (200, Some("sub-alice"), Some(CLIENT))
    );
    assert_eq!(scene.call("files.write", &first.access_token).await.unwrap().0, 403);
    assert_refreshed_cleanly(&scene.provider.ledger().await.unwrap(), 0);

    scene.expire().await.unwrap();
    assert_eq!(scene.call("files.read", &first.access_token).await.unwrap().0, 401);
    let second = scene.acquire(&READ).await.unwrap().lease();
    assert_eq!((second.generation, &second.grant), (2, &first.grant));
    assert_ne!(second.access_token, first.access_token);
    assert_eq!(scene.call("files.read", &second.access_token).await.unwrap().0, 200);
    let seen = scene.provider.ledger().await.unwrap();
    assert_eq!(seen.outcomes("authorization_code", CLIENT, "ok"), 1);
    assert_eq!(seen.requests("authorization_code", CLIENT), 1);
    assert_refreshed_cleanly(&seen, 1);
    assert!(seen.revoked_grants.is_empty(), "{seen:?}");

    assert!(scene.introspect(&second.access_token).await.unwrap());
    scene.revoke_alice().await.unwrap();
    let needed = scene.acquire(&READ).await.unwrap().consent();
    assert_eq!(needed.reason(), ConsentReason::NoGrant);
    all_revoked(&scene.provider).await;
    assert!(!scene.introspect(&second.access_token).await.unwrap());
    assert_eq!(scene.call("files.read", &second.access_token).await.unwrap().0, 401);
    scene.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_comes_in_by_the_bootstrap_credential_which_is_good_once() {
    let scene = Scene::start(&require!(Node, Npm)).await.unwrap();
    let again = RedeemBootstrapRequest { name: "second".to_owned() };
    let refused =
        AdministratorServiceClient::new(scene.latecomer()).redeem_bootstrap(again).await.err().unwrap();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated, "{refused:?} {}", reason(&refused));
    scene.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_callers_at_expiry_make_one_refresh_request_and_none_fails() {
    let scene = Scene::start(&require!(Node, Npm)).await.unwrap();
    scene.alice_consents(&READ, &[]).await.unwrap();
    let before = scene.acquire(&READ).await.unwrap().lease();
    scene.expire().await.unwrap();

    let answers = futures::future::join_all((0..200).map(|_| scene.acquire(&READ))).await;
    let leases: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().lease()).collect();
    assert_eq!(leases.len(), 200);
    let first = leases.first().unwrap();
    assert_ne!(first.access_token, before.access_token);
    assert!(leases.iter().all(|lease| lease.generation == 2 && lease.access_token == first.access_token));
    assert_eq!(scene.call("files.read", &first.access_token).await.unwrap().0, 200);
    assert_refreshed_cleanly(&scene.provider.ledger().await.unwrap(), 1);
    scene.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_refreshes_in_a_row_never_present_a_refresh_token_twice() {
    let scene = Scene::start(&require!(Node, Npm)).await.unwrap();
    scene.alice_consents(&READ, &[]).await.unwrap();
    let grant = scene.acquire(&READ).await.unwrap().lease().grant;
    for generation in 2..=11 {
        assert_eq!(scene.refresh(&grant).await.unwrap(), generation);
    }
    let lease = scene.acquire(&READ).await.unwrap().lease();
    assert_eq!(lease.generation, 11);
    assert_eq!(scene.call("files.read", &lease.access_token).await.unwrap().0, 200);
    let seen = scene.provider.ledger().await.unwrap();
    assert_refreshed_cleanly(&seen, 10);
    assert!(seen.revoked_grants.is_empty(), "{seen:?}");
    scene.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_of_a_subject_reaches_every_token_of_hers_at_the_provider() {
    let scene = Scene::start(&require!(Node, Npm)).await.unwrap();
    // Two consents, each of which the provider holds apart, and a refresh of the second.
    scene.alice_consents(&BOTH, &["files.write"]).await.unwrap();
    let narrow = scene.acquire(&READ).await.unwrap().lease();
    scene.alice_consents(&BOTH, &[]).await.unwrap();
    let wide = scene.acquire(&BOTH).await.unwrap().lease();
    assert_eq!((wide.grant.as_str(), wide.generation), (narrow.grant.as_str(), 2));
    assert_eq!(scene.refresh(&wide.grant).await.unwrap(), 3);
    let fresh = scene.acquire(&BOTH).await.unwrap().lease();
    let tokens = [&narrow, &wide, &fresh].map(|lease| lease.access_token.as_str());
    assert!(scene.introspect(fresh.access_token.as_str()).await.unwrap());
    assert!(scene.provider.live_tokens(CLIENT).await.unwrap().refresh_tokens > 0);

    scene.revoke_alice().await.unwrap();
    assert_eq!(scene.acquire(&READ).await.unwrap().consent().reason(), ConsentReason::NoGrant);
    all_revoked(&scene.provider).await;
    for token in tokens {
        assert!(!scene.introspect(token).await.unwrap());
    }
    assert_eq!(scene.call("files.read", &fresh.access_token).await.unwrap().0, 401);
    let seen = scene.provider.ledger().await.unwrap();
    assert!(seen.revoked_grants.iter().all(|grant| grant.client == CLIENT && grant.route == "revocation"));
    assert_eq!(seen.revoked_grants.len(), 2, "both consents: {seen:?}");
    assert_refreshed_cleanly(&seen, 1);
    scene.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_person_is_refused_at_the_connect_url_and_asks_the_provider_for_nothing() {
    let scene = Scene::start(&require!(Node, Npm)).await.unwrap();
    let needed = scene.acquire(&READ).await.unwrap().consent();
    let mut browser = Browser::new().unwrap();
    let page = scene.open(&mut browser, &needed.connect_url, "bob").await.unwrap();
    assert_eq!(page.status, 403, "{}", page.text);
    assert!(!page.has_form("consent"));
    assert!(!page.text.contains("alice"), "the refusal names nobody");
    assert_eq!(scene.provider.ledger().await.unwrap().requests("authorization_code", CLIENT), 0);
    // The right person still can.
    scene.consent(&needed.connect_url, "alice", &[]).await.unwrap();
    scene.acquire(&READ).await.unwrap().lease();
    scene.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exported_ledger_is_verified_by_a_program_that_shares_no_code_with_us() {
    let tools = require!(Node, Npm, Python);
    let scene = Scene::start(&tools).await.unwrap();
    scene.alice_consents(&READ, &[]).await.unwrap();
    let before = scene.acquire(&READ).await.unwrap().lease();
    scene.expire().await.unwrap();
    let after = scene.acquire(&READ).await.unwrap().lease();
    scene.revoke_alice().await.unwrap();
    all_revoked(&scene.provider).await;

    let exported = scene.export().await.unwrap();
    let (ledger, note) = (scene.data().join("ledger.jsonl"), scene.data().join("checkpoint"));
    let mut bytes = exported.lines.join(&b'\n');
    bytes.push(b'\n');
    none_in(&[before.access_token, after.access_token], &bytes).unwrap();
    fs::write(&ledger, &bytes).unwrap();
    fs::write(&note, &exported.checkpoint).unwrap();
    match verify_ledger(&tools, &ledger, &note, &exported.verifier).await.unwrap() {
        Verdict::Verified { size, .. } => assert_eq!(size, exported.lines.len() as u64),
        Verdict::Refused(why) => panic!("refused: {why}"),
    }
    let told = String::from_utf8(bytes).unwrap();
    let mut rest = told.lines();
    for event in [
        "CodeExchanged",
        "GrantActivated",
        "LeaseIssued",
        "TokenRefreshed",
        "LeaseIssued",
        "RevocationRaised",
    ] {
        let named = format!("\"event\":\"{event}\"");
        assert!(rest.any(|line| line.contains(&named)), "{event} is missing, or out of order, in {told}");
    }
    // One byte changed, and the same checkpoint.
    fs::write(&ledger, told.replacen("LeaseIssued", "LeaseIssuec", 1)).unwrap();
    let verdict = verify_ledger(&tools, &ledger, &note, &exported.verifier).await.unwrap();
    assert!(matches!(verdict, Verdict::Refused(_)), "{verdict:?}");
    scene.stop().await.unwrap();
}
