//! From the words of the domain to the messages of the interface. Nothing is left out or added here but form.

pub(crate) mod caller;

use leasehold_control::{
    AccessEdge, BlastRadius, Change, ConsentReason, GrantView, LeaseAnswer, LeaseView, StartedAuthorization,
};
use leasehold_domain::{
    administrator::Administrator,
    authorization::End,
    connector::{Connector, Exposure, Isolation, Location},
    grant::{Death, Phase},
    identity_provider::{IdentityProvider, JoinClaim},
    mcp_server::McpServer,
    provider::{ProviderFailure, RefreshClass},
    scope::ScopeSet,
    subject::{self, DirectoryEntry, Subject},
    time::{Span, Timestamp},
    workload::{self, CertificateName, Workload},
};
use leasehold_proto::v1;
use secrecy::ExposeSecret as _;

/// A moment.
pub(crate) fn timestamp(at: Timestamp) -> v1::Timestamp {
    v1::Timestamp { unix_millis: at.as_millis() }
}

/// Scopes, in byte order.
pub(crate) fn scopes(set: &ScopeSet) -> Vec<String> {
    set.iter().map(ToString::to_string).collect()
}

/// Whole seconds from `now` to `end`, rounded down.
pub(crate) fn remaining(now: Timestamp, end: Timestamp) -> u32 {
    u32::try_from(now.until(end).as_secs()).unwrap_or(u32::MAX)
}

/// What an answer speaks of, and where the next page begins.
pub(crate) fn as_of(size: u64, next: Option<String>) -> Option<v1::AsOf> {
    Some(v1::AsOf { size, complete: next.is_none(), next_page: next.unwrap_or_default() })
}

/// A lease with its token. The token is copied once more: the answer that is sent.
pub(crate) fn lease(answer: LeaseAnswer) -> v1::Lease {
    let LeaseAnswer { lease, access_token, token_type, scopes: carried, metadata, warnings, now } = answer;
    v1::Lease {
        lease_id: lease.lease.to_string(),
        access_token: access_token.expose_secret().to_owned(),
        token_type,
        scopes: scopes(&carried),
        grant: lease.grant.to_string(),
        generation: lease.generation,
        lease_expires_at: Some(timestamp(lease.expires_at)),
        lease_remaining_seconds: remaining(now, lease.expires_at),
        token_expires_at: lease.token_expires_at.map(timestamp),
        token_remaining_seconds: lease.token_expires_at.map(|end| remaining(now, end)),
        metadata: metadata.into_iter().collect(),
        warnings,
    }
}

/// That a consent is needed.
pub(crate) fn consent_required(
    reason: ConsentReason,
    missing: &ScopeSet,
    started: StartedAuthorization,
) -> v1::ConsentRequired {
    let reason = match reason {
        ConsentReason::NoGrant => v1::ConsentReason::NoGrant,
        ConsentReason::ScopesMissing => v1::ConsentReason::ScopesMissing,
        ConsentReason::Reauthentication => v1::ConsentReason::Reauthentication,
    };
    v1::ConsentRequired {
        reason: reason.into(),
        missing_scopes: scopes(missing),
        connect_url: started.connect_url,
        authorization: started.authorization.to_string(),
    }
}

/// A lease without its token.
pub(crate) fn held(lease: &LeaseView) -> v1::HeldLease {
    v1::HeldLease {
        lease_id: lease.lease.to_string(),
        grant: lease.grant.to_string(),
        generation: lease.generation,
        mcp_server: lease.mcp_server.to_string(),
        connector: lease.connector.to_string(),
        subject: lease.subject.to_string(),
        lease_expires_at: Some(timestamp(lease.expires_at)),
    }
}

/// A change of what a workload holds, and up to where it has then seen everything.
pub(crate) fn change(seq: u64, change: Change, grace: Span) -> v1::WatchResponse {
    use v1::watch_response::Change as Wire;
    let change = match change {
        Change::Resync(leases) => Wire::Resync(v1::Resync {
            leases: leases.iter().map(held).collect(),
            grace_seconds: u32::try_from(grace.as_secs()).unwrap_or(u32::MAX),
        }),
        Change::Held(lease) => Wire::Held(held(&lease)),
        Change::Ended { lease, reason, residual_exposure_until } => Wire::Ended(v1::LeaseEnded {
            lease_id: lease.to_string(),
            reason: reason.to_owned(),
            residual_exposure_until: residual_exposure_until.map(timestamp),
        }),
        Change::Keepalive => Wire::Keepalive(v1::Keepalive {}),
    };
    v1::WatchResponse { seq, change: Some(change) }
}

