//! The authorization endpoint's reading of a request, the same for both issuers (OAuth 2.1 section 4.1.1).
//!
//! A bad client or redirect URI ends on a page of ours. Anything else that is wrong is sent to the client, but only after
//! the person has signed in, so that the endpoint cannot be used to bounce strangers (RFC 9700 section 4.11.2).

use url::Url;

use crate::clients::Clients;
use crate::options::Client;
use crate::params::{Params, ParamsError};

const STATE_MAX: usize = 2_048;

/// A request whose client and redirect URI are in order.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) client: String,
    pub(crate) client_name: String,
    pub(crate) redirect_uri: Url,
    /// The redirect URI as it was sent: the token request must repeat it byte by byte.
    pub(crate) redirect_uri_text: String,
    pub(crate) scope: Vec<String>,
    pub(crate) state: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: String,
    pub(crate) resource: Vec<String>,
    pub(crate) prompt: Vec<String>,
    pub(crate) login_hint: Option<String>,
    /// What is wrong with it, to be told to the client.
    pub(crate) problem: Option<Problem>,
}

/// An error for the client (RFC 6749 section 4.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) error: &'static str,
    pub(crate) description: &'static str,
}

/// A request that must not lead to any redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("a parameter of the request is repeated, or there are too many")]
    Malformed,
    #[error("the client is not registered here")]
    UnknownClient,
    #[error("the redirect address is not one that the client registered")]
    UnknownRedirect,
}

impl From<ParamsError> for Unusable {
    fn from(_: ParamsError) -> Self {
        Self::Malformed
    }
}

/// What the issuer makes of the scopes asked for.
pub(crate) type ScopeRule<'a> = &'a dyn Fn(Vec<String>) -> Result<Vec<String>, Problem>;

