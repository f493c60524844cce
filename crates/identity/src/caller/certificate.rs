//! Callers with a client certificate.
//!
//! The TLS layer has verified the chain, the key and the purpose before anything gets here. What is left is to say for which workload
//! the certificate stands: by the SPIFFE id or the DNS names among its subject alternative names, and never by its common name.

use std::collections::BTreeSet;

use aws_lc_rs::digest;
use leasehold_domain::{
    actor::{Principal, Proof},
    id::WorkloadId,
    state::State,
    text::{Fingerprint, Label},
    time::Timestamp,
    workload::CertificateName,
};
use x509_parser::{
    certificate::X509Certificate, extensions::GeneralName, prelude::FromDer, x509::X509Version,
};

use super::Refused;

/// The longest certificate, in bytes.
const DER_LEN_MAX: usize = 16 * 1024;
/// The most alternative names that are looked at.
const NAMES_MAX: usize = 64;

/// Finds the workload for which a leaf certificate stands. A connection may outlive its certificate, so the time is checked for each
/// call.
///
/// # Errors
/// [`Refused`]; [`Refused::Ambiguous`] where its names stand for more than one workload.
pub fn by_certificate(state: &State, now: Timestamp, der: &[u8]) -> Result<(Principal, Proof), Refused> {
    let leaf = parse(der)?;
    let mut found = BTreeSet::new();
    for name in names(&leaf)? {
        found.extend(state.certificates.get(&name).copied());
    }
    let workload = match (found.pop_first(), found.is_empty()) {
        (Some(workload), true) => workload,
        (Some(_), false) => return Err(Refused::Ambiguous),
        (None, _) => return Err(Refused::Unknown),
    };
    let seconds = i64::try_from(now.as_millis() / 1000).unwrap_or(i64::MAX);
    let validity = leaf.validity();
    if seconds < validity.not_before.timestamp() || seconds > validity.not_after.timestamp() {
        return Err(Refused::Expired);
    }
    enabled(state, workload)?;
    Ok((Principal::Workload(workload), Proof::Certificate(certificate_fingerprint(der))))
}

/// What an event calls a certificate: the number 1 in four bytes, big-endian, and the first 16 bytes of the SHA-256 of its DER form.
pub fn certificate_fingerprint(der: &[u8]) -> Fingerprint {
    let digest = digest::digest(&digest::SHA256, der);
    let mut bytes = [0; 20];
    let parts = 1u32.to_be_bytes().into_iter().chain(digest.as_ref().iter().copied());
    bytes.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
    Fingerprint::from_bytes(bytes)
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, Refused> {
    if der.len() > DER_LEN_MAX {
        return Err(Refused::Malformed);
    }
    let (rest, leaf) = X509Certificate::from_der(der).map_err(|_| Refused::Malformed)?;
    let authority = leaf.basic_constraints().map_err(|_| Refused::Malformed)?;
    let is_leaf = !authority.is_some_and(|constraints| constraints.value.ca);
    if rest.is_empty() && is_leaf && leaf.version() == X509Version::V3 {
        Ok(leaf)
    } else {
        Err(Refused::Malformed)
    }
}

/// The names by which a workload may be registered.
fn names(leaf: &X509Certificate<'_>) -> Result<BTreeSet<CertificateName>, Refused> {
    let extension = leaf.subject_alternative_name().map_err(|_| Refused::Malformed)?;
    let listed = extension.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    if listed.len() > NAMES_MAX {
        return Err(Refused::Malformed);
    }
    let mut names = BTreeSet::new();
    let mut uris = 0usize;
    for name in listed {
        if let GeneralName::URI(uri) = name {
            uris += 1;
            let spiffe = uri.starts_with("spiffe://").then(|| Label::new(uri).ok()).flatten();
            names.extend(spiffe.map(CertificateName::Spiffe));
        } else if let GeneralName::DNSName(host) = name {
            // A certificate for a whole domain says of no single host that this is it.
            let host = Some(host).filter(|host| !host.contains('*'));
            let host = host.and_then(|host| Label::new(&host.to_ascii_lowercase()).ok());
            names.extend(host.map(CertificateName::Dns));
        }
    }
    // A SPIFFE certificate has exactly one URI (X509-SVID section 2).
    let spiffe = names.iter().any(|name| matches!(name, CertificateName::Spiffe(_)));
    if spiffe && uris != 1 { Err(Refused::Ambiguous) } else { Ok(names) }
}

fn enabled(state: &State, workload: WorkloadId) -> Result<(), Refused> {
    let known = state.workloads.get(&workload).ok_or(Refused::Unknown)?;
    if known.enabled { Ok(()) } else { Err(Refused::Disabled) }
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
