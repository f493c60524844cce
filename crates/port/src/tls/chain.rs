//! Whether a certificate chain hangs together and is in its time.

use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use super::{InvalidTls, moment};

/// Checks a chain, and answers with the moment at which the first of its certificates expires.
///
/// # Errors
/// [`InvalidTls::Certificate`], [`InvalidTls::Order`], [`InvalidTls::Early`] and [`InvalidTls::Expired`].
pub(super) fn check(chain: &[CertificateDer<'_>], now: UnixTime) -> Result<UnixTime, InvalidTls> {
    let mut expires_at = None;
    let mut issuer: Option<Vec<u8>> = None;
    for (place, der) in (1..).zip(chain) {
        let unreadable = InvalidTls::Certificate { place };
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| unreadable)?;
        if !rest.is_empty() {
            return Err(InvalidTls::Certificate { place });
        }
        if issuer.is_some_and(|expected| expected != certificate.subject().as_raw()) {
            return Err(InvalidTls::Order { place: place - 1 });
        }
        issuer = Some(certificate.issuer().as_raw().to_vec());
        let validity = certificate.validity();
        if now < moment(validity.not_before.timestamp()) {
            return Err(InvalidTls::Early { place, on: validity.not_before.to_string() });
        }
        let ends = moment(validity.not_after.timestamp());
        if now > ends {
            return Err(InvalidTls::Expired { place, on: validity.not_after.to_string() });
        }
        expires_at = Some(expires_at.map_or(ends, |earliest: UnixTime| earliest.min(ends)));
    }
    expires_at.ok_or(InvalidTls::Certificates)
}
