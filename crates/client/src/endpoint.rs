//! Where a cluster is, whom to believe there, and how to prove who calls.

use std::{net::IpAddr, time::Duration};

use http::Uri;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use thiserror::Error;
use tonic::{
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, ClientTlsConfig, Identity, channel},
};

/// How long opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the first answer to any call may take: a little more than the longest long poll, which is 59 seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(75);
/// How often an open connection is probed while calls are under way, and how long a probe may stay unanswered.
const PROBE_EVERY: Duration = Duration::from_secs(20);
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// A cluster, and who calls it.
#[derive(Debug)]
pub struct Endpoint {
    /// `https://host:port`, or `http://` to a loopback address.
    pub address: String,
    /// The certificate authorities to believe, as PEM; the machine's own where it is `None`.
    pub ca_pem: Option<Vec<u8>>,
    /// How the caller proves who it is.
    pub proof: Proof,
}

/// How a caller proves who it is.
#[derive(Debug)]
pub enum Proof {
    /// It does not: enough for health checks alone.
    Nobody,
    /// By an API credential.
    Credential(SecretString),
    /// By a client certificate.
    Certificate {
        /// The certificate, and those that lead to its authority, as PEM.
        chain_pem: Vec<u8>,
        /// Its private key, as PEM.
        key_pem: SecretSlice<u8>,
    },
}

/// Why there is no connection.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is not one.
    #[error("the address is not of the form https://host:port")]
    Address,
    /// What proves the caller would be sent over a network in clear.
    #[error("without TLS, only a loopback address is spoken to: use https://")]
    ClearText,
    /// A client certificate without TLS.
    #[error("a client certificate needs an https:// address")]
    CertificateWithoutTls,
    /// The credential has characters that no credential has.
    #[error("the credential is not a credential: it has characters that none has")]
    Credential,
    /// The certificates or the key are not usable.
    #[error("the certificates or the key cannot be used")]
    Tls(#[source] tonic::transport::Error),
    /// Nothing answers there, or not as a cluster that the certificate authorities vouch for.
    #[error("nothing answers at {address}")]
    Unreachable {
        /// The address.
        address: String,
        /// What the connection failed with.
        #[source]
        source: tonic::transport::Error,
    },
}

impl Endpoint {
    /// The channel to open, and the `authorization` that every call carries.
    pub(crate) fn prepare(self) -> Result<(channel::Endpoint, Option<MetadataValue<Ascii>>), ConnectError> {
        let uri: Uri = self.address.parse().map_err(|_| ConnectError::Address)?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(ConnectError::Address)?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_loopback(host) => false,
            Some("http") => return Err(ConnectError::ClearText),
            _ => return Err(ConnectError::Address),
        };
        if uri.path_and_query().is_some_and(|rest| rest.as_str() != "/") {
            return Err(ConnectError::Address);
        }
        let mut config = match self.ca_pem {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
            None => ClientTlsConfig::new().with_enabled_roots(),
        };
        let mut authorization = None;
        match self.proof {
            Proof::Nobody => {}
            Proof::Credential(credential) => authorization = Some(bearer(&credential)?),
            Proof::Certificate { .. } if !tls => return Err(ConnectError::CertificateWithoutTls),
            Proof::Certificate { chain_pem, key_pem } => {
                config = config.identity(Identity::from_pem(chain_pem, key_pem.expose_secret()));
            }
        }
        let mut endpoint = channel::Endpoint::from(uri)
            .user_agent(concat!("leasehold-client/", env!("CARGO_PKG_VERSION")))
            .map_err(ConnectError::Tls)?
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(PROBE_EVERY)
            .keep_alive_timeout(PROBE_TIMEOUT);
        if tls {
            endpoint = endpoint.tls_config(config).map_err(ConnectError::Tls)?;
        }
        Ok((endpoint, authorization))
    }
}

/// The header's value (RFC 6750 section 2.1), kept out of logs and out of HTTP/2's compression tables.
fn bearer(credential: &SecretString) -> Result<MetadataValue<Ascii>, ConnectError> {
    let credential = credential.expose_secret();
    if credential.is_empty() || !credential.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ConnectError::Credential);
    }
    let mut value =
        MetadataValue::try_from(format!("Bearer {credential}")).map_err(|_| ConnectError::Credential)?;
    value.set_sensitive(true);
    Ok(value)
}

fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(address: &str, proof: Proof) -> Endpoint {
        Endpoint { address: address.to_owned(), ca_pem: None, proof }
    }

    fn credential() -> Proof {
        Proof::Credential("lh_ad_x.y".into())
    }

    #[test]
    fn a_credential_is_not_sent_in_clear_over_a_network() {
        for address in ["http://leasehold.example:7400", "http://10.0.0.1:7400", "http://localhost.example:1"]
        {
            assert!(
                matches!(endpoint(address, credential()).prepare(), Err(ConnectError::ClearText)),
                "{address}"
            );
        }
        for address in ["http://127.0.0.1:7400", "http://[::1]:7400", "http://localhost:7400"] {
            assert!(endpoint(address, credential()).prepare().is_ok(), "{address}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for address in
            ["", "leasehold.example:7400", "ftp://127.0.0.1", "http://127.0.0.1/path", "https://", "a b"]
        {
            assert!(
                matches!(endpoint(address, credential()).prepare(), Err(ConnectError::Address)),
                "{address}"
            );
        }
    }

    #[test]
    fn the_authorization_is_marked_sensitive_and_printed_nowhere() {
        let endpoint = endpoint("http://127.0.0.1:1", credential());
        assert!(!format!("{endpoint:?}").contains("lh_ad_x"));
        let (_, authorization) = endpoint.prepare().unwrap();
        let authorization = authorization.unwrap();
        assert_eq!(authorization.to_str().unwrap(), "Bearer lh_ad_x.y");
        assert!(authorization.is_sensitive());
        assert!(!format!("{authorization:?}").contains("lh_ad_x"));
    }

    #[test]
    fn a_credential_that_would_end_the_header_is_refused() {
        for bad in ["", "two words", "line\nbreak", "ü"] {
            let refused = endpoint("http://127.0.0.1:1", Proof::Credential(bad.into())).prepare();
            assert!(matches!(refused, Err(ConnectError::Credential)), "{bad:?}");
        }
    }

    #[test]
    fn a_client_certificate_needs_tls() {
        let proof = Proof::Certificate { chain_pem: Vec::new(), key_pem: Vec::new().into() };
        let refused = endpoint("http://127.0.0.1:1", proof).prepare();
        assert!(matches!(refused, Err(ConnectError::CertificateWithoutTls)));
    }
}
