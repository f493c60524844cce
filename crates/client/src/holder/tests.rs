//! The holder against a lease service in this process, over a real connection.

use std::{
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
};

use leasehold_proto::v1::{
    self, AcquireRequest, AcquireResponse, AcquireStreamRequest, AcquireStreamResponse, Keepalive,
    LeaseEnded, ListLeasesRequest, ListLeasesResponse, ReleaseRequest, ReleaseResponse, RenewRequest,
    RenewResponse, ReportRejectedRequest, ReportRejectedResponse, Resync, WatchRequest, WatchResponse,
    acquire_response::Outcome as Answer,
    lease_service_server::{LeaseService, LeaseServiceServer},
    watch_response::Change,
};
use secrecy::ExposeSecret;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::{
    Stream,
    wrappers::{ReceiverStream, TcpListenerStream},
};
use tonic::{Request, Response, Status, Streaming, transport::Server};

use super::*;
use crate::endpoint::{Endpoint, Proof};

type Pushes = mpsc::Receiver<Result<WatchResponse, Status>>;
type Pusher = mpsc::Sender<Result<WatchResponse, Status>>;

/// What a test sees of the calls, and what it answers them with.
struct Service {
    issued: AtomicU64,
    ttl_seconds: u32,
    renewals: mpsc::Sender<String>,
    watches: mpsc::Sender<(u64, Pusher)>,
}

#[tonic::async_trait]
impl LeaseService for Service {
    type AcquireStreamStream = Pin<Box<dyn Stream<Item = Result<AcquireStreamResponse, Status>> + Send>>;
    type WatchStream = ReceiverStream<Result<WatchResponse, Status>>;

    async fn acquire(&self, request: Request<AcquireRequest>) -> Result<Response<AcquireResponse>, Status> {
        let authorization = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        if authorization != Some("Bearer lh_wk_gateway.secret") {
            return Err(Status::unauthenticated("no"));
        }
        let number = self.issued.fetch_add(1, Ordering::SeqCst) + 1;
        let lease = v1::Lease {
            lease_id: format!("lse_{number}"),
            access_token: format!("token-{number}"),
            lease_remaining_seconds: self.ttl_seconds,
            token_remaining_seconds: Some(3600),
            ..v1::Lease::default()
        };
        Ok(Response::new(AcquireResponse { outcome: Some(Answer::Lease(lease)) }))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<RenewResponse>, Status> {
        self.renewals.send(request.into_inner().lease_id).await.unwrap();
        Ok(Response::new(RenewResponse { lease_expires_at: None, lease_remaining_seconds: 600 }))
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (pusher, pushes): (Pusher, Pushes) = mpsc::channel(16);
        self.watches.send((request.into_inner().resume_after, pusher)).await.unwrap();
        Ok(Response::new(ReceiverStream::new(pushes)))
    }

    async fn release(&self, _: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        Ok(Response::new(ReleaseResponse {}))
    }

    async fn report_rejected(
        &self,
        _: Request<ReportRejectedRequest>,
    ) -> Result<Response<ReportRejectedResponse>, Status> {
        Ok(Response::new(ReportRejectedResponse {}))
    }

    async fn acquire_stream(
        &self,
        _: Request<Streaming<AcquireStreamRequest>>,
    ) -> Result<Response<Self::AcquireStreamStream>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn list(&self, _: Request<ListLeasesRequest>) -> Result<Response<ListLeasesResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }
}

struct Running {
    holder: LeaseHolder,
    renewals: mpsc::Receiver<String>,
    watches: mpsc::Receiver<(u64, Pusher)>,
}

async fn running(ttl_seconds: u32) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (renewals_in, renewals) = mpsc::channel(16);
    let (watches_in, watches) = mpsc::channel(16);
    let service =
        Service { issued: AtomicU64::new(0), ttl_seconds, renewals: renewals_in, watches: watches_in };
    let server = Server::builder().add_service(LeaseServiceServer::new(service));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let proof = Proof::Credential("lh_wk_gateway.secret".into());
    let client = Client::connect(Endpoint { address, ca_pem: None, proof }).await.unwrap();
    Running { holder: LeaseHolder::start(client, Options::default()), renewals, watches }
}

