//! The cluster and its nodes.

use std::sync::Arc;

use leasehold_control::Control;
use leasehold_proto::v1::{
    ClusterStatusRequest, ClusterStatusResponse, WhoAmIRequest, WhoAmIResponse,
    cluster_service_server::ClusterService,
};
use tonic::Request;

use super::Answer;
use crate::{call::Call, view};

/// Where a node stands in the cluster, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeStatus {
    /// Who leads, as far as the node knows; 0 for nobody.
    pub leader: u64,
    /// The term.
    pub term: u64,
    /// The last entry that was applied.
    pub applied_index: u64,
}

/// Reads where this node stands.
pub type ReadNodeStatus = Arc<dyn Fn() -> NodeStatus + Send + Sync>;

/// `leasehold.v1.ClusterService`.
pub(crate) struct Cluster {
    pub(crate) control: Control,
    pub(crate) node_status: ReadNodeStatus,
    pub(crate) version: &'static str,
}

#[tonic::async_trait]
impl ClusterService for Cluster {
    async fn status(&self, request: Request<ClusterStatusRequest>) -> Answer<ClusterStatusResponse> {
        let (call, ClusterStatusRequest {}) =
            Call::begin(&self.control, "read the cluster's status", request)?;
        call.answer(async {
            call.for_administrators()?;
            let NodeStatus { leader, term, applied_index } = (self.node_status)();
            let (ledger_size, level) = call.control.read_now(|state| {
                let organisation = state.singular.organisation.as_ref();
                (state.clock.next_seq, organisation.map_or(0, |organisation| organisation.level))
            });
            Ok(ClusterStatusResponse {
                organisation: call.control.organisation().to_string(),
                node: call.control.settings().node,
                leader,
                term,
                applied_index,
                ledger_size,
                level: level.into(),
                development: call.control.development(),
                version: self.version.to_owned(),
            })
        })
        .await
    }

    async fn who_am_i(&self, request: Request<WhoAmIRequest>) -> Answer<WhoAmIResponse> {
        let (call, WhoAmIRequest {}) = Call::begin(&self.control, "say who calls", request)?;
        call.answer(async {
            let organisation = call.control.organisation().to_string();
            Ok(call.control.read_now(|state| view::caller::who_am_i(state, organisation, &call.caller.actor)))
        })
        .await
    }
}
