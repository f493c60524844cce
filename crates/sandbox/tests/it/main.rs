//! The sandbox from outside: over HTTP, through the scripted browser, and by its control handle.

// Marked as tests although the whole binary is one: it tells clippy which rules of tests apply to their shared functions.
#[cfg(test)]
mod browser;
#[cfg(test)]
mod control;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod provider;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod sites;
#[cfg(test)]
mod support;
