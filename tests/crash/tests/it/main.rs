//! Every failpoint of the source, reached in a real process: each family of scenarios is a test.

#[cfg(test)]
mod confirmation;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod first_start;
#[cfg(test)]
mod growth;
#[cfg(test)]
mod install;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod refresh;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod table;
