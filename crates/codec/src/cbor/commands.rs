//! The numbers of every command, and of the proposal around it.

use leasehold_domain::{
    administrator, audit, authorization,
    command::{Command, Entity, Fact, Proposal, RequestKey},
    connector, grant, identity_provider, lease, mcp_server, organisation, policy, revocation, subject,
    workload,
};

use super::macros::{choice, fields, record};

record! {
    Proposal { 0 request, 1 actor, 2 at, 3 facts, 4 command }
    RequestKey { 0 id, 1 body }
    Fact { 0 entity, 1 revision }
}

choice! {
    Entity {
        0 Policy, 1 Workload(id), 2 Connector(id), 3 McpServer(id), 4 Subject(id), 5 Grant(id), 6 Keys(purpose);
        first 6
    }
    Command {
        0 Organisation(command),
        1 Administrator(command),
        2 IdentityProvider(command),
        3 Connector(command),
        4 McpServer(command),
        5 Workload(command),
        6 Subject(command),
        7 Policy(command),
        8 Authorization(command),
        9 Grant(command),
        10 Lease(command),
        11 Revocation(command),
        12 Audit(command),
        13 Tick,
    }
    organisation::Command {
        0 Found { 0 organisation, 1 root_check, 2 keys, 3 signer },
        1 AddKeyVersion { 0 key, 1 keyring },
        2 RetireKeyVersion { 0 key },
        3 Rewrap { 0 items },
        4 ReplaceRootKey { 0 keyring, 1 before, 2 after, 3 keys },
    }
    administrator::Command {
        0 OfferBootstrap { 0 credential, 1 secret },
        1 RedeemBootstrap { 0 bootstrap, 1 administrator, 2 name, 3 credential, 4 secret },
        2 Register { 0 administrator, 1 name, 2 roles, 3 credential, 4 secret },
        3 Disable { 0 administrator },
    }
    identity_provider::Command {
        0 Register { 0 identity_provider, 1 registration, 2 secret },
        1 ReplaceSecret { 0 identity_provider, 1 secret },
    }
    connector::Command {
        0 Register { 0 connector, 1 registration },
        1 AddSecret { 0 connector, 1 secret, 2 sealed },
        2 RetireSecret { 0 connector, 1 secret },
        3 Suspend { 0 connector, 1 failure },
        4 Resume { 0 connector },
        5 Enable { 0 connector },
        6 Disable { 0 connector },
    }
    mcp_server::Command {
        0 Register { 0 mcp_server, 1 name, 2 resource },
        1 SetNeed { 0 mcp_server, 1 connector, 2 scopes },
        2 Disable { 0 mcp_server },
        3 Enable { 0 mcp_server },
    }
    workload::Command {
        0 Register { 0 workload, 1 name, 2 kind },
        1 AddCredential { 0 workload, 1 credential, 2 secret, 3 expires_at },
        2 RetireCredential { 0 workload, 1 credential },
        3 BindCertificate { 0 workload, 1 certificate },
        4 Disable { 0 workload },
        5 Enable { 0 workload },
        6 UnbindCertificate { 0 workload, 1 certificate },
    }
    subject::Command {
        0 Register { 0 subject, 1 kind, 2 entry, 3 commitment },
        1 SignIn { 0 subject, 1 identity_provider, 2 identifier, 3 commitment },
        2 Disable { 0 subject, 1 note },
        3 Enable { 0 subject },
        4 Erase { 0 subject },
        5 Forget { 0 subject, 1 notes, 2 grants, 3 authorizations },
        6 FinishErasure { 0 subject },
    }
    policy::Command {
        0 Set { 0 text, 1 digest },
        1 RecordDenial { 0 action, 1 resource, 2 reason, 3 decision },
        2 CountDenials { 0 principal, 1 action, 2 resource, 3 reason },
    }
    authorization::Command {
        0 Start { 0 authorization, 1 subject, 2 connector, 3 mcp_server, 4 scopes, 5 grant },
        1 Approve { 0 authorization, 1 state, 2 session, 3 verifier },
        2 Decline { 0 authorization },
        3 RefuseByProvider { 0 authorization, 1 state, 2 session },
        4 IntendExchange { 0 authorization, 1 state, 2 session, 3 node },
        5 FailExchange { 0 authorization, 1 failure },
        6 CompleteExchange { 0 authorization, 1 account, 2 account_label, 3 granted, 4 tokens, 5 facts },
        7 ConfirmAccount { 0 authorization, 1 session, 2 grant, 3 generation, 4 tokens, 5 account_label, 6 facts },
        8 RejectAccount { 0 authorization, 1 session },
        9 DiscardExchange { 0 authorization, 1 failure, 2 tokens, 3 facts },
    }
    grant::Command {
        0 IntendRefresh { 0 grant, 1 generation, 2 node, 3 occasion },
        1 CommitRefresh { 0 grant, 1 generation, 2 attempt, 3 granted, 4 tokens, 5 facts },
        2 FailRefresh { 0 grant, 1 generation, 2 attempt, 3 failure },
        3 LoseRefresh { 0 grant, 1 generation, 2 attempt },
        4 Expire { 0 grant },
        5 Close { 0 selector, 1 grants },
        6 ConfirmUpstream { 0 target },
        7 FailUpstream { 0 target, 1 failure },
    }
    lease::Command {
        0 Issue { 0 lease, 1 mcp_server, 2 grant, 3 generation, 4 needed, 5 basis, 6 ttl, 7 decision, 8 vouched_max },
        1 Renew { 0 lease, 1 ttl, 2 decision },
        2 Release { 0 lease },
        3 End { 0 lease, 1 reason },
        4 ReportRejected { 0 lease, 1 status },
    }
    revocation::Command {
        0 Raise { 0 selector, 1 note },
    }
    audit::Command {
        0 RecordRead { 0 view, 1 from },
        1 KeepCheckpoint(checkpoint),
    }
}
