//! Against servers that answer well, badly or not at all, on this machine's loopback.

#[cfg(test)]
mod calls;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod egress;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod server;