/// A grant.
pub(crate) fn grant(view: &GrantView) -> v1::Grant {
    let grant = &view.grant;
    let revoked = view.revoked_by.is_some();
    let (phase, reason) = match grant.phase {
        Phase::Revoked { .. } => (v1::GrantPhase::Revoked, ""),
        _ if revoked => (v1::GrantPhase::Revoked, ""),
        Phase::NeedsConsent(death) => (v1::GrantPhase::NeedsConsent, dead(death)),
        Phase::Active if grant.trouble.is_some() => (v1::GrantPhase::Degraded, ""),
        Phase::Active => (v1::GrantPhase::Active, ""),
    };
    let trouble = grant.trouble.map(|trouble| {
        format!("refreshing has failed {} times in a row: {}", trouble.failures, failure(trouble.failure))
    });
    v1::Grant {
        id: grant.id.to_string(),
        subject: grant.key.subject.to_string(),
        subject_name: view.subject_name.clone(),
        connector: view.connector_name.clone(),
        mcp_server: view.mcp_server_name.clone(),
        account: view.account.clone(),
        requested_scopes: scopes(&grant.requested),
        granted_scopes: scopes(&grant.granted),
        generation: grant.generation,
        phase: phase.into(),
        reason: reason.to_owned(),
        consented_at: Some(timestamp(grant.consented_at)),
        refreshed_at: Some(timestamp(grant.refreshed_at)),
        token_expires_at: grant.tokens.access_expires_at.map(timestamp),
        trouble: trouble.unwrap_or_default(),
        account_shared: view.account_shared,
    }
}

const fn dead(death: Death) -> &'static str {
    match death {
        Death::ProviderVerdict => "provider_verdict",
        Death::Expired => "expired",
        Death::AnswerLost => "answer_lost",
    }
}

const fn failure(failure: ProviderFailure) -> &'static str {
    match failure {
        ProviderFailure::GrantDead => "the provider says that the grant is dead",
        ProviderFailure::ClientFault => "the provider refuses the connector's credentials",
        ProviderFailure::RequestFault => "the provider refuses the form of the request",
        ProviderFailure::Transient => "the provider could not serve it",
        ProviderFailure::Throttled(_) => "the provider asks for fewer calls",
        ProviderFailure::Ambiguous => "the provider's answer was lost",
        ProviderFailure::Malformed => "the provider's answer could not be read",
        ProviderFailure::TooEarly => "the access token is still good",
    }
}

/// How a consent ended without a grant, as a stable code.
pub(crate) const fn ended(end: End) -> &'static str {
    match end {
        End::Confirmed(_) => "",
        End::Declined => "declined",
        End::RefusedByProvider => "refused_by_provider",
        End::ExchangeFailed(_) => "exchange_failed",
        End::AccountMismatch => "account_mismatch",
        End::Superseded => "superseded",
        End::Revoked => "revoked",
        End::Expired => "expired",
    }
}

/// What a revocation covers.
pub(crate) fn blast_radius(radius: &BlastRadius) -> v1::BlastRadius {
    v1::BlastRadius {
        grants: radius.grants,
        leases: radius.leases,
        authorizations: radius.authorizations,
        workloads: radius.workloads,
        subjects: radius.subjects,
        residual_exposure_until: radius.residual_exposure_until.map(timestamp),
    }
}

/// A way in which an account can be reached.
pub(crate) fn edge(edge: &AccessEdge) -> v1::AccessEdge {
    v1::AccessEdge {
        grant: Some(grant(&edge.grant)),
        mcp_servers: edge.mcp_servers.clone(),
        workloads: edge.workloads.clone(),
        holders: edge.holders.clone(),
        live_leases: edge.live_leases,
        last_leased_at: edge.last_leased_at.map(timestamp),
    }
}

/// How a provider treats a refresh token that arrives twice.
pub(crate) const fn refresh_class(class: RefreshClass) -> &'static str {
    match class {
        RefreshClass::Static => "static",
        RefreshClass::Stable => "stable",
        RefreshClass::NonRevoking => "non_revoking",
        RefreshClass::Grace(_) => "grace",
        RefreshClass::UntilSuccessorUsed => "until_successor_used",
        RefreshClass::Strict => "strict",
    }
}

