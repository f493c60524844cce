//! Subjects, and the identity providers through which they sign in.

use leasehold_control::{Control, NewIdentityProvider, NewSubject, Problem};
use leasehold_domain::{
    identity_provider::{DOMAINS_MAX, JoinClaim},
    revocation::Selector,
    subject::Kind,
};
use leasehold_proto::v1::{
    DisableSubjectRequest, DisableSubjectResponse, EnableSubjectRequest, EnableSubjectResponse,
    EraseSubjectRequest, EraseSubjectResponse, ListIdentityProvidersRequest, ListIdentityProvidersResponse,
    ListSubjectsRequest, ListSubjectsResponse, RegisterIdentityProviderRequest,
    RegisterIdentityProviderResponse, RegisterSubjectRequest, RegisterSubjectResponse,
    ReplaceIdentityProviderSecretRequest, ReplaceIdentityProviderSecretResponse, Subject, SubjectKind,
    subject_service_server::SubjectService,
};
use tonic::Request;

use super::{Answer, catalog::client_secret, grant::REASON_LEN_MAX};
use crate::{call::Call, fields, request_id, view};

/// `leasehold.v1.SubjectService`.
pub(crate) struct Subjects {
    pub(crate) control: Control,
}

#[tonic::async_trait]
impl SubjectService for Subjects {
    async fn register(&self, request: Request<RegisterSubjectRequest>) -> Answer<RegisterSubjectResponse> {
        let (call, mut ask) = Call::begin(&self.control, "register the subject", request)?;
        call.answer(async {
            call.for_administrators()?;
            let caller = call.caller.clone().with_request(request_id::key(&mut ask)?);
            let kind = kind(&call.control, &ask)?;
            let owner = match kind {
                Kind::Person => String::new(),
                Kind::Service { owner } | Kind::Shared { owner } => owner.to_string(),
            };
            let new = NewSubject {
                user_name: ask.user_name.clone(),
                email: fields::text_if_any(ask.email.clone()),
                display_name: fields::text_if_any(ask.display_name.clone()),
                kind,
            };
            let id = call.control.register_subject(&caller, new).await?;
            let subject = Subject {
                id: id.to_string(),
                user_name: ask.user_name,
                email: ask.email,
                display_name: ask.display_name,
                kind: ask.kind,
                owner,
                enabled: true,
                pinned: false,
            };
            Ok(RegisterSubjectResponse { subject: Some(subject) })
        })
        .await
    }

    async fn list(&self, request: Request<ListSubjectsRequest>) -> Answer<ListSubjectsResponse> {
        let (call, ask) = Call::begin(&self.control, "list the subjects", request)?;
        call.answer(async {
            let (after, limit) = (fields::page(&ask.page)?, fields::page_size(ask.page_size)?);
            // One more than asked for tells whether there is a next page.
            let (mut page, size) = call.control.subjects(&call.caller, after, limit + 1).await?;
            let more = page.len() > limit;
            page.truncate(limit);
            let next = page.last().filter(|_| more).map(|(subject, _)| subject.id.to_string());
            Ok(ListSubjectsResponse {
                subjects: page.iter().map(|(subject, entry)| view::subject(subject, entry)).collect(),
                as_of: view::as_of(size, next),
            })
        })
        .await
    }

    async fn disable(&self, request: Request<DisableSubjectRequest>) -> Answer<DisableSubjectResponse> {
        let (call, mut ask) = Call::begin(&self.control, "disable the subject", request)?;
        call.answer(async {
            let caller = call.caller.clone().with_request(request_id::key(&mut ask)?);
            fields::bounded("reason", &ask.reason, REASON_LEN_MAX)?;
            let subject = fields::reference("subject", &ask.subject)?;
            let seq = call.control.disable_subject(&caller, subject, &ask.reason).await?;
            Ok(DisableSubjectResponse { seq })
        })
        .await
    }

    async fn enable(&self, request: Request<EnableSubjectRequest>) -> Answer<EnableSubjectResponse> {
        let (call, ask) = Call::begin(&self.control, "enable the subject", request)?;
        call.answer(async {
            let subject = fields::reference("subject", &ask.subject)?;
            call.control.enable_subject(&call.caller, subject).await?;
            Ok(EnableSubjectResponse {})
        })
        .await
    }

    async fn erase(&self, request: Request<EraseSubjectRequest>) -> Answer<EraseSubjectResponse> {
        let (call, mut ask) = Call::begin(&self.control, "erase the subject", request)?;
        call.answer(async {
            let caller = call.caller.clone().with_request(request_id::key(&mut ask)?);
            let subject = fields::reference("subject", &ask.subject)?;
            let order = call.control.erase_subject(&caller, subject).await?;
            Ok(EraseSubjectResponse {
                seq: order.seq,
                subject: order.subject.to_string(),
                live_state_by: Some(view::timestamp(order.live_state_by)),
                erasure_complete_after: order.complete_after,
            })
        })
        .await
    }

