//! The health that the node reports (`grpc.health.v1`). Not serving until somebody says otherwise.

use tonic_health::{
    ServingStatus,
    pb::health_server::{Health as HealthService, HealthServer},
    server::{HealthReporter, health_reporter},
};

use crate::interface::{Admission, Interface};

/// Says whether the node serves. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Health(HealthReporter);

impl Health {
    /// A node that does not serve yet, and the service that says so.
    pub(crate) async fn new() -> (Self, HealthServer<impl HealthService>) {
        let (reporter, service) = health_reporter();
        let health = Self(reporter);
        health.set_serving(false).await;
        (health, service)
    }

    /// Says for the node as a whole, and for each of its services, whether it serves.
    pub async fn set_serving(&self, serving: bool) {
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        let ours = Interface::of_this_build().methods().filter(|known| known.admission == Admission::Callers);
        let mut names: Vec<&str> = ours.map(|method| method.service.as_str()).collect();
        names.dedup();
        for name in std::iter::once("").chain(names) {
            self.0.set_service_status(name, status).await;
        }
    }
}
