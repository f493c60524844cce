//! A small identity provider: discovery, keys, and a token endpoint that checks the client, the redirect URI and the proof key.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::{Url, form_urlencoded};

use crate::keys::Key;

pub(crate) const CLIENT: &str = "leasehold";
pub(crate) const SECRET: &str = "50% & more";
/// 2030-01-01, in seconds: far from the clock of any machine that runs this.
pub(crate) const NOW_SECONDS: u64 = 1_893_456_000;

type Mint = Arc<dyn Fn(&Key, Value, Value) -> String + Send + Sync>;

/// What the identity provider is and does.
pub(crate) struct Inner {
    pub(crate) signing: Key,
    pub(crate) published: Vec<Value>,
    pub(crate) metadata: Value,
    /// Claims that replace the usual ones; null removes one.
    pub(crate) claims: Value,
    /// How the ID token is made from key, header and claims.
    pub(crate) mint: Mint,
    /// Answers everything with 503.
    pub(crate) down: bool,
    /// The paths that were asked for, in order.
    pub(crate) seen: Vec<String>,
    /// How the client authenticated, in order.
    pub(crate) authenticated: Vec<&'static str>,
    codes: BTreeMap<String, BTreeMap<String, String>>,
    issued: usize,
}

pub(crate) struct Idp {
    pub(crate) issuer: String,
    inner: Arc<Mutex<Inner>>,
}

impl Idp {
    pub(crate) async fn start(algorithm: Algorithm) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let signing = Key::draw("first", algorithm);
        let inner = Arc::new(Mutex::new(Inner {
            published: vec![signing.public()],
            signing,
            metadata: document(&issuer),
            claims: json!({}),
            mint: Arc::new(|key, header, claims| key.sign(&header, &claims)),
            down: false,
            seen: Vec::new(),
            authenticated: Vec::new(),
            codes: BTreeMap::new(),
            issued: 0,
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { issuer, inner }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Replaces claims of the ID tokens to come.
    pub(crate) fn claim(&self, claims: Value) {
        self.lock().claims = claims;
    }

    /// Says how ID tokens are made from now on.
    pub(crate) fn mint(&self, mint: impl Fn(&Key, Value, Value) -> String + Send + Sync + 'static) {
        self.lock().mint = Arc::new(mint);
    }

    /// Signs with a new key, and publishes it alone.
    pub(crate) fn rotate(&self, kid: &str) {
        let mut inner = self.lock();
        inner.signing = Key::draw(kid, inner.signing.algorithm);
        inner.published = vec![inner.signing.public()];
    }

    pub(crate) fn asked_for(&self, path: &str) -> usize {
        self.lock().seen.iter().filter(|seen| *seen == path).count()
    }

    /// What a browser does: a person signs in, and comes back with this query.
    pub(crate) fn visit(&self, url: &str) -> String {
        let url = Url::parse(url).unwrap();
        assert!(url.as_str().starts_with(&format!("{}/authorize?", self.issuer)), "{url}");
        let request: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(request["response_type"], "code");
        assert_eq!(request["client_id"], CLIENT);
        assert_eq!(request["code_challenge_method"], "S256");
        let mut inner = self.lock();
        inner.issued += 1;
        let code = format!("code {}", inner.issued);
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", &request["state"])
            .append_pair("iss", &self.issuer)
            .finish();
        inner.codes.insert(code, request);
        query
    }
}

fn document(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "authorization_response_iss_parameter_supported": true,
    })
}

type Shared = State<Arc<Mutex<Inner>>>;

fn locked(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap()
}

fn enter<'a>(inner: &'a Mutex<Inner>, path: &str) -> Result<MutexGuard<'a, Inner>, StatusCode> {
    let mut inner = locked(inner);
    inner.seen.push(path.to_owned());
    if inner.down { Err(StatusCode::SERVICE_UNAVAILABLE) } else { Ok(inner) }
}

async fn metadata(State(inner): Shared) -> Result<Json<Value>, StatusCode> {
    Ok(Json(enter(&inner, "/.well-known/openid-configuration")?.metadata.clone()))
}

async fn jwks(State(inner): Shared) -> Result<Json<Value>, StatusCode> {
    Ok(Json(json!({ "keys": enter(&inner, "/jwks")?.published })))
}

async fn token(
    State(inner): Shared,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Result<Response, StatusCode> {
    let mut inner = enter(&inner, "/token")?;
    let refused = |status, error| Ok((status, Json(json!({ "error": error }))).into_response());
    let Some(method) = authenticate(&headers, &form) else {
        return refused(StatusCode::UNAUTHORIZED, "invalid_client");
    };
    inner.authenticated.push(method);
    let Some(request) = form.get("code").and_then(|code| inner.codes.remove(code)) else {
        return refused(StatusCode::BAD_REQUEST, "invalid_grant");
    };
    let verifier = form.get("code_verifier").map(String::as_str).unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    let proven = URL_SAFE_NO_PAD.encode(digest) == request["code_challenge"];
    if !proven || form.get("redirect_uri") != request.get("redirect_uri") {
        return refused(StatusCode::BAD_REQUEST, "invalid_grant");
    }
    let mut claims = json!({
        "iss": inner.metadata["issuer"],
        "sub": "alice-at-the-idp",
        "aud": CLIENT,
        "iat": NOW_SECONDS,
        "exp": NOW_SECONDS + 300,
        "nonce": request["nonce"],
        "email": "Alice@Corp.example",
        "email_verified": true,
        "name": "Alice Example",
    });
    for (name, value) in inner.claims.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let id_token = (inner.mint)(&inner.signing, inner.signing.header(), claims);
    let answer = json!({ "access_token": "unused", "token_type": "Bearer", "id_token": id_token });
    Ok(Json(answer).into_response())
}

fn authenticate(headers: &HeaderMap, form: &BTreeMap<String, String>) -> Option<&'static str> {
    if let Some(header) = headers.get("authorization") {
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let expected = STANDARD.encode(format!("{}:{}", encode(CLIENT), encode(SECRET)));
        return (header.to_str().ok()? == format!("Basic {expected}")).then_some("basic");
    }
    if form.get("client_id").map(String::as_str) != Some(CLIENT) {
        return None;
    }
    match form.get("client_secret").map(String::as_str) {
        Some(SECRET) => Some("post"),
        Some(_) => None,
        None => Some("none"),
    }
}
