//! The consent page: each scope may be unticked, the whole may be denied, the account may be changed.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::Provider;
use crate::authorize::Problem;
use crate::front::{Detour, Front, Site as _};
use crate::ledger::{Issued, TokenKind};
use crate::options::Scope;
use crate::page;
use crate::params::Params;
use crate::secret;
use crate::visits::{Session, Transaction};

pub(crate) async fn show(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Detour> {
    let params = Params::parse(query.as_deref().unwrap_or("").as_bytes(), &[]).unwrap_or_default();
    let (transaction, session) = provider.under_way(&headers, params.get("transaction"))?;
    let Some(account) = provider.front.people.of_subject(&session.subject) else {
        return Ok(Front::login_step(&transaction));
    };
    let request = &transaction.request;
    let asked: Vec<Scope> =
        provider.scopes.iter().filter(|scope| request.scope.contains(&scope.name)).cloned().collect();
    let target = request.redirect_uri.origin().ascii_serialization();
    let form = page::Consent {
        title: "Allow access",
        site: provider.front.name,
        client: &request.client_name,
        account: &account.person.username,
        email: &account.person.email,
        transaction: &transaction.id,
        scopes: &asked,
        destination: request.redirect_uri.host_str().unwrap_or(request.redirect_uri.scheme()),
    };
    Ok(page::page(StatusCode::OK, &form, Some(&target)))
}

pub(crate) async fn decide(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Detour> {
    provider.front.same_origin(&headers)?;
    let params = Params::of_form(&headers, &body, &["scope"]).unwrap_or_default();
    let (transaction, session) = provider.under_way(&headers, params.get("transaction"))?;
    let denied = Problem { error: "access_denied", description: "the person said no" };
    let refuse = || {
        provider.front.visits.end(&transaction.id);
        provider.front.refuse(&transaction.request, denied)
    };
    Ok(match params.get("decision") {
        Some("allow") => {
            let ticked = params.all("scope");
            let mut granted = transaction.request.scope.clone();
            granted.retain(|scope| ticked.contains(scope));
            if granted.is_empty() { refuse() } else { provider.grant(&transaction, &session, granted) }
        }
        Some("switch") => {
            provider.front.visits.sign_out(&transaction.browser);
            Front::login_step(&transaction)
        }
        Some(_) | None => refuse(),
    })
}

impl Provider {
    /// The transaction a request names and who is signed in for it; else where to go instead.
    fn under_way(&self, headers: &HeaderMap, id: Option<&str>) -> Result<(Transaction, Session), Detour> {
        let transaction = self.front.transaction(headers, id)?;
        let Some(session) = self.front.visits.session(&transaction.browser, self.front.clock.now()) else {
            return Err(Front::login_step(&transaction).into());
        };
        if let Some(problem) = transaction.request.problem {
            self.front.visits.end(&transaction.id);
            return Err(self.front.refuse(&transaction.request, problem).into());
        }
        Ok((transaction, session))
    }

    fn grant(&self, transaction: &Transaction, session: &Session, granted: Vec<String>) -> Response {
        let front = self.front();
        front.visits.end(&transaction.id);
        let now = front.clock.now();
        let request = &transaction.request;
        let (text, code) = self.codes.issue(request, &session.subject, session.signed_in_at, granted, now);
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
        front.respond(request, &[("code", &text)])
    }
}
