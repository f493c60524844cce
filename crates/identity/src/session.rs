//! A browser session: one sealed cookie, and nothing on any node.
//!
//! A cookie is either that of a sign-in under way or that of a person who is signed in; each is a new session with its own id, so an
//! id that was known before a sign-in is worth nothing after it. Whether the person's sessions were ended meanwhile is for
//! [`by_session`](crate::caller::by_session) to say, from the state.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use leasehold_domain::{
    id::{IdentityProviderId, SubjectId},
    text::Digest,
    time::{Span, Timestamp},
};
use leasehold_vault::Entropy;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::sign_in::PendingSignIn;

mod cookie;

pub use cookie::{COOKIE_LEN_MAX, SealSessionError, decode, encode};

/// How long a person stays signed in.
pub const SIGNED_IN_TTL: Span = Span::from_mins(30);
/// How long a sign-in may take.
pub const SIGNING_IN_TTL: Span = Span::from_mins(10);
/// By how much the clock of the node that made a session may be ahead of the one that reads it.
const AHEAD_MAX: Span = Span::from_secs(60);

/// What a session stands for.
pub enum Standing {
    /// A sign-in is under way.
    SigningIn {
        /// What is kept of it.
        pending: PendingSignIn,
        /// Where the browser goes afterwards.
        return_to: Option<LocalPath>,
    },
    /// A person is signed in.
    SignedIn {
        /// Who.
        subject: SubjectId,
        /// At which identity provider.
        identity_provider: IdentityProviderId,
        /// The sequence number of the sign-in's event. Revocations of the subject after it end the session.
        seq: u64,
    },
}

/// A session. Without `Debug`: it carries secrets.
pub struct Session {
    id: Zeroizing<[u8; 32]>,
    csrf: Zeroizing<[u8; 32]>,
    issued_at: Timestamp,
    standing: Standing,
}

impl Session {
    /// Begins a session for a sign-in that was just begun.
    pub fn signing_in(
        pending: PendingSignIn,
        return_to: Option<LocalPath>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        Self::new(Standing::SigningIn { pending, return_to }, now, entropy)
    }

    /// Begins a session for a person whose sign-in is in the ledger at `seq`.
    pub fn signed_in(
        subject: SubjectId,
        identity_provider: IdentityProviderId,
        seq: u64,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        Self::new(Standing::SignedIn { subject, identity_provider, seq }, now, entropy)
    }

    fn new(standing: Standing, now: Timestamp, entropy: &dyn Entropy) -> Self {
        Self { id: random(entropy), csrf: random(entropy), issued_at: now, standing }
    }

    /// What it stands for.
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// What it stands for, given away: a sign-in can be finished once.
    pub fn into_standing(self) -> Standing {
        self.standing
    }

    /// When it began.
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// When it ends.
    pub fn expires_at(&self) -> Timestamp {
        self.issued_at + self.ttl()
    }

    /// SHA-256 of its id: what an approved authorization is bound to.
    pub fn digest(&self) -> Digest {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.id.as_slice());
        Digest::from_bytes(*digest.as_ref().first_chunk().expect("SHA-256 gives 32 bytes"))
    }

    /// What a form of this session carries, so that no other site can make one.
    pub fn csrf_token(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.csrf.as_slice()))
    }

    /// Whether a form carries this session's token, in time that depends on its length only.
    pub fn csrf_matches(&self, presented: &str) -> bool {
        self.csrf_token().as_bytes().ct_eq(presented.as_bytes()).into()
    }

    fn is_current(&self, now: Timestamp) -> bool {
        now < self.expires_at() && self.issued_at <= now + AHEAD_MAX
    }

    const fn ttl(&self) -> Span {
        match self.standing {
            Standing::SigningIn { .. } => SIGNING_IN_TTL,
            Standing::SignedIn { .. } => SIGNED_IN_TTL,
        }
    }
}

/// A text is not a path on this very site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected a path on this site of at most {} characters", LocalPath::LEN_MAX)]
pub struct NotLocal;

/// A path, with or without a query, on this very site: where a browser may be sent without becoming an open redirector (RFC 9700
/// section 4.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPath(String);

impl LocalPath {
    /// The longest path, in bytes.
    pub const LEN_MAX: usize = 1024;

    /// Accepts a text that every browser reads as a path on the site that it is on.
    ///
    /// # Errors
    /// [`NotLocal`] for a text that is too long or not visible ASCII, does not begin with one slash, or has a backslash, which
    /// browsers read as a slash.
    pub fn new(text: &str) -> Result<Self, NotLocal> {
        let local = text.starts_with('/')
            && !text.starts_with("//")
            && text.len() <= Self::LEN_MAX
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if local { Ok(Self(text.to_owned())) } else { Err(NotLocal) }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub(crate) fn random(entropy: &dyn Entropy) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    entropy.fill(bytes.as_mut_slice());
    bytes
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
