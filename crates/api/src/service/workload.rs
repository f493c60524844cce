//! Workloads and their proofs of who they are.

use leasehold_control::{Control, Problem};
use leasehold_domain::{id::CredentialId, time::Span, workload::Workload};
use leasehold_proto::v1::{
    self, AddWorkloadCredentialRequest, AddWorkloadCredentialResponse, BindCertificateRequest,
    BindCertificateResponse, ListWorkloadsRequest, ListWorkloadsResponse, RegisterWorkloadRequest,
    RegisterWorkloadResponse, RetireWorkloadCredentialRequest, RetireWorkloadCredentialResponse,
    SetWorkloadEnabledRequest, SetWorkloadEnabledResponse, UnbindCertificateRequest,
    UnbindCertificateResponse, workload_service_server::WorkloadService,
};
use tonic::Request;

use super::Answer;
use crate::{call::Call, fields, request_id, view};

/// The longest that a credential may be made to live, in seconds: ten years.
const TTL_SECONDS_MAX: u64 = 10 * 365 * 24 * 60 * 60;

/// `leasehold.v1.WorkloadService`.
pub(crate) struct Workloads {
    pub(crate) control: Control,
}

#[tonic::async_trait]
impl WorkloadService for Workloads {
    async fn register(&self, request: Request<RegisterWorkloadRequest>) -> Answer<RegisterWorkloadResponse> {
        let (call, mut ask) = Call::begin(&self.control, "register the workload", request)?;
        call.answer(async {
            let caller = call.caller.clone().with_request(request_id::key(&mut ask)?);
            let server = fields::reference_if_any("mcp_server", &ask.mcp_server)?;
            let workload = call.control.register_workload(&caller, &ask.name, server).await?;
            Ok(RegisterWorkloadResponse { workload: Some(view::workload(&workload, Vec::new(), &[])) })
        })
        .await
    }

    async fn list(&self, request: Request<ListWorkloadsRequest>) -> Answer<ListWorkloadsResponse> {
        let (call, ListWorkloadsRequest {}) = Call::begin(&self.control, "list the workloads", request)?;
        call.answer(async {
            let workloads = call.control.workloads(&call.caller).await?;
            let one = |(workload, credentials, certificates): &(Workload, Vec<CredentialId>, Vec<_>)| {
                let credentials = credentials.iter().map(ToString::to_string).collect();
                view::workload(workload, credentials, certificates)
            };
            let workloads: Vec<v1::Workload> = workloads.iter().map(one).collect();
            Ok(ListWorkloadsResponse { workloads })
        })
        .await
    }

    async fn add_credential(
        &self,
        request: Request<AddWorkloadCredentialRequest>,
    ) -> Answer<AddWorkloadCredentialResponse> {
        let (call, ask) = Call::begin(&self.control, "add the credential", request)?;
        call.answer(async {
            if ask.ttl_seconds > TTL_SECONDS_MAX {
                return Err(Problem::invalid("ttl_seconds", format!("at most {TTL_SECONDS_MAX}")));
            }
            let ttl = Some(Span::from_secs(ask.ttl_seconds)).filter(|ttl| *ttl > Span::ZERO);
            let workload = fields::reference("workload", &ask.workload)?;
            let (credential, secret) = call.control.add_credential(&call.caller, workload, ttl).await?;
            Ok(AddWorkloadCredentialResponse {
                credential: credential.to_string(),
                secret: secret.as_str().to_owned(),
            })
        })
        .await
    }

    async fn retire_credential(
        &self,
        request: Request<RetireWorkloadCredentialRequest>,
    ) -> Answer<RetireWorkloadCredentialResponse> {
        let (call, ask) = Call::begin(&self.control, "retire the credential", request)?;
        call.answer(async {
            let workload = fields::reference("workload", &ask.workload)?;
            let credential = fields::id("credential", &ask.credential)?;
            call.control.retire_credential(&call.caller, workload, credential).await?;
            Ok(RetireWorkloadCredentialResponse {})
        })
        .await
    }

    async fn bind_certificate(
        &self,
        request: Request<BindCertificateRequest>,
    ) -> Answer<BindCertificateResponse> {
        let (call, ask) = Call::begin(&self.control, "bind the certificate name", request)?;
        call.answer(async {
            let workload = fields::reference("workload", &ask.workload)?;
            let expected = ask.expected_revision;
            call.control.bind_certificate(&call.caller, workload, expected, &ask.name).await?;
            Ok(BindCertificateResponse {})
        })
        .await
    }

    async fn unbind_certificate(
        &self,
        request: Request<UnbindCertificateRequest>,
    ) -> Answer<UnbindCertificateResponse> {
        let (call, ask) = Call::begin(&self.control, "unbind the certificate name", request)?;
        call.answer(async {
            let workload = fields::reference("workload", &ask.workload)?;
            let expected = ask.expected_revision;
            call.control.unbind_certificate(&call.caller, workload, expected, &ask.name).await?;
            Ok(UnbindCertificateResponse {})
        })
        .await
    }

    async fn set_enabled(
        &self,
        request: Request<SetWorkloadEnabledRequest>,
    ) -> Answer<SetWorkloadEnabledResponse> {
        let (call, ask) = Call::begin(&self.control, "enable or disable the workload", request)?;
        call.answer(async {
            let workload = fields::reference("workload", &ask.workload)?;
            let (caller, expected) = (&call.caller, ask.expected_revision);
            let revision = call.control.set_workload_enabled(caller, workload, expected, ask.enabled).await?;
            Ok(SetWorkloadEnabledResponse { revision })
        })
        .await
    }
}
