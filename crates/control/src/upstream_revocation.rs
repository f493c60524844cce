//! Revoking ended tokens at their provider: the refresh token, then the access token, retried until the provider confirms or has no way.

use std::collections::BTreeMap;

use leasehold_domain::{
    command::Command,
    connector::Connector,
    grant::{self, UpstreamTarget},
    provider::ProviderFailure,
    rejection::{Kind, Rejection},
    state::BlobKey,
};
use leasehold_failpoint::failpoint;
use leasehold_upstream::{
    failure::Failure,
    revoke::{Revocation, RevokeError, Revoked, TokenKind, parse_revocation},
};
use secrecy::SecretString;

use crate::{
    control::Control,
    counterpart::Line,
    problem::Problem,
    tokens::{self, ClearTokens, Place},
};

/// How the provider took it.
enum End {
    Confirmed,
    Unsupported,
    Failed(ProviderFailure),
}

impl Control {
    /// Tries once, and records how it ended.
    ///
    /// # Errors
    /// [`Problem`] where the end could not be recorded; it is then tried again.
    pub(crate) async fn revoke_upstream(&self, target: UpstreamTarget) -> Result<(), Problem> {
        let end = match self.tokens_to_revoke(target) {
            Ok(Some((connector, sets))) => match self.line(&connector).await {
                Ok(line) => {
                    failpoint!("revocation.before-send");
                    self.revoke_all(&line, &sets).await
                }
                Err(failure) => End::Failed(failure),
            },
            // There is nothing that could be revoked any more.
            Ok(None) => End::Unsupported,
            // What cannot be opened here is no better a moment later.
            Err(_) => End::Failed(ProviderFailure::RequestFault),
        };
        let command = match end {
            End::Confirmed => grant::Command::ConfirmUpstream { target },
            End::Unsupported => grant::Command::FailUpstream { target, failure: None },
            End::Failed(failure) => {
                tracing::warn!(?target, ?failure, "a provider did not revoke; it is tried again");
                grant::Command::FailUpstream { target, failure: Some(failure) }
            }
        };
        failpoint!("revocation.before-outcome");
        match self.propose_as_cluster(Command::Grant(command)).await {
            Ok(_) | Err(Problem::Rejected(Rejection::Unknown(_))) => {
                failpoint!("revocation.recorded");
                Ok(())
            }
            Err(problem) => Err(problem),
        }
    }

    /// Every token set that has to be reached; none where nothing could be revoked any more.
    fn tokens_to_revoke(
        &self,
        target: UpstreamTarget,
    ) -> Result<Option<(Connector, Vec<ClearTokens>)>, Problem> {
        match target {
            UpstreamTarget::Grant(id) => {
                let known = self
                    .read_now(|state| state.grants.get(&id).cloned())
                    .ok_or(Problem::Unknown(Kind::Grant))?;
                let mut sets = Vec::new();
                for generation in known.generations_to_revoke() {
                    let Some(blob) = self.blob(&BlobKey::Tokens(id, generation))? else { continue };
                    let place = Place { generation, ..self.place(&known) };
                    let mut clear = tokens::unseal_access(&self.keyring(), place, &blob)?;
                    clear.refresh_token = tokens::unseal_refresh(&self.keyring(), place, &blob)?;
                    sets.push(clear);
                }
                let connector = self.connector_of(known.key.connector)?;
                Ok((!sets.is_empty()).then_some((connector, sets)))
            }
            UpstreamTarget::Authorization(id) => {
                let known = self.read_now(|state| state.authorizations.get(&id).cloned());
                let (Some(known), Some(blob)) = (known, self.blob(&BlobKey::PendingTokens(id))?) else {
                    return Ok(None);
                };
                let clear = tokens::unseal_pending(&self.keyring(), self.organisation(), id, &blob)?;
                Ok(Some((self.connector_of(known.connector)?, vec![clear])))
            }
        }
    }

    async fn revoke_all(&self, line: &Line, sets: &[ClearTokens]) -> End {
        let mut confirmed = false;
        for set in sets {
            match self.revoke_both(line, set).await {
                End::Confirmed => confirmed = true,
                End::Unsupported => {}
                End::Failed(failure) => return End::Failed(failure),
            }
        }
        if confirmed { End::Confirmed } else { End::Unsupported }
    }

    async fn revoke_both(&self, line: &Line, tokens: &ClearTokens) -> End {
        let refresh = match &tokens.refresh_token {
            Some(token) => self.revoke_one(line, token, TokenKind::Refresh).await,
            None => End::Unsupported,
        };
        if let End::Failed(failure) = refresh {
            return End::Failed(failure);
        }
        let spared = tokens.refresh_token.is_some() && line.provider.entry.revocation.spares_refresh_token;
        match (refresh, self.revoke_one(line, &tokens.access_token, TokenKind::Access).await) {
            (_, End::Failed(failure)) => End::Failed(failure),
            // What was ended is less than half of it: the refresh token brings the next one.
            (End::Unsupported, End::Confirmed) if spared => End::Unsupported,
            (End::Unsupported, End::Unsupported) => End::Unsupported,
            _ => End::Confirmed,
        }
    }

    async fn revoke_one(&self, line: &Line, token: &SecretString, kind: TokenKind) -> End {
        let inputs = BTreeMap::new();
        let mut secret = 0;
        loop {
            let revocation =
                Revocation { counterpart: line.counterpart(secret), inputs: &inputs, token, kind };
            let call = match revocation.call() {
                Ok(call) => call,
                Err(RevokeError::Unsupported) => return End::Unsupported,
                Err(_) => return End::Failed(ProviderFailure::RequestFault),
            };
            let failure: Failure = match call.send(self.transport(), self.now()).await {
                Ok(answer) => {
                    failpoint!("revocation.answered");
                    match parse_revocation(&line.provider, &answer) {
                        Ok(Revoked::Confirmed) => return End::Confirmed,
                        Ok(Revoked::KindUnsupported) => return End::Unsupported,
                        Err(failure) => failure,
                    }
                }
                Err(error) => return End::Failed(error.class()),
            };
            match line.client.next_secret(secret, &failure) {
                Some(next) => secret = next,
                None => return End::Failed(failure.class),
            }
        }
    }
}
