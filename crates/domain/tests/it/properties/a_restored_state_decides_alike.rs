//! A node that restarts, from its rows and the last lines of its ledger, has the same live leases and decides everything that follows as if
//! it had never stopped.

use proptest::prelude::*;

use super::{operation::operations, run::Run};
use crate::rows::rows;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_node_that_restarts_decides_as_if_it_had_never_stopped(
        before in operations(100),
        after in operations(60),
    ) {
        let mut run = Run::begin();
        for operation in &before {
            let proposal = run.propose(operation);
            run.apply(proposal);
        }
        let mut restarted = run.restarted();
        prop_assert_eq!(run.live_leases(), restarted.live_leases());
        for operation in &after {
            let proposal = run.propose(operation);
            let (reply, again) = (run.apply(proposal.clone()), restarted.apply(proposal));
            prop_assert!(reply == again, "the replies differ at {operation:?}");
            prop_assert_eq!(run.live_leases(), restarted.live_leases());
        }
        prop_assert!(rows(&run.state) == rows(&restarted.state));
    }
}
