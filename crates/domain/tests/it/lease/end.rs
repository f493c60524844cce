//! What ends leases at once, and that nothing brings them back.

use leasehold_domain::{
    connector,
    id::{CredentialId, LeaseId},
    lease::Command,
    mcp_server,
    rejection::Rejection,
    revocation::Selector,
    subject, workload,
};

use crate::{
    fixture::{
        ALICE, BOB, DRIVE, FILES, FILES_WORKLOAD, GATEWAY, GRANT, LEASE, LEASE_2, MAIL, decision, digest,
        files_workload, mins,
    },
    harness::{Case, Step, given},
    worlds::{Issue, Setting, leased, revoke},
};

fn holding() -> Case {
    given(leased(&Setting::default()))
}

fn is_live(case: &Case, lease: LeaseId) -> bool {
    case.state.recent.lease(&lease).is_some_and(|known| known.live(&case.state, case.now).is_ok())
}

/// Everything that ends the gateway's lease, and what makes its subject, workload, connector and MCP server usable again.
fn ends() -> Vec<(Step, Vec<Step>)> {
    let enable_workload = || {
        let credential = workload::Command::AddCredential {
            workload: GATEWAY,
            credential: CredentialId::from_bytes([0x41; 16]),
            secret: digest(1),
            expires_at: None,
        };
        vec![workload::Command::Enable { workload: GATEWAY }.into(), credential.into()]
    };
    let enable_connector = || vec![connector::Command::Enable { connector: DRIVE }.into()];
    let enable_server = || vec![mcp_server::Command::Enable { mcp_server: FILES }.into()];
    vec![
        (revoke(Selector::Grant(GRANT)), Vec::new()),
        (revoke(Selector::Subject(ALICE)), Vec::new()),
        (
            subject::Command::Disable { subject: ALICE, note: None }.into(),
            vec![subject::Command::Enable { subject: ALICE }.into()],
        ),
        (revoke(Selector::Workload(GATEWAY)), enable_workload()),
        (workload::Command::Disable { workload: GATEWAY }.into(), enable_workload()),
        (revoke(Selector::Connector(DRIVE)), enable_connector()),
        (connector::Command::Disable { connector: DRIVE }.into(), enable_connector()),
        (revoke(Selector::McpServer(FILES)), enable_server()),
        (mcp_server::Command::Disable { mcp_server: FILES }.into(), enable_server()),
    ]
}

#[test]
fn a_revocation_by_any_selector_ends_the_lease_at_once() {
    for (end, _) in ends() {
        let case = holding();
        assert!(is_live(&case, LEASE));
        let case = case.and([end]);
        assert!(!is_live(&case, LEASE));
        case.when(Command::Renew { lease: LEASE, ttl: mins(9), decision: decision() })
            .rejected(Rejection::LeaseEnded);
    }
}

#[test]
fn nothing_that_ended_comes_back_when_it_is_enabled() {
    for (end, begin) in ends() {
        let case = holding().and([end]).and(begin);
        assert!(!is_live(&case, LEASE));
        case.when(Command::Renew { lease: LEASE, ttl: mins(9), decision: decision() })
            .rejected(Rejection::LeaseEnded);
    }
}

#[test]
fn what_did_not_end_with_its_grant_is_leased_anew_after_enabling() {
    let disabled = [
        (
            Step::from(workload::Command::Disable { workload: GATEWAY }),
            Step::from(workload::Command::Enable { workload: GATEWAY }),
        ),
        (
            connector::Command::Disable { connector: DRIVE }.into(),
            connector::Command::Enable { connector: DRIVE }.into(),
        ),
        (
            mcp_server::Command::Disable { mcp_server: FILES }.into(),
            mcp_server::Command::Enable { mcp_server: FILES }.into(),
        ),
    ];
    for (end, begin) in disabled {
        let outcome = holding().and([end, begin]).when(Issue { lease: LEASE_2, ..Issue::default() });
        assert_eq!(outcome.events().len(), 1, "the ended lease was named again");
        let case = outcome.applied();
        assert!(is_live(&case, LEASE_2) && !is_live(&case, LEASE));
    }
}

#[test]
fn a_revocation_leaves_other_leases_alone() {
    let for_mail = Issue { lease: LEASE_2, mcp_server: MAIL, ..Issue::default() };
    let others = [Selector::Subject(BOB), Selector::Workload(FILES_WORKLOAD), Selector::McpServer(FILES)];
    for selector in others {
        let case = holding().and([for_mail.clone()]).and([revoke(selector)]);
        assert!(is_live(&case, LEASE_2), "{selector:?}");
    }
    let own = Issue { lease: LEASE_2, ..Issue::default() };
    let case =
        holding().and([Step::from(own).by(files_workload())]).and([revoke(Selector::Workload(GATEWAY))]);
    assert!(is_live(&case, LEASE_2) && !is_live(&case, LEASE));
}

#[test]
fn a_renewal_after_a_revocation_does_not_make_the_lease_younger_than_it() {
    let renew = Command::Renew { lease: LEASE, ttl: mins(9), decision: decision() };
    let case = holding().and([renew]).and([revoke(Selector::McpServer(FILES))]);
    assert!(!is_live(&case, LEASE));
}
