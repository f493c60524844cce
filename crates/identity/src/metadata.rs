//! What an identity provider says about itself: its endpoints and its signing keys (OpenID Connect Discovery 1.0).
//!
//! Everything here came over the network. It counts only if its issuer is, byte for byte, the configured one.

use std::sync::Arc;

use leasehold_domain::identity_provider::IdentityProvider;
use leasehold_upstream::{
    endpoints::{EndpointUrlError, Issuer, endpoint_url},
    transport::Transport,
};
use openidconnect::{
    AdditionalProviderMetadata, DiscoveryError, IssuerUrl, JsonWebKeySet, ProviderMetadata,
    core::{
        CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
        CoreSubjectIdentifierType,
    },
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::http::{Http, HttpError};

mod cache;
mod keys;

pub use cache::MetadataCache;
use keys::Keys;
pub(crate) use keys::NoKey;

/// Why there is no metadata to use. None of these carries what the identity provider said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// It could not be fetched. Worth another try.
    #[error("the metadata could not be fetched: {0}")]
    Http(HttpError),
    /// It could not be fetched a moment ago, and another try is not due yet.
    #[error("the metadata could not be fetched a moment ago")]
    TriedRecently,
    /// Another status than 200, or another type than JSON.
    #[error("the identity provider answered with status {0} and no metadata")]
    Status(u16),
    /// The document or the key set does not have the form of one.
    #[error("the metadata cannot be read")]
    Unreadable,
    /// The document speaks for another issuer (OpenID Connect Discovery section 4.3).
    #[error("the metadata is of another issuer")]
    Issuer,
    /// The configured issuer is no https URL without query, nor http to a loopback host.
    #[error("the configured issuer is not usable")]
    ConfiguredIssuer,
    /// The document names no token endpoint.
    #[error("the metadata has no token endpoint")]
    NoTokenEndpoint,
    /// An endpoint is no endpoint.
    #[error("the {name} endpoint is not usable: {source}")]
    Endpoint {
        /// Which one.
        name: &'static str,
        /// What is wrong with it.
        source: EndpointUrlError,
    },
}

/// The one field beyond OpenID Connect Discovery that is read (RFC 9207 section 3).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct IssAdvertised {
    authorization_response_iss_parameter_supported: Option<bool>,
}

impl AdditionalProviderMetadata for IssAdvertised {}

pub(crate) type Document = ProviderMetadata<
    IssAdvertised,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// An identity provider's endpoints and keys, as of one moment.
pub struct Metadata {
    pub(crate) document: Arc<Document>,
    pub(crate) issuer: Issuer,
    pub(crate) keys: Keys,
}

impl Metadata {
    /// Fetches an identity provider's metadata and keys.
    ///
    /// # Errors
    /// [`MetadataError`].
    pub async fn fetch(transport: &Transport, provider: &IdentityProvider) -> Result<Self, MetadataError> {
        let text = provider.registration.issuer.as_str();
        let issuer = Issuer::new(text).map_err(|_| MetadataError::ConfiguredIssuer)?;
        let asked = IssuerUrl::new(text.to_owned()).map_err(|_| MetadataError::ConfiguredIssuer)?;
        let http = Http(transport);
        let document = Document::discover_async(asked, &http).await.map_err(sort)?;
        let token = document.token_endpoint().ok_or(MetadataError::NoTokenEndpoint)?;
        let usable = |name, text: &str| {
            endpoint_url(text).map(|_| ()).map_err(|source| MetadataError::Endpoint { name, source })
        };
        usable("authorization", document.authorization_endpoint())?;
        usable("token", token)?;
        usable("jwks", document.jwks_uri())?;
        let keys = Keys::new(document.jwks());
        Ok(Self { document: Arc::new(document), issuer, keys })
    }

    /// The same endpoints with the keys of now.
    pub(crate) async fn fetch_keys(&self, transport: &Transport) -> Result<Self, MetadataError> {
        let http = Http(transport);
        let fetched = JsonWebKeySet::fetch_async(self.document.jwks_uri(), &http).await.map_err(sort)?;
        Ok(Self {
            document: Arc::clone(&self.document),
            issuer: self.issuer.clone(),
            keys: Keys::new(&fetched),
        })
    }

    /// The issuer, byte for byte as it is configured.
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Whether the identity provider promises to name itself in its redirects (RFC 9207).
    pub(crate) fn iss_advertised(&self) -> bool {
        self.document.additional_metadata().authorization_response_iss_parameter_supported.unwrap_or(false)
    }
}

/// Sorts an error of the client library. Its text quotes what the identity provider sent, and goes no further.
fn sort(error: DiscoveryError<HttpError>) -> MetadataError {
    if let DiscoveryError::Request(error) = error {
        MetadataError::Http(error)
    } else if let DiscoveryError::Response(status, ..) = error {
        MetadataError::Status(status.as_u16())
    } else if let DiscoveryError::Validation(_) = error {
        MetadataError::Issuer
    } else {
        MetadataError::Unreadable
    }
}
