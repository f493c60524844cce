//! A certificate authority of the test's own, and what it issues.

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// The authority.
pub struct Authority {
    /// Its certificate, as PEM.
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub chain: String,
    /// The key.
    pub key: String,
}

impl Authority {
    /// A fresh one.
    ///
    /// # Errors
    /// Where no key can be made.
    pub fn new() -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { pem, issuer: Issuer::new(params, key) })
    }

    /// A certificate for names or addresses.
    ///
    /// # Errors
    /// Where a name is none.
    pub fn issue(&self, names: &[&str]) -> anyhow::Result<Issued> {
        let key = KeyPair::generate()?;
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let certificate = CertificateParams::new(names)?.signed_by(&key, &self.issuer)?;
        Ok(Issued { chain: certificate.pem(), key: key.serialize_pem() })
    }
}

impl Issued {
    /// The secret number of the key: the public part, which stands in the certificate too, is none.
    ///
    /// # Errors
    /// Where the key is not one of P-256.
    pub fn secret_number(&self) -> anyhow::Result<Vec<u8>> {
        let der = KeyPair::from_pem(&self.key)?.serialize_der();
        // RFC 5915: an OCTET STRING of 32 bytes after the version.
        let at = der.windows(2).position(|pair| pair == [0x04, 0x20]).context("no key of P-256")?;
        Ok(der.get(at + 2..at + 34).context("a key that is cut short")?.to_vec())
    }

    /// The line of the PEM that the secret number fills.
    ///
    /// # Errors
    /// Where there is none.
    pub fn secret_line(&self) -> anyhow::Result<String> {
        let line = self.key.lines().nth(1).context("no first line")?;
        line.get(48..64).map(str::to_owned).context("a line that is cut short")
    }
}
