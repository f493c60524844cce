//! Samples of every type, drawn from one number. What a field gets depends on the number and on the names
//! that lead to the field, and on nothing else: a list that swaps two fields' numbers changes the golden
//! bytes, and one that a level adds leaves the others as they are.

use std::collections::{BTreeMap, BTreeSet};

use leasehold_domain::{
    id::{
        AdministratorId, AuthorizationId, ConnectorId, CredentialId, GrantId, IdentityProviderId, LeaseId,
        McpServerId, Name, NoteId, OrganisationId, SecretId, SubjectId, WorkloadId,
    },
    scope::{Scope, ScopeSet},
    text::{AccountKey, Commitment, Digest, Fingerprint, KeyCheck, Label, Sealed, TraceId, Uri},
    time::{Span, Timestamp},
};

/// A type of which samples can be drawn.
pub(crate) trait Sample: Sized {
    fn sample(draw: &mut Draw) -> Self;
}

/// A choice whose variants can be asked for by name.
pub(crate) trait Variants: Sized {
    const NAMES: &'static [&'static str];
    /// How many of them, from the first on, a field draws that may hold any: a kind that came later is drawn by its name alone, so that the
    /// bytes that were golden before it stay.
    const DRAWN: usize = Self::NAMES.len();

    fn variant(name: &str, draw: &mut Draw) -> Option<Self>;
}

/// A source of numbers: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The number that a name stands for: FNV-1a, 64 bits.
    pub(crate) fn of_name(name: &str) -> Self {
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// A sample for the field of this name.
    pub(crate) fn named<T: Sample>(&self, name: &str) -> T {
        T::sample(&mut Self(Self(self.0 ^ Self::of_name(name).0).next()))
    }

    pub(crate) fn any_variant<T: Variants>(&mut self) -> T {
        let name = T::NAMES[self.below(T::DRAWN)];
        T::variant(name, self).unwrap()
    }

    fn bytes<const LEN: usize>(&mut self) -> [u8; LEN] {
        std::array::from_fn(|_| self.next().to_le_bytes()[0])
    }

    fn text(&mut self, alphabet: &[char], len_max: usize) -> String {
        let len = 1 + self.below(len_max);
        (0..len).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }

    fn some<T: Sample>(&mut self, len_max: usize) -> Vec<T> {
        (0..self.below(len_max + 1)).map(|_| T::sample(&mut Self(self.next()))).collect()
    }
}

/// A sample drawn from a number.
pub(crate) fn sample<T: Sample>(seed: u64) -> T {
    T::sample(&mut Draw::new(seed))
}

/// One sample of each variant, drawn from the variant's name after `prefix`.
pub(crate) fn each<T: Variants>(prefix: &str) -> Vec<T> {
    let named = |name: &&str| T::variant(name, &mut Draw::of_name(&format!("{prefix}{name}"))).unwrap();
    T::NAMES.iter().map(named).collect()
}

macro_rules! integers {
    ($($type:ty),+) => {$(
        impl Sample for $type {
            /// Every magnitude is as likely as any other.
            fn sample(draw: &mut Draw) -> Self {
                let bits = draw.below(<$type>::BITS as usize);
                (draw.next() as $type) >> bits
            }
        }
    )+};
}

integers! { u8, u16, u32, u64 }

macro_rules! fixed_bytes {
    ($($type:ty),+ $(,)?) => {$(
        impl Sample for $type {
            fn sample(draw: &mut Draw) -> Self {
                Self::from_bytes(draw.bytes())
            }
        }
    )+};
}

fixed_bytes! {
    AdministratorId, AuthorizationId, ConnectorId, CredentialId, GrantId, IdentityProviderId, LeaseId, McpServerId, NoteId,
    OrganisationId, SecretId, SubjectId, WorkloadId, Digest, Commitment, TraceId, KeyCheck,
}

macro_rules! keyed_digests {
    ($($type:ty),+) => {$(
        impl Sample for $type {
            fn sample(draw: &mut Draw) -> Self {
                let mut bytes = draw.bytes();
                bytes[..4].copy_from_slice(&u32::sample(draw).to_be_bytes());
                Self::from_bytes(bytes)
            }
        }
    )+};
}

keyed_digests! { Fingerprint, AccountKey }

impl Sample for [u8; 16] {
    fn sample(draw: &mut Draw) -> Self {
        draw.bytes()
    }
}

impl Sample for bool {
    fn sample(draw: &mut Draw) -> Self {
        draw.below(2) == 1
    }
}

impl Sample for String {
    fn sample(draw: &mut Draw) -> Self {
        draw.text(&['a', '"', '\\', '\n', '\u{1f}', '\u{7f}', 'é', '漢', '🗝'], 40)
    }
}

impl Sample for Timestamp {
    fn sample(draw: &mut Draw) -> Self {
        Self::from_millis(draw.next() % (Self::MAX.as_millis() + 1))
    }
}

impl Sample for Span {
    fn sample(draw: &mut Draw) -> Self {
        Self::from_millis(draw.named("millis"))
    }
}

impl Sample for Name {
    fn sample(draw: &mut Draw) -> Self {
        let text = draw.text(&['a', 'b', 'y', 'z', '0', '9', '-'], Self::LEN_MAX - 2);
        Self::new(&format!("n{text}0")).unwrap()
    }
}

impl Sample for Uri {
    fn sample(draw: &mut Draw) -> Self {
        let scheme = if bool::sample(draw) { "https" } else { "http" };
        Self::new(&format!("{scheme}://a{}", draw.text(&['a', '.', '/', '?', '=', '&', '%', '~'], 60)))
            .unwrap()
    }
}

impl Sample for Scope {
    fn sample(draw: &mut Draw) -> Self {
        Self::new(&draw.text(&['a', 'z', '.', ':', '/', '!', '~'], 20)).unwrap()
    }
}

impl Sample for ScopeSet {
    fn sample(draw: &mut Draw) -> Self {
        Self::new(draw.some::<Scope>(12)).unwrap()
    }
}

impl<const MAX: usize> Sample for Label<MAX> {
    fn sample(draw: &mut Draw) -> Self {
        Self::new(&draw.text(&['a', 'Z', ' ', '"', '\\', '/', '<', 'é', '漢', '\u{2028}'], MAX.min(60) / 3))
            .unwrap()
    }
}

impl Sample for Sealed {
    fn sample(draw: &mut Draw) -> Self {
        Self::new(draw.some::<u8>(48)).unwrap()
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(draw: &mut Draw) -> Self {
        (draw.below(4) > 0).then(|| T::sample(draw))
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(draw: &mut Draw) -> Self {
        draw.some(4)
    }
}

impl<T: Sample + Ord> Sample for BTreeSet<T> {
    fn sample(draw: &mut Draw) -> Self {
        draw.some(4).into_iter().collect()
    }
}

impl<K: Sample + Ord, V: Sample> Sample for BTreeMap<K, V> {
    fn sample(draw: &mut Draw) -> Self {
        draw.some::<K>(4).into_iter().map(|key| (key, V::sample(draw))).collect()
    }
}
