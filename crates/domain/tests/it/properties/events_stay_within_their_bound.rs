//! No command raises more events than its kind may, in whatever state it meets: a batch is sized by that bound.

use leasehold_domain::{command::EVENTS_MAX, machine::Reply};
use proptest::prelude::*;

use super::{operation::operations, run::Run};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn no_command_raises_more_events_than_it_may(operations in operations(180)) {
        let mut run = Run::begin();
        for operation in &operations {
            let proposal = run.propose(operation);
            let events_max = proposal.command.events_max();
            prop_assert!(events_max <= EVENTS_MAX);
            if let Reply::Applied { events, .. } = run.apply(proposal) {
                prop_assert!(events.len() <= events_max, "{} events by {operation:?}", events.len());
            }
        }
    }
}
