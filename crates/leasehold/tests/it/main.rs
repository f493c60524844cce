//! The program as a process: what it prints where, which files it writes, and what it exits with. The cluster that it speaks to is a
//! few canned answers on a real socket; `apply` and `export` speak to a node that is real, and the rest of it has tests of its own.

#[cfg(test)]
mod apply;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod basics;
#[cfg(test)]
mod canned;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod export;
#[cfg(test)]
mod lease;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod login;
#[cfg(test)]
mod node;
#[cfg(test)]
mod revision;
#[cfg(test)]
mod user;
