//! Who calls, as an edge has established it, and where from.

use std::net::IpAddr;

use leasehold_domain::{
    actor::{Actor, Origin, Principal, Proof},
    command::RequestKey,
    id::{AdministratorId, SubjectId, WorkloadId},
    text::{Fingerprint, TraceId},
};
use leasehold_identity::caller as identify;
use leasehold_vault::CredentialSecret;

use crate::{control::Control, problem::Problem};

/// What a caller shows.
pub enum Credentials {
    /// An API credential.
    Credential(CredentialSecret),
    /// A client certificate that the TLS handshake verified, in DER form.
    Certificate(Vec<u8>),
}

/// A caller whose identity is established.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who, by which proof, from where.
    pub actor: Actor,
    /// Under which name the caller may repeat the request.
    pub request: Option<RequestKey>,
}

impl Caller {
    /// The same caller, with a request that it may repeat.
    #[must_use]
    pub fn with_request(self, request: Option<RequestKey>) -> Self {
        Self { request, ..self }
    }

    pub(crate) fn workload(&self) -> Result<WorkloadId, Problem> {
        match self.actor.principal {
            Principal::Workload(id) => Ok(id),
            Principal::Cluster
            | Principal::Bootstrap(_)
            | Principal::Administrator(_)
            | Principal::Person(_) => Err(Problem::WrongCaller),
        }
    }

    pub(crate) fn administrator(&self) -> Result<AdministratorId, Problem> {
        match self.actor.principal {
            Principal::Administrator(id) => Ok(id),
            Principal::Cluster | Principal::Bootstrap(_) | Principal::Workload(_) | Principal::Person(_) => {
                Err(Problem::WrongCaller)
            }
        }
    }

    pub(crate) fn certificate(&self) -> bool {
        matches!(self.actor.proof, Proof::Certificate(_))
    }
}

impl Control {
    /// Says who shows these credentials. `None` for nobody that is known: which of the reasons is told to nobody.
    ///
    /// # Errors
    /// [`Problem::Fault`] where addresses cannot be made pseudonyms.
    pub fn identify(
        &self,
        shown: &Credentials,
        from: IpAddr,
        trace: Option<TraceId>,
    ) -> Result<Option<Caller>, Problem> {
        let now = self.now();
        let known = self.read_now(|state| match shown {
            Credentials::Credential(secret) => identify::by_credential(state, now, secret),
            Credentials::Certificate(der) => identify::by_certificate(state, now, der),
        });
        match known {
            Ok((principal, proof)) => {
                let actor = Actor { principal, proof, origin: self.origin(from, trace)? };
                Ok(Some(Caller { actor, request: None }))
            }
            Err(refused) => {
                tracing::info!(reason = %refused, "a caller was refused");
                Ok(None)
            }
        }
    }

    /// Whether a caller is a workload that goes by this id or name.
    pub fn goes_by(&self, caller: &Caller, named: &str) -> bool {
        let Ok(workload) = caller.workload() else { return false };
        self.read_now(|state| {
            let name = state.workloads.get(&workload).map(|known| known.name.as_str());
            name == Some(named) || workload.to_string() == named
        })
    }

    /// The person whose browser session was verified.
    ///
    /// # Errors
    /// [`Problem::Fault`] where addresses cannot be made pseudonyms.
    pub fn person(&self, subject: SubjectId, from: IpAddr, trace: Option<TraceId>) -> Result<Actor, Problem> {
        Ok(Actor {
            principal: Principal::Person(subject),
            proof: Proof::SignIn,
            origin: self.origin(from, trace)?,
        })
    }

    fn origin(&self, from: IpAddr, trace: Option<TraceId>) -> Result<Origin, Problem> {
        let pseudonym = self
            .keyring()
            .address_pseudonym(from)
            .map_err(|error| Problem::fault("make a pseudonym of an address", &error))?;
        Ok(Origin {
            address: Some(Fingerprint::from_bytes(pseudonym.to_bytes())),
            trace,
            node: self.settings().node,
        })
    }
}
