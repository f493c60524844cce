//! After every command the indexes are exactly those that would be rebuilt from the rows. Where they differed, a node that restarted would
//! decide differently from the others.

use proptest::prelude::*;

use super::{operation::operations, run::Run};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn indexes_equal_those_rebuilt_from_the_rows(operations in operations(180)) {
        let mut run = Run::begin();
        for operation in &operations {
            let proposal = run.propose(operation);
            run.apply(proposal);
            let kept = run.state.indexes.clone();
            run.state.reindex();
            prop_assert!(kept == run.state.indexes, "the indexes drifted at {operation:?}");
        }
    }
}
