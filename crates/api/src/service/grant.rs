//! Grants: consents and what becomes of them.

use std::time::Duration;

use leasehold_control::{Control, Problem};
use leasehold_domain::{
    actor::Principal,
    authorization::{End, Phase},
    id::GrantId,
};
use leasehold_proto::v1::{
    AuthorizationPhase, GetGrantRequest, GetGrantResponse, Grant, ListGrantsRequest, ListGrantsResponse,
    RefreshGrantRequest, RefreshGrantResponse, RevokeRequest, RevokeResponse, StartAuthorizationRequest,
    StartAuthorizationResponse, WaitAuthorizationRequest, WaitAuthorizationResponse,
    grant_service_server::GrantService,
};
use tonic::Request;

use super::Answer;
use crate::{call::Call, fields, request_id, view};

/// The longest that a caller may wait for a consent.
const WAIT_SECONDS_MAX: u32 = 59;
/// The longest reason, in bytes.
pub(super) const REASON_LEN_MAX: usize = 1000;

/// `leasehold.v1.GrantService`.
pub(crate) struct Grants {
    pub(crate) control: Control,
}

#[tonic::async_trait]
impl GrantService for Grants {
    async fn start_authorization(
        &self,
        request: Request<StartAuthorizationRequest>,
    ) -> Answer<StartAuthorizationResponse> {
        let (call, mut ask) = Call::begin(&self.control, "start the consent", request)?;
        call.answer(async {
            let caller = call.caller.clone().with_request(request_id::key(&mut ask)?);
            let connector = fields::reference("connector", &ask.connector)?;
            let subject = fields::reference("subject", &ask.subject)?;
            let mcp_server = fields::reference("mcp_server", &ask.mcp_server)?;
            let scopes = fields::scopes("scopes", &ask.scopes)?;
            let started =
                call.control.start_authorization(&caller, connector, subject, mcp_server, scopes).await?;
            Ok(StartAuthorizationResponse {
                authorization: started.authorization.to_string(),
                connect_url: started.connect_url,
                expires_at: Some(view::timestamp(started.expires_at)),
            })
        })
        .await
    }

    async fn wait_authorization(
        &self,
        request: Request<WaitAuthorizationRequest>,
    ) -> Answer<WaitAuthorizationResponse> {
        let (call, ask) = Call::begin(&self.control, "wait for the consent", request)?;
        call.answer(async {
            if ask.wait_seconds > WAIT_SECONDS_MAX {
                return Err(Problem::invalid("wait_seconds", format!("at most {WAIT_SECONDS_MAX}")));
            }
            let id = fields::id("authorization", &ask.authorization)?;
            let wait = Duration::from_secs(ask.wait_seconds.into());
            let phase = call.control.wait_authorization(&call.caller, id, wait).await?;
            let (told, reason, grant) = match phase {
                Phase::Open => (AuthorizationPhase::Open, "", None),
                Phase::Approved | Phase::Exchanging { .. } | Phase::Exchanged { .. } => {
                    (AuthorizationPhase::InProgress, "", None)
                }
                Phase::Ended(End::Confirmed(grant)) => {
                    (AuthorizationPhase::Granted, "", Some(granted(&call, grant).await?))
                }
                Phase::Ended(end) => (AuthorizationPhase::Ended, view::ended(end), None),
            };
            Ok(WaitAuthorizationResponse { phase: told.into(), reason: reason.to_owned(), grant })
        })
        .await
    }

    async fn list(&self, request: Request<ListGrantsRequest>) -> Answer<ListGrantsResponse> {
        let (call, ask) = Call::begin(&self.control, "list the grants", request)?;
        call.answer(async {
            let subject = fields::reference_if_any("subject", &ask.subject)?;
            let connector = fields::reference_if_any("connector", &ask.connector)?;
            let (after, limit) = (fields::page(&ask.page)?, fields::page_size(ask.page_size)?);
            let (grants, size, next) =
                call.control.grants(&call.caller, subject, connector, after, limit).await?;
            Ok(ListGrantsResponse {
                grants: grants.iter().map(view::grant).collect(),
                as_of: view::as_of(size, next.map(|next| next.to_string())),
            })
        })
        .await
    }

    async fn get(&self, request: Request<GetGrantRequest>) -> Answer<GetGrantResponse> {
        let (call, ask) = Call::begin(&self.control, "read the grant", request)?;
        call.answer(async {
            let grant = call.control.grant(&call.caller, fields::id("grant", &ask.grant)?).await?;
            Ok(GetGrantResponse { grant: Some(view::grant(&grant)) })
        })
        .await
    }

    async fn refresh(&self, request: Request<RefreshGrantRequest>) -> Answer<RefreshGrantResponse> {
        let (call, ask) = Call::begin(&self.control, "refresh the grant", request)?;
        call.answer(async {
            let grant = call.control.refresh_grant(&call.caller, fields::id("grant", &ask.grant)?).await?;
            Ok(RefreshGrantResponse { grant: Some(view::grant(&grant)) })
        })
        .await
    }

    async fn revoke(&self, request: Request<RevokeRequest>) -> Answer<RevokeResponse> {
        let (call, mut ask) = Call::begin(&self.control, "revoke", request)?;
        call.answer(async {
            call.for_administrators()?;
            let caller = call.caller.clone().with_request(request_id::key(&mut ask)?);
            fields::bounded("reason", &ask.reason, REASON_LEN_MAX)?;
            let selector = fields::selector(&call.control, ask.selector)?;
            let (seq, radius) = if ask.dry_run {
                (0, call.control.simulate_revoke(&caller, selector).await?.0)
            } else {
                call.control.revoke(&caller, selector, &ask.reason).await?
            };
            Ok(RevokeResponse { seq, blast_radius: Some(view::blast_radius(&radius)) })
        })
        .await
    }
}

/// The grant that a consent led to: for a workload its id alone, for an administrator all that it may see.
async fn granted(call: &Call, grant: GrantId) -> Result<Grant, Problem> {
    let id_alone = || Grant { id: grant.to_string(), ..Default::default() };
    if !matches!(call.caller.actor.principal, Principal::Administrator(_)) {
        return Ok(id_alone());
    }
    match call.control.grant(&call.caller, grant).await {
        Ok(view) => Ok(view::grant(&view)),
        Err(Problem::Denied(_)) => Ok(id_alone()),
        Err(problem) => Err(problem),
    }
}
