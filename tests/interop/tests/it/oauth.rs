//! The client's half of an authorization code flow, by hand, for one fixed client and account.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use leasehold_interop::{Account, Client, OidcProvider, ProviderConfig, Toolchain};
use reqwest::StatusCode;
use serde_json::Value;
use url::Url;

use crate::browser::{Browser, Stop};

pub(crate) const CALLBACK: &str = "http://127.0.0.1:9/callback";
pub(crate) const CLIENT: &str = "leasehold";
const CLIENT_SECRET: &str = "the client's secret: it has + & and %";
pub(crate) const AUDITOR: &str = "resource-server";
const AUDITOR_SECRET: &str = "another secret";
pub(crate) const LOGIN: &str = "alice";
pub(crate) const PASSWORD: &str = "correct horse";
const VERIFIER: &str = "a-verifier-of-at-least-43-characters-0123456789";

pub(crate) fn config() -> ProviderConfig {
    ProviderConfig::new(
        vec![Client::web(CLIENT, CLIENT_SECRET, CALLBACK), Client::service(AUDITOR, AUDITOR_SECRET)],
        vec![Account::new(LOGIN, PASSWORD), Account::new("bob", "battery staple")],
    )
}

pub(crate) async fn start(toolchain: &Toolchain) -> OidcProvider {
    start_with(toolchain, &config()).await
}

pub(crate) async fn start_with(toolchain: &Toolchain, config: &ProviderConfig) -> OidcProvider {
    let started = OidcProvider::start(toolchain, config).await;
    started.unwrap_or_else(|error| unreachable!("the provider does not start: {error}"))
}

/// An answer of one of the provider's endpoints.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> &str {
        let field = self.body.get(name).and_then(Value::as_str);
        field.unwrap_or_else(|| unreachable!("no {name} in {} {}", self.status, self.body))
    }

    pub(crate) fn scopes(&self) -> Vec<&str> {
        self.field("scope").split(' ').collect()
    }
}

/// The tokens of one answer of the token endpoint.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// A client of `provider`, and the browser of the person in front of it.
pub(crate) struct Flow<'a> {
    provider: &'a OidcProvider,
    http: reqwest::Client,
    pub(crate) browser: Browser,
}

impl<'a> Flow<'a> {
    pub(crate) fn new(provider: &'a OidcProvider) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a plain client can be made");
        Self { provider, http, browser: Browser::new() }
    }

    pub(crate) fn authorize_url(&self, changes: &[(&str, Option<&str>)]) -> Url {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
        let mut query = BTreeMap::from([
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("redirect_uri", CALLBACK),
            ("scope", "openid email files.read files.write"),
            ("state", "the state"),
            ("code_challenge_method", "S256"),
            ("code_challenge", &challenge),
        ]);
        for (name, value) in changes {
            match value {
                Some(value) => query.insert(name, value),
                None => query.remove(name),
            };
        }
        Url::parse_with_params(&format!("{}/auth", self.provider.issuer()), query).expect("a URL")
    }

    /// Opens the authorize URL and signs in; stops at the consent page.
    pub(crate) async fn sign_in(&self, changes: &[(&str, Option<&str>)]) -> Stop {
        let page = self.browser.open(self.authorize_url(changes), CALLBACK).await;
        let form = page.form("login").with("login", LOGIN).with("password", PASSWORD);
        self.browser.submit(form, CALLBACK).await
    }

    /// Signs in and allows all that is asked; the parameters that reach the callback.
    pub(crate) async fn approve(&self, changes: &[(&str, Option<&str>)]) -> BTreeMap<String, String> {
        let consent = self.sign_in(changes).await.form("consent").with("decision", "allow");
        self.browser.submit(consent, CALLBACK).await.parameters()
    }

    /// The whole flow.
    pub(crate) async fn tokens(&self) -> Tokens {
        let callback = self.approve(&[]).await;
        tokens(&self.exchange(callback.get("code").expect("an approved request gets a code")).await)
    }

    pub(crate) async fn exchange(&self, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.post("/token", &form, CLIENT, CLIENT_SECRET).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.post("/token", &form, CLIENT, CLIENT_SECRET).await
    }

    pub(crate) async fn revoke(&self, token: &str) -> Answer {
        self.post("/token/revocation", &[("token", token)], CLIENT, CLIENT_SECRET).await
    }

    /// Asks about `token` as a resource server would.
    pub(crate) async fn introspect(&self, token: &str) -> Value {
        self.post("/token/introspection", &[("token", token)], AUDITOR, AUDITOR_SECRET).await.body
    }

    pub(crate) async fn get(&self, url: &str, token: &str) -> Answer {
        answer(self.http.get(url).bearer_auth(token)).await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)], id: &str, secret: &str) -> Answer {
        // RFC 6749, section 2.3.1: both are form-encoded before they become user and password.
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let url = format!("{}{path}", self.provider.issuer());
        answer(self.http.post(url).basic_auth(encode(id), Some(encode(secret))).form(form)).await
    }
}

/// The tokens in a good answer.
pub(crate) fn tokens(answer: &Answer) -> Tokens {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    Tokens {
        access: answer.field("access_token").to_owned(),
        refresh: answer.field("refresh_token").to_owned(),
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("the provider answers");
    let status = response.status();
    let text = response.text().await.expect("a body");
    Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
}