    async fn register_identity_provider(
        &self,
        request: Request<RegisterIdentityProviderRequest>,
    ) -> Answer<RegisterIdentityProviderResponse> {
        let (call, mut ask) = Call::begin(&self.control, "register the identity provider", request)?;
        call.answer(async {
            let caller = call.caller.clone().with_request(request_id::key(&mut ask)?);
            let provider =
                call.control.register_identity_provider(&caller, new_identity_provider(ask)?).await?;
            let redirect_uri = call.control.sign_in_redirect_uri(&provider);
            Ok(RegisterIdentityProviderResponse {
                identity_provider: Some(view::identity_provider(&provider, redirect_uri)),
            })
        })
        .await
    }

    async fn replace_identity_provider_secret(
        &self,
        request: Request<ReplaceIdentityProviderSecretRequest>,
    ) -> Answer<ReplaceIdentityProviderSecretResponse> {
        let (call, mut ask) = Call::begin(&self.control, "replace the client secret", request)?;
        call.answer(async {
            let caller = call.caller.clone().with_request(request_id::key(&mut ask)?);
            let secret = client_secret(ask.client_secret)?.ok_or_else(|| {
                Problem::invalid("client_secret", "the client secret at the identity provider")
            })?;
            let named = fields::reference("identity_provider", &ask.identity_provider)?;
            call.control.replace_identity_provider_secret(&caller, named, &secret).await?;
            Ok(ReplaceIdentityProviderSecretResponse {})
        })
        .await
    }

    async fn list_identity_providers(
        &self,
        request: Request<ListIdentityProvidersRequest>,
    ) -> Answer<ListIdentityProvidersResponse> {
        let (call, ListIdentityProvidersRequest {}) =
            Call::begin(&self.control, "list the identity providers", request)?;
        call.answer(async {
            let providers = call.control.identity_providers(&call.caller).await?;
            let one = |known| view::identity_provider(known, call.control.sign_in_redirect_uri(known));
            Ok(ListIdentityProvidersResponse { identity_providers: providers.iter().map(one).collect() })
        })
        .await
    }
}

/// The kind of a new subject, with its owner where it has one.
fn kind(control: &Control, ask: &RegisterSubjectRequest) -> Result<Kind, Problem> {
    let owner = || match control.selector_subject(fields::reference("owner", &ask.owner)?)? {
        Selector::Subject(owner) => Ok(owner),
        Selector::Grant(_) | Selector::Workload(_) | Selector::Connector(_) | Selector::McpServer(_) => {
            Err(Problem::invalid("owner", "a subject's id or user name"))
        }
    };
    match SubjectKind::try_from(ask.kind) {
        Ok(SubjectKind::Person) if ask.owner.is_empty() => Ok(Kind::Person),
        Ok(SubjectKind::Person) => Err(Problem::invalid("owner", "none: a person belongs to nobody")),
        Ok(SubjectKind::Service) => Ok(Kind::Service { owner: owner()? }),
        Ok(SubjectKind::Shared) => Ok(Kind::Shared { owner: owner()? }),
        Ok(SubjectKind::Unspecified) | Err(_) => {
            Err(Problem::invalid("kind", "SUBJECT_KIND_PERSON, SUBJECT_KIND_SERVICE or SUBJECT_KIND_SHARED"))
        }
    }
}

fn new_identity_provider(ask: RegisterIdentityProviderRequest) -> Result<NewIdentityProvider, Problem> {
    let client_secret = client_secret(ask.client_secret)?
        .ok_or_else(|| Problem::invalid("client_secret", "the client secret at the identity provider"))?;
    let join_claim = match ask.join_claim.as_str() {
        "sub" => JoinClaim::Sub,
        "tid+oid" => JoinClaim::TidOid,
        _ => return Err(Problem::invalid("join_claim", "sub, or tid+oid for Microsoft Entra")),
    };
    if ask.email_domains.len() > DOMAINS_MAX {
        return Err(Problem::invalid("email_domains", format!("at most {DOMAINS_MAX}")));
    }
    Ok(NewIdentityProvider {
        name: ask.name,
        issuer: ask.issuer,
        client_id: ask.client_id,
        client_secret,
        join_claim,
        email_domains: ask.email_domains,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask() -> RegisterIdentityProviderRequest {
        RegisterIdentityProviderRequest {
            name: "entra".to_owned(),
            issuer: "https://issuer.example".to_owned(),
            client_id: "leasehold".to_owned(),
            client_secret: "s3cret".to_owned(),
            join_claim: "tid+oid".to_owned(),
            ..Default::default()
        }
    }

    fn field(ask: RegisterIdentityProviderRequest) -> &'static str {
        match new_identity_provider(ask).err() {
            Some(Problem::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_identity_provider_is_read_as_it_is_asked_for() {
        let new = new_identity_provider(ask()).ok().unwrap();
        assert_eq!((new.name.as_str(), new.join_claim), ("entra", JoinClaim::TidOid));
    }

    #[test]
    fn the_claim_that_names_people_is_never_guessed() {
        for bad in ["", "email", "oid", "TID+OID"] {
            assert_eq!(
                field(RegisterIdentityProviderRequest { join_claim: bad.to_owned(), ..ask() }),
                "join_claim"
            );
        }
        assert_eq!(
            field(RegisterIdentityProviderRequest { client_secret: String::new(), ..ask() }),
            "client_secret"
        );
        let many = vec!["a.example".to_owned(); DOMAINS_MAX + 1];
        assert_eq!(field(RegisterIdentityProviderRequest { email_domains: many, ..ask() }), "email_domains");
    }
}
