//! The provider: a strict OAuth 2.1 authorization server with a small API behind it, whose strictness is scriptable.
//!
//! It does what its scripts say and records what it saw. It knows nothing of who uses it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
use crate::ledger::Ledger;
use crate::options::Scope;
use crate::page;
use crate::visits::{Session, Transaction};

mod api;
mod consent;
mod files;
mod grants;
mod introspection;
mod revocation;
mod rotation;
mod shown;
mod token;

pub use grants::Ended;
pub(crate) use grants::Grants;

pub(crate) struct Provider {
    front: Front,
    scopes: Vec<Scope>,
    codes: Codes,
    grants: Mutex<Grants>,
    turns: Mutex<()>,
    files: files::Files,
    ledger: Arc<Ledger>,
    canaries: Arc<Canaries>,
    faults: Arc<Faults>,
}

impl Provider {
    pub(crate) fn new(
        front: Front,
        scopes: Vec<Scope>,
        ledger: Arc<Ledger>,
        canaries: Arc<Canaries>,
        faults: Arc<Faults>,
    ) -> Self {
        Self {
            front,
            scopes,
            codes: Codes::default(),
            grants: Mutex::default(),
            turns: Mutex::default(),
            files: files::Files::default(),
            ledger,
            canaries,
            faults,
        }
    }

    pub(crate) fn grants(&self) -> MutexGuard<'_, Grants> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while a request takes effect and is recorded, so that the record has the order of the effects.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.front.issuer);
        let methods = ["client_secret_basic", "client_secret_post", "none"];
        self.front.edited(json!({
            "issuer": self.front.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "revocation_endpoint": at("/revoke"),
            "introspection_endpoint": at("/introspect"),
            "scopes_supported": self.scopes.iter().map(|scope| scope.name.as_str()).collect::<Vec<_>>(),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_methods_supported": methods,
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        }))
    }
}

impl Site for Provider {
    fn front(&self) -> &Front {
        &self.front
    }

    fn admit(&self, asked: Vec<String>) -> Result<Vec<String>, Problem> {
        if asked.is_empty() {
            return Ok(self.scopes.first().map(|scope| scope.name.clone()).into_iter().collect());
        }
        let known = |name: &String| self.scopes.iter().any(|scope| scope.name == *name);
        if asked.iter().all(known) {
            Ok(asked)
        } else {
            Err(Problem { error: "invalid_scope", description: "a scope is unknown here" })
        }
    }

    fn proceed(&self, transaction: &Transaction, _session: &Session) -> Response {
        page::see_other(&format!("/consent?transaction={}", transaction.id))
    }

    fn proceeds_silently(&self) -> bool {
        false
    }
}

pub(crate) fn router(provider: Arc<Provider>) -> Router {
    front::routes::<Provider>()
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .route("/consent", get(consent::show).post(consent::decide))
        .route("/token", post(token::token))
        .route("/revoke", post(revocation::revoke))
        .route("/introspect", post(introspection::introspect))
        .route("/api/me", get(api::me))
        .route("/api/files", get(api::list_files).post(api::add_file))
        .with_state(provider)
}

async fn metadata(State(provider): State<Arc<Provider>>) -> Response {
    Json(provider.metadata()).into_response()
}
