//! A client of token exchange, and the subject tokens that it shows: ID tokens that the sandbox's identity provider issues to whom they are
//! addressed, by its own code flow.

use leasehold_journey::{World, world::none_in};
use leasehold_sandbox::{
    Client, Issuer,
    browser::{Browser, Form},
};
use serde_json::Value;
use url::{Url, form_urlencoded::Serializer};

/// The MCP server's resource.
pub(super) const RESOURCE: &str = "https://files.example.test/mcp";
/// The workload.
pub(super) const GATEWAY: &str = "demo-gateway";
pub(super) const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
pub(super) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const FORM: &str = "application/x-www-form-urlencoded";
const CALLBACK: &str = "http://127.0.0.1:9/callback";
// The pair of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) json: Value,
}

impl Answer {
    pub(super) fn text(&self, member: &str) -> &str {
        let found = self.json.get(member).and_then(Value::as_str);
        assert!(found.is_some(), "no {member} in {}", self.json);
        found.unwrap_or_default()
    }

    /// Status, error and reason of a refusal.
    pub(super) fn refusal(&self) -> (u16, &str, &str) {
        assert!(self.json.get("access_token").is_none(), "a token was given");
        (self.status, self.text("error"), self.text("reason"))
    }
}

/// How a client authenticates.
#[derive(Clone, Copy)]
pub(super) enum By<'a> {
    Basic(&'a str, &'a str),
    Bearer(&'a str),
    Nothing,
}

/// Parameters of an exchange of this token for the sandbox connector's, and some of them replaced; one without value is left out.
pub(super) fn parameters<'a>(token: &'a str, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        ("grant_type", GRANT_TYPE),
        ("subject_token", token),
        ("subject_token_type", JWT),
        ("resource", RESOURCE),
        ("audience", "sandbox"),
        ("scope", "files.read"),
    ];
    for change in changes {
        all.retain(|(name, _)| *name != change.0);
        all.push(*change);
    }
    all
}

pub(super) fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// A form to one of the endpoints, for tests that want something odd of it.
pub(super) fn request(
    world: &World,
    path: &str,
    by: By<'_>,
    fields: &[(&str, &str)],
) -> reqwest::RequestBuilder {
    let body = Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = http().post(format!("http://{}{path}", world.dev.node.exchange));
    let request = request.header("content-type", FORM).body(body);
    match by {
        By::Basic(name, secret) => request.basic_auth(name, Some(secret)),
        By::Bearer(secret) => request.bearer_auth(secret),
        By::Nothing => request,
    }
}

/// Sends it. Whatever comes back may not be kept, and a refusal carries no secret that ever was.
pub(super) async fn send(world: &World, request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await.unwrap();
    assert_eq!(headers.get("cache-control").unwrap(), "no-store");
    assert_eq!(headers.get("pragma").unwrap(), "no-cache");
    assert!(!headers.keys().any(|name| name.as_str().starts_with("access-control")));
    if status != 200 {
        none_in(&world.canaries(), &bytes).unwrap();
        none_in(&world.canaries(), format!("{headers:?}").as_bytes()).unwrap();
    }
    let json = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    Answer { status, headers, json }
}

/// The gateway exchanges a token.
pub(super) async fn exchange(world: &World, token: &str, changes: &[(&str, &str)]) -> Answer {
    let by = By::Basic(GATEWAY, &world.gateway_credential);
    send(world, request(world, "/oauth2/token", by, &parameters(token, changes))).await
}

/// Somebody exchanges a token.
pub(super) async fn exchange_by(world: &World, by: By<'_>, token: &str) -> Answer {
    send(world, request(world, "/oauth2/token", by, &parameters(token, &[]))).await
}

/// The gateway gives a lease back.
pub(super) async fn release(world: &World, by: By<'_>, token: &str) -> Answer {
    send(world, request(world, "/oauth2/revoke", by, &[("token", token)])).await
}

/// An ID token of somebody that is addressed to `audience`. Each call is a sign-in of its own.
pub(super) async fn subject_token(world: &World, name: &str, audience: &str) -> String {
    let secret = format!("the client secret of {audience}");
    let client = Client::new(audience, secret.clone(), CALLBACK);
    world.sandbox().register_client(Issuer::Idp, client).unwrap();
    let idp = world.dev.secrets.issuers().unwrap().idp;
    let query = [
        ("response_type", "code"),
        ("client_id", audience),
        ("redirect_uri", CALLBACK),
        ("scope", "openid"),
        ("state", "of-the-test"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let mut browser = Browser::new().unwrap();
    browser.stop_before("http://127.0.0.1:9/");
    let address: String = Url::parse_with_params(&format!("{idp}/authorize"), query).unwrap().into();
    browser.goto(&address).await.unwrap();
    let form =
        Form::with_id("login").fill("username", name).fill("password", world.dev.secrets.password(name));
    browser.submit(&form).await.unwrap();
    let code = browser.query("code").unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("client_id", audience),
        ("client_secret", secret.as_str()),
    ];
    let answer = http().post(format!("{idp}/token")).form(&fields).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer.get("id_token").and_then(Value::as_str).unwrap().to_owned()
}
