//! An identity provider, our registration there, and a relying party with a clock that stands.

use jsonwebtoken::Algorithm;
use leasehold_domain::{
    id::{IdentityProviderId, Name},
    identity_provider::{IdentityProvider, JoinClaim, Registration},
    state::State,
    text::{Label, Uri},
    time::{Span, Timestamp},
};
use leasehold_identity::{
    metadata::MetadataCache,
    person::Person,
    sign_in::{FinishError, PendingSignIn, SignIn},
};
use leasehold_upstream::transport::{Egress, Settings, Transport};
use leasehold_vault::{OsEntropy, Secret};
use secrecy::ExposeSecret as _;

use crate::idp::{CLIENT, Idp, NOW_SECONDS, SECRET};

pub(crate) const REDIRECT: &str = "https://leasehold.example/sign-in/corp";
pub(crate) const NOW: Timestamp = Timestamp::from_millis(NOW_SECONDS * 1000);

pub(crate) struct Rig {
    pub(crate) idp: Idp,
    pub(crate) provider: IdentityProvider,
    pub(crate) cache: MetadataCache,
}

pub(crate) fn after(seconds: u64) -> Timestamp {
    NOW + Span::from_secs(seconds)
}

pub(crate) fn secret() -> Secret {
    Secret::copy_of(SECRET.as_bytes()).unwrap()
}

pub(crate) fn transport() -> Transport {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let egress = Egress { allow_loopback: true, allowed: Vec::new() };
    Transport::new(Settings { egress, ..Settings::default() }).unwrap()
}

pub(crate) fn provider(issuer: &str, id: u8) -> IdentityProvider {
    IdentityProvider {
        id: IdentityProviderId::from_bytes([id; 16]),
        registration: Registration {
            name: Name::new(&format!("corp-{id}")).unwrap(),
            issuer: Uri::new(issuer).unwrap(),
            client_id: Label::new(CLIENT).unwrap(),
            join_claim: JoinClaim::Sub,
            email_domains: vec![Label::new("corp.example").unwrap()],
        },
        revision: 1,
    }
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::of(Algorithm::ES256, 1).await
    }

    pub(crate) async fn of(algorithm: Algorithm, id: u8) -> Self {
        let idp = Idp::start(algorithm).await;
        let provider = provider(&idp.issuer, id);
        Self { idp, provider, cache: MetadataCache::new(transport()) }
    }

    /// The state in which this identity provider is configured, and nothing else is.
    pub(crate) fn state(&self) -> State {
        let mut state = State::default();
        state.identity_providers.put(self.provider.id, self.provider.clone());
        state
    }

    pub(crate) fn sign_in(&self) -> SignIn<'_> {
        SignIn { provider: &self.provider, redirect_uri: REDIRECT }
    }

    pub(crate) async fn begin(&self) -> (String, PendingSignIn) {
        let metadata = self.cache.current(&self.provider, NOW).await.unwrap();
        let (url, pending) = self.sign_in().begin(&metadata, &OsEntropy).unwrap();
        (url.expose_secret().to_owned(), pending)
    }

    pub(crate) async fn finish_at(
        &self,
        pending: PendingSignIn,
        query: &str,
        now: Timestamp,
    ) -> Result<Person, FinishError> {
        self.sign_in().finish(&self.cache, pending, query, Some(&secret()), now).await
    }

    pub(crate) async fn finish(&self, pending: PendingSignIn, query: &str) -> Result<Person, FinishError> {
        self.finish_at(pending, query, NOW).await
    }

    /// A whole sign-in.
    pub(crate) async fn run_at(&self, now: Timestamp) -> Result<Person, FinishError> {
        let (url, pending) = self.begin().await;
        let query = self.idp.visit(&url);
        self.finish_at(pending, &query, now).await
    }

    pub(crate) async fn run(&self) -> Result<Person, FinishError> {
        self.run_at(NOW).await
    }
}
