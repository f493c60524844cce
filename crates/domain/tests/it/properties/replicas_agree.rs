//! Two machines that apply the same proposals raise the same events and end with the same rows, and so does a ledger that only writes down
//! which rows changed.

use leasehold_domain::state::State;
use proptest::prelude::*;

use super::{operation::operations, run::Run};
use crate::rows::{follow, rows};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn two_machines_fed_the_same_proposals_agree_on_events_and_rows(operations in operations(180)) {
        let (mut one, mut other) = (Run::begin(), Run::begin());
        let mut written = State::default();
        for operation in &operations {
            let proposal = one.propose(operation);
            prop_assert!(one.apply(proposal.clone()) == other.apply(proposal), "{operation:?}");
            one.state.drain_changes(|change| follow(&mut written, &change));
        }
        prop_assert!(rows(&one.state) == rows(&other.state));
        prop_assert!(rows(&one.state) == rows(&written), "a changed row was not handed to the ledger");
        prop_assert_eq!(one.lines().len(), other.lines().len());
    }
}
