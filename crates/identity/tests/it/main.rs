//! Sign-ins and subject tokens against a small identity provider on this machine's loopback, with real keys and signatures.

#[cfg(test)]
mod idp;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod resolution;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod subject_token;
