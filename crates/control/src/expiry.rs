//! When an access token ends, where the provider's answer does not say and only introspection tells.
//!
//! The answer is durable before this asks, and nothing that goes wrong here can cost it: then the end is the one that the entry derives.

use leasehold_upstream::{
    introspect::{Introspected, Introspection, parse_introspection},
    revoke::TokenKind,
    token::{Expiry, ExpirySource, TokenSet},
};
use tokio::time::{Duration, timeout};

use crate::{control::Control, counterpart::Line};

/// How long a provider may take to say it. The token set waits to be committed meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

impl Control {
    /// The set with the end that introspection tells, if the entry says that nothing else does. `secret` is the one of the client's that
    /// the provider took last.
    pub(crate) async fn with_true_end(&self, line: &Line, secret: usize, mut set: TokenSet) -> TokenSet {
        let stated = set.expires_at.is_some_and(|end| end.source == ExpirySource::Stated);
        if stated || !line.provider.entry.introspection.decides_expiry {
            return set;
        }
        let counterpart = line.counterpart(secret);
        let introspection = Introspection { counterpart, token: &set.access_token, kind: TokenKind::Access };
        let Ok(call) = introspection.call() else { return set };
        let connector = line.connector.id;
        let Ok(Ok(answer)) = timeout(PATIENCE, call.send(self.transport(), self.now())).await else {
            tracing::warn!(%connector, "a provider did not say when a token ends");
            return set;
        };
        match parse_introspection(&line.provider, &answer) {
            Ok(Introspected::Active { expires_at: Some(at), .. }) if at > answer.received => {
                set.expires_at = Some(Expiry { at, source: ExpirySource::Introspected });
            }
            Ok(Introspected::Active { .. } | Introspected::Inactive) | Err(_) => {
                tracing::warn!(%connector, "a provider did not say when a token ends");
            }
        }
        set
    }
}
