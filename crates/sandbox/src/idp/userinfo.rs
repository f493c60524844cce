//! Userinfo (OpenID Connect Core section 5.3).

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use serde_json::Value;

use super::{Idp, id_token};
use crate::answer::Answer;
use crate::bearer;
use crate::front::Site as _;
use crate::ledger::{Endpoint, Outcome, Presentation, TokenKind};
use crate::secret;

pub(crate) async fn userinfo(State(idp): State<Arc<Idp>>, headers: HeaderMap) -> Response {
    let Some(text) = bearer::token(&headers) else {
        return bearer::missing().into_response();
    };
    let access = idp.access(text);
    let account = access.as_ref().and_then(|access| idp.front().people.of_subject(&access.subject));
    idp.canaries.keep(text);
    idp.ledger.record_presentation(Presentation {
        sequence: 0,
        at: idp.front().clock.now(),
        endpoint: Endpoint::IdpUserinfo,
        kind: if access.is_some() { TokenKind::Access } else { TokenKind::Unknown },
        fingerprint: secret::fingerprint(text),
        family: access.as_ref().map(|access| access.family.clone()),
        generation: access.as_ref().map(|_| 1),
        client: access.as_ref().map(|access| access.client.clone()),
        outcome: if account.is_some() { Outcome::Accepted } else { Outcome::Refused },
        error: account.is_none().then(|| "invalid_token".to_owned()),
        fault: None,
        resource: Vec::new(),
    });
    match access.zip(account) {
        Some((access, account)) => {
            Answer::ok(Value::Object(id_token::profile(&account, &access.scope))).into_response()
        }
        None => bearer::invalid().into_response(),
    }
}
