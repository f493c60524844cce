//! The numbers of every row of state.

use leasehold_domain::{
    administrator::Administrator,
    authorization::{self, Authorization},
    connector::Connector,
    grant::{self, Grant, Refresh, Trouble, UpstreamTask},
    identity_provider::IdentityProvider,
    mcp_server::McpServer,
    organisation::KeyVersion,
    state::{Clock, Credential, DenialCount, Epoch, Singular},
    subject::{Erasure, Subject},
    workload::Workload,
};

use super::macros::{choice, fields, record};

record! {
    Clock { 0 time, 1 next_seq }
    Singular { 0 organisation, 1 key_versions, 2 verifier, 3 bootstrap, 4 policy_version, 5 checkpoint }
    Administrator { 0 id, 1 name, 2 roles, 3 enabled, 4 revision }
    Credential { 0 owner, 1 secret, 2 expires_at }
    IdentityProvider { 0 id, 1 registration, 2 revision }
    Connector { 0 id, 1 registration, 2 secrets, 3 enabled, 4 suspended, 5 revision }
    McpServer { 0 id, 1 name, 2 resource, 3 needs, 4 enabled, 5 revision }
    Workload { 0 id, 1 name, 2 kind, 3 enabled, 4 revision }
    Subject { 0 id, 1 kind, 2 enabled, 3 pinned, 4 revision }
    Authorization {
        0 id,
        1 subject,
        2 connector,
        3 mcp_server,
        4 scopes,
        5 grant,
        6 started_by,
        7 started_at,
        8 started_seq,
        9 expires_at,
        10 phase,
    }
    Grant {
        0 id,
        1 key,
        2 requested,
        3 granted,
        4 generation,
        5 tokens,
        6 refreshed_at,
        7 consented_at,
        8 consented_seq,
        9 attempts,
        10 phase,
        11 refresh,
        12 trouble,
        13 revision,
        14 earlier,
    }
    grant::Key { 0 subject, 1 connector, 2 isolation, 3 account }
    Trouble { 0 failure, 1 failures, 2 deaths, 3 since, 4 retry_at }
    UpstreamTask { 0 failures, 1 due_at }
    Epoch { 0 leases, 1 grants, 2 open }
    DenialCount { 0 since, 1 coalesced }
    KeyVersion { 0 added_at, 1 revision }
    Erasure { 0 erased_at, 1 tokens_until, 2 finished_at }
}

choice! {
    authorization::Phase {
        0 Open,
        1 Approved,
        2 Exchanging { 0 node },
        3 Exchanged { 0 account, 1 granted, 2 tokens },
        4 Ended(end),
    }
    grant::Phase { 0 Active, 1 NeedsConsent(death), 2 Revoked { 0 by } }
    Refresh {
        0 Idle,
        1 Intended { 0 attempt, 1 node, 2 at, 3 after_loss },
        2 Unknown { 0 attempt, 1 since, 2 resend_at },
    }
}
