//! A started sandbox with one client, one person at each issuer, and the calls a client makes.

use leasehold_sandbox::browser::{Browser, Form};
use leasehold_sandbox::{Behaviour, Client, Options, Person, Sandbox};
use serde_json::Value;
use url::Url;

pub(crate) const CLIENT: &str = "app";
pub(crate) const SECRET: &str = "the secret of the app: 50% & more";
pub(crate) const CALLBACK: &str = "http://127.0.0.1:9/callback";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct Rig {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: reqwest::Client,
}

/// What came back from an endpoint.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn field(&self, name: &str) -> String {
        let json = self.json();
        json[name].as_str().unwrap_or_else(|| panic!("no {name} in {json}")).to_owned()
    }

    pub(crate) fn error(&self) -> String {
        self.field("error")
    }
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::with(Behaviour::default()).await
    }

    pub(crate) async fn with(behaviour: Behaviour) -> Self {
        let client = Client::new(CLIENT, SECRET, CALLBACK)
            .named("The app")
            .post_logout_redirect_uri("http://127.0.0.1:9/bye")
            .behaving(behaviour);
        let sandbox = Sandbox::start(Options {
            people: vec![
                Person::new("alice", PASSWORD, "team@example.test", "Alice"),
                Person::new("bob", PASSWORD, "team@example.test", "Bob"),
            ],
            accounts: vec![
                Person::new("alice", PASSWORD, "alice@saas.test", "Alice A."),
                Person::new("bob", PASSWORD, "bob@saas.test", "Bob B."),
            ],
            idp_clients: vec![client.clone()],
            provider_clients: vec![client, Client::new("other", "the secret of the other one", CALLBACK)],
            ..Options::default()
        })
        .await
        .unwrap();
        Self { sandbox, http: http_client() }
    }

    pub(crate) fn provider(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.provider_issuer())
    }

    pub(crate) fn idp(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.idp_issuer())
    }

    /// An authorization request with a few parameters replaced; an empty value leaves one out.
    pub(crate) fn authorization(&self, base: &str, changes: &[(&str, &str)]) -> String {
        let mut params = vec![
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("redirect_uri", CALLBACK),
            ("scope", "files.read files.write"),
            ("state", "the-state"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        for change in changes {
            params.retain(|(name, _)| name != &change.0);
            if !change.1.is_empty() {
                params.push(*change);
            }
        }
        Url::parse_with_params(base, params).unwrap().into()
    }

    pub(crate) fn browser(&self) -> Browser {
        let mut browser = Browser::new().unwrap();
        browser.stop_before("http://127.0.0.1:9/");
        browser
    }

    /// Signs in at the provider and allows everything; the code.
    pub(crate) async fn code(&self) -> String {
        let mut browser = self.browser();
        let url = self.authorization(&self.provider("/authorize"), &[]);
        browser.goto(&url).await.unwrap();
        browser.submit(&login("alice")).await.unwrap();
        browser.submit(&Form::with_id("consent").press("allow")).await.unwrap();
        browser.query("code").unwrap()
    }

    pub(crate) async fn post(&self, url: &str, fields: &[(&str, &str)]) -> Reply {
        read(self.http.post(url).body(form(fields)).header("content-type", FORM)).await.unwrap()
    }

    pub(crate) async fn token_as(&self, client: (&str, &str), fields: &[(&str, &str)]) -> Reply {
        self.try_token(client, fields).await.unwrap()
    }

    pub(crate) async fn try_token(
        &self,
        client: (&str, &str),
        fields: &[(&str, &str)],
    ) -> reqwest::Result<Reply> {
        let mut fields = fields.to_vec();
        fields.extend([("client_id", client.0), ("client_secret", client.1)]);
        let request = self.http.post(self.provider("/token"));
        read(request.body(form(&fields)).header("content-type", FORM)).await
    }

    pub(crate) async fn exchange(&self, code: &str) -> Reply {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.token_as((CLIENT, SECRET), &fields).await
    }

    /// A first token set: access token, refresh token.
    pub(crate) async fn tokens(&self) -> (String, String) {
        let reply = self.exchange(&self.code().await).await;
        (reply.field("access_token"), reply.field("refresh_token"))
    }

    pub(crate) async fn refresh(&self, token: &str) -> Reply {
        self.try_refresh(token).await.unwrap()
    }

    pub(crate) async fn try_refresh(&self, token: &str) -> reqwest::Result<Reply> {
        self.try_token((CLIENT, SECRET), &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    pub(crate) async fn api(&self, path: &str, token: &str) -> Reply {
        read(self.http.get(self.provider(path)).bearer_auth(token)).await.unwrap()
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) fn login(username: &str) -> Form {
    Form::with_id("login").fill("username", username).fill("password", PASSWORD)
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

pub(crate) async fn read(request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Reply { status, headers, text: response.text().await? })
}

pub(crate) fn http_client() -> reqwest::Client {
    let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}
