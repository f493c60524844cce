//! The services that the tests speak to, with canned answers.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use leasehold_client::v1::{
    self as api, administrator_service_server as administrators, audit_service_server as audit,
    cluster_service_server as cluster, lease_service_server as lease,
};
use tokio::net::TcpListener;
use tokio_stream::{Stream, wrappers::TcpListenerStream};
use tonic::{Request, Response, Status, transport::Server};

use crate::ledger::Ledger;

type Answer<Message> = Result<Response<Message>, Status>;
type Answers<Message> = Pin<Box<dyn Stream<Item = Result<Message, Status>> + Send>>;

/// A ledger that a test changes while it is served, and after how many lines its exports break.
#[derive(Clone)]
pub(crate) struct Shared(pub(crate) Arc<Mutex<(Ledger, Option<usize>)>>);

/// Answers to everything but exports; gives the address.
pub(crate) async fn cluster() -> String {
    serve(Shared(Arc::new(Mutex::new((Ledger::of(1), None))))).await
}

/// Serves a ledger too; gives the address.
pub(crate) async fn serve(ledger: Shared) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::builder()
        .add_service(cluster::ClusterServiceServer::new(Canned))
        .add_service(administrators::AdministratorServiceServer::new(Canned))
        .add_service(lease::LeaseServiceServer::new(Canned))
        .add_service(audit::AuditServiceServer::new(ledger));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

struct Canned;

