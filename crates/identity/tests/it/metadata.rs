//! Metadata: when it is believed, how long it is kept, and how seldom it is fetched.

use std::sync::Arc;

use jsonwebtoken::Algorithm;
use leasehold_identity::metadata::{Metadata, MetadataCache, MetadataError};
use serde_json::{Value, json};

use crate::rig::{NOW, Rig, after, provider, transport};

const DISCOVERY: &str = "/.well-known/openid-configuration";

async fn refused(field: &str, value: Value) -> MetadataError {
    let rig = Rig::new().await;
    rig.idp.lock().metadata[field] = value;
    rig.cache.current(&rig.provider, NOW).await.err().unwrap()
}

#[tokio::test]
async fn metadata_of_another_issuer_is_refused_whatever_small_the_difference() {
    assert_eq!(refused("issuer", json!("https://evil.example")).await, MetadataError::Issuer);
    let rig = Rig::new().await;
    rig.idp.lock().metadata["issuer"] = json!(format!("{}/", rig.idp.issuer));
    assert_eq!(rig.cache.current(&rig.provider, NOW).await.err(), Some(MetadataError::Issuer));
}

#[tokio::test]
async fn metadata_with_unusable_endpoints_is_refused() {
    for (field, name) in [("authorization_endpoint", "authorization"), ("token_endpoint", "token")] {
        for bad in ["http://idp.example/x", "https://user:secret@idp.example/x", "javascript://x"] {
            let error = refused(field, json!(bad)).await;
            assert!(
                matches!(error, MetadataError::Endpoint { name: of, .. } if of == name),
                "{bad}: {error}"
            );
        }
    }
    assert_eq!(refused("token_endpoint", Value::Null).await, MetadataError::NoTokenEndpoint);
    assert_eq!(refused("authorization_endpoint", Value::Null).await, MetadataError::Unreadable);
    // The egress rule refuses these before anything is sent.
    for bad in ["http://169.254.169.254/jwks", "http://idp.example/jwks", "https://10.0.0.1/jwks"] {
        let error = refused("jwks_uri", json!(bad)).await;
        assert!(matches!(error, MetadataError::Http(_)), "{bad}: {error}");
    }
}

#[tokio::test]
async fn a_configured_issuer_that_is_no_issuer_is_refused_without_asking() {
    let cache = MetadataCache::new(transport());
    for (id, bad) in [(1, "http://idp.example"), (2, "https://idp.example/?tenant=x")] {
        let error = cache.current(&provider(bad, id), NOW).await.err();
        assert_eq!(error, Some(MetadataError::ConfiguredIssuer), "{bad}");
    }
}

#[tokio::test]
async fn metadata_is_fetched_once_an_hour() {
    let rig = Rig::new().await;
    for now in [NOW, after(1), after(3599)] {
        assert!(rig.cache.current(&rig.provider, now).await.is_ok());
    }
    assert_eq!(rig.idp.asked_for(DISCOVERY), 1);
    assert!(rig.cache.current(&rig.provider, after(3600)).await.is_ok());
    assert_eq!(rig.idp.asked_for(DISCOVERY), 2);
}

#[tokio::test]
async fn old_metadata_is_used_for_four_hours_while_the_identity_provider_is_gone() {
    let rig = Rig::new().await;
    assert!(rig.cache.current(&rig.provider, NOW).await.is_ok());
    rig.idp.lock().down = true;
    for seconds in [3600, 3605, 4 * 3600 - 1] {
        assert!(rig.cache.current(&rig.provider, after(seconds)).await.is_ok(), "{seconds}");
    }
    // The one five seconds after another try did not ask again.
    assert_eq!(rig.idp.asked_for(DISCOVERY), 3);
    let gone = rig.cache.current(&rig.provider, after(4 * 3600 + 9)).await.err();
    assert_eq!(gone, Some(MetadataError::Status(503)));
    let waiting = rig.cache.current(&rig.provider, after(4 * 3600 + 18)).await.err();
    assert_eq!(waiting, Some(MetadataError::TriedRecently));
    rig.idp.lock().down = false;
    assert!(rig.cache.current(&rig.provider, after(4 * 3600 + 19)).await.is_ok());
}

#[tokio::test]
async fn many_who_miss_a_key_at_once_fetch_it_once() {
    let rig = Arc::new(Rig::new().await);
    let seen = rig.cache.current(&rig.provider, NOW).await.unwrap();
    rig.idp.rotate("second");
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let (rig, seen) = (Arc::clone(&rig), Arc::clone(&seen));
            tokio::spawn(async move { rig.cache.newer(&rig.provider, &seen, after(10)).await })
        })
        .collect();
    for task in waiting {
        assert!(!Arc::ptr_eq(&task.await.unwrap(), &seen));
    }
    assert_eq!(rig.idp.asked_for("/jwks"), 2);
}

#[tokio::test]
async fn many_who_need_metadata_at_once_fetch_it_once() {
    let rig = Arc::new(Rig::new().await);
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let rig = Arc::clone(&rig);
            tokio::spawn(async move { rig.cache.current(&rig.provider, NOW).await.is_ok() })
        })
        .collect();
    for task in waiting {
        assert!(task.await.unwrap());
    }
    assert_eq!(rig.idp.asked_for(DISCOVERY), 1);
}

#[tokio::test]
async fn metadata_above_the_bound_is_not_read() {
    let rig = Rig::new().await;
    rig.idp.lock().metadata["padding"] = json!("x".repeat(128 * 1024));
    let error = Metadata::fetch(&transport(), &rig.provider).await.err();
    assert_eq!(error, Some(MetadataError::Http(leasehold_identity::HttpError::NotWhole)));
}

#[tokio::test]
async fn a_key_set_with_one_strange_key_is_good_for_the_others() {
    let rig = Rig::of(Algorithm::EdDSA, 1).await;
    rig.idp.lock().published.extend([
        json!({ "kty": "new", "kid": "a" }),
        json!({ "kty": "oct", "kid": "first", "k": "c2VjcmV0" }),
        json!({ "kty": "OKP", "crv": "X25519", "x": "aaaa", "kid": "c" }),
        json!("no key"),
    ]);
    assert!(rig.run().await.is_ok());
}
