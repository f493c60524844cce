//! Who has access to what, and why.

use leasehold_control::{AccessPage, Control, Problem, SubjectFilter};
use leasehold_domain::{
    id::{GrantId, LeaseId},
    rejection::Kind,
    scope::Scope,
};
use leasehold_proto::v1::{
    AccessEdge, AsOf, ExplainRequest, ExplainResponse, LookupResourcesRequest, LookupResourcesResponse,
    LookupSubjectsRequest, LookupSubjectsResponse, SimulateRevokeRequest, SimulateRevokeResponse,
    access_service_server::AccessService,
};
use tonic::Request;

use super::Answer;
use crate::{call::Call, fields, view};

/// `leasehold.v1.AccessService`.
pub(crate) struct Access {
    pub(crate) control: Control,
}

#[tonic::async_trait]
impl AccessService for Access {
    async fn lookup_subjects(
        &self,
        request: Request<LookupSubjectsRequest>,
    ) -> Answer<LookupSubjectsResponse> {
        let (call, ask) = Call::begin(&self.control, "look up who has access", request)?;
        call.answer(async {
            let filter = filter(&ask)?;
            let (after, limit) = (fields::page(&ask.page)?, fields::page_size(ask.page_size)?);
            let page = call.control.lookup_subjects(&call.caller, &filter, after, limit).await?;
            let (edges, as_of) = told(&page);
            Ok(LookupSubjectsResponse { edges, as_of })
        })
        .await
    }

    async fn lookup_resources(
        &self,
        request: Request<LookupResourcesRequest>,
    ) -> Answer<LookupResourcesResponse> {
        let (call, ask) = Call::begin(&self.control, "look up what access was given", request)?;
        call.answer(async {
            let subject = fields::reference("subject", &ask.subject)?;
            let (after, limit) = (fields::page(&ask.page)?, fields::page_size(ask.page_size)?);
            let page = call.control.lookup_resources(&call.caller, subject, ask.ended, after, limit).await?;
            let (edges, as_of) = told(&page);
            Ok(LookupResourcesResponse { edges, as_of })
        })
        .await
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Answer<ExplainResponse> {
        let (call, ask) = Call::begin(&self.control, "explain the access", request)?;
        call.answer(async {
            call.for_administrators()?;
            let (before, limit) = (fields::page(&ask.page)?, fields::page_size(ask.page_size)?);
            let grant = explained(&call.control, &ask.grant)?;
            let (lines, size) = call.control.explain(&call.caller, grant, before, limit).await?;
            // A full page may be the last one: the next one is empty then, and says that nothing was left out.
            let next = lines.last().filter(|_| lines.len() == limit).map(|(seq, _)| seq.to_string());
            Ok(ExplainResponse {
                lines: lines.into_iter().map(|(_, line)| line.into()).collect(),
                as_of: view::as_of(size, next),
            })
        })
        .await
    }

    async fn simulate_revoke(
        &self,
        request: Request<SimulateRevokeRequest>,
    ) -> Answer<SimulateRevokeResponse> {
        let (call, ask) = Call::begin(&self.control, "simulate the revocation", request)?;
        call.answer(async {
            call.for_administrators()?;
            let selector = fields::selector(&call.control, ask.selector)?;
            let (radius, size) = call.control.simulate_revoke(&call.caller, selector).await?;
            Ok(SimulateRevokeResponse {
                blast_radius: Some(view::blast_radius(&radius)),
                as_of: view::as_of(size, None),
            })
        })
        .await
    }
}

fn filter(ask: &LookupSubjectsRequest) -> Result<SubjectFilter, Problem> {
    let owned = |field, text| Ok::<_, Problem>(fields::reference_if_any(field, text)?.map(str::to_owned));
    let scope = Some(ask.scope.as_str()).filter(|scope| !scope.is_empty());
    let filter = SubjectFilter {
        connector: owned("connector", &ask.connector)?,
        mcp_server: owned("mcp_server", &ask.mcp_server)?,
        scope: scope.map(Scope::new).transpose().map_err(|error| Problem::invalid("scope", error))?,
        workload: owned("workload", &ask.workload)?,
    };
    let asks = filter.connector.is_some()
        || filter.mcp_server.is_some()
        || filter.scope.is_some()
        || filter.workload.is_some();
    if asks { Ok(filter) } else { Err(Problem::invalid("connector", "this, mcp_server, scope or workload")) }
}

/// The grant that is to be explained, or the one of a lease that is still remembered.
fn explained(control: &Control, text: &str) -> Result<GrantId, Problem> {
    let Ok(lease) = text.parse::<LeaseId>() else { return fields::id("grant", text) };
    let grant = control.read_now(|state| state.recent.lease(&lease).map(|known| known.key.grant));
    grant.ok_or(Problem::Unknown(Kind::Lease))
}

fn told(page: &AccessPage) -> (Vec<AccessEdge>, Option<AsOf>) {
    (
        page.edges.iter().map(view::edge).collect(),
        view::as_of(page.size, page.next.map(|next| next.to_string())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(ask: &LookupSubjectsRequest) -> &'static str {
        match filter(ask).err() {
            Some(Problem::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_look_up_needs_something_to_look_for() {
        assert_eq!(field(&LookupSubjectsRequest::default()), "connector");
        let scope = LookupSubjectsRequest { scope: "files.read".to_owned(), ..Default::default() };
        let read = filter(&scope).ok().unwrap();
        assert_eq!(read.scope.map(|scope| scope.to_string()).as_deref(), Some("files.read"));
        assert!(read.connector.is_none() && read.mcp_server.is_none() && read.workload.is_none());
    }

    #[test]
    fn what_is_looked_for_is_refused_by_its_field() {
        let bad = LookupSubjectsRequest { scope: "a b".to_owned(), ..Default::default() };
        assert_eq!(field(&bad), "scope");
        let bad = LookupSubjectsRequest { workload: "x".repeat(255), ..Default::default() };
        assert_eq!(field(&bad), "workload");
    }
}
