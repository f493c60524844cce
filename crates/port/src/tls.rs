//! TLS of a port: certificates that can be replaced while the node runs, and no resumption.
//!
//! A replacement is a whole one, the client authorities included, and holds for every handshake after it. A session cannot be resumed, in either
//! version of TLS, so that no revoked certificate lives on in a ticket. What the authorities in force do not vouch for any more is withdrawn from
//! open connections too.

mod chain;

use std::{fmt, sync::Arc, time::Duration};

use rustls::{
    RootCertStore, ServerConfig,
    client::verify_server_name,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    server::{
        NoServerSessionStorage, ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier,
        danger::ClientCertVerifier,
    },
};
use thiserror::Error;
use tokio::sync::watch;

use crate::listen::Protocol;

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
    /// A certificate of the chain cannot be read.
    #[error("certificate {place} of the chain cannot be read")]
    Certificate {
        /// Its place, from 1.
        place: usize,
    },
    /// A certificate of the chain was not issued by the one after it.
    #[error(
        "certificate {place} of the chain was not issued by the one after it: put the node's own first, then its issuer, and so on"
    )]
    Order {
        /// Its place, from 1.
        place: usize,
    },
    /// A certificate of the chain has expired.
    #[error("certificate {place} of the chain expired on {on}: renew it")]
    Expired {
        /// Its place, from 1.
        place: usize,
        /// When, as the certificate says it.
        on: String,
    },
    /// A certificate of the chain is not valid yet.
    #[error(
        "certificate {place} of the chain is not valid before {on}: wait, or see to this machine's clock"
    )]
    Early {
        /// Its place, from 1.
        place: usize,
        /// From when, as the certificate says it.
        on: String,
    },
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

/// The TLS of a port. Cheap to clone; the clones are the same one.
#[derive(Clone)]
pub struct Tls {
    protocol: Protocol,
    current: Arc<watch::Sender<Arc<Current>>>,
}

/// What is in force.
pub(crate) struct Current {
    config: Arc<ServerConfig>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    leaf: CertificateDer<'static>,
    expires_at: UnixTime,
}

impl Tls {
    /// The TLS of a port on which `protocol` is spoken, with this material.
    ///
    /// # Errors
    /// [`InvalidTls`].
    pub fn new(protocol: Protocol, material: &TlsMaterial<'_>, now: UnixTime) -> Result<Self, InvalidTls> {
        let current = Arc::new(Current::new(protocol, material, now)?);
        Ok(Self { protocol, current: Arc::new(watch::Sender::new(current)) })
    }

    /// Replaces it, for every handshake from now on. An open connection stays as it is, unless its client showed a certificate for which the new
    /// authorities do not vouch: that one ends within seconds, and its certificate counts for nothing at once.
    ///
    /// # Errors
    /// [`InvalidTls`]; then nothing changes.
    pub fn replace(&self, material: &TlsMaterial<'_>, now: UnixTime) -> Result<(), InvalidTls> {
        let current = Arc::new(Current::new(self.protocol, material, now)?);
        drop(self.current.send_replace(current));
        Ok(())
    }

    /// When the first certificate of the chain in force to expire does so.
    pub fn expires_at(&self) -> UnixTime {
        self.current.borrow().expires_at
    }

    /// Whether the certificate in force is one for this host, a name or an address.
    pub fn names(&self, host: &str) -> bool {
        let Ok(host) = ServerName::try_from(host.trim_start_matches('[').trim_end_matches(']')) else {
            return false;
        };
        let leaf = self.current.borrow().leaf.clone();
        ParsedCertificate::try_from(&leaf).is_ok_and(|leaf| verify_server_name(&leaf, &host).is_ok())
    }

    /// What the next handshake goes by, and word of what comes after it.
    pub(crate) fn next(&self) -> (Arc<ServerConfig>, watch::Receiver<Arc<Current>>) {
        let mut changes = self.current.subscribe();
        let config = changes.borrow_and_update().config.clone();
        (config, changes)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

/// A client's certificate chain, and word of which authorities are in force.
pub(crate) struct Vouching {
    changes: watch::Receiver<Arc<Current>>,
    chain: Vec<CertificateDer<'static>>,
}

impl Vouching {
    /// A chain that was verified by what was in force when `changes` was last looked at.
    pub(crate) fn of(changes: watch::Receiver<Arc<Current>>, chain: &[CertificateDer<'_>]) -> Self {
        Self { changes, chain: chain.iter().map(|one| one.clone().into_owned()).collect() }
    }

    /// Returns once a replacement does not vouch for the chain.
    pub(crate) async fn withdrawn(mut self) {
        while self.changes.changed().await.is_ok() {
            let current = self.changes.borrow_and_update().clone();
            if !current.vouches_for(&self.chain) {
                return;
            }
        }
        // The port is gone, and its connections with it.
        std::future::pending().await
    }
}

impl Current {
    fn new(protocol: Protocol, material: &TlsMaterial<'_>, now: UnixTime) -> Result<Self, InvalidTls> {
        let chain = certificates(material.certificates).ok_or(InvalidTls::Certificates)?;
        let expires_at = chain::check(&chain, now)?;
        let leaf = chain.first().cloned().ok_or(InvalidTls::Certificates)?;
        let key = PrivateKeyDer::from_pem_slice(material.key).map_err(|_| InvalidTls::Key)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(InvalidTls::Pair)?;
        let clients = match material.client_authorities {
            None => None,
            Some(authorities) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(authorities).ok_or(InvalidTls::ClientAuthorities)? {
                    roots.add(authority).map_err(|_| InvalidTls::ClientAuthorities)?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .allow_unauthenticated()
                    .build()
                    .map_err(InvalidTls::ClientVerifier)?;
                Some(verifier)
            }
        };
        let builder = match &clients {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier.clone()),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(InvalidTls::Pair)?;
        config.alpn_protocols = match protocol {
            Protocol::Grpc => vec![b"h2".to_vec()],
            Protocol::Pages => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self { config: Arc::new(config), clients, leaf, expires_at })
    }

    fn vouches_for(&self, chain: &[CertificateDer<'_>]) -> bool {
        let (Some(clients), Some((leaf, rest)), Some(now)) =
            (&self.clients, chain.split_first(), self.config.time_provider.current_time())
        else {
            return false;
        };
        clients.verify_client_cert(leaf, rest, now).is_ok()
    }
}

/// At least one certificate.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    (!all.is_empty()).then_some(all)
}

/// A moment of a certificate; before 1970 counts as then.
fn moment(seconds: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
