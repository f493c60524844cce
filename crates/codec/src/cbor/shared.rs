//! The numbers of what commands and rows have in common: actors, provider facts, scopes, tokens, selectors.

use leasehold_domain::{
    actor::{Actor, Origin, Principal, Proof, Role},
    administrator::Bootstrap,
    audit::{Checkpoint, View},
    authorization::{Binding, End, TokenFacts},
    connector::{self, Endpoints, Exposure, Isolation, Location},
    grant::{Death, Occasion, UpstreamTarget},
    identity_provider::{self, JoinClaim},
    lease::{Basis, EndReason},
    organisation::{KeyId, KeyPurpose, Organisation, Rewrapped, SealedPlace, Signer, WrappedKey},
    policy::{Action, Decision, DenialReason, Resource},
    provider::{ProviderFailure, RefreshClass},
    revocation::Selector,
    subject::{self, DirectoryEntry, Identifier, Note},
    workload::{self, CertificateName},
};

use super::macros::{choice, fields, record};

choice! {
    Principal { 0 Cluster, 1 Bootstrap(credential), 2 Administrator(id), 3 Workload(id), 4 Person(subject) }
    Proof { 0 Credential(id), 1 Certificate(fingerprint), 2 SignIn, 3 Cluster }
    Role { 0 Operator, 1 Security, 2 Auditor }
    View { 0 Ledger, 1 Access }
    End {
        0 Confirmed(grant),
        1 Declined,
        2 RefusedByProvider,
        3 ExchangeFailed(failure),
        4 AccountMismatch,
        5 Superseded,
        6 Revoked,
        7 Expired,
    }
    Exposure { 0 HandOut, 1 InjectOnly }
    Isolation { 0 Shared, 1 PerMcpServer }
    Location { 0 Catalogue, 1 Issuer(issuer), 2 Endpoints(endpoints) }
    Death { 0 ProviderVerdict, 1 Expired, 2 AnswerLost }
    Occasion { 0 Due, 1 Demand, 2 Recheck, 3 Ordered }
    UpstreamTarget { 0 Grant(id), 1 Authorization(id) }
    JoinClaim { 0 Sub, 1 TidOid }
    Basis { 0 Vouched, 1 SubjectToken { 0 expires_at } }
    EndReason { 0 PolicyChanged }
    KeyPurpose { 0 AccessTokens, 1 RefreshTokens, 2 Signing, 3 Pseudonyms }
    SealedPlace {
        0 Tokens { 0 grant, 1 generation },
        1 Account(grant),
        2 ClientSecret { 0 connector, 1 secret },
        3 IdentityProviderSecret { 0 identity_provider, 1 revision },
        4 Verifier(authorization),
        5 PendingTokens(authorization),
        6 PendingAccount(authorization),
        7 SigningKey,
    }
    Action { 0 Lease, 1 ActAs, 2 StartAuthorization, 3 Administer, 4 Audit }
    DenialReason { 0 Policy, 1 TokenTooBroad, 2 WeakCredential, 3 SubjectCap, 4 Role, 5 NotItsOwn }
    ProviderFailure {
        0 GrantDead,
        1 ClientFault,
        2 RequestFault,
        3 Transient,
        4 Throttled(wait),
        5 Ambiguous,
        6 Malformed,
        7 TooEarly,
    }
    RefreshClass { 0 Static, 1 Stable, 2 NonRevoking, 3 Grace(grace), 4 UntilSuccessorUsed, 5 Strict }
    Selector { 0 Grant(id), 1 Subject(id), 2 Workload(id), 3 Connector(id), 4 McpServer(id) }
    subject::Kind { 0 Person, 1 Service { 0 owner }, 2 Shared { 0 owner } }
    workload::Kind { 0 Gateway, 1 McpServer(id) }
    CertificateName { 0 Spiffe(name), 1 Dns(name) }
}

record! {
    Actor { 0 principal, 1 proof, 2 origin }
    Origin { 0 address, 1 trace, 2 node }
    Bootstrap { 0 credential, 1 secret, 2 expires_at, 3 redeemed }
    Checkpoint { 0 size, 1 root, 2 note }
    Binding { 0 state, 1 session }
    TokenFacts { 0 access, 1 refresh, 2 access_expires_at, 3 refresh_expires_at }
    connector::Registration { 0 name, 1 provider, 2 client_id, 3 location, 4 isolation, 5 exposure, 6 class }
    Endpoints { 0 authorization, 1 token, 2 revocation, 3 account }
    identity_provider::Registration { 0 name, 1 issuer, 2 client_id, 3 join_claim, 4 email_domains }
    Organisation { 0 id, 1 origin, 2 development, 3 level }
    Signer { 0 sealed, 1 verifier }
    WrappedKey { 0 purpose, 1 version, 2 wrapped }
    KeyId { 0 purpose, 1 version }
    Rewrapped { 0 place, 1 sealed }
    Decision { 0 version, 1 determining }
    Resource { 0 mcp_server, 1 connector, 2 subject }
    DirectoryEntry { 0 user_name, 1 email, 2 display_name, 3 identifiers, 4 salt }
    Identifier { 0 issuer, 1 value }
    Note { 0 id, 1 text, 2 salt, 3 commitment }
}
