use leasehold_domain::{
    actor::{Principal, Role},
    audit::Checkpoint,
    authorization::TokenFacts,
    id::{GrantId, Name},
    organisation::Organisation,
    provider::{ProviderFailure, RefreshClass},
    scope::ScopeSet,
    state::Epoch,
    subject,
    text::{Label, Sealed, Uri},
    time::{Span, Timestamp},
};
use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn refused<T: Wire>(bytes: &[u8]) -> Problem {
    match from_slice::<T>(bytes) {
        Ok(_) => panic!("{bytes:02x?} should have been refused"),
        Err(error) => error.problem,
    }
}

/// `{0: 1, 1: 2, 2: true}`.
const EPOCH: [u8; 7] = [0xa3, 0, 1, 1, 2, 2, 0xf5];

#[test]
fn a_record_is_a_map_from_ascending_field_numbers() {
    let epoch = Epoch { leases: 1, grants: 2, open: true };
    assert_eq!(to_vec(&epoch), EPOCH);
    assert_eq!(from_slice(&EPOCH), Ok(epoch));
}

#[test]
fn a_missing_unknown_repeated_or_misplaced_field_is_refused() {
    assert_eq!(refused::<Epoch>(&[0xa2, 0, 1, 1, 2]), Problem::MissingField(2));
    assert_eq!(refused::<Epoch>(&[0xa2, 0, 1, 2, 0xf5]), Problem::MissingField(1));
    assert_eq!(refused::<Epoch>(&[0xa4, 0, 1, 1, 2, 2, 0xf5, 3, 0]), Problem::UnknownField(3));
    assert_eq!(refused::<Epoch>(&[0xa4, 0, 1, 1, 2, 2, 0xf5, 2, 0xf5]), Problem::UnknownField(2));
    assert_eq!(refused::<Epoch>(&[0xa4, 0, 1, 0, 1, 1, 2, 2, 0xf5]), Problem::MissingField(1));
    assert_eq!(refused::<Epoch>(&[0xa3, 1, 2, 0, 1, 2, 0xf5]), Problem::MissingField(0));
}

#[test]
fn an_absent_field_is_left_out_and_never_written_as_nothing() {
    let facts = TokenFacts {
        access: leasehold_domain::text::Fingerprint::from_bytes([7; 20]),
        refresh: None,
        access_expires_at: None,
        refresh_expires_at: Some(Timestamp::from_millis(5)),
    };
    let bytes = [&[0xa2, 0, 0x54][..], &[7; 20], &[3, 5]].concat();
    assert_eq!(to_vec(&facts), bytes);
    assert_eq!(from_slice(&bytes), Ok(facts));
    let explicit = [&[0xa3, 0, 0x54][..], &[7; 20], &[1, 0xf6, 3, 5]].concat();
    assert_eq!(refused::<TokenFacts>(&explicit), Problem::Expected("a byte string"));
}

#[test]
fn a_choice_is_a_number_or_one_entry() {
    assert_eq!(to_vec(&ProviderFailure::Transient), [3]);
    assert_eq!(to_vec(&ProviderFailure::Throttled(None)), [0xa1, 4, 0xf6]);
    assert_eq!(to_vec(&ProviderFailure::Throttled(Some(Span::from_millis(9)))), [0xa1, 4, 9]);
    assert_eq!(to_vec(&RefreshClass::Grace(Span::from_millis(500))), [0xa1, 3, 0x19, 1, 0xf4]);
}

#[test]
fn an_unknown_variant_and_one_with_another_content_are_refused() {
    assert_eq!(refused::<ProviderFailure>(&[8]), Problem::UnknownVariant(8));
    assert_eq!(refused::<ProviderFailure>(&[0xa1, 3, 0]), Problem::UnknownVariant(3));
    assert_eq!(refused::<ProviderFailure>(&[4]), Problem::UnknownVariant(4));
    assert_eq!(refused::<ProviderFailure>(&[0xa2, 4, 9, 5, 9]), Problem::Expected("one variant"));
    assert_eq!(refused::<ProviderFailure>(&[0xa0]), Problem::Expected("one variant"));
}

