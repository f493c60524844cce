//! The services put together behind one way in.

use std::{future::Future, sync::Arc};

use leasehold_control::Control;
use leasehold_port::{Door, ServeError};
use leasehold_proto::v1::{
    access_service_server::AccessServiceServer, administrator_service_server::AdministratorServiceServer,
    audit_service_server::AuditServiceServer, catalog_service_server::CatalogServiceServer,
    cluster_service_server::ClusterServiceServer, grant_service_server::GrantServiceServer,
    key_service_server::KeyServiceServer, lease_service_server::LeaseServiceServer,
    policy_service_server::PolicyServiceServer, subject_service_server::SubjectServiceServer,
    workload_service_server::WorkloadServiceServer,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::{
    edge::Edge,
    health::Health,
    metrics::Metrics,
    server,
    service::{
        access::Access,
        administrator::Administrators,
        audit::Audit,
        catalog::Catalog,
        cluster::{Cluster, ReadNodeStatus},
        grant::Grants,
        keys::Keys,
        lease::Leases,
        policy::Policies,
        subject::Subjects,
        workload::Workloads,
    },
    strict::MESSAGE_LEN_MAX,
};

/// The longest message that is sent, in bytes.
const ANSWER_LEN_MAX: usize = 8 * 1024 * 1024;

/// The gRPC interface of a node. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    edge: Edge,
}

impl Api {
    /// The interface over these use cases, and the handle of its health, which says that it does not serve yet.
    pub async fn new(control: Control, node_status: ReadNodeStatus, version: &'static str) -> (Self, Health) {
        let (health, health_service) = Health::new().await;
        macro_rules! bounded {
            ($server:ident, $service:expr) => {
                $server::new($service)
                    .max_decoding_message_size(MESSAGE_LEN_MAX)
                    .max_encoding_message_size(ANSWER_LEN_MAX)
            };
        }
        let held = || control.clone();
        let routes = Routes::new(health_service)
            .add_service(bounded!(LeaseServiceServer, Leases { control: held() }))
            .add_service(bounded!(GrantServiceServer, Grants { control: held() }))
            .add_service(bounded!(CatalogServiceServer, Catalog { control: held() }))
            .add_service(bounded!(SubjectServiceServer, Subjects { control: held() }))
            .add_service(bounded!(WorkloadServiceServer, Workloads { control: held() }))
            .add_service(bounded!(PolicyServiceServer, Policies { control: held() }))
            .add_service(bounded!(AdministratorServiceServer, Administrators { control: held() }))
            .add_service(bounded!(KeyServiceServer, Keys { control: held() }))
            .add_service(bounded!(AuditServiceServer, Audit { control: held() }))
            .add_service(bounded!(AccessServiceServer, Access { control: held() }))
            .add_service(bounded!(ClusterServiceServer, Cluster { control: held(), node_status, version }));
        let edge = Edge::new(with_reflection(routes), Arc::new(control), Arc::default());
        (Self { edge }, health)
    }

    /// The counters.
    pub fn metrics(&self) -> Arc<Metrics> {
        self.edge.metrics().clone()
    }

    /// Serves connections until `stop` is cancelled; then streams end, what is on its way is answered, and it returns within 20 s.
    ///
    /// # Errors
    /// [`ServeError::ClearBeyondLoopback`] without TLS at an address that other machines reach. Nothing was accepted then.
    pub fn serve(
        &self,
        listener: TcpListener,
        door: Door,
        stop: CancellationToken,
    ) -> impl Future<Output = Result<(), ServeError>> + Send + use<> {
        server::serve(listener, door, self.edge.clone(), stop)
    }
}

/// Lets anybody ask what the interface looks like, in both versions of the reflection protocol.
pub(crate) fn with_reflection(routes: Routes) -> Routes {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(leasehold_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let built = "descriptors are compiled in, and written by the compiler of the interface";
    routes
        .add_service(builder().build_v1().expect(built))
        .add_service(builder().build_v1alpha().expect(built))
}
