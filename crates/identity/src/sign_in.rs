//! People sign in: an OpenID Connect relying party with the authorization code flow and nothing else.
//!
//! [`SignIn::begin`] gives the URL for the browser and what is kept meanwhile, sealed into the browser's own session; [`SignIn::finish`]
//! judges what comes back, in this order: identity provider, state, issuer (RFC 9207), and only then the code, which is exchanged with
//! the proof key, and the ID token. Nothing of an answer is believed, shown or acted on before the step that it belongs to.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use leasehold_domain::{id::IdentityProviderId, identity_provider::IdentityProvider, time::Timestamp};
use leasehold_upstream::{
    callback::{Callback, CallbackError, Expectation, Refusal, UntrustedCallback},
    endpoints::endpoint_url,
    proof::{Verifier, one_time_value},
};
use leasehold_vault::{Entropy, Secret};
use openidconnect::{
    AuthType, AuthenticationFlow, AuthorizationCode, ClientId, ClientSecret, CsrfToken, Nonce,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, TokenResponse,
    core::{CoreClientAuthMethod, CoreResponseType},
};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    http::{Http, HttpError},
    metadata::{Metadata, MetadataCache, MetadataError},
    person::Person,
    session::random,
};

mod id_token;
mod library;

pub use id_token::IdTokenError;
use library::{Client, IdToken};

/// What is kept of a sign-in while the browser is at the identity provider. Without `Debug`: it carries secrets.
///
/// It names the identity provider that was asked, whose issuer never changes, so that an answer of another one is not taken for its
/// answer.
pub struct PendingSignIn {
    pub(crate) identity_provider: IdentityProviderId,
    pub(crate) state: Zeroizing<[u8; 32]>,
    pub(crate) nonce: Zeroizing<[u8; 32]>,
    pub(crate) verifier: Zeroizing<[u8; 32]>,
}

impl PendingSignIn {
    /// At which identity provider it was begun.
    pub const fn identity_provider(&self) -> IdentityProviderId {
        self.identity_provider
    }
}

/// Why no sign-in can be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BeginError {
    /// The metadata is another identity provider's.
    #[error("the metadata is of another identity provider")]
    OtherProvider,
    /// The redirect URI is no https URL, nor http to a loopback host.
    #[error("the redirect uri is not usable")]
    RedirectUri,
    /// The identity provider's authorization endpoint already carries a parameter of the request.
    #[error("the authorization endpoint carries a parameter of the request")]
    DuplicateParameter,
}

/// Why a sign-in came to nothing. None of these carries what the identity provider or the browser sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FinishError {
    /// It was begun at another identity provider.
    #[error("the sign-in was begun at another identity provider")]
    OtherProvider,
    /// The callback is not believed.
    #[error(transparent)]
    Callback(#[from] CallbackError),
    /// The identity provider refused.
    #[error("the identity provider refused the sign-in")]
    Refused(Refusal),
    /// There is no metadata to use.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The redirect URI is no https URL, nor http to a loopback host.
    #[error("the redirect uri is not usable")]
    RedirectUri,
    /// The identity provider takes neither HTTP Basic nor the request's body for the client's secret, or the secret is no text.
    #[error("the identity provider takes no client authentication that is known here")]
    ClientAuth,
    /// The token endpoint could not be heard.
    #[error("the code was not exchanged: {0}")]
    Http(HttpError),
    /// The token endpoint refused our client: its id or secret is wrong there.
    #[error("the identity provider refused the client")]
    ClientRefused,
    /// The token endpoint refused the code: used, expired, or of another request.
    #[error("the identity provider refused the code")]
    CodeRefused,
    /// The token endpoint answered something else.
    #[error("the answer of the token endpoint cannot be read")]
    Unreadable,
    /// The ID token is not believed.
    #[error(transparent)]
    IdToken(#[from] IdTokenError),
}

/// A sign-in at an identity provider, to be begun or finished.
#[derive(Clone, Copy)]
pub struct SignIn<'a> {
    /// Where.
    pub provider: &'a IdentityProvider,
    /// Our redirect URI there, byte for byte as it is registered.
    pub redirect_uri: &'a str,
}

