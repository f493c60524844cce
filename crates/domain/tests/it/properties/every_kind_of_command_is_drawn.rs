//! The other properties speak of every order that there is: none is left out of what is drawn. A new kind does not compile until it is
//! named here, and does not pass until it is drawn.

use std::collections::BTreeSet;

use leasehold_domain::{
    administrator, audit, authorization, command::Command, connector, grant, identity_provider, lease,
    mcp_server, organisation, policy, revocation, subject, workload,
};
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};

use super::{operation::operations, run::Run};

macro_rules! kinds {
    ($($aggregate:ident $module:ident: $($kind:ident)+;)+) => {
        const KINDS: &[&str] = &[$($(concat!(stringify!($aggregate), ".", stringify!($kind)),)+)+ "Tick"];

        fn kind(command: &Command) -> &'static str {
            match command {
                $($(Command::$aggregate($module::Command::$kind { .. }) => {
                    concat!(stringify!($aggregate), ".", stringify!($kind))
                })+)+
                Command::Tick => "Tick",
            }
        }
    };
}

kinds! {
    Organisation organisation: Found AddKeyVersion RetireKeyVersion Rewrap ReplaceRootKey;
    Administrator administrator: OfferBootstrap RedeemBootstrap Register Disable;
    IdentityProvider identity_provider: Register ReplaceSecret;
    Connector connector: Register AddSecret RetireSecret Suspend Resume Enable Disable;
    McpServer mcp_server: Register SetNeed Disable Enable;
    Workload workload: Register AddCredential RetireCredential BindCertificate UnbindCertificate Disable Enable;
    Subject subject: Register SignIn Disable Enable Erase Forget FinishErasure;
    Policy policy: Set RecordDenial CountDenials;
    Authorization authorization: Start Approve Decline RefuseByProvider IntendExchange FailExchange DiscardExchange CompleteExchange ConfirmAccount RejectAccount;
    Grant grant: IntendRefresh CommitRefresh FailRefresh LoseRefresh Expire Close ConfirmUpstream FailUpstream;
    Lease lease: Issue Renew Release End ReportRejected;
    Revocation revocation: Raise;
    Audit audit: RecordRead KeepCheckpoint;
}

#[test]
fn every_kind_of_command_is_drawn() {
    let mut runner = TestRunner::deterministic();
    let mut missing: BTreeSet<&str> = KINDS.iter().copied().collect();
    for _ in 0..400 {
        let drawn = operations(180).new_tree(&mut runner).expect("operations can be drawn").current();
        let mut run = Run::begin();
        for operation in &drawn {
            let proposal = run.propose(operation);
            missing.remove(kind(&proposal.command));
            run.apply(proposal);
        }
        if missing.is_empty() {
            return;
        }
    }
    panic!("never drawn: {missing:?}");
}