#[test]
fn a_head_that_could_be_shorter_is_refused() {
    assert_eq!(from_slice(&[0x18, 24]), Ok(24u64));
    for longer in [
        &[0x18, 23][..],
        &[0x19, 0, 0xff],
        &[0x1a, 0, 0, 0xff, 0xff],
        &[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
    ] {
        assert_eq!(refused::<u64>(longer), Problem::NotShortest, "{longer:02x?}");
    }
    assert_eq!(refused::<String>(&[0x78, 1, b'a']), Problem::NotShortest);
    assert_eq!(refused::<Sealed>(&[0x58, 1, 7]), Problem::NotShortest);
    assert_eq!(refused::<Vec<u64>>(&[0x98, 1, 7]), Problem::NotShortest);
    assert_eq!(refused::<Epoch>(&[0xb8, 3, 0, 1, 1, 2, 2, 0xf5]), Problem::NotShortest);
    assert_eq!(refused::<Epoch>(&[0xa3, 0x18, 0, 1, 1, 2, 2, 0xf5]), Problem::NotShortest);
}

#[test]
fn indefinite_lengths_tags_floats_and_negative_numbers_are_refused() {
    assert_eq!(refused::<Vec<u64>>(&[0x9f, 1, 0xff]), Problem::Expected("an array of definite length"));
    assert_eq!(
        refused::<Epoch>(&[0xbf, 0, 1, 1, 2, 2, 0xf5, 0xff]),
        Problem::Expected("a map of definite length")
    );
    assert_eq!(refused::<String>(&[0x7f, 0x61, b'a', 0xff]), Problem::Expected("a text"));
    assert_eq!(refused::<Sealed>(&[0x5f, 0x41, 7, 0xff]), Problem::Expected("a byte string"));
    for number in [&[0xc1, 1][..], &[0xf9, 0, 0], &[0x20], &[0xf7], &[]] {
        assert_eq!(refused::<u64>(number), Problem::Expected("an unsigned integer"), "{number:02x?}");
    }
    assert_eq!(refused::<bool>(&[1]), Problem::Expected("a truth value"));
}

#[test]
fn what_follows_a_value_is_refused() {
    assert_eq!(refused::<u64>(&[1, 0]), Problem::Trailing);
}

#[test]
fn a_number_beyond_its_width_is_refused() {
    assert_eq!(refused::<u8>(&[0x19, 1, 0]), Problem::Invalid("8-bit number"));
    assert_eq!(refused::<u16>(&[0x1a, 0, 1, 0, 0]), Problem::Invalid("16-bit number"));
    assert_eq!(refused::<u32>(&[0x1b, 0, 0, 0, 1, 0, 0, 0, 0]), Problem::Invalid("32-bit number"));
}

#[test]
fn a_moment_past_the_last_is_refused_and_not_clamped() {
    let last = Timestamp::MAX.as_millis();
    assert_eq!(from_slice(&to_vec(&last)), Ok(Timestamp::MAX));
    assert_eq!(refused::<Timestamp>(&to_vec(&(last + 1))), Problem::Invalid("moment"));
}

#[test]
fn texts_pass_through_their_constructors() {
    assert_eq!(refused::<Name>(&to_vec(&"Upper".to_owned())), Problem::Invalid("name"));
    assert_eq!(refused::<Uri>(&to_vec(&"javascript:1".to_owned())), Problem::Invalid("URI"));
    assert_eq!(refused::<Label<4>>(&to_vec(&"a\nb".to_owned())), Problem::Invalid("label"));
    assert_eq!(refused::<Label<4>>(&to_vec(&"abcde".to_owned())), Problem::Invalid("label"));
    assert_eq!(refused::<ScopeSet>(&to_vec(&vec!["a b".to_owned()])), Problem::Invalid("scope"));
    assert_eq!(refused::<GrantId>(&[0x41, 7]), Problem::Invalid("grant id"));
    assert_eq!(refused::<String>(&[0x61, 0xff]), Problem::Expected("a text"));
}

#[test]
fn members_of_a_set_and_keys_of_a_map_ascend() {
    assert_eq!(from_slice(&[0x82, 0, 2]), Ok(BTreeSet::from([Role::Operator, Role::Auditor])));
    assert_eq!(refused::<BTreeSet<Role>>(&[0x82, 2, 0]), Problem::NotAscending);
    assert_eq!(refused::<BTreeSet<Role>>(&[0x82, 1, 1]), Problem::NotAscending);
    assert_eq!(refused::<BTreeMap<u64, u64>>(&[0xa2, 1, 0, 1, 0]), Problem::NotAscending);
    let unsorted = to_vec(&vec!["b".to_owned(), "a".to_owned()]);
    assert_eq!(refused::<ScopeSet>(&unsorted), Problem::NotAscending);
}

#[test]
fn a_length_that_the_input_cannot_hold_is_refused_before_anything_is_allocated_for_it() {
    let huge = |head: u8| [head, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(refused::<Vec<u64>>(&huge(0x9b)), Problem::Expected("an unsigned integer"));
    assert_eq!(refused::<BTreeMap<u64, u64>>(&huge(0xbb)), Problem::Expected("an unsigned integer"));
    assert_eq!(refused::<Epoch>(&huge(0xbb)), Problem::Expected("an unsigned integer"));
    assert_eq!(refused::<ScopeSet>(&huge(0x9b)), Problem::TooMany(ScopeSet::MEMBERS_MAX));
    assert_eq!(refused::<Sealed>(&huge(0x5b)), Problem::Expected("a byte string"));
    assert_eq!(refused::<String>(&huge(0x7b)), Problem::Expected("a text"));
    let long = to_vec(&Sealed::new(vec![7; Sealed::LEN_MAX]).unwrap());
    assert!(from_slice::<Sealed>(&long).is_ok());
    let longer = [&[0x59, 0xe0, 1][..], &vec![7; Sealed::LEN_MAX + 1]].concat();
    assert_eq!(refused::<Sealed>(&longer), Problem::TooMany(Sealed::LEN_MAX));
}

#[test]
fn an_error_says_where() {
    let error = from_slice::<Epoch>(&[0xa3, 0, 1, 1, 0x18, 2, 2, 0xf5]).unwrap_err();
    assert_eq!(error.to_string(), "not in the shortest form at byte 4");
}

#[test]
fn types_that_stand_in_no_other_list_read_back() {
    fn reads_back<T: Wire + PartialEq + std::fmt::Debug>(value: T) {
        assert_eq!(from_slice(&to_vec(&value)), Ok(value));
    }
    for seed in 0..64 {
        reads_back(crate::samples::sample::<leasehold_domain::state::Clock>(seed));
        reads_back(crate::samples::sample::<Organisation>(seed));
        reads_back(crate::samples::sample::<Checkpoint>(seed));
        reads_back(crate::samples::sample::<Principal>(seed));
        reads_back(crate::samples::sample::<subject::Kind>(seed));
    }
}
