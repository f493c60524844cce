//! Leases.

use futures::{Stream, StreamExt as _, stream};
use leasehold_control::{Acquire, Acquired, Control, Problem, SubjectClaim};
use leasehold_domain::{lease::TTL_MAX, time::Span};
use leasehold_identity::subject_token::{Declared, TOKEN_LEN_MAX};
use leasehold_proto::v1::{
    AcquireRequest, AcquireResponse, AcquireStreamRequest, AcquireStreamResponse, ListLeasesRequest,
    ListLeasesResponse, ReleaseRequest, ReleaseResponse, RenewRequest, RenewResponse, ReportRejectedRequest,
    ReportRejectedResponse, WatchRequest, WatchResponse, acquire_request::ForSubject,
    acquire_response::Outcome, acquire_stream_response, lease_service_server::LeaseService,
};
use secrecy::SecretString;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument as _;

use super::{Answer, Answers};
use crate::{
    call::{Call, broken},
    fields, request_id, view,
};

/// The most requests of one stream that are on their way at a time; further ones wait to be read.
const STREAM_IN_FLIGHT_MAX: usize = 512;
/// The longest validity that a caller may ask for.
const MIN_VALIDITY_MAX: Span = Span::from_mins(30);
/// The longest challenge that a caller may report, in bytes.
const CHALLENGE_LEN_MAX: usize = 1024;

/// `leasehold.v1.LeaseService`.
pub(crate) struct Leases {
    pub(crate) control: Control,
}

#[tonic::async_trait]
impl LeaseService for Leases {
    type AcquireStreamStream = Answers<AcquireStreamResponse>;
    type WatchStream = Answers<WatchResponse>;

