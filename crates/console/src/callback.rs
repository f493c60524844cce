//! The provider sends the browser back. The address carries a code, so nothing is ever shown here: the answer is another address.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use leasehold_control::CallbackEnd;
use leasehold_domain::{id::ConnectorId, rejection::Rejection};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    cookies,
    edge::{Edge, account_path, done_path, see_other_with},
    problem::Refusal,
    state_cookie::StateCookie,
    trouble::Trouble,
    visit::Visit,
};

/// Takes the provider's answer. The state cookie that it belongs to is forgotten, whatever comes of it; an answer that belongs to none
/// forgets none, so that nobody can end a consent by sending a browser here.
pub(crate) async fn take(
    State(edge): State<Arc<Edge>>,
    visit: Visit,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Refusal> {
    let connector = called(&edge, uri.path()).ok_or(Trouble::NotFound)?;
    let query = SecretString::from(uri.query().unwrap_or_default().to_owned());
    let kept = kept_state(&edge, &visit, &query).ok_or(Trouble::StateMismatch)?;
    let id = kept.authorization;
    let forgotten = cookies::clear(&edge.site, &cookies::state_name(&edge.site, id));
    match settle(&edge, &visit, connector, &kept, &query).await {
        Ok(CallbackEnd::ConfirmAccount) => Ok(see_other_with(&account_path(id), [forgotten])?),
        Ok(CallbackEnd::RefusedByProvider | CallbackEnd::Ended(_)) => {
            Ok(see_other_with(&done_path(id), [forgotten])?)
        }
        Err(refusal) => Err(refusal.about(id).with_cookie(forgotten)),
    }
}

async fn settle(
    edge: &Edge,
    visit: &Visit,
    connector: ConnectorId,
    kept: &StateCookie,
    query: &SecretString,
) -> Result<CallbackEnd, Refusal> {
    let known = edge.signed_in(visit).await?.ok_or(Trouble::SessionEnded)?;
    if known.person.session != kept.session {
        return Err(Trouble::of(&Rejection::SessionMismatch.into()).into());
    }
    let query = query.expose_secret();
    Ok(edge.control.callback(known.person, kept.authorization, &kept.state, connector, query).await?)
}

/// The connector whose own redirect URI was called, byte for byte.
fn called(edge: &Edge, path: &str) -> Option<ConnectorId> {
    let (_, last) = path.rsplit_once('/')?;
    let id: ConnectorId = last.parse().ok()?;
    let connector = edge.control.read_now(|state| state.connectors.get(&id).cloned())?;
    let redirect_uri = edge.control.redirect_uri(&connector);
    (redirect_uri == format!("{}{path}", edge.site.origin)).then_some(id)
}

/// The state that this browser was given and that the callback carries, among those that it holds.
fn kept_state(edge: &Edge, visit: &Visit, query: &SecretString) -> Option<StateCookie> {
    let presented = presented_state(query.expose_secret())?;
    let now = edge.control.now();
    visit.cookies.states(&edge.site).into_iter().find_map(|id| {
        let value = visit.cookies.value(&cookies::state_name(&edge.site, id))?;
        let kept = StateCookie::open(&edge.control.keyring(), id, value, now)?;
        kept.matches(presented.expose_secret()).then_some(kept)
    })
}

/// The state in a query; nothing where there is none or more than one. It only finds the cookie: whether the answer is believed is judged
/// with all of its parameters.
fn presented_state(query: &str) -> Option<SecretString> {
    let mut states = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "state");
    let (_, state) = states.next()?;
    states.next().is_none().then(|| SecretString::from(state.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_only_where_there_is_exactly_one() {
        let read = |query| presented_state(query).map(|state| state.expose_secret().to_owned());
        assert_eq!(read("code=c&state=s%20t&iss=i").as_deref(), Some("s t"));
        for query in ["", "code=c", "state=a&state=a", "state=a&state=b", "State=a"] {
            assert_eq!(read(query), None, "{query}");
        }
    }
}
