//! Every kind of event: its name in lines, how it went, and its data, in the order in which lines have them.

use std::collections::BTreeSet;

use leasehold_domain::{
    administrator, audit, authorization, connector, event::Event, grant, identity_provider, lease,
    mcp_server, organisation, policy, revocation, subject, workload,
};

use super::{LineProblem, Outcome, ParseError, Reader, Writer, macros::facts};
use crate::touches::Topic;

facts! {
    organisation::Event {
        Founded { organisation, origin, development, level, verifier } = "OrganisationFounded", Success;
        KeyVersionAdded { purpose, version } = "KeyVersionAdded", Success;
        KeyVersionRetired { purpose, version } = "KeyVersionRetired", Success;
        SecretsRewrapped { access_tokens, refresh_tokens, token_sets, secrets } = "SecretsRewrapped", Success;
        RootKeyReplaced { before, after, keys } = "RootKeyReplaced", Success;
    }
    administrator::Event {
        BootstrapOffered { credential, expires_at } = "BootstrapOffered", Success;
        BootstrapRedeemed { credential } = "BootstrapRedeemed", Success;
        Registered { administrator, name, roles, credential } = "AdministratorRegistered", Success;
        Disabled { administrator } = "AdministratorDisabled", Success;
    }
    identity_provider::Event {
        Registered { identity_provider, registration } = "IdentityProviderRegistered", Success;
        SecretReplaced { identity_provider } = "IdentityProviderSecretReplaced", Success;
    }
    connector::Event {
        Registered { connector, registration } = "ConnectorRegistered", Success;
        SecretAdded { connector, secret } = "ConnectorSecretAdded", Success;
        SecretRetired { connector, secret } = "ConnectorSecretRetired", Success;
        Suspended { connector, failure } = "ConnectorSuspended", Success;
        Resumed { connector } = "ConnectorResumed", Success;
        Disabled { connector } = "ConnectorDisabled", Success;
        Enabled { connector } = "ConnectorEnabled", Success;
    }
    mcp_server::Event {
        Registered { mcp_server, name, resource } = "McpServerRegistered", Success;
        NeedSet { mcp_server, connector, scopes } = "McpServerNeedSet", Success;
        Disabled { mcp_server } = "McpServerDisabled", Success;
        Enabled { mcp_server } = "McpServerEnabled", Success;
    }
    workload::Event {
        Registered { workload, name, kind } = "WorkloadRegistered", Success;
        CredentialAdded { workload, credential, expires_at } = "WorkloadCredentialAdded", Success;
        CredentialRetired { workload, credential } = "WorkloadCredentialRetired", Success;
        CertificateBound { workload, certificate } = "WorkloadCertificateBound", Success;
        Disabled { workload } = "WorkloadDisabled", Success;
        Enabled { workload } = "WorkloadEnabled", Success;
        CertificateUnbound { workload, certificate } = "WorkloadCertificateUnbound", Success;
    }
    subject::Event {
        Registered { subject, kind, commitment } = "SubjectRegistered", Success;
        Pinned { subject, identity_provider, commitment } = "SubjectPinned", Success;
        SignedIn { subject, identity_provider } = "SubjectSignedIn", Success;
        Disabled { subject, note } = "SubjectDisabled", Success;
        Enabled { subject } = "SubjectEnabled", Success;
        Erased { subject, tokens_until } = "SubjectErased", Success;
        TokensAbandoned { subject, target } = "TokensAbandoned", Failure;
        ErasureFinished { subject } = "SubjectErasureFinished", Success;
    }
    policy::Event {
        Set { digest, len } = "PolicySet", Success;
        Denied { action, resource, reason, decision, coalesced } = "AccessDenied", Denied;
        DenialsCounted { principal, action, resource, reason, count, since } = "DenialsCounted", Denied;
    }
    authorization::Event {
        Started { authorization, subject, connector, mcp_server, scopes, grant, expires_at } = "ConsentStarted", Success;
        Superseded { authorization } = "ConsentSuperseded", Success;
        Approved { authorization, subject, scopes } = "ConsentApproved", Success;
        Declined { authorization, subject } = "ConsentDeclined", Denied;
        RefusedByProvider { authorization, subject } = "ConsentRefusedByProvider", Denied;
        ExchangeIntended { authorization, node } = "CodeExchangeIntended", Success;
        ExchangeFailed { authorization, failure } = "CodeExchangeFailed", Failure;
        Exchanged { authorization, account, requested, granted, tokens } = "CodeExchanged", Success;
        AccountMismatched { authorization, account, expected } = "AccountMismatched", Denied;
        AccountConfirmed { authorization, subject, account } = "AccountConfirmed", Success;
        UnclaimedTokensDiscarded { authorization, failure, tokens } = "UnclaimedTokensDiscarded", Failure;
        LateTokensDiscarded { authorization, tokens } = "LateTokensDiscarded", Success;
    }
    grant::Event {
        Activated {
            grant, authorization, subject, connector, isolation, account, generation, requested, granted, tokens,
        } = "GrantActivated", Success;
        RefreshIntended { grant, generation, attempt, node, occasion } = "RefreshIntended", Success;
        Refreshed { grant, generation, attempt, tokens } = "TokenRefreshed", Success;
        ScopesNarrowed { grant, generation, granted, lost } = "ScopesNarrowed", Success;
        ScopesWidened { grant, generation, granted } = "ScopesWidened", Success;
        RefreshFailed { grant, generation, attempt, failure, retry_at } = "RefreshFailed", Failure;
        RefreshUnknown { grant, generation, attempt } = "RefreshUnknown", Unknown;
        ConsentNeeded { grant, generation, death } = "ConsentNeeded", Failure;
        Revoked { grant, subject, connector, by, residual_exposure_until } = "GrantRevoked", Success;
        LateTokensKept { grant, generation, tokens } = "LateTokensKept", Success;
        UpstreamRevoked { target } = "UpstreamRevoked", Success;
        UpstreamRevocationFailed { target, failure, failures, retry_at } = "UpstreamRevocationFailed", Failure;
        UpstreamRevocationUnsupported { target } = "UpstreamRevocationUnsupported", Failure;
    }
    lease::Event {
        Issued {
            lease, workload, mcp_server, connector, subject, grant, generation, token, needed, carried, basis, expires_at,
            token_expires_at, decision,
        } = "LeaseIssued", Success;
        Renewed { lease, expires_at, decision } = "LeaseRenewed", Success;
        Released { lease } = "LeaseReleased", Success;
        Ended { lease, reason } = "LeaseEnded", Success;
        RejectionReported { lease, grant, status } = "TokenRejectionReported", Success;
    }
    revocation::Event {
        Raised { selector, note } = "RevocationRaised", Success;
    }
    audit::Event {
        Read { view, from } = "LedgerRead", Success;
    }
}

