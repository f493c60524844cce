//! Refresh, reuse, revocation and expiry: the provider as the refresh protocol meets it.

use leasehold_interop::{LiveTokens, require};
use reqwest::StatusCode;

use crate::oauth::{CLIENT, Flow, start, tokens};

#[tokio::test]
async fn each_refresh_rotates_the_refresh_token() {
    let provider = start(&require!(Node, Npm)).await;
    let flow = Flow::new(&provider);
    let first = flow.tokens().await;
    let second = tokens(&flow.refresh(&first.refresh).await);
    let third = tokens(&flow.refresh(&second.refresh).await);

    assert_ne!(first.refresh, second.refresh);
    assert_ne!(second.refresh, third.refresh);
    assert_eq!(flow.introspect(&third.access).await["active"], true);

    let ledger = provider.ledger().await.unwrap();
    assert_eq!(ledger.requests("authorization_code", CLIENT), 1);
    assert_eq!(ledger.outcomes("refresh_token", CLIENT, "ok"), 2);
    assert_eq!(ledger.refresh_tokens.len(), 2, "the third was never presented");
    assert_eq!(ledger.presented_again().count(), 0);
    assert!(ledger.reuses.is_empty() && ledger.revoked_grants.is_empty());
}

#[tokio::test]
async fn a_reused_refresh_token_is_seen_and_kills_its_successor() {
    let provider = start(&require!(Node, Npm)).await;
    let flow = Flow::new(&provider);
    let first = flow.tokens().await;
    let second = tokens(&flow.refresh(&first.refresh).await);
    let third = tokens(&flow.refresh(&second.refresh).await);

    let reuse = flow.refresh(&first.refresh).await;
    assert_eq!((reuse.status, reuse.field("error")), (StatusCode::BAD_REQUEST, "invalid_grant"));
    let successor = flow.refresh(&third.refresh).await;
    assert_eq!((successor.status, successor.field("error")), (StatusCode::BAD_REQUEST, "invalid_grant"));
    assert_eq!(flow.introspect(&third.access).await["active"], false);

    let ledger = provider.ledger().await.unwrap();
    let again: Vec<_> = ledger.presented_again().collect();
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].times, again[0].accepted), (2, 1));
    assert_eq!(ledger.reuses.len(), 1);
    assert_eq!((ledger.reuses[0].client.as_str(), &ledger.reuses[0].token), (CLIENT, &again[0].token));
    assert_eq!(ledger.reuses[0].outcome, "invalid_grant");
    assert_eq!(ledger.revoked_grants.len(), 1);
    assert_eq!(ledger.revoked_grants[0].route, "token");
    assert_eq!(ledger.outcomes("refresh_token", CLIENT, "invalid_grant"), 2);
    assert_eq!(ledger.faults, 0, "{}", provider.log());
}

#[tokio::test]
async fn of_concurrent_refreshes_with_one_token_one_wins() {
    let provider = start(&require!(Node, Npm)).await;
    let flow = Flow::new(&provider);
    let first = flow.tokens().await;
    let (a, b) = tokio::join!(flow.refresh(&first.refresh), flow.refresh(&first.refresh));

    let won = [&a, &b].into_iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!(won, 1, "{} and {}", a.body, b.body);
    let ledger = provider.ledger().await.unwrap();
    assert_eq!(ledger.reuses.len(), 1);
    assert_eq!(ledger.presented_again().map(|token| token.accepted).collect::<Vec<_>>(), [1]);
    assert_eq!(ledger.faults, 0, "{}", provider.log());
}

#[tokio::test]
async fn a_revoked_refresh_token_takes_its_access_token_along() {
    let provider = start(&require!(Node, Npm)).await;
    let flow = Flow::new(&provider);
    let got = flow.tokens().await;
    assert_eq!(flow.introspect(&got.access).await["active"], true);

    assert_eq!(flow.revoke(&got.refresh).await.status, StatusCode::OK);
    assert_eq!(flow.introspect(&got.refresh).await["active"], false);
    assert_eq!(flow.introspect(&got.access).await["active"], false);
    assert_eq!(flow.refresh(&got.refresh).await.field("error"), "invalid_grant");

    let ledger = provider.ledger().await.unwrap();
    assert_eq!((ledger.revocations, ledger.revoked_grants.len()), (1, 1));
    assert_eq!(ledger.revoked_grants[0].route, "revocation");
    assert!(ledger.reuses.is_empty(), "a revoked token is no reused one");
}

#[tokio::test]
async fn one_revocation_leaves_the_tokens_of_another_consent_alone() {
    let provider = start(&require!(Node, Npm)).await;
    let (laptop, phone) = (Flow::new(&provider), Flow::new(&provider));
    let kept = laptop.tokens().await;
    let ended = phone.tokens().await;
    assert_eq!(phone.revoke(&ended.refresh).await.status, StatusCode::OK);
    assert_eq!(laptop.introspect(&kept.access).await["active"], true);
    tokens(&laptop.refresh(&kept.refresh).await);
}

#[tokio::test]
async fn expired_access_tokens_are_refused_and_a_refresh_brings_a_live_one() {
    let provider = start(&require!(Node, Npm)).await;
    let flow = Flow::new(&provider);
    let got = flow.tokens().await;
    let resource = provider.resource("files.read");
    assert_eq!(flow.get(&resource, &got.access).await.status, StatusCode::OK);

    assert_eq!(provider.expire_access_tokens().await.unwrap(), 1);
    let refused = flow.get(&resource, &got.access).await;
    assert_eq!((refused.status, refused.field("error")), (StatusCode::UNAUTHORIZED, "invalid_token"));
    assert_eq!(flow.introspect(&got.access).await["active"], false);

    let fresh = tokens(&flow.refresh(&got.refresh).await);
    assert_eq!(flow.get(&resource, &fresh.access).await.status, StatusCode::OK);
    let ledger = provider.ledger().await.unwrap();
    assert_eq!((ledger.resource.accepted, ledger.resource.refused), (2, 1));
}

#[tokio::test]
async fn the_count_of_live_tokens_follows_rotation_expiry_and_revocation() {
    let provider = start(&require!(Node, Npm)).await;
    let flow = Flow::new(&provider);
    let live = || async {
        let LiveTokens { access_tokens, refresh_tokens } = provider.live_tokens(CLIENT).await.unwrap();
        (access_tokens, refresh_tokens)
    };
    assert_eq!(live().await, (0, 0));
    let first = flow.tokens().await;
    assert_eq!(live().await, (1, 1));
    let second = tokens(&flow.refresh(&first.refresh).await);
    assert_eq!(live().await, (2, 1), "a used refresh token is none");
    provider.expire_access_tokens().await.unwrap();
    assert_eq!(live().await, (0, 1));
    flow.revoke(&second.refresh).await;
    assert_eq!(live().await, (0, 0));
}
