//! The identity provider: OpenID Connect discovery, login, ID tokens signed ES256, userinfo, logout.
//!
//! It issues no refresh tokens and has no consent page. It knows nothing of the provider beside it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::authorize::Problem;
use crate::canary::Canaries;
use crate::codes::Codes;
use crate::fault::Faults;
use crate::front::{self, Front, Site};
use crate::ledger::{Issued, Ledger, TokenKind};
use crate::secret;
use crate::visits::{Session, Transaction};

mod id_token;
mod keys;
mod logout;
mod token;
mod userinfo;

pub use id_token::IdTokenFlaw;
pub use keys::KeyError;
pub(crate) use keys::Keys;

const SCOPES: [&str; 3] = ["openid", "profile", "email"];

pub(crate) struct Idp {
    front: Front,
    pub(crate) keys: Keys,
    pub(crate) flaws: id_token::Flaws,
    codes: Codes,
    access: Mutex<BTreeMap<String, token::Access>>,
    ledger: Arc<Ledger>,
    canaries: Arc<Canaries>,
    faults: Arc<Faults>,
}

impl Idp {
    pub(crate) fn new(
        front: Front,
        keys: Keys,
        ledger: Arc<Ledger>,
        canaries: Arc<Canaries>,
        faults: Arc<Faults>,
    ) -> Self {
        Self {
            front,
            keys,
            flaws: id_token::Flaws::default(),
            codes: Codes::default(),
            access: Mutex::default(),
            ledger,
            canaries,
            faults,
        }
    }

    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.front.issuer);
        self.front.edited(json!({
            "issuer": self.front.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "userinfo_endpoint": at("/userinfo"),
            "jwks_uri": at("/jwks"),
            "end_session_endpoint": at("/logout"),
            "scopes_supported": SCOPES,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": [
                "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "email", "email_verified", "name",
                "preferred_username"
            ],
            "authorization_response_iss_parameter_supported": true,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        }))
    }
}

impl Site for Idp {
    fn front(&self) -> &Front {
        &self.front
    }

    fn admit(&self, asked: Vec<String>) -> Result<Vec<String>, Problem> {
        if !asked.iter().any(|scope| scope == "openid") {
            return Err(Problem { error: "invalid_scope", description: "scope must contain openid" });
        }
        // OpenID Connect Core section 3.1.2.1: scopes that are not understood should be ignored.
        Ok(asked.into_iter().filter(|scope| SCOPES.contains(&scope.as_str())).collect())
    }

    fn proceed(&self, transaction: &Transaction, session: &Session) -> Response {
        let now = self.front.clock.now();
        self.front.visits.end(&transaction.id);
        let request = &transaction.request;
        let scope = request.scope.clone();
        let (text, code) = self.codes.issue(request, &session.subject, session.signed_in_at, scope, now);
        self.canaries.keep(&text);
        self.ledger.record_issued(Issued {
            sequence: 0,
            at: now,
            fingerprint: secret::fingerprint(&text),
            kind: TokenKind::Code,
            family: code.family,
            generation: 0,
            client: code.client,
            account: code.subject,
            scope: code.scope,
            expires_at: Some(code.expires_at),
        });
        self.front.respond(request, &[("code", &text)])
    }

    fn proceeds_silently(&self) -> bool {
        true
    }
}

pub(crate) fn router(idp: Arc<Idp>) -> Router {
    front::routes::<Idp>()
        .route("/.well-known/openid-configuration", get(metadata))
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .route("/jwks", get(jwks))
        .route("/token", post(token::token))
        .route("/userinfo", get(userinfo::userinfo).post(userinfo::userinfo))
        .route("/logout", get(logout::logout).post(logout::logout_form))
        .with_state(idp)
}

async fn metadata(State(idp): State<Arc<Idp>>) -> Response {
    Json(idp.metadata()).into_response()
}

async fn jwks(State(idp): State<Arc<Idp>>) -> Response {
    Json(idp.keys.published()).into_response()
}