/// Reads an authorization request.
pub(crate) fn read(query: &str, clients: &Clients, scopes: ScopeRule<'_>) -> Result<Request, Unusable> {
    let params = Params::parse(query.as_bytes(), &[])?;
    let client = params.get("client_id").and_then(|id| clients.get(id)).ok_or(Unusable::UnknownClient)?;
    let (text, redirect_uri) = redirect_uri(&params, &client).ok_or(Unusable::UnknownRedirect)?;
    let (scope, mut problem) = match scopes(params.list("scope")) {
        Ok(scope) => (scope, None),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    if let Err(found) = judge(&params) {
        problem = Some(found);
    }
    let short = |name: &str| params.get(name).filter(|text| text.len() <= STATE_MAX).map(str::to_owned);
    Ok(Request {
        client: client.id.clone(),
        client_name: client.name.clone(),
        redirect_uri,
        redirect_uri_text: text,
        scope,
        state: short("state"),
        nonce: short("nonce"),
        challenge: params.get("code_challenge").unwrap_or("").to_owned(),
        resource: params.all("resource"),
        prompt: params.list("prompt"),
        login_hint: short("login_hint"),
        problem,
    })
}

fn redirect_uri(params: &Params, client: &Client) -> Option<(String, Url)> {
    let asked = params.get("redirect_uri")?;
    let known = client.redirect_uris.iter().find(|known| known.as_str() == asked)?;
    Some((known.clone(), Url::parse(known).ok()?))
}

fn judge(params: &Params) -> Result<(), Problem> {
    let invalid = |description| Err(Problem { error: "invalid_request", description });
    match params.get("response_type") {
        Some("code") => {}
        None => return invalid("response_type is missing"),
        Some(_) => {
            let description = "only response_type=code is supported";
            return Err(Problem { error: "unsupported_response_type", description });
        }
    }
    if params.get("response_mode").is_some_and(|mode| mode != "query") {
        return invalid("only response_mode=query is supported");
    }
    if params.get("code_challenge_method") != Some("S256") {
        return invalid("PKCE with code_challenge_method=S256 is required");
    }
    // A SHA-256 in base64url has 43 characters, always.
    let is_challenge = |text: &str| {
        text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if !params.get("code_challenge").is_some_and(is_challenge) {
        return invalid("code_challenge is missing or no SHA-256");
    }
    if ["state", "nonce", "login_hint"].iter().any(|name| params.get(name).unwrap_or("").len() > STATE_MAX) {
        return invalid("a parameter is too long");
    }
    let is_resource = |text: &String| Url::parse(text).is_ok_and(|resource| resource.fragment().is_none());
    if !params.all("resource").iter().all(is_resource) {
        let description = "resource must be an absolute URI without a fragment";
        return Err(Problem { error: "invalid_target", description });
    }
    Ok(())
}

/// What an authorization response says of its issuer (RFC 9207).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IssuerParameter {
    /// The truth.
    #[default]
    Stated,
    /// Nothing, although the metadata promise it.
    Omitted,
    /// Another issuer, as in a mix-up attack.
    Claimed(String),
}

impl IssuerParameter {
    fn value<'a>(&'a self, issuer: &'a str) -> Option<&'a str> {
        match self {
            Self::Stated => Some(issuer),
            Self::Omitted => None,
            Self::Claimed(other) => Some(other),
        }
    }
}

/// The client's redirect URI with a response in its query.
pub(crate) fn response(
    request: &Request,
    issuer: &str,
    parameter: &IssuerParameter,
    fields: &[(&str, &str)],
) -> String {
    let mut target = request.redirect_uri.clone();
    {
        let mut query = target.query_pairs_mut();
        query.extend_pairs(fields);
        if let Some(state) = &request.state {
            query.append_pair("state", state);
        }
        if let Some(issuer) = parameter.value(issuer) {
            query.append_pair("iss", issuer);
        }
    }
    target.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const GOOD: &str = "response_type=code&client_id=app&redirect_uri=https%3A%2F%2Fapp.test%2Fcb&state=s\
        &code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn read_it(query: &str) -> Result<Request, Unusable> {
        let clients = Clients::new(vec![Client::new("app", "secret", "https://app.test/cb")], Arc::default());
        read(query, &clients, &Ok)
    }

    fn problem_of(query: &str) -> &'static str {
        read_it(query).unwrap().problem.unwrap().error
    }

    #[test]
    fn a_good_request_has_no_problem() {
        assert_eq!(read_it(GOOD).unwrap().problem, None);
    }

    #[test]
    fn only_the_exact_redirect_uri_is_accepted() {
        for near in [
            "https://app.test/cb/",
            "https://app.test:443/cb",
            "https://APP.test/cb",
            "https://app.test/cb?x=1",
        ] {
            let encoded: String = url::form_urlencoded::byte_serialize(near.as_bytes()).collect();
            let query = GOOD.replace("https%3A%2F%2Fapp.test%2Fcb", &encoded);
            assert_eq!(read_it(&query).unwrap_err(), Unusable::UnknownRedirect, "{near}");
        }
    }

    #[test]
    fn plain_or_missing_pkce_is_refused() {
        assert_eq!(problem_of(&GOOD.replace("S256", "plain")), "invalid_request");
        assert_eq!(problem_of(&GOOD.replace("&code_challenge_method=S256", "")), "invalid_request");
        assert_eq!(problem_of(&GOOD.replace("tw-cM", "")), "invalid_request");
    }

    #[test]
    fn other_response_types_are_refused() {
        assert_eq!(problem_of(&GOOD.replace("=code&client", "=token&client")), "unsupported_response_type");
    }

    #[test]
    fn a_repeated_parameter_never_leads_to_a_redirect() {
        assert_eq!(read_it(&format!("{GOOD}&state=other")).unwrap_err(), Unusable::Malformed);
    }

    #[test]
    fn the_response_keeps_the_query_of_the_redirect_uri_and_names_the_issuer() {
        let mut request = read_it(GOOD).unwrap();
        request.redirect_uri = Url::parse("https://app.test/cb?kept=1").unwrap();
        let target = response(&request, "http://issuer.test", &IssuerParameter::Stated, &[("code", "c")]);
        assert_eq!(target, "https://app.test/cb?kept=1&code=c&state=s&iss=http%3A%2F%2Fissuer.test");
    }
}
