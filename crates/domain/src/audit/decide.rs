//! Deciding for reads and checkpoints.

use super::{Command, Event, NOTE_LEN_MAX};
use crate::{
    event::Event as AnyEvent,
    machine::{Decided, Write},
    rejection::Rejection,
    state::State,
};

/// Decides.
///
/// # Errors
/// [`Rejection::Superseded`] for a checkpoint that is not larger than the one before or that covers what is not there yet.
pub fn decide(state: &State, command: Command) -> Result<Decided, Rejection> {
    match command {
        Command::RecordRead { view, from } => Ok(Decided::event(AnyEvent::Audit(Event::Read { view, from }))),
        Command::KeepCheckpoint(checkpoint) => {
            if checkpoint.note.len() > NOTE_LEN_MAX {
                return Err(Rejection::TooLong { limit: NOTE_LEN_MAX });
            }
            let before = state.singular.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
            if checkpoint.size <= before || checkpoint.size > state.clock.next_seq {
                return Err(Rejection::Superseded);
            }
            Ok(Decided::default().with(Write::Checkpoint(checkpoint)))
        }
    }
}