impl Running {
    /// Waits for a stream of pushes, and says on it that nothing is held.
    async fn watched(&mut self, seq: u64, grace_seconds: u32) -> (u64, Pusher) {
        let (resume_after, pusher) = self.watches.recv().await.unwrap();
        let resync = Resync { leases: Vec::new(), grace_seconds };
        pusher.send(Ok(WatchResponse { seq, change: Some(Change::Resync(resync)) })).await.unwrap();
        while !self.holder.is_watching() {
            tokio::task::yield_now().await;
        }
        (resume_after, pusher)
    }

    async fn lease(&self) -> HeldLease {
        let want = Want::new("files", "sandbox", Whose::Vouched("alice".to_owned()));
        match self.holder.lease(&want).await.unwrap() {
            Held::Lease(lease) => lease,
            Held::ConsentRequired(_) => panic!("no consent is asked for here"),
        }
    }
}

#[tokio::test]
async fn a_lease_is_asked_for_once_and_then_held() {
    let mut running = running(300).await;
    let (_, _pusher) = running.watched(1, 30).await;
    let (first, second) = tokio::join!(running.lease(), running.lease());
    assert_eq!(first.access_token().expose_secret(), "token-1");
    assert_eq!(second.lease_id(), first.lease_id());
    assert_eq!(running.lease().await.lease_id(), "lse_1");
}

#[tokio::test]
async fn a_pushed_revocation_ends_the_lease_and_the_next_is_new() {
    let mut running = running(300).await;
    let (_, pusher) = running.watched(1, 30).await;
    let lease = running.lease().await;
    let ended = LeaseEnded { lease_id: "lse_1".to_owned(), ..LeaseEnded::default() };
    pusher.send(Ok(WatchResponse { seq: 5, change: Some(Change::Ended(ended)) })).await.unwrap();
    lease.ended().await;
    assert!(!lease.is_live());
    assert_eq!(running.lease().await.lease_id(), "lse_2");
}

#[tokio::test]
async fn a_broken_stream_is_resumed_where_it_broke() {
    let mut running = running(300).await;
    let (first, pusher) = running.watched(1, 30).await;
    pusher.send(Ok(WatchResponse { seq: 9, change: Some(Change::Keepalive(Keepalive {})) })).await.unwrap();
    drop(pusher);
    let (resumed, _pusher) = running.watches.recv().await.unwrap();
    assert_eq!((first, resumed), (0, 9));
}

#[tokio::test]
async fn a_silent_stream_drops_what_is_held() {
    let mut running = running(300).await;
    let (_, _pusher) = running.watched(1, 1).await;
    let lease = running.lease().await;
    lease.ended().await;
    assert!(!running.holder.is_watching());
    assert_eq!(running.lease().await.lease_id(), "lse_2");
    assert_eq!(running.lease().await.lease_id(), "lse_3", "nothing is held while nothing is heard");
}

#[tokio::test]
async fn a_lease_in_use_is_renewed_before_it_ends() {
    let mut running = running(2).await;
    let (_, _pusher) = running.watched(1, 30).await;
    let lease = running.lease().await;
    assert_eq!(running.renewals.recv().await.unwrap(), "lse_1");
    while lease.expires_at() < Instant::now() + Duration::from_secs(60) {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.lease().await.lease_id(), "lse_1");
}

#[tokio::test]
async fn a_rejected_token_is_not_handed_out_again_from_memory() {
    let mut running = running(300).await;
    let (_, _pusher) = running.watched(1, 30).await;
    let lease = running.lease().await;
    running.holder.report_rejected(&lease, 401, "Bearer error=\"invalid_token\"").await.unwrap();
    assert!(!lease.is_live());
    assert_eq!(running.lease().await.lease_id(), "lse_2");
}

#[tokio::test]
async fn a_dropped_holder_stops_listening() {
    let mut running = running(300).await;
    let (_, pusher) = running.watched(1, 30).await;
    drop(running.holder);
    pusher.closed().await;
}