    async fn acquire(&self, request: Request<AcquireRequest>) -> Answer<AcquireResponse> {
        let (call, ask) = Call::begin(&self.control, "acquire the lease", request)?;
        call.answer(acquire(&call, ask)).await
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Answer<RenewResponse> {
        let (call, mut ask) = Call::begin(&self.control, "renew the lease", request)?;
        call.answer(async {
            let caller = call.caller.clone().with_request(request_id::key(&mut ask)?);
            let lease = fields::id("lease_id", &ask.lease_id)?;
            let ttl = fields::seconds("ttl_seconds", ask.ttl_seconds, TTL_MAX)?;
            let (lease, now) = call.control.renew(&caller, lease, ttl).await?;
            Ok(RenewResponse {
                lease_expires_at: Some(view::timestamp(lease.expires_at)),
                lease_remaining_seconds: view::remaining(now, lease.expires_at),
            })
        })
        .await
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Answer<ReleaseResponse> {
        let (call, mut ask) = Call::begin(&self.control, "release the lease", request)?;
        call.answer(async {
            let caller = call.caller.clone().with_request(request_id::key(&mut ask)?);
            call.control.release(&caller, fields::id("lease_id", &ask.lease_id)?).await?;
            Ok(ReleaseResponse {})
        })
        .await
    }

    async fn acquire_stream(
        &self,
        request: Request<Streaming<AcquireStreamRequest>>,
    ) -> Answer<Self::AcquireStreamStream> {
        let (call, asks) = Call::begin(&self.control, "acquire the lease", request)?;
        Ok(Response::new(Box::pin(acquire_all(call, asks))))
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Answer<Self::WatchStream> {
        let (call, ask) = Call::begin(&self.control, "watch the leases", request)?;
        let watch = call.control.watch(&call.caller, ask.resume_after).await;
        let watch = watch.map_err(|problem| call.status(&problem))?;
        let grace = self.control.settings().watch_grace;
        let changes = stream::try_unfold((call, watch), move |(call, mut watch)| async move {
            let (seq, change) = watch.next().await.map_err(|problem| call.status(&problem))?;
            // A holder that may not ask any more hears so instead of a keepalive: its leases are not to be used.
            call.identify_again().map_err(crate::refusal::Refusal::into_status)?;
            Ok(Some((view::change(seq, change, grace), (call, watch))))
        });
        Ok(Response::new(Box::pin(changes)))
    }

    async fn list(&self, request: Request<ListLeasesRequest>) -> Answer<ListLeasesResponse> {
        let (call, ListLeasesRequest {}) = Call::begin(&self.control, "list the leases", request)?;
        call.answer(async {
            let (leases, size) = call.control.own_leases(&call.caller).await?;
            Ok(ListLeasesResponse {
                leases: leases.iter().map(view::held).collect(),
                as_of: view::as_of(size, None),
            })
        })
        .await
    }

    async fn report_rejected(
        &self,
        request: Request<ReportRejectedRequest>,
    ) -> Answer<ReportRejectedResponse> {
        let (call, ask) = Call::begin(&self.control, "report the rejection", request)?;
        call.answer(async {
            fields::bounded("challenge", &ask.challenge, CHALLENGE_LEN_MAX)?;
            let lease = fields::id("lease_id", &ask.lease_id)?;
            let status = u16::try_from(ask.status).ok().filter(|status| (100..=599).contains(status));
            let status = status.ok_or_else(|| Problem::invalid("status", "an HTTP status: 100 to 599"))?;
            call.control.report_rejected(&call.caller, lease, status).await?;
            Ok(ReportRejectedResponse {})
        })
        .await
    }
}

async fn acquire(call: &Call, mut ask: AcquireRequest) -> Result<AcquireResponse, Problem> {
    let caller = call.caller.clone().with_request(request_id::key(&mut ask)?);
    let ask = read(ask)?;
    let outcome = match call.control.acquire(&caller, &ask).await? {
        Acquired::Lease(answer) => Outcome::Lease(view::lease(*answer)),
        Acquired::ConsentRequired { reason, missing, started } => {
            Outcome::ConsentRequired(view::consent_required(reason, &missing, started))
        }
    };
    Ok(AcquireResponse { outcome: Some(outcome) })
}

fn read(ask: AcquireRequest) -> Result<Acquire, Problem> {
    let subject = match ask.for_subject {
        Some(ForSubject::Subject(name)) => {
            SubjectClaim::Vouched(fields::reference("subject", &name)?.to_owned())
        }
        Some(ForSubject::SubjectToken(token)) => {
            let token = SecretString::from(token);
            fields::bounded("subject_token", secrecy::ExposeSecret::expose_secret(&token), TOKEN_LEN_MAX)?;
            SubjectClaim::Token(token, Declared::Jwt)
        }
        None => return Err(Problem::invalid("subject", "a subject, or a subject_token")),
    };
    let min_validity = fields::seconds("min_validity_seconds", ask.min_validity_seconds, MIN_VALIDITY_MAX)?;
    Ok(Acquire {
        mcp_server: fields::reference("mcp_server", &ask.mcp_server)?.to_owned(),
        connector: fields::reference("connector", &ask.connector)?.to_owned(),
        subject,
        scopes: fields::scopes("scopes", &ask.scopes)?,
        account: fields::id_if_any("account", &ask.account)?,
        min_validity: min_validity.unwrap_or(Span::ZERO),
        ttl: fields::seconds("ttl_seconds", ask.ttl_seconds, TTL_MAX)?,
    })
}

/// Each request by itself, many at a time; answers overtake one another. What the caller showed is judged afresh for each. A request that
/// cannot be read ends the stream; one that is refused does not.
fn acquire_all(
    call: Call,
    asks: impl Stream<Item = Result<AcquireStreamRequest, Status>> + Send + 'static,
) -> impl Stream<Item = Result<AcquireStreamResponse, Status>> + Send {
    let answers = asks.map(move |ask| {
        let call = call.clone();
        async move {
            let AcquireStreamRequest { tag, acquire } = ask?;
            let work = acquire_one(call.clone(), acquire).in_current_span();
            let result = AbortOnDropHandle::new(tokio::spawn(work)).await;
            let result = result.map_err(|error| call.status(&broken(&error)))?;
            Ok(AcquireStreamResponse { tag, result: Some(result) })
        }
    });
    answers.buffer_unordered(STREAM_IN_FLIGHT_MAX)
}

async fn acquire_one(call: Call, ask: Option<AcquireRequest>) -> acquire_stream_response::Result {
    use acquire_stream_response::Result::{Error, Response};
    if let Err(refusal) = call.identify_again() {
        return Error(refusal.into_stream_error());
    }
    let answered = match ask {
        Some(ask) => acquire(&call, ask).await,
        None => Err(Problem::invalid("acquire", "what is to be acquired")),
    };
    match answered {
        Ok(response) => Response(response),
        Err(problem) => Error(call.refusal(&problem).into_stream_error()),
    }
}

#[cfg(test)]
mod tests {
    use leasehold_domain::id::GrantId;

    use super::*;

    fn ask() -> AcquireRequest {
        AcquireRequest {
            mcp_server: "files".to_owned(),
            connector: "sandbox".to_owned(),
            for_subject: Some(ForSubject::Subject("alice".to_owned())),
            ..Default::default()
        }
    }

    fn refused(change: impl FnOnce(&mut AcquireRequest)) -> &'static str {
        let mut ask = ask();
        change(&mut ask);
        match read(ask).err() {
            Some(Problem::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_asked_for_is_read_field_by_field() {
        let grant = GrantId::from_bytes([4; 16]);
        let read = read(AcquireRequest {
            scopes: vec!["files.read".to_owned()],
            account: grant.to_string(),
            min_validity_seconds: 90,
            ttl_seconds: 600,
            ..ask()
        })
        .unwrap();
        assert_eq!((read.mcp_server.as_str(), read.connector.as_str()), ("files", "sandbox"));
        assert!(matches!(read.subject, SubjectClaim::Vouched(name) if name == "alice"));
        assert_eq!(read.scopes.map(|scopes| scopes.to_string()).as_deref(), Some("files.read"));
        assert_eq!(read.account, Some(grant));
        assert_eq!((read.min_validity, read.ttl), (Span::from_secs(90), Some(Span::from_secs(600))));
    }

    #[test]
    fn what_is_left_out_is_left_to_the_cluster() {
        let read = read(ask()).unwrap();
        assert_eq!((read.scopes, read.account, read.ttl), (None, None, None));
        assert_eq!(read.min_validity, Span::ZERO);
    }

    #[test]
    fn a_field_that_is_not_what_it_must_be_is_named() {
        assert_eq!(refused(|ask| ask.mcp_server.clear()), "mcp_server");
        assert_eq!(refused(|ask| ask.connector = "x".repeat(255)), "connector");
        assert_eq!(refused(|ask| ask.for_subject = None), "subject");
        assert_eq!(refused(|ask| ask.for_subject = Some(ForSubject::Subject(String::new()))), "subject");
        let long = ForSubject::SubjectToken("x".repeat(TOKEN_LEN_MAX + 1));
        assert_eq!(refused(|ask| ask.for_subject = Some(long)), "subject_token");
        assert_eq!(refused(|ask| ask.scopes = vec!["a b".to_owned()]), "scopes");
        assert_eq!(refused(|ask| ask.account = "alice@example.com".to_owned()), "account");
        assert_eq!(refused(|ask| ask.min_validity_seconds = 1801), "min_validity_seconds");
        assert_eq!(refused(|ask| ask.ttl_seconds = 3601), "ttl_seconds");
    }

    #[test]
    fn an_answer_with_a_token_never_prints_it() {
        let lease =
            leasehold_proto::v1::Lease { access_token: "at-very-secret".to_owned(), ..Default::default() };
        let answer = AcquireResponse { outcome: Some(Outcome::Lease(lease)) };
        let result = Some(acquire_stream_response::Result::Response(answer));
        let printed = format!("{:?}", AcquireStreamResponse { tag: 1, result });
        assert!(!printed.contains("very-secret"), "{printed}");
    }
}