/// A connector, with the redirect URI to register at the provider.
pub(crate) fn connector(connector: &Connector, redirect_uri: String) -> v1::Connector {
    let registration = &connector.registration;
    let (issuer, endpoints) = match &registration.location {
        Location::Catalogue => (String::new(), None),
        Location::Issuer(issuer) => (issuer.to_string(), None),
        Location::Endpoints(given) => {
            let or_none = |uri: &Option<_>| uri.as_ref().map(ToString::to_string).unwrap_or_default();
            let endpoints = v1::Endpoints {
                authorization: given.authorization.to_string(),
                token: given.token.to_string(),
                revocation: or_none(&given.revocation),
                account: or_none(&given.account),
            };
            (String::new(), Some(endpoints))
        }
    };
    let isolation = match registration.isolation {
        Isolation::Shared => v1::Isolation::Shared,
        Isolation::PerMcpServer => v1::Isolation::PerMcpServer,
    };
    let exposure = match registration.exposure {
        Exposure::HandOut => v1::Exposure::HandOut,
        Exposure::InjectOnly => v1::Exposure::InjectOnly,
    };
    v1::Connector {
        id: connector.id.to_string(),
        name: registration.name.to_string(),
        provider: registration.provider.to_string(),
        client_id: registration.client_id.to_string(),
        issuer,
        endpoints,
        isolation: isolation.into(),
        exposure: exposure.into(),
        enabled: connector.enabled,
        suspended: connector.suspended.map(failure).unwrap_or_default().to_owned(),
        redirect_uri,
        secrets: connector.secrets.iter().map(ToString::to_string).collect(),
        refresh_class: refresh_class(registration.class).to_owned(),
        revision: connector.revision,
    }
}

/// A subject, with its directory entry.
pub(crate) fn subject(subject: &Subject, entry: &DirectoryEntry) -> v1::Subject {
    let (kind, owner) = match subject.kind {
        subject::Kind::Person => (v1::SubjectKind::Person, None),
        subject::Kind::Service { owner } => (v1::SubjectKind::Service, Some(owner)),
        subject::Kind::Shared { owner } => (v1::SubjectKind::Shared, Some(owner)),
    };
    v1::Subject {
        id: subject.id.to_string(),
        user_name: entry.user_name.to_string(),
        email: entry.email.as_ref().map(ToString::to_string).unwrap_or_default(),
        display_name: entry.display_name.as_ref().map(ToString::to_string).unwrap_or_default(),
        kind: kind.into(),
        owner: owner.map(|owner| owner.to_string()).unwrap_or_default(),
        enabled: subject.enabled,
        pinned: subject.pinned,
    }
}

/// An identity provider, with the redirect URI to register there.
pub(crate) fn identity_provider(provider: &IdentityProvider, redirect_uri: String) -> v1::IdentityProvider {
    let registration = &provider.registration;
    let join_claim = match registration.join_claim {
        JoinClaim::Sub => "sub",
        JoinClaim::TidOid => "tid+oid",
    };
    v1::IdentityProvider {
        id: provider.id.to_string(),
        name: registration.name.to_string(),
        issuer: registration.issuer.to_string(),
        client_id: registration.client_id.to_string(),
        join_claim: join_claim.to_owned(),
        email_domains: registration.email_domains.iter().map(ToString::to_string).collect(),
        redirect_uri,
    }
}

/// An MCP server, with the names of the connectors that it needs.
pub(crate) fn mcp_server(server: &McpServer, needs: &[(String, ScopeSet)]) -> v1::McpServer {
    let need = |(connector, set): &(String, ScopeSet)| v1::Need {
        connector: connector.clone(),
        scopes: scopes(set),
    };
    v1::McpServer {
        id: server.id.to_string(),
        name: server.name.to_string(),
        resource: server.resource.to_string(),
        needs: needs.iter().map(need).collect(),
        enabled: server.enabled,
        revision: server.revision,
    }
}

/// A workload, with its credentials and certificate names.
pub(crate) fn workload(
    workload: &Workload,
    credentials: Vec<String>,
    certificates: &[CertificateName],
) -> v1::Workload {
    let (kind, mcp_server) = match workload.kind {
        workload::Kind::Gateway => ("gateway", None),
        workload::Kind::McpServer(server) => ("mcp-server", Some(server)),
    };
    v1::Workload {
        id: workload.id.to_string(),
        name: workload.name.to_string(),
        kind: kind.to_owned(),
        mcp_server: mcp_server.map(|server| server.to_string()).unwrap_or_default(),
        enabled: workload.enabled,
        credentials,
        certificates: certificates.iter().map(ToString::to_string).collect(),
        revision: workload.revision,
    }
}

/// An administrator.
pub(crate) fn administrator(administrator: &Administrator) -> v1::Administrator {
    use leasehold_domain::actor::Role;
    let role = |role: &Role| match role {
        Role::Operator => "operator",
        Role::Security => "security",
        Role::Auditor => "auditor",
    };
    v1::Administrator {
        id: administrator.id.to_string(),
        name: administrator.name.to_string(),
        roles: administrator.roles.iter().map(|known| role(known).to_owned()).collect(),
        enabled: administrator.enabled,
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
