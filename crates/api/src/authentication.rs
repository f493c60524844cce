//! Who makes a call: from the `authorization` header and the connection's certificate to a caller.
//!
//! What was shown is kept for as long as a stream lives, so that each of its messages is judged by it afresh: a credential that was retired
//! opens nothing on a stream that is still open. What is shown is never printed.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, header::AUTHORIZATION};
use leasehold_control::{Caller, Control, Credentials, Problem};
use leasehold_domain::text::TraceId;
use leasehold_identity::caller::bearer;
use thiserror::Error;

use crate::peer::Peer;

/// What the edge asks about callers.
pub(crate) trait Callers: Send + Sync {
    /// Who shows these credentials; `None` for nobody that is known.
    fn identify(&self, shown: &Credentials, from: IpAddr, trace: TraceId) -> Result<Option<Caller>, Problem>;

    /// A new trace id.
    fn draw_trace(&self) -> TraceId;
}

impl Callers for Control {
    fn identify(&self, shown: &Credentials, from: IpAddr, trace: TraceId) -> Result<Option<Caller>, Problem> {
        Self::identify(self, shown, from, Some(trace))
    }

    fn draw_trace(&self) -> TraceId {
        let mut drawn = [0; 16];
        self.entropy().fill(&mut drawn);
        TraceId::from_bytes(drawn)
    }
}

/// Why a caller is not known. The caller is told none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Unknown {
    /// Neither a credential nor a certificate.
    #[error("nothing was shown")]
    Missing,
    /// An `authorization` that is not one API credential.
    #[error("the authorization is malformed")]
    Malformed,
    /// A credential that is not valid.
    #[error("the credential is not valid")]
    Credential,
    /// A certificate that stands for nobody, and no credential.
    #[error("the certificate stands for nobody")]
    Certificate,
    /// A credential and a certificate of different callers.
    #[error("the credential and the certificate belong to different callers")]
    Disagree,
}

/// Why there is no caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unidentified {
    /// Nobody that is known.
    Unknown(Unknown),
    /// We cannot say.
    Problem(Problem),
}

/// What a caller shows, and from where.
#[derive(Clone)]
pub(crate) struct Shown {
    credential: Option<Arc<Credentials>>,
    certificate: Option<Arc<Credentials>>,
    from: IpAddr,
    trace: TraceId,
}

/// A caller whose identity is established, with what it showed.
#[derive(Clone)]
pub(crate) struct Identified {
    pub(crate) caller: Caller,
    pub(crate) shown: Shown,
}

impl Shown {
    /// Takes what a call shows out of its headers: nothing behind this sees it.
    ///
    /// # Errors
    /// [`Unknown::Missing`] and [`Unknown::Malformed`].
    pub(crate) fn take(headers: &mut HeaderMap, peer: &Peer, trace: TraceId) -> Result<Self, Unknown> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let credential = match (given.next(), given.next()) {
            (None, _) => None,
            (Some(value), None) => Some(bearer(value.as_bytes()).map_err(|_| Unknown::Malformed)?),
            (Some(_), Some(_)) => return Err(Unknown::Malformed),
        };
        headers.remove(AUTHORIZATION);
        let credential = credential.map(|secret| Arc::new(Credentials::Credential(secret)));
        let certificate = peer.certificate().cloned();
        if credential.is_none() && certificate.is_none() {
            return Err(Unknown::Missing);
        }
        Ok(Self { credential, certificate, from: peer.address().ip(), trace })
    }

    /// Who shows it, as things are now. A credential that is shown has to be valid, whatever the certificate says. A certificate that
    /// stands for nobody says nothing; one that stands for a caller has to be the same caller's, and is the proof that counts.
    ///
    /// # Errors
    /// [`Unidentified`].
    pub(crate) fn identify(&self, callers: &dyn Callers) -> Result<Caller, Unidentified> {
        let ask = |shown: &Option<Arc<Credentials>>| match shown {
            Some(shown) => callers.identify(shown, self.from, self.trace).map_err(Unidentified::Problem),
            None => Ok(None),
        };
        let by_credential = ask(&self.credential)?;
        if self.credential.is_some() && by_credential.is_none() {
            return Err(Unidentified::Unknown(Unknown::Credential));
        }
        match (by_credential, ask(&self.certificate)?) {
            (Some(one), Some(other)) if one.actor.principal != other.actor.principal => {
                Err(Unidentified::Unknown(Unknown::Disagree))
            }
            (_, Some(caller)) | (Some(caller), None) => Ok(caller),
            (None, None) => Err(Unidentified::Unknown(Unknown::Certificate)),
        }
    }
}

#[cfg(test)]
#[path = "authentication_tests.rs"]
mod tests;
