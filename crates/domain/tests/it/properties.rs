//! Properties: random commands over a small world, and one invariant a file.

mod arrange;
mod lower;
mod operation;
mod run;

mod a_restored_state_decides_alike;
mod events_stay_within_their_bound;
mod every_kind_of_command_is_drawn;
mod indexes_follow_from_rows;
mod no_live_lease_under_what_was_revoked;
mod nothing_of_an_erased_subject_comes_back;
mod one_live_grant_per_key;
mod one_refresh_intent_at_a_time;
mod replicas_agree;
