//! Connections over TLS: whom a client believes, and what it shows.

use leasehold_client::{
    Client, ConnectError, Endpoint, Proof,
    v1::{
        ClusterStatusRequest, ClusterStatusResponse, WhoAmIRequest, WhoAmIResponse,
        cluster_service_server::{ClusterService, ClusterServiceServer},
    },
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status,
    transport::{Certificate, Identity, Server, ServerTlsConfig},
};

/// An authority and what it issued, as PEM.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for a name, and its key.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// Answers with how many certificates the caller showed.
struct Counting;

#[tonic::async_trait]
impl ClusterService for Counting {
    async fn status(
        &self,
        request: Request<ClusterStatusRequest>,
    ) -> Result<Response<ClusterStatusResponse>, Status> {
        let node = request.peer_certs().map_or(0, |certificates| certificates.len() as u64);
        Ok(Response::new(ClusterStatusResponse { node, ..ClusterStatusResponse::default() }))
    }

    async fn who_am_i(&self, _: Request<WhoAmIRequest>) -> Result<Response<WhoAmIResponse>, Status> {
        Ok(Response::new(WhoAmIResponse::default()))
    }
}

/// Serves as `localhost`; believes client certificates of the same authority, if it is given any.
async fn serve(authority: &Authority, optional: bool) -> String {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (chain, key) = authority.issue("localhost");
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(chain, key))
        .client_ca_root(Certificate::from_pem(&authority.pem))
        .client_auth_optional(optional);
    let server = Server::builder().tls_config(tls).unwrap().add_service(ClusterServiceServer::new(Counting));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    format!("https://localhost:{port}")
}

fn endpoint(address: String, authority: &Authority, proof: Proof) -> Endpoint {
    Endpoint { address, ca_pem: Some(authority.pem.clone().into_bytes()), proof }
}

async fn certificates_shown(client: &Client) -> Result<u64, leasehold_client::Error> {
    Ok(client.cluster().status(ClusterStatusRequest {}).await?.into_inner().node)
}

#[tokio::test]
async fn a_cluster_of_a_believed_authority_is_spoken_to() {
    let authority = Authority::new();
    let address = serve(&authority, true).await;
    let proof = Proof::Credential("lh_wk_1.2".into());
    let client = Client::connect(endpoint(address, &authority, proof)).await.unwrap();
    assert_eq!(certificates_shown(&client).await.unwrap(), 0);
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let authority = Authority::new();
    let address = serve(&authority, false).await;
    let (chain, key) = authority.issue("gateway.example");
    let proof = Proof::Certificate { chain_pem: chain.into_bytes(), key_pem: key.into_bytes().into() };
    let client = Client::connect(endpoint(address, &authority, proof)).await.unwrap();
    assert_eq!(certificates_shown(&client).await.unwrap(), 1);
}

#[tokio::test]
async fn a_cluster_of_another_authority_gets_nothing() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let address = serve(&theirs, true).await;
    let proof = Proof::Credential("lh_wk_1.2".into());
    let refused = Client::connect(endpoint(address.clone(), &ours, proof)).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Unreachable { .. }), "{refused:?}");
    let nobody = Endpoint { address, ca_pem: None, proof: Proof::Nobody };
    assert!(Client::connect(nobody).await.is_err(), "the machine's own authorities do not vouch for it");
}

#[tokio::test]
async fn a_lazy_client_finds_out_with_its_first_call() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let address = serve(&theirs, true).await;
    let client = Client::connect_lazily(endpoint(address, &ours, Proof::Nobody)).unwrap();
    let error = certificates_shown(&client).await.unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");
}
