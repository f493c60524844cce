//! Workloads: the gateways and MCP servers that ask for leases, and how they prove who they are.

use core::{fmt, str::FromStr};

use thiserror::Error;

use crate::{
    id::{CredentialId, McpServerId, Name, WorkloadId},
    text::{Digest, Label},
    time::Timestamp,
};

pub mod decide;

/// The most API credentials and the most certificate names that a workload may have at a time.
pub const PROOFS_MAX: usize = 16;

/// Which kind of program it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A gateway, which may ask on behalf of any MCP server that policy allows, and puts tokens into upstream requests.
    Gateway,
    /// One MCP server, which asks for itself alone.
    McpServer(McpServerId),
}

/// A name in a client certificate: a SPIFFE URI or a DNS name from its subject alternative names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CertificateName {
    /// `spiffe://trust-domain/path`.
    Spiffe(Label<255>),
    /// A DNS name, in lower case.
    Dns(Label<253>),
}

/// Why a text is not a certificate name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("spiffe://trust-domain/path of at most 255 bytes, or a DNS name")]
pub struct InvalidCertificateName;

impl FromStr for CertificateName {
    type Err = InvalidCertificateName;

    /// Reads a SPIFFE URI as it is, and a DNS name in lower case.
    fn from_str(text: &str) -> Result<Self, InvalidCertificateName> {
        if text.starts_with("spiffe://") {
            return Label::new(text).map(Self::Spiffe).map_err(|_| InvalidCertificateName);
        }
        let dns = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        if text.is_empty() || !text.bytes().all(dns) || text.starts_with('.') || text.ends_with('.') {
            return Err(InvalidCertificateName);
        }
        Label::new(&text.to_ascii_lowercase()).map(Self::Dns).map_err(|_| InvalidCertificateName)
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spiffe(name) => name.fmt(f),
            Self::Dns(name) => name.fmt(f),
        }
    }
}

/// A workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Its id.
    pub id: WorkloadId,
    /// Its name.
    pub name: Name,
    /// Which kind of program it is.
    pub kind: Kind,
    /// Whether it may still ask.
    pub enabled: bool,
    /// The sequence number of its last change.
    pub revision: u64,
}

/// Orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Register a workload.
    Register {
        /// Its id.
        workload: WorkloadId,
        /// Its name.
        name: Name,
        /// Which kind of program it is.
        kind: Kind,
    },
    /// Give it one more API credential.
    AddCredential {
        /// The workload.
        workload: WorkloadId,
        /// The credential.
        credential: CredentialId,
        /// SHA-256 of its secret.
        secret: Digest,
        /// When it ends, if it does.
        expires_at: Option<Timestamp>,
    },
    /// End one of its API credentials.
    RetireCredential {
        /// The workload.
        workload: WorkloadId,
        /// The credential.
        credential: CredentialId,
    },
    /// Let certificates with this name stand for it.
    BindCertificate {
        /// The workload.
        workload: WorkloadId,
        /// The name.
        certificate: CertificateName,
    },
    /// Let certificates with this name stand for it no more.
    UnbindCertificate {
        /// The workload.
        workload: WorkloadId,
        /// The name.
        certificate: CertificateName,
    },
    /// End what it may ask. Its credentials do not come back when it is enabled again.
    Disable {
        /// The workload.
        workload: WorkloadId,
    },
    /// Let it ask again, with new credentials.
    Enable {
        /// The workload.
        workload: WorkloadId,
    },
}

/// Facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A workload exists.
    Registered {
        /// Its id.
        workload: WorkloadId,
        /// Its name.
        name: Name,
        /// Which kind of program it is.
        kind: Kind,
    },
    /// It has one more API credential.
    CredentialAdded {
        /// The workload.
        workload: WorkloadId,
        /// The credential.
        credential: CredentialId,
        /// When it ends, if it does.
        expires_at: Option<Timestamp>,
    },
    /// One of its API credentials ended.
    CredentialRetired {
        /// The workload.
        workload: WorkloadId,
        /// The credential.
        credential: CredentialId,
    },
    /// Certificates with this name stand for it.
    CertificateBound {
        /// The workload.
        workload: WorkloadId,
        /// The name.
        certificate: CertificateName,
    },
    /// Certificates with this name stand for it no more.
    CertificateUnbound {
        /// The workload.
        workload: WorkloadId,
        /// The name.
        certificate: CertificateName,
    },
    /// It may not ask any more, and its credentials and certificate names are gone.
    Disabled {
        /// The workload.
        workload: WorkloadId,
    },
    /// It may ask again.
    Enabled {
        /// The workload.
        workload: WorkloadId,
    },
}
