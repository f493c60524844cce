//! Every failpoint of the source, reached in a real process: each family of scenarios is a test.

mod confirmation;
mod exchange;
mod first_start;
mod growth;
mod install;
mod recovery;
mod refresh;
mod revocation;
mod table;
