//! An erased subject has no name, and once its erasure is finished nothing of it is sealed again, whatever is still on its way.

use std::collections::BTreeSet;

use leasehold_domain::{
    id::SubjectId,
    state::{BlobKey, State},
};
use proptest::prelude::*;

use super::{
    operation::operations,
    run::{Run, SUBJECTS},
};

fn whose(state: &State, key: &BlobKey) -> Option<SubjectId> {
    match key {
        BlobKey::Tokens(grant, _) | BlobKey::Account(grant) => {
            state.grants.get(grant).map(|known| known.key.subject)
        }
        BlobKey::PendingTokens(id) | BlobKey::PendingAccount(id) | BlobKey::Verifier(id) => {
            state.authorizations.get(id).map(|known| known.subject)
        }
        BlobKey::RootCheck
        | BlobKey::WrappedKey(..)
        | BlobKey::SigningKey
        | BlobKey::ClientSecret(..)
        | BlobKey::IdentityProviderSecret(_)
        | BlobKey::PolicyText
        | BlobKey::Note(_) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn nothing_of_an_erased_subject_comes_back(operations in operations(180)) {
        let mut run = Run::begin();
        let mut finished: Vec<(SubjectId, BTreeSet<BlobKey>)> = Vec::new();
        for operation in &operations {
            let proposal = run.propose(operation);
            run.apply(proposal);
            for subject in SUBJECTS.into_iter().filter(|id| run.state.erasures.contains(id)) {
                prop_assert!(run.state.directory.get(&subject).is_none());
                prop_assert!(run.state.subjects.get(&subject).is_some_and(|known| !known.enabled));
                let sealed: BTreeSet<BlobKey> =
                    run.blobs().iter().filter(|key| whose(&run.state, key) == Some(subject)).copied().collect();
                match finished.iter_mut().find(|(id, _)| *id == subject) {
                    Some((_, left)) => {
                        prop_assert!(sealed.is_subset(left), "sealed again at {operation:?}");
                        *left = sealed;
                    }
                    None if run.state.is_erased(subject) => finished.push((subject, sealed)),
                    None => {}
                }
            }
        }
    }
}
