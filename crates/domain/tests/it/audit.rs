//! Reads and checkpoints.

use leasehold_domain::{
    audit::{Checkpoint, Command, Event, NOTE_LEN_MAX, View},
    rejection::Rejection,
};

use crate::{
    fixture::digest,
    harness::{Case, given},
    worlds::{Setting, catalogue},
};

fn catalogued() -> Case {
    given(catalogue(&Setting::default()))
}

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint { size, root: digest(1), note: format!("ledger.example\n{size}\n") }
}

fn keep(size: u64) -> Command {
    Command::KeepCheckpoint(checkpoint(size))
}

#[test]
fn who_reads_is_recorded() {
    let view = View::Ledger;
    catalogued().when(Command::RecordRead { view, from: 3 }).then([Event::Read { view, from: 3 }]);
}

#[test]
fn a_checkpoint_is_kept_without_an_event() {
    let nothing: [Event; 0] = [];
    let case = catalogued().when(keep(5)).then(nothing);
    assert_eq!(case.state.singular.checkpoint, Some(checkpoint(5)));
}

#[test]
fn checkpoints_only_grow() {
    let case = catalogued().and([keep(5)]);
    let case = case.when(keep(5)).rejected(Rejection::Superseded);
    let case = case.when(keep(4)).rejected(Rejection::Superseded);
    case.and([keep(6)]);
}

#[test]
fn a_checkpoint_covers_only_what_is_there() {
    let case = catalogued();
    let size = case.next_seq();
    let case = case.when(keep(size + 1)).rejected(Rejection::Superseded);
    let case = case.and([keep(size)]);
    case.when(keep(0)).rejected(Rejection::Superseded);
}

#[test]
fn a_note_beyond_its_bound_is_refused() {
    let note = "x".repeat(NOTE_LEN_MAX + 1);
    catalogued()
        .when(Command::KeepCheckpoint(Checkpoint { note, ..checkpoint(5) }))
        .rejected(Rejection::TooLong { limit: NOTE_LEN_MAX });
}
