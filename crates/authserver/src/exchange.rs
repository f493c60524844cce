//! Token exchange (RFC 8693): a subject's token for a lease.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use leasehold_control::{Acquire, Acquired, SubjectClaim};
use leasehold_domain::{id::GrantId, scope::ScopeSet, text::Uri, time::Span};
use leasehold_identity::subject_token::Declared;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::{
    answer, authentication::Authenticated, edge::Edge, form::Parameters, problem, refusal::Refusal,
    token_type,
};

/// The one grant type.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The longest name or id of a connector, in bytes.
const AUDIENCE_LEN_MAX: usize = 254;
/// What is known, and not done: none of it may be taken for done.
const UNSUPPORTED: [&str; 3] = ["actor_token", "actor_token_type", "authorization_details"];

/// What a request asks for. Without `Debug`: it carries the subject's token.
pub(crate) struct Asked {
    pub(crate) resource: Uri,
    pub(crate) audience: String,
    pub(crate) subject_token: SecretString,
    pub(crate) declared: Declared,
    pub(crate) scopes: Option<ScopeSet>,
    pub(crate) account: Option<GrantId>,
    /// How the answer calls the token.
    pub(crate) issued: &'static str,
}

/// `POST /oauth2/token`.
pub(crate) async fn exchange(
    State(edge): State<Arc<Edge>>,
    client: Authenticated,
    mut parameters: Parameters,
) -> Result<Response, Refusal> {
    client.alone(&edge.control, &mut parameters)?;
    let asked = read(parameters)?;
    let Authenticated(caller) = client;
    let refuse = |problem| problem::refusal(&problem, edge.control.now());
    let mcp_server = edge.control.mcp_server_of_resource(&caller, &asked.resource).await.map_err(refuse)?;
    let acquire = Acquire {
        mcp_server: mcp_server.to_string(),
        connector: asked.audience,
        subject: SubjectClaim::Token(asked.subject_token, asked.declared),
        scopes: asked.scopes,
        account: asked.account,
        min_validity: Span::ZERO,
        ttl: None,
    };
    match edge.control.acquire(&caller, &acquire).await.map_err(refuse)? {
        Acquired::Lease(lease) => Ok(answer::of(&lease, asked.issued)),
        Acquired::ConsentRequired { reason, missing, started } => {
            Err(problem::interaction_required(reason, &missing, started))
        }
    }
}

/// Reads what is asked for. Nothing of a value is ever repeated in a refusal.
pub(crate) fn read(mut parameters: Parameters) -> Result<Asked, Refusal> {
    let grant_type = parameters.need("grant_type")?;
    if *grant_type != GRANT_TYPE {
        let (error, text) = ("unsupported_grant_type", format!("grant_type: {GRANT_TYPE} alone"));
        return Err(Refusal::new(StatusCode::BAD_REQUEST, error, "INVALID_ARGUMENT", text));
    }
    if let Some(name) = UNSUPPORTED.iter().find(|name| parameters.has(name)) {
        let text = format!("{name}: leave it out; whoever authenticates is who acts");
        return Err(invalid(text));
    }
    let declared = token_type::declared(&parameters.need("subject_token_type")?)
        .ok_or_else(|| invalid("subject_token_type: that of a JWT, an ID token or an access token"))?;
    let subject_token = SecretString::from(parameters.need("subject_token")?.to_string());
    let requested = parameters.take("requested_token_type");
    let issued = token_type::issued(requested.as_ref().map(|text| text.as_str())).ok_or_else(|| {
        invalid("requested_token_type: leave it out, or that of an access token or a lease")
    })?;
    let resource = parameters.need_target("resource")?;
    let resource = Uri::new(&resource).map_err(|error| target(format!("resource: {error}")))?;
    let audience = parameters.need_target("audience")?;
    if audience.len() > AUDIENCE_LEN_MAX || audience.chars().any(char::is_control) {
        return Err(target("audience: the name or id of a connector".to_owned()));
    }
    Ok(Asked {
        resource,
        audience: audience.to_string(),
        subject_token,
        declared,
        scopes: parameters.take("scope").map(|text| scopes(&text)).transpose()?,
        account: parameters.take("account").map(|text| account(&text)).transpose()?,
        issued,
    })
}

fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::invalid_request("INVALID_ARGUMENT", text)
}

fn target(text: String) -> Refusal {
    Refusal::invalid_target("INVALID_ARGUMENT", text)
}

fn scopes(text: &Zeroizing<String>) -> Result<ScopeSet, Refusal> {
    text.parse().map_err(|error| {
        let text = format!("scope: {error}");
        Refusal::new(StatusCode::BAD_REQUEST, "invalid_scope", "INVALID_ARGUMENT", text)
    })
}

fn account(text: &Zeroizing<String>) -> Result<GrantId, Refusal> {
    text.parse().map_err(|error| invalid(format!("account: {error}")))
}

#[cfg(test)]
#[path = "tests/exchange.rs"]
mod tests;
