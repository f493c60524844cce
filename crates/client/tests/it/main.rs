//! The client against servers in this process.

#[cfg(test)]
mod tls;
