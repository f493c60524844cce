//! The cookie that ties an approved consent to the browser that approved it, from the approving form to the provider's callback.
//!
//! It is set by that form's answer and by nothing else: a state that existed before the consent would defeat it. The state itself stands in
//! the cluster as a digest and is used up there; the cookie only lets the browser prove that it is the one that was sent away.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use leasehold_domain::{authorization::STATE_TTL, id::AuthorizationId, text::Digest, time::Timestamp};
use leasehold_vault::{Entropy, Keyring, Owner, OwnerBinding, SealError, Sealed, Secret};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// Sealed under the same owner as sessions, whose layout begins with another byte: the one never opens as the other.
const FORMAT: u8 = b's';
/// The longest state, in bytes. Ours have 43.
const STATE_LEN_MAX: usize = 128;
const FIXED_LEN: usize = 1 + 16 + 32 + 8;
/// The longest cookie value, in characters.
const VALUE_LEN_MAX: usize = (FIXED_LEN + STATE_LEN_MAX + Sealed::OVERHEAD).div_ceil(3) * 4;

/// What the cookie says. Without `Debug`: the state is a secret until it is used up.
pub(crate) struct StateCookie {
    /// Which consent was approved.
    pub(crate) authorization: AuthorizationId,
    /// SHA-256 of the session's id that approved it.
    pub(crate) session: Digest,
    /// When it is worth nothing any more.
    pub(crate) expires_at: Timestamp,
    /// The state that went to the provider.
    pub(crate) state: SecretString,
}

impl StateCookie {
    /// The cookie of a consent that was approved now.
    pub(crate) fn new(
        authorization: AuthorizationId,
        session: Digest,
        state: SecretString,
        now: Timestamp,
    ) -> Self {
        Self { authorization, session, expires_at: now + STATE_TTL, state }
    }

    /// Seals it into a cookie value.
    ///
    /// # Errors
    /// [`SealError`] when the keyring lacks the key.
    pub(crate) fn seal(&self, keyring: &Keyring, entropy: &dyn Entropy) -> Result<String, SealError> {
        Ok(URL_SAFE_NO_PAD.encode(keyring.seal(&binding(keyring), &self.plaintext(), entropy)?.to_bytes()))
    }

    /// Opens a cookie value; nothing for one that is damaged, was not made here, names another authorization than its cookie, or whose
    /// time is over.
    pub(crate) fn open(
        keyring: &Keyring,
        authorization: AuthorizationId,
        value: &str,
        now: Timestamp,
    ) -> Option<Self> {
        let value = Some(value).filter(|value| value.len() <= VALUE_LEN_MAX)?;
        let sealed = Sealed::from_bytes(&URL_SAFE_NO_PAD.decode(value).ok()?).ok()?;
        let plaintext = keyring.unseal(&binding(keyring), &sealed).ok()?;
        read(plaintext.expose())
            .filter(|known| known.authorization == authorization && now < known.expires_at)
    }

    /// Whether a callback carries this state, in time that depends on its length only.
    pub(crate) fn matches(&self, presented: &str) -> bool {
        self.state.expose_secret().as_bytes().ct_eq(presented.as_bytes()).into()
    }

    fn plaintext(&self) -> Secret {
        let state = self.state.expose_secret().as_bytes();
        // The exact capacity: growing would leave a copy behind, unwiped.
        let mut bytes = Vec::with_capacity(FIXED_LEN + state.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.authorization.to_bytes());
        bytes.extend_from_slice(&self.session.to_bytes());
        bytes.extend_from_slice(&self.expires_at.as_millis().to_be_bytes());
        bytes.extend_from_slice(state);
        Secret::take(bytes).expect("a state is far below the bound of a secret")
    }
}

fn binding(keyring: &Keyring) -> OwnerBinding {
    OwnerBinding { organisation: keyring.organisation(), owner: Owner::Session }
}