fn shown<Message>(request: &Request<Message>) -> &str {
    request.metadata().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn unused<Message>() -> Answer<Message> {
    Err(Status::unimplemented("no test asks for this"))
}

#[tonic::async_trait]
impl cluster::ClusterService for Canned {
    async fn status(&self, _: Request<api::ClusterStatusRequest>) -> Answer<api::ClusterStatusResponse> {
        let organisation = "org_1".to_owned();
        Ok(Response::new(api::ClusterStatusResponse {
            organisation,
            node: 1,
            leader: 1,
            ..Default::default()
        }))
    }

    async fn who_am_i(&self, request: Request<api::WhoAmIRequest>) -> Answer<api::WhoAmIResponse> {
        if shown(&request) != "Bearer lh_ad_1.s3cret" {
            return Err(Status::unauthenticated("the caller is not known"));
        }
        Ok(Response::new(api::WhoAmIResponse {
            organisation: "org_1".to_owned(),
            kind: "administrator".to_owned(),
            id: "adm_1".to_owned(),
            name: "ada".to_owned(),
            proof: "credential".to_owned(),
            roles: vec!["security".to_owned()],
        }))
    }
}

#[tonic::async_trait]
impl administrators::AdministratorService for Canned {
    async fn redeem_bootstrap(
        &self,
        request: Request<api::RedeemBootstrapRequest>,
    ) -> Answer<api::RedeemBootstrapResponse> {
        if shown(&request) != "Bearer lh_bs_1.bootstrap" || request.get_ref().name != "ada" {
            return Err(Status::unauthenticated("the caller is not known"));
        }
        let (administrator, secret) = ("adm_1".to_owned(), "lh_ad_1.s3cret".to_owned());
        Ok(Response::new(api::RedeemBootstrapResponse { administrator, secret }))
    }

    async fn list(
        &self,
        request: Request<api::ListAdministratorsRequest>,
    ) -> Answer<api::ListAdministratorsResponse> {
        if shown(&request) != "Bearer lh_ad_1.s3cret" {
            return Err(Status::unauthenticated("the caller is not known"));
        }
        let ada = api::Administrator { name: "ada".to_owned(), enabled: true, ..Default::default() };
        Ok(Response::new(api::ListAdministratorsResponse { administrators: vec![ada] }))
    }

    async fn register(
        &self,
        _: Request<api::RegisterAdministratorRequest>,
    ) -> Answer<api::RegisterAdministratorResponse> {
        unused()
    }

    async fn disable(
        &self,
        _: Request<api::DisableAdministratorRequest>,
    ) -> Answer<api::DisableAdministratorResponse> {
        unused()
    }
}

#[tonic::async_trait]
impl lease::LeaseService for Canned {
    type AcquireStreamStream = Answers<api::AcquireStreamResponse>;
    type WatchStream = Answers<api::WatchResponse>;

    /// Alice has a grant, bob has not.
    async fn acquire(&self, request: Request<api::AcquireRequest>) -> Answer<api::AcquireResponse> {
        use api::{acquire_request::ForSubject, acquire_response::Outcome};
        let alice = request.into_inner().for_subject == Some(ForSubject::Subject("alice".to_owned()));
        let outcome = if alice {
            let (lease_id, access_token) = ("lse_1".to_owned(), "s3cret-token".to_owned());
            Outcome::Lease(api::Lease { lease_id, access_token, ..Default::default() })
        } else {
            let connect_url = "https://leasehold.example/connect/1".to_owned();
            Outcome::ConsentRequired(api::ConsentRequired { reason: 1, connect_url, ..Default::default() })
        };
        Ok(Response::new(api::AcquireResponse { outcome: Some(outcome) }))
    }

    async fn watch(&self, _: Request<api::WatchRequest>) -> Answer<Self::WatchStream> {
        use api::watch_response::Change;
        let ended = api::LeaseEnded {
            lease_id: "lse_1".to_owned(),
            reason: "revoked".to_owned(),
            ..Default::default()
        };
        let change = |seq, change| Ok(api::WatchResponse { seq, change: Some(change) });
        let changes = [
            change(4, Change::Resync(api::Resync { leases: Vec::new(), grace_seconds: 10 })),
            change(4, Change::Keepalive(api::Keepalive {})),
            change(5, Change::Ended(ended)),
        ];
        Ok(Response::new(Box::pin(tokio_stream::iter(changes))))
    }

    async fn renew(&self, _: Request<api::RenewRequest>) -> Answer<api::RenewResponse> {
        unused()
    }

    async fn release(&self, _: Request<api::ReleaseRequest>) -> Answer<api::ReleaseResponse> {
        Ok(Response::new(api::ReleaseResponse {}))
    }

    async fn acquire_stream(
        &self,
        _: Request<tonic::Streaming<api::AcquireStreamRequest>>,
    ) -> Answer<Self::AcquireStreamStream> {
        unused()
    }

    async fn list(&self, _: Request<api::ListLeasesRequest>) -> Answer<api::ListLeasesResponse> {
        unused()
    }

    async fn report_rejected(
        &self,
        _: Request<api::ReportRejectedRequest>,
    ) -> Answer<api::ReportRejectedResponse> {
        unused()
    }
}

#[tonic::async_trait]
impl audit::AuditService for Shared {
    type ExportStream = Answers<api::ExportResponse>;
    type TailStream = Answers<api::TailResponse>;

    async fn export(&self, request: Request<api::ExportRequest>) -> Answer<Self::ExportStream> {
        let from = usize::try_from(request.into_inner().from).unwrap();
        let (ledger, breaks_after) = &*self.0.lock().unwrap();
        let end = breaks_after.unwrap_or(ledger.lines.len());
        let total = (ledger.lines.len() - from) as u64;
        let mut answers: Vec<_> = ledger.lines[from..end.max(from)]
            .chunks(4)
            .enumerate()
            .map(|(number, lines)| {
                let first_seq = (from + number * 4) as u64;
                Ok(api::ExportResponse { lines: lines.to_vec(), first_seq, total, ..Default::default() })
            })
            .collect();
        answers.push(match breaks_after {
            Some(_) => Err(Status::unavailable("the node is stopping")),
            None => Ok(api::ExportResponse { checkpoint: ledger.checkpoint(), ..Default::default() }),
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(answers))))
    }

    async fn tail(&self, request: Request<api::TailRequest>) -> Answer<Self::TailStream> {
        let from = usize::try_from(request.into_inner().from).unwrap();
        let lines: Vec<_> = self.0.lock().unwrap().0.lines[from..].to_vec();
        let answers =
            lines.into_iter().zip(from as u64..).map(|(line, seq)| Ok(api::TailResponse { seq, line }));
        Ok(Response::new(Box::pin(tokio_stream::iter(answers.collect::<Vec<_>>()))))
    }

    async fn get_checkpoint(
        &self,
        _: Request<api::GetCheckpointRequest>,
    ) -> Answer<api::GetCheckpointResponse> {
        let (ledger, _) = &*self.0.lock().unwrap();
        Ok(Response::new(api::GetCheckpointResponse {
            checkpoint: ledger.checkpoint(),
            verifier: ledger.verifier(),
        }))
    }

    async fn prove_inclusion(
        &self,
        _: Request<api::ProveInclusionRequest>,
    ) -> Answer<api::ProveInclusionResponse> {
        unused()
    }

    async fn prove_consistency(
        &self,
        _: Request<api::ProveConsistencyRequest>,
    ) -> Answer<api::ProveConsistencyResponse> {
        unused()
    }
}
