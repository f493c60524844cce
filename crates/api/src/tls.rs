//! TLS of the public port: certificates that can be replaced while the node runs, and no resumption.
//!
//! TLS 1.3 alone: with 1.2 a client certificate crosses the network in clear. A replaced configuration is a whole one, the client CA
//! included, and holds for every handshake after it; a session cannot be resumed, so that no revoked certificate lives on in a ticket.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier},
    version::TLS13,
};
use thiserror::Error;

/// What the port shows, and whom it lets show something. All in PEM.
pub struct TlsMaterial<'a> {
    /// The certificate chain, the node's own first.
    pub certificates: &'a [u8],
    /// The private key (PKCS #8, PKCS #1 or SEC 1).
    pub key: &'a [u8],
    /// The authorities whose client certificates are verified; none where callers show API credentials alone.
    pub client_authorities: Option<&'a [u8]>,
}

/// Why TLS material is refused. What was there before stays in force.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidTls {
    /// The certificate chain is not PEM, or empty.
    #[error("the certificate chain is not a list of PEM certificates")]
    Certificates,
    /// The key is not PEM, or of no known form.
    #[error("the private key is not a PEM key")]
    Key,
    /// The key and the certificate do not belong together, or cannot be used.
    #[error("the private key does not fit the certificate")]
    Pair(#[source] rustls::Error),
    /// A client authority is not PEM, or none is there.
    #[error("the client authorities are not a list of PEM certificates")]
    ClientAuthorities,
    /// The client authorities cannot be used.
    #[error("the client authorities cannot verify anybody")]
    ClientVerifier(#[source] VerifierBuilderError),
}

/// The configuration of the public port. Cheap to clone; the clones are the same one.
#[derive(Clone)]
pub struct TlsAcceptorConfig(Arc<RwLock<Arc<ServerConfig>>>);

impl TlsAcceptorConfig {
    /// A configuration of this material.
    ///
    /// # Errors
    /// [`InvalidTls`].
    pub fn new(material: &TlsMaterial<'_>) -> Result<Self, InvalidTls> {
        Ok(Self(Arc::new(RwLock::new(Arc::new(configured(material)?)))))
    }

    /// Replaces it, for every handshake from now on. Connections that are open stay as they are until they end.
    ///
    /// # Errors
    /// [`InvalidTls`]; then nothing changes.
    pub fn replace(&self, material: &TlsMaterial<'_>) -> Result<(), InvalidTls> {
        let config = Arc::new(configured(material)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// What the next handshake goes by.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn configured(material: &TlsMaterial<'_>) -> Result<ServerConfig, InvalidTls> {
    let chain = certificates(material.certificates).ok_or(InvalidTls::Certificates)?;
    let key = PrivateKeyDer::from_pem_slice(material.key).map_err(|_| InvalidTls::Key)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(InvalidTls::Pair)?;
    let builder = match material.client_authorities {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(authorities).ok_or(InvalidTls::ClientAuthorities)? {
                roots.add(authority).map_err(|_| InvalidTls::ClientAuthorities)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(InvalidTls::ClientVerifier)?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(InvalidTls::Pair)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// At least one certificate.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    (!all.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn refused(certificates: &str, key: &str, authorities: Option<&str>) -> InvalidTls {
        let material = TlsMaterial {
            certificates: certificates.as_bytes(),
            key: key.as_bytes(),
            client_authorities: authorities.map(str::as_bytes),
        };
        TlsAcceptorConfig::new(&material).err().unwrap()
    }

    #[test]
    fn material_that_is_not_of_one_piece_is_refused() {
        let (certificate, key) = pair();
        let (_, other_key) = pair();
        assert!(matches!(refused("", &key, None), InvalidTls::Certificates));
        assert!(matches!(refused(&certificate, "", None), InvalidTls::Key));
        assert!(matches!(refused(&certificate, &other_key, None), InvalidTls::Pair(_)));
        assert!(matches!(refused(&certificate, &key, Some("")), InvalidTls::ClientAuthorities));
    }

    #[test]
    fn a_replacement_that_is_refused_changes_nothing() {
        let (certificate, key) = pair();
        let good = TlsMaterial {
            certificates: certificate.as_bytes(),
            key: key.as_bytes(),
            client_authorities: Some(certificate.as_bytes()),
        };
        let config = TlsAcceptorConfig::new(&good).ok().unwrap();
        let before = config.current();
        assert!(config.replace(&TlsMaterial { key: b"", ..good }).is_err());
        assert!(Arc::ptr_eq(&before, &config.current()));
        assert!(config.replace(&good).is_ok());
        assert!(!Arc::ptr_eq(&before, &config.current()));
    }

    #[test]
    fn nothing_can_be_resumed_and_only_http_2_is_spoken() {
        let (certificate, key) = pair();
        let material = TlsMaterial {
            certificates: certificate.as_bytes(),
            key: key.as_bytes(),
            client_authorities: None,
        };
        let config = TlsAcceptorConfig::new(&material).ok().unwrap().current();
        assert_eq!(config.alpn_protocols, [b"h2"]);
        assert_eq!(config.send_tls13_tickets, 0);
        assert!(!config.session_storage.can_cache());
        assert!(!config.ticketer.enabled());
    }
}
