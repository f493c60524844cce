use proptest::prelude::*;

use super::*;
use crate::samples::sample;

fn batch(seeds: &[u64]) -> Vec<Proposal> {
    seeds.iter().map(|seed| sample(*seed)).collect()
}

proptest! {
    #[test]
    fn a_batch_reads_back(seeds in prop::collection::vec(any::<u64>(), 0..8)) {
        let proposals = batch(&seeds);
        prop_assert!(decode(&encode(&proposals)) == Ok(proposals));
    }

    #[test]
    fn a_batch_cut_short_is_refused(seed: u64, cut: prop::sample::Index) {
        let bytes = encode(&batch(&[seed]));
        let cut = cut.index(bytes.len());
        prop_assert!(decode(&bytes[..cut]).is_err());
    }

    /// There is one form of each batch: other bytes are another batch or none.
    #[test]
    fn changed_bytes_are_refused_or_are_the_form_of_another_batch(seed: u64, at: prop::sample::Index, bits in 1..=255u8) {
        let mut bytes = encode(&batch(&[seed]));
        let at = at.index(bytes.len());
        bytes[at] ^= bits;
        if let Ok(other) = decode(&bytes) {
            prop_assert_eq!(encode(&other), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(content in prop::collection::vec(any::<u8>(), 0..256)) {
        let bytes = [&[FORMAT][..], &content].concat();
        if let Ok(batch) = decode(&bytes) {
            prop_assert_eq!(encode(&batch), bytes);
        }
    }
}

#[test]
fn an_empty_input_and_an_unknown_format_are_refused() {
    assert!(decode(&[]) == Err(DecodeError { at: 0, problem: Problem::Expected("a format byte") }));
    assert!(decode(&[2, 0x80]) == Err(DecodeError { at: 0, problem: Problem::UnknownFormat(2) }));
    assert!(decode(&[FORMAT, 0x80]) == Ok(Vec::new()));
}

#[test]
fn a_batch_holds_as_many_proposals_as_it_may_and_no_more() {
    let full = encode(&batch(&[7; PROPOSALS_MAX]));
    assert!(decode(&full).is_ok_and(|proposals| proposals.len() == PROPOSALS_MAX));
    let more = [FORMAT, 0x99, 0x01, 0x01];
    assert!(decode(&more) == Err(DecodeError { at: 3, problem: Problem::TooMany(PROPOSALS_MAX) }));
}

#[test]
#[should_panic(expected = "at most 256 proposals")]
fn more_proposals_than_a_batch_may_hold_are_not_written() {
    encode(&batch(&[7; PROPOSALS_MAX + 1]));
}
