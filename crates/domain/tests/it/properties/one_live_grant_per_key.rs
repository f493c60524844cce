//! Of one subject, connector, isolation and account at most one grant is live, and it is the one that the key finds.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{operation::operations, run::Run};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn one_grant_at_most_is_live_under_a_key(operations in operations(180)) {
        let mut run = Run::begin();
        for operation in &operations {
            let proposal = run.propose(operation);
            run.apply(proposal);
            let mut keys = BTreeSet::new();
            let state = &run.state;
            for (id, known) in state.grants.iter().filter(|(_, known)| known.revoked_by(state).is_none()) {
                prop_assert!(keys.insert(known.key), "two live grants of one key at {operation:?}");
                prop_assert_eq!(state.grant_keyed(&known.key).map(|found| found.id), Some(*id));
            }
        }
    }
}
