//! The account that an ID token names, for providers whose user-info endpoint does not tell what keeps accounts apart.
//!
//! The token came over TLS from the token endpoint itself, in the answer to our own code, which stands in for checking its signature
//! (OpenID Connect Core section 3.1.3.7, rule 6). Whose it is and for whom is checked; it is used for nothing else.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use leasehold_domain::provider::ProviderFailure;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Account, named};
use crate::{
    catalogue::Provider,
    document::Document,
    endpoints::Endpoints,
    failure::{Code, Failure},
};

/// Reads the account out of an ID token of the answer to a code exchange.
///
/// # Errors
/// [`Failure`], of the class [`ProviderFailure::Malformed`], when there is no token, or it is another issuer's or for another
/// client, or names no account.
pub fn account_in_id_token(
    provider: &Provider,
    endpoints: &Endpoints,
    client_id: &str,
    id_token: Option<&SecretString>,
) -> Result<Account, Failure> {
    id_token
        .and_then(claims)
        .filter(|claims| is_of(endpoints, claims) && is_for(client_id, claims))
        .and_then(|claims| named(&provider.entry.account, &claims))
        .ok_or(Failure { class: ProviderFailure::Malformed, code: Code::Absent, status: 200 })
}

fn claims(token: &SecretString) -> Option<Document> {
    let mut parts = token.expose_secret().split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    Document::read_json(&Zeroizing::new(URL_SAFE_NO_PAD.decode(claims).ok()?))
}

/// Whether the issuer is the one that was asked, or the one of the token's own tenant where that one stands for all of them.
fn is_of(endpoints: &Endpoints, claims: &Document) -> bool {
    let Some(fields) = claims.object(None) else { return false };
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let Some(issuer) = text("iss") else { return false };
    match (&endpoints.shared_issuer, &endpoints.issuer) {
        (Some(shared), _) => text("tid").is_some_and(|tenant| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            tenant.bytes().all(plain) && shared.replace("{tenantid}", tenant) == issuer
        }),
        (None, Some(asked)) => issuer == asked.as_str(),
        (None, None) => false,
    }
}

/// Whether it is for this client and no other.
fn is_for(client_id: &str, claims: &Document) -> bool {
    let Some(audience) = claims.object(None).and_then(|fields| fields.get("aud")) else { return false };
    match audience {
        Value::String(only) => only == client_id,
        Value::Array(all) => matches!(all.as_slice(), [only] if only.as_str() == Some(client_id)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}