impl SignIn<'_> {
    /// Begins a sign-in: the URL to which the browser is sent, and what is kept until it comes back. The URL carries the state, so it is
    /// a secret until the browser has it.
    ///
    /// # Errors
    /// [`BeginError`] when the parts do not make a URL that means what it should.
    pub fn begin(
        &self,
        metadata: &Metadata,
        entropy: &dyn Entropy,
    ) -> Result<(SecretString, PendingSignIn), BeginError> {
        if metadata.issuer().as_str() != self.provider.registration.issuer.as_str() {
            return Err(BeginError::OtherProvider);
        }
        let pending = PendingSignIn {
            identity_provider: self.provider.id,
            state: random(entropy),
            nonce: random(entropy),
            verifier: random(entropy),
        };
        let client = self.client(metadata, None);
        let redirect = self.redirect().ok_or(BeginError::RedirectUri)?;
        let state = CsrfToken::new(exposed(&pending.state));
        let nonce = Nonce::new(exposed(&pending.nonce));
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier(&pending));
        let (url, ..) = client
            .authorize_url(AuthenticationFlow::<CoreResponseType>::AuthorizationCode, || state, || nonce)
            .add_scope(Scope::new("email".to_owned()))
            .add_scope(Scope::new("profile".to_owned()))
            .set_redirect_uri(Cow::Owned(redirect))
            .set_pkce_challenge(challenge)
            .url();
        let mut seen = BTreeSet::new();
        if !url.query_pairs().all(|(name, _)| seen.insert(name)) {
            return Err(BeginError::DuplicateParameter);
        }
        Ok((SecretString::from(String::from(url)), pending))
    }

    /// Finishes a sign-in with the query of the callback, without its question mark, and our client secret at the identity provider, if
    /// we have one there.
    ///
    /// # Errors
    /// [`FinishError`], by the first check that fails. Whatever it is, the sign-in is over: `pending` is used up.
    pub async fn finish(
        &self,
        cache: &MetadataCache,
        pending: PendingSignIn,
        query: &str,
        secret: Option<&Secret>,
        now: Timestamp,
    ) -> Result<Person, FinishError> {
        if pending.identity_provider != self.provider.id {
            return Err(FinishError::OtherProvider);
        }
        let callback = UntrustedCallback::read(query)?;
        let metadata = cache.current(self.provider, now).await?;
        let state = one_time_value(&pending.state);
        let expected = Expectation {
            state: &state,
            issuer: Some(metadata.issuer()),
            issuer_required: metadata.iss_advertised(),
        };
        let code = match callback.judge(&expected)? {
            Callback::Code(code) => code,
            Callback::Refused(refusal) => return Err(FinishError::Refused(refusal)),
        };
        let token = self.exchange(cache, &metadata, &pending, &code, secret).await?;
        self.believe(cache, metadata, &token, &pending, now).await
    }

    async fn exchange(
        &self,
        cache: &MetadataCache,
        metadata: &Metadata,
        pending: &PendingSignIn,
        code: &SecretString,
        secret: Option<&Secret>,
    ) -> Result<IdToken, FinishError> {
        let secret = secret.map(|secret| secret.expose_str().ok_or(FinishError::ClientAuth)).transpose()?;
        let client = self
            .client(metadata, secret)
            .set_auth_type(auth_type(metadata, secret.is_some())?)
            .set_redirect_uri(self.redirect().ok_or(FinishError::RedirectUri)?);
        let request = client
            .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
            .map_err(|_| MetadataError::NoTokenEndpoint)?
            .set_pkce_verifier(verifier(pending));
        let http = Http(cache.transport());
        match request.request_async(&http).await {
            Ok(answer) => Ok(answer.id_token().ok_or(IdTokenError::Absent)?.clone()),
            Err(error) => Err(sort(&error)),
        }
    }

    /// Verifies the ID token, a second time if its key may be newer than the ones at hand.
    async fn believe(
        &self,
        cache: &MetadataCache,
        metadata: Arc<Metadata>,
        token: &IdToken,
        pending: &PendingSignIn,
        now: Timestamp,
    ) -> Result<Person, FinishError> {
        let nonce = Nonce::new(exposed(&pending.nonce));
        let first = id_token::verify(self.provider, &metadata, token, &nonce, now);
        match first {
            Err(IdTokenError::UnknownKey | IdTokenError::Signature) => {
                let newer = cache.newer(self.provider, &metadata, now).await;
                if Arc::ptr_eq(&newer, &metadata) {
                    return Ok(first?);
                }
                Ok(id_token::verify(self.provider, &newer, token, &nonce, now)?)
            }
            Ok(_) | Err(_) => Ok(first?),
        }
    }

    fn client(&self, metadata: &Metadata, secret: Option<&str>) -> Client {
        Client::from_provider_metadata(
            metadata.document.as_ref().clone(),
            ClientId::new(self.provider.registration.client_id.as_str().to_owned()),
            secret.map(|secret| ClientSecret::new(secret.to_owned())),
        )
    }

    fn redirect(&self) -> Option<RedirectUrl> {
        endpoint_url(self.redirect_uri).ok()?;
        RedirectUrl::new(self.redirect_uri.to_owned()).ok()
    }
}

fn exposed(random: &Zeroizing<[u8; 32]>) -> String {
    one_time_value(random).expose_secret().to_owned()
}

fn verifier(pending: &PendingSignIn) -> PkceCodeVerifier {
    let verifier = Verifier::from_random(&pending.verifier);
    PkceCodeVerifier::new(verifier.expose().expose_secret().to_owned())
}

/// How the client authenticates: as metadata lists it, HTTP Basic first, and by that where it lists nothing (OpenID Connect Discovery
/// section 3).
fn auth_type(metadata: &Metadata, has_secret: bool) -> Result<AuthType, FinishError> {
    let Some(listed) = metadata.document.token_endpoint_auth_methods_supported() else {
        return Ok(AuthType::BasicAuth);
    };
    if !has_secret || listed.contains(&CoreClientAuthMethod::ClientSecretBasic) {
        Ok(AuthType::BasicAuth)
    } else if listed.contains(&CoreClientAuthMethod::ClientSecretPost) {
        Ok(AuthType::RequestBody)
    } else {
        Err(FinishError::ClientAuth)
    }
}

/// Sorts an error of the client library. Its text quotes what the identity provider sent, and goes no further.
fn sort(error: &RequestTokenError<HttpError, library::ErrorAnswer>) -> FinishError {
    match error {
        RequestTokenError::Request(error) => FinishError::Http(*error),
        RequestTokenError::ServerResponse(answer) => match answer.error().as_ref() {
            "invalid_client" | "unauthorized_client" => FinishError::ClientRefused,
            "invalid_grant" => FinishError::CodeRefused,
            _ => FinishError::Unreadable,
        },
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => FinishError::Unreadable,
    }
}