fn read(bytes: &[u8]) -> Option<StateCookie> {
    let (&[format], rest) = bytes.split_first_chunk()?;
    let (authorization, rest) = rest.split_first_chunk()?;
    let (session, rest) = rest.split_first_chunk()?;
    let (expires_at, state) = rest.split_first_chunk()?;
    let state = str::from_utf8(state).ok().filter(|state| (1..=STATE_LEN_MAX).contains(&state.len()))?;
    (format == FORMAT).then(|| StateCookie {
        authorization: AuthorizationId::from_bytes(*authorization),
        session: Digest::from_bytes(*session),
        expires_at: Timestamp::from_millis(u64::from_be_bytes(*expires_at)),
        state: SecretString::from(state.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use leasehold_domain::{
        id::{IdentityProviderId, OrganisationId, SubjectId},
        time::Span,
    };
    use leasehold_identity::session::{self, Session};
    use leasehold_vault::{OsEntropy, RootKey};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const ID: AuthorizationId = AuthorizationId::from_bytes([7; 16]);
    const OTHER: AuthorizationId = AuthorizationId::from_bytes([8; 16]);

    fn keyring() -> Keyring {
        let root = RootKey::draw(&OsEntropy);
        Keyring::generate(OrganisationId::from_bytes([1; 16]), &root, &OsEntropy).0
    }

    fn sealed(keyring: &Keyring) -> String {
        let session = Digest::from_bytes([3; 32]);
        StateCookie::new(ID, session, "the-state".to_owned().into(), NOW).seal(keyring, &OsEntropy).unwrap()
    }

    #[test]
    fn what_was_sealed_comes_back_for_ten_minutes() {
        let keyring = keyring();
        let value = sealed(&keyring);
        assert!(!value.contains("the-state"));
        let last = NOW + Span::from_millis(STATE_TTL.as_millis() - 1);
        let opened = StateCookie::open(&keyring, ID, &value, last).unwrap();
        assert_eq!((opened.authorization, opened.session), (ID, Digest::from_bytes([3; 32])));
        assert!(opened.matches("the-state"));
        assert!(!opened.matches("the-statf") && !opened.matches("the-stat") && !opened.matches(""));
        assert!(StateCookie::open(&keyring, ID, &value, NOW + Span::from_mins(10)).is_none());
    }

    #[test]
    fn a_cookie_of_another_authorization_or_cluster_does_not_open() {
        let here = keyring();
        let value = sealed(&here);
        assert!(StateCookie::open(&here, OTHER, &value, NOW).is_none());
        assert!(StateCookie::open(&keyring(), ID, &value, NOW).is_none());
        for bad in ["", "x", &value[1..], &format!("{value}A"), &"A".repeat(100_000)] {
            assert!(StateCookie::open(&here, ID, bad, NOW).is_none());
        }
    }

    #[test]
    fn whatever_a_browser_sends_opens_only_if_it_is_what_was_sealed() {
        let keyring = keyring();
        let genuine = sealed(&keyring);
        let judge = |input: &[u8]| {
            let Ok(text) = str::from_utf8(input) else { return };
            assert_eq!(StateCookie::open(&keyring, ID, text, NOW).is_some(), text == genuine, "{text}");
        };
        leasehold_fuzz::run("state_cookie", 2_000, judge);
        let mut draw = leasehold_fuzz::Draw::new(5);
        (0..10_000).for_each(|_| judge(&leasehold_fuzz::mutate(&[genuine.as_bytes()], &mut draw)));
    }

    #[test]
    fn a_session_never_opens_as_a_state_nor_a_state_as_a_session() {
        let keyring = keyring();
        assert!(session::decode(&keyring, &sealed(&keyring), NOW).is_none());
        let (subject, provider) = (SubjectId::from_bytes([2; 16]), IdentityProviderId::from_bytes([4; 16]));
        let session = Session::signed_in(subject, provider, 1, NOW, &OsEntropy);
        let value = session::encode(&keyring, &session, &OsEntropy).unwrap();
        assert!(StateCookie::open(&keyring, ID, &value, NOW).is_none());
    }
}
