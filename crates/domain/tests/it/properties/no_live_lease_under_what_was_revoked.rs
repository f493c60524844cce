//! No lease that may be used rests on something that was revoked or disabled after it was issued or last renewed. Judged from the events
//! alone, by a reader that knows no epochs.

use std::collections::BTreeMap;

use leasehold_domain::{
    connector,
    event::Event,
    grant,
    id::LeaseId,
    lease::{self, Lease},
    mcp_server,
    revocation::{self, Selector},
    state::State,
    subject, workload,
};
use proptest::prelude::*;

use super::{operation::operations, run::Run};

/// When what was last revoked, and when which lease was last confirmed, by sequence number.
#[derive(Default)]
struct Reader {
    revoked: BTreeMap<Selector, u64>,
    confirmed: BTreeMap<LeaseId, u64>,
}

impl Reader {
    fn read(&mut self, seq: u64, event: &Event) {
        let revoked = match event {
            Event::Revocation(revocation::Event::Raised { selector, .. }) => Some(*selector),
            Event::Subject(
                subject::Event::Disabled { subject, .. } | subject::Event::Erased { subject, .. },
            ) => Some(Selector::Subject(*subject)),
            Event::Workload(workload::Event::Disabled { workload }) => Some(Selector::Workload(*workload)),
            Event::Connector(connector::Event::Disabled { connector }) => {
                Some(Selector::Connector(*connector))
            }
            Event::McpServer(mcp_server::Event::Disabled { mcp_server }) => {
                Some(Selector::McpServer(*mcp_server))
            }
            Event::Grant(grant::Event::Revoked { grant, .. }) => Some(Selector::Grant(*grant)),
            Event::Lease(lease::Event::Issued { lease, .. } | lease::Event::Renewed { lease, .. }) => {
                self.confirmed.insert(*lease, seq);
                None
            }
            Event::Lease(lease::Event::Released { lease } | lease::Event::Ended { lease, .. }) => {
                self.confirmed.remove(lease);
                None
            }
            Event::Lease(lease::Event::RejectionReported { .. })
            | Event::Organisation(_)
            | Event::Administrator(_)
            | Event::IdentityProvider(_)
            | Event::Connector(_)
            | Event::McpServer(_)
            | Event::Workload(_)
            | Event::Subject(_)
            | Event::Policy(_)
            | Event::Authorization(_)
            | Event::Grant(_)
            | Event::Audit(_) => None,
        };
        self.revoked.extend(revoked.map(|selector| (selector, seq)));
    }

    fn allows(&self, known: &Lease) -> bool {
        let covering = [
            Selector::Grant(known.key.grant),
            Selector::Subject(known.subject),
            Selector::Workload(known.key.workload),
            Selector::Connector(known.connector),
            Selector::McpServer(known.key.mcp_server),
        ];
        let confirmed = self.confirmed.get(&known.id);
        confirmed.is_some_and(|confirmed| {
            covering.iter().all(|selector| self.revoked.get(selector).is_none_or(|seq| seq < confirmed))
        })
    }
}

fn everything_is_enabled(state: &State, known: &Lease) -> bool {
    state.subjects.get(&known.subject).is_some_and(|subject| subject.enabled)
        && state.workloads.get(&known.key.workload).is_some_and(|workload| workload.enabled)
        && state.connectors.get(&known.connector).is_some_and(|connector| connector.enabled)
        && state.mcp_servers.get(&known.key.mcp_server).is_some_and(|server| server.enabled)
        && state.grants.get(&known.key.grant).is_some_and(|grant| grant.revoked_by(state).is_none())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn no_live_lease_rests_on_what_was_revoked(operations in operations(180)) {
        let mut run = Run::begin();
        let (mut reader, mut read) = (Reader::default(), 0);
        for operation in &operations {
            let proposal = run.propose(operation);
            run.apply(proposal);
            for (context, event) in run.lines().iter().skip(read) {
                reader.read(context.seq, event);
            }
            read = run.lines().len();
            let now = run.state.clock.time;
            for known in run.state.recent.leases().filter(|known| known.live(&run.state, now).is_ok()) {
                prop_assert!(reader.allows(known), "{known:?} outlived a revocation at {operation:?}");
                prop_assert!(everything_is_enabled(&run.state, known), "{known:?} at {operation:?}");
            }
        }
    }
}
