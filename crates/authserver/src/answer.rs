//! The answer that carries a token (RFC 8693 section 2.2.1), with the lease in extension members.

use std::collections::BTreeMap;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use leasehold_control::LeaseAnswer;
use leasehold_domain::time::{Span, Timestamp};
use secrecy::ExposeSecret as _;
use serde::Serialize;

use crate::refusal::Refusal;

/// Without `Debug`: it carries the token.
#[derive(Serialize)]
struct Answer<'a> {
    access_token: &'a str,
    issued_token_type: &'a str,
    token_type: &'a str,
    /// The lease's: when it ends, the holder asks again, or stops.
    expires_in: u64,
    scope: String,
    lease_id: String,
    grant: String,
    generation: u64,
    /// What the provider says beside the token.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [String],
}

/// The answer for a lease, whose token it calls as the request did.
pub(crate) fn of(lease: &LeaseAnswer, issued: &'static str) -> Response {
    let answer = Answer {
        access_token: lease.access_token.expose_secret(),
        issued_token_type: issued,
        token_type: &lease.token_type,
        expires_in: remaining(lease.now, lease.lease.expires_at, lease.lease.token_expires_at),
        scope: lease.scopes.to_string(),
        lease_id: lease.lease.lease.to_string(),
        grant: lease.lease.grant.to_string(),
        generation: lease.lease.generation,
        metadata: &lease.metadata,
        warnings: &lease.warnings,
    };
    match serde_json::to_vec(&answer) {
        Ok(body) => {
            let json = HeaderValue::from_static("application/json");
            (StatusCode::OK, [(header::CONTENT_TYPE, json)], body).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written");
            Refusal::fault().into_response()
        }
    }
}

/// Whole seconds until the lease ends, rounded down, and never beyond the token.
fn remaining(now: Timestamp, lease: Timestamp, token: Option<Timestamp>) -> u64 {
    let until: Span = now.until(token.map_or(lease, |token| token.min(lease)));
    until.as_secs()
}

#[cfg(test)]
mod tests {
    use leasehold_control::LeaseView;
    use leasehold_domain::id::{ConnectorId, GrantId, LeaseId, McpServerId, SubjectId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn lease(lease_seconds: u64, token_seconds: Option<u64>) -> LeaseAnswer {
        let at = |seconds| NOW + Span::from_secs(seconds);
        LeaseAnswer {
            lease: LeaseView {
                lease: LeaseId::from_bytes([1; 16]),
                grant: GrantId::from_bytes([2; 16]),
                generation: 7,
                mcp_server: McpServerId::from_bytes([3; 16]),
                connector: ConnectorId::from_bytes([4; 16]),
                subject: SubjectId::from_bytes([5; 16]),
                expires_at: at(lease_seconds),
                token_expires_at: token_seconds.map(at),
            },
            access_token: "at-very-secret".to_owned().into(),
            token_type: "Bearer".to_owned(),
            scopes: "files.write files.read".parse().unwrap(),
            metadata: BTreeMap::new(),
            warnings: Vec::new(),
            now: NOW,
        }
    }

    async fn body(lease: &LeaseAnswer) -> serde_json::Value {
        let response = of(lease, "urn:x");
        assert_eq!(response.headers().get(header::CONTENT_TYPE).unwrap(), "application/json");
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn an_answer_says_what_the_standard_wants_and_which_lease_it_is() {
        let answer = body(&lease(300, Some(3600))).await;
        assert_eq!(
            answer,
            serde_json::json!({
                "access_token": "at-very-secret",
                "issued_token_type": "urn:x",
                "token_type": "Bearer",
                "expires_in": 300,
                "scope": "files.read files.write",
                "lease_id": LeaseId::from_bytes([1; 16]).to_string(),
                "grant": GrantId::from_bytes([2; 16]).to_string(),
                "generation": 7,
            })
        );
    }

    #[tokio::test]
    async fn metadata_and_warnings_stand_in_it_where_there_are_any() {
        let mut lease = lease(300, None);
        lease.metadata.insert("instance_url".to_owned(), "https://eu.example".to_owned());
        lease.warnings.push("refreshing fails".to_owned());
        let answer = body(&lease).await;
        assert_eq!(answer["metadata"]["instance_url"], "https://eu.example");
        assert_eq!(answer["warnings"], serde_json::json!(["refreshing fails"]));
        assert!(answer.get("refresh_token").is_none());
    }

    #[test]
    fn no_answer_promises_more_than_the_lease_or_the_token_has() {
        let at = |millis| NOW + Span::from_millis(millis);
        assert_eq!(remaining(NOW, at(299_999), None), 299);
        assert_eq!(remaining(NOW, at(300_000), Some(at(9_000))), 9);
        assert_eq!(remaining(NOW, at(300_000), Some(at(900_000))), 300);
        assert_eq!(remaining(at(1), NOW, None), 0);
    }
}
