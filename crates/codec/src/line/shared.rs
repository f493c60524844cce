//! The names of what events are made of, besides plain values.

use leasehold_domain::{
    actor::{Origin, Principal, Role},
    audit::View,
    authorization::TokenFacts,
    command::RequestKey,
    connector::{self, Endpoints, Exposure, Isolation, Location},
    grant::{Death, Occasion, UpstreamTarget},
    identity_provider::{self, JoinClaim},
    lease::{Basis, EndReason},
    organisation::KeyPurpose,
    policy::{Action, Decision, DenialReason, Resource},
    provider::{ProviderFailure, RefreshClass},
    revocation::Selector,
    subject,
    workload::{self, CertificateName},
};

use super::{
    Outcome, Raft,
    macros::{object, tagged, words},
};

words! {
    Outcome { Success = "success", Denied = "denied", Failure = "failure", Unknown = "unknown" }
    Role { Operator = "operator", Security = "security", Auditor = "auditor" }
    View { Ledger = "ledger", Access = "access" }
    Exposure { HandOut = "hand_out", InjectOnly = "inject_only" }
    Isolation { Shared = "shared", PerMcpServer = "per_mcp_server" }
    Death { ProviderVerdict = "provider_verdict", Expired = "expired", AnswerLost = "answer_lost" }
    Occasion { Due = "due", Demand = "demand", Recheck = "recheck", Ordered = "ordered" }
    JoinClaim { Sub = "sub", TidOid = "tid_oid" }
    EndReason { PolicyChanged = "policy_changed" }
    KeyPurpose {
        AccessTokens = "access_tokens",
        RefreshTokens = "refresh_tokens",
        Signing = "signing",
        Pseudonyms = "pseudonyms",
    }
    Action {
        Lease = "lease",
        ActAs = "act_as",
        StartAuthorization = "start_authorization",
        Administer = "administer",
        Audit = "audit",
    }
    DenialReason {
        Policy = "policy",
        TokenTooBroad = "token_too_broad",
        WeakCredential = "weak_credential",
        SubjectCap = "subject_cap",
        Role = "role",
        NotItsOwn = "not_its_own",
    }
}

tagged! {
    Principal {
        Cluster = "cluster",
        Bootstrap(credential) = "bootstrap",
        Administrator(id) = "administrator",
        Workload(id) = "workload",
        Person(id) = "person",
    }
    Location { Catalogue = "catalogue", Issuer(issuer) = "issuer", Endpoints(endpoints) = "endpoints" }
    UpstreamTarget { Grant(id) = "grant", Authorization(id) = "authorization" }
    Basis { Vouched = "vouched", SubjectToken { expires_at } = "subject_token" }
    ProviderFailure {
        GrantDead = "grant_dead",
        ClientFault = "client_fault",
        RequestFault = "request_fault",
        Transient = "transient",
        Throttled(wait_ms) = "throttled",
        Ambiguous = "ambiguous",
        Malformed = "malformed",
        TooEarly = "too_early",
    }
    RefreshClass {
        Static = "static",
        Stable = "stable",
        NonRevoking = "non_revoking",
        Grace(grace_ms) = "grace",
        UntilSuccessorUsed = "until_successor_used",
        Strict = "strict",
    }
    Selector {
        Grant(id) = "grant",
        Subject(id) = "subject",
        Workload(id) = "workload",
        Connector(id) = "connector",
        McpServer(id) = "mcp_server",
    }
    subject::Kind { Person = "person", Service { owner } = "service", Shared { owner } = "shared" }
    workload::Kind { Gateway = "gateway", McpServer(id) = "mcp_server" }
    CertificateName { Spiffe(name) = "spiffe", Dns(name) = "dns" }
}

object! {
    Raft { term, index }
    Origin { address, node, trace }
    RequestKey { id, body }
    TokenFacts { access, refresh, access_expires_at, refresh_expires_at }
    connector::Registration { name, provider, client_id, location, isolation, exposure, class }
    Endpoints { authorization, token, revocation, account }
    identity_provider::Registration { name, issuer, client_id, join_claim, email_domains }
    Decision { version, determining }
    Resource { mcp_server, connector, subject }
}
