//! OAuth scopes, as tokens and as bounded sets.

use alloc::{collections::BTreeSet, string::String};
use core::{fmt, str::FromStr};

use thiserror::Error;

/// Why a text is not a scope or a set of scopes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidScope {
    /// Empty, longer than [`Scope::LEN_MAX`], or with a character that RFC 6749 section 3.3 excludes.
    #[error("a scope has 1 to 200 printable ASCII characters, without spaces, quotes and backslashes")]
    Malformed,
    /// The set has more members, or is longer when written out, than a set may be.
    #[error("a set of scopes has at most 64 members and 1024 characters")]
    TooMany,
}

/// One scope token (RFC 6749 section 3.3). Compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(String);

impl Scope {
    /// The longest scope, in bytes.
    pub const LEN_MAX: usize = 200;

    /// Accepts a text that is one scope token.
    ///
    /// # Errors
    /// [`InvalidScope::Malformed`] for anything else.
    pub fn new(text: &str) -> Result<Self, InvalidScope> {
        let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        let fits = (1..=Self::LEN_MAX).contains(&text.len()) && text.bytes().all(allowed);
        if fits { Ok(Self(text.into())) } else { Err(InvalidScope::Malformed) }
    }

    /// The scope as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A set of scopes, in byte order: at most 64 of them and 1,024 characters when written out with spaces, so that two sets fit
/// into one event line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ScopeSet(BTreeSet<Scope>);

impl ScopeSet {
    /// The most members.
    pub const MEMBERS_MAX: usize = 64;
    /// The most characters, spaces between members included.
    pub const LEN_MAX: usize = 1024;

    /// The empty set.
    pub const fn empty() -> Self {
        Self(BTreeSet::new())
    }

    /// Collects scopes within the bounds of a set.
    ///
    /// # Errors
    /// [`InvalidScope::TooMany`] when there are too many of them.
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Result<Self, InvalidScope> {
        let set: BTreeSet<Scope> = scopes.into_iter().collect();
        let len: usize = set.iter().map(|scope| scope.as_str().len() + 1).sum();
        if set.len() > Self::MEMBERS_MAX || len > Self::LEN_MAX + 1 {
            return Err(InvalidScope::TooMany);
        }
        Ok(Self(set))
    }

    /// Whether there is no scope in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many scopes are in it.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether `scope` is in it.
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }

    /// Whether every scope of `other` is in it.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.is_subset(&self.0)
    }

    /// The scopes of `self` that `other` lacks.
    pub fn missing_from(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).cloned().collect())
    }

    /// The scopes of both.
    ///
    /// # Errors
    /// [`InvalidScope::TooMany`] when the union exceeds the bounds of a set.
    pub fn union(&self, other: &Self) -> Result<Self, InvalidScope> {
        Self::new(self.0.union(&other.0).cloned())
    }

    /// The scopes, in byte order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }
}

impl fmt::Display for ScopeSet {
    /// Scopes in byte order with a space between them, as RFC 6749 writes them on the wire.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, scope)| {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())
        })
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

impl FromStr for ScopeSet {
    type Err = InvalidScope;

    /// Reads scopes with spaces between them; order and repetition do not matter.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scopes: Result<BTreeSet<Scope>, _> =
            text.split(' ').filter(|part| !part.is_empty()).map(Scope::new).collect();
        Self::new(scopes?)
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString};

    use super::*;

    #[test]
    fn scopes_read_back_sorted_and_once() {
        let set: ScopeSet = "files.write files.read  files.write".parse().unwrap();
        assert_eq!(set.to_string(), "files.read files.write");
        assert_eq!(set.to_string().parse(), Ok(set));
    }

    #[test]
    fn a_scope_with_a_space_quote_backslash_or_control_is_refused() {
        for bad in ["", "a b", "a\"", "a\\", "a\n", "ä", &"x".repeat(201)] {
            assert_eq!(Scope::new(bad), Err(InvalidScope::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn a_set_beyond_its_bounds_is_refused() {
        let many = (0..65).map(|n| Scope::new(&format!("s{n}")).unwrap());
        assert_eq!(ScopeSet::new(many), Err(InvalidScope::TooMany));
        let long = (0..6).map(|n| Scope::new(&format!("{n}{}", "x".repeat(199))).unwrap());
        assert_eq!(ScopeSet::new(long), Err(InvalidScope::TooMany));
    }

    #[test]
    fn missing_scopes_are_exactly_those_not_granted() {
        let needed: ScopeSet = "a b c".parse().unwrap();
        let granted: ScopeSet = "b d".parse().unwrap();
        assert_eq!(needed.missing_from(&granted).to_string(), "a c");
        assert!(!granted.covers(&needed));
    }
}
