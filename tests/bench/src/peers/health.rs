//! A gRPC call of the same node that decides nothing: what the way there and back costs.

use anyhow::ensure;
use tonic::transport::Channel;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// Asks whether the node serves.
///
/// # Errors
/// Where it does not.
pub(crate) async fn check(mut client: HealthClient<Channel>) -> anyhow::Result<HealthClient<Channel>> {
    let answer = client.check(HealthCheckRequest::default()).await?.into_inner();
    ensure!(answer.status() == ServingStatus::Serving, "the node does not serve");
    Ok(client)
}
