//! What the tests of this crate share: callers that are known without a node, and services that answer without one.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
};

use futures::{StreamExt as _, stream};
use leasehold_control::{Caller, Credentials, Problem};
use leasehold_domain::{
    actor::{Actor, Origin, Principal, Proof},
    id::{CredentialId, WorkloadId},
    text::{Fingerprint, TraceId},
};
use leasehold_proto::v1::{
    self, ClusterStatusRequest, ClusterStatusResponse,
    audit_service_server::{AuditService, AuditServiceServer},
    cluster_service_server::{ClusterService, ClusterServiceServer},
};
use leasehold_vault::{CredentialHash, CredentialKind, CredentialSecret, OsEntropy};
use tonic::{Request, Response, Status, service::Routes};
use zeroize::Zeroizing;

use crate::{
    api::with_reflection,
    authentication::{Callers, Identified},
    edge::Edge,
    health::Health,
    service::Answers,
};

/// A workload for tests, by a number.
pub(crate) fn workload(number: u8) -> Principal {
    Principal::Workload(WorkloadId::from_bytes([number; 16]))
}

/// Callers by credential and by certificate.
#[derive(Default)]
pub(crate) struct Known {
    credentials: Mutex<Vec<(CredentialHash, CredentialId, Principal)>>,
    certificates: Mutex<Vec<(Vec<u8>, Principal)>>,
    problem: Option<Problem>,
}

impl Known {
    /// Cannot say who anybody is.
    pub(crate) fn broken(problem: Problem) -> Self {
        Self { problem: Some(problem), ..Self::default() }
    }

    /// A new credential of this principal, as text.
    pub(crate) fn credential(&self, principal: Principal) -> Zeroizing<String> {
        let mut known = self.credentials.lock().unwrap();
        let id = CredentialId::from_bytes([u8::try_from(known.len()).unwrap(); 16]);
        let drawn = CredentialSecret::draw(CredentialKind::Workload, id, &OsEntropy);
        known.push((drawn.hash(), id, principal));
        drawn.reveal()
    }

    /// Lets a certificate stand for this principal.
    pub(crate) fn certificate(&self, der: &[u8], principal: Principal) {
        self.certificates.lock().unwrap().push((der.to_vec(), principal));
    }

    /// Forgets every credential.
    pub(crate) fn retire_credentials(&self) {
        self.credentials.lock().unwrap().clear();
    }
}

impl Known {
    fn find(&self, shown: &Credentials) -> Option<(Principal, Proof)> {
        match shown {
            Credentials::Credential(secret) => {
                let known = self.credentials.lock().unwrap();
                let found = known.iter().find(|(hash, _, _)| secret.matches(hash));
                found.map(|(_, id, principal)| (*principal, Proof::Credential(*id)))
            }
            Credentials::Certificate(der) => {
                let known = self.certificates.lock().unwrap();
                let found = known.iter().find(|(known, _)| known == der);
                found.map(|(_, principal)| (*principal, Proof::Certificate(Fingerprint::from_bytes([9; 20]))))
            }
        }
    }
}

impl Callers for Known {
    fn identify(
        &self,
        shown: &Credentials,
        _from: IpAddr,
        trace: TraceId,
    ) -> Result<Option<Caller>, Problem> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        Ok(self.find(shown).map(|(principal, proof)| {
            let origin = Origin { address: None, trace: Some(trace), node: 1 };
            Caller { actor: Actor { principal, proof, origin }, request: None }
        }))
    }

    fn draw_trace(&self) -> TraceId {
        TraceId::from_bytes([0xdd; 16])
    }
}

/// A cluster service that says who calls, and an audit service whose streams never end by themselves.
pub(crate) struct Echo;

#[tonic::async_trait]
impl ClusterService for Echo {
    async fn status(
        &self,
        request: Request<ClusterStatusRequest>,
    ) -> Result<Response<ClusterStatusResponse>, Status> {
        assert!(!request.metadata().contains_key("authorization"), "no service sees a credential");
        let identified = request.extensions().get::<Identified>().unwrap();
        let Principal::Workload(id) = identified.caller.actor.principal else { panic!("a workload calls") };
        let version = identified.caller.actor.origin.trace.unwrap().to_string();
        Ok(Response::new(ClusterStatusResponse {
            organisation: id.to_string(),
            version,
            ..Default::default()
        }))
    }

    async fn who_am_i(&self, _: Request<v1::WhoAmIRequest>) -> Result<Response<v1::WhoAmIResponse>, Status> {
        Ok(Response::new(v1::WhoAmIResponse::default()))
    }
}

#[tonic::async_trait]
impl AuditService for Echo {
    type ExportStream = Answers<v1::ExportResponse>;
    type TailStream = Answers<v1::TailResponse>;

    async fn export(&self, _: Request<v1::ExportRequest>) -> Result<Response<Self::ExportStream>, Status> {
        Ok(Response::new(Box::pin(stream::repeat_with(|| Ok(v1::ExportResponse::default())))))
    }

    async fn tail(&self, ask: Request<v1::TailRequest>) -> Result<Response<Self::TailStream>, Status> {
        let first = v1::TailResponse { seq: ask.get_ref().from, line: Vec::new() };
        Ok(Response::new(Box::pin(stream::iter([Ok(first)]).chain(stream::pending()))))
    }

    async fn get_checkpoint(
        &self,
        _: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        std::future::pending().await
    }

    async fn prove_inclusion(
        &self,
        _: Request<v1::ProveInclusionRequest>,
    ) -> Result<Response<v1::ProveInclusionResponse>, Status> {
        Err(Status::not_found("no such line"))
    }

    async fn prove_consistency(
        &self,
        _: Request<v1::ProveConsistencyRequest>,
    ) -> Result<Response<v1::ProveConsistencyResponse>, Status> {
        Ok(Response::new(v1::ProveConsistencyResponse::default()))
    }
}

/// A way in to [`Echo`] with reflection, and the health that it reports.
pub(crate) async fn edge(known: Arc<Known>) -> (Edge, Health) {
    let (health, service) = Health::new().await;
    let routes = Routes::new(service)
        .add_service(ClusterServiceServer::new(Echo))
        .add_service(AuditServiceServer::new(Echo));
    (Edge::new(with_reflection(routes), known, Arc::default()), health)
}
