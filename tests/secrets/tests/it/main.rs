//! Canaries: planted at every way in, looked for in every place, with proof that what is looked for would be found.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod canaries;
mod control;
mod gather;
mod holders;
mod listed;
mod memory;
mod mute;
mod walk;