/// The kinds of event of one aggregate.
trait Facts: Sized {
    /// Its name, and how it went.
    fn facts(&self) -> (&'static str, Outcome);

    /// Writes its data.
    fn render(&self, writer: &mut Writer);

    /// Reads the data of the event of this name; `None` where the aggregate has none of this name.
    fn parse(name: &str, reader: &mut Reader<'_>) -> Result<Option<Self>, ParseError>;

    /// Adds what it is about.
    fn touch(&self, topics: &mut BTreeSet<Topic>);

    /// One of each kind, as long as it can be.
    #[cfg(test)]
    fn longest() -> Vec<Self>;
}

macro_rules! aggregates {
    ($($aggregate:ident),+ $(,)?) => {
        /// The event's name, and how what it speaks of went.
        pub(super) fn facts(event: &Event) -> (&'static str, Outcome) {
            match event {
                $(Event::$aggregate(event) => event.facts(),)+
            }
        }

        /// Writes the event's data.
        pub(super) fn render(event: &Event, writer: &mut Writer) {
            match event {
                $(Event::$aggregate(event) => event.render(writer),)+
            }
        }

        /// Reads the data of the event of this name.
        pub(super) fn parse(name: &str, reader: &mut Reader<'_>) -> Result<Event, ParseError> {
            $(if let Some(event) = Facts::parse(name, reader)? {
                return Ok(Event::$aggregate(event));
            })+
            Err(reader.problem(LineProblem::UnknownEvent))
        }

        /// Adds what the event is about.
        pub(super) fn touch(event: &Event, topics: &mut BTreeSet<Topic>) {
            match event {
                $(Event::$aggregate(event) => event.touch(topics),)+
            }
        }

        /// One of each kind, as long as it can be.
        #[cfg(test)]
        pub(super) fn longest() -> Vec<Event> {
            [$(Facts::longest().into_iter().map(Event::$aggregate).collect::<Vec<Event>>()),+].concat()
        }

        #[cfg(test)]
        impl crate::samples::Variants for Event {
            const NAMES: &'static [&'static str] = NAMES;

            fn variant(name: &str, draw: &mut crate::samples::Draw) -> Option<Self> {
                $(if let Some(event) = crate::samples::Variants::variant(name, draw) {
                    return Some(Self::$aggregate(event));
                })+
                None
            }
        }
    };
}

aggregates! {
    Organisation, Administrator, IdentityProvider, Connector, McpServer, Workload, Subject, Policy, Authorization, Grant, Lease,
    Revocation, Audit,
}

#[cfg(test)]
impl crate::samples::Sample for Event {
    fn sample(draw: &mut crate::samples::Draw) -> Self {
        draw.any_variant()
    }
}
