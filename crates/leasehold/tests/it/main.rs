//! The program as a process: what it prints where, which files it writes, and what it exits with. The cluster that it speaks to is a
//! few canned answers on a real socket; `apply` and `export` speak to a node in this process, and `serve_*` to one as an operator runs it.

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
mod place;
#[cfg(test)]
mod revision;
#[cfg(test)]
mod serve_callers;
#[cfg(test)]
mod serve_config;
#[cfg(test)]
mod serve_egress;
#[cfg(test)]
mod serve_root_key;
#[cfg(test)]
mod serve_stop;
#[cfg(test)]
mod serve_tls;
#[cfg(test)]
mod site;
#[cfg(test)]
mod user;
