//! Looks for all canaries in all forms at once.

use aho_corasick::{AhoCorasick, MatchKind};
use anyhow::Context;

use crate::{
    canary::Canary,
    forms::{self, Form},
    input::Input,
};

/// A canary that was found, without the canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// What was found.
    pub input: Input,
    /// In which form.
    pub form: Form,
    /// Where its piece begins.
    pub at: usize,
}

/// A search for some canaries.
pub struct Search {
    patterns: AhoCorasick,
    meaning: Vec<(Input, Form)>,
}

impl Search {
    /// A search for these.
    ///
    /// # Errors
    /// Where there are too many.
    pub fn new(canaries: &[Canary]) -> anyhow::Result<Self> {
        let (mut patterns, mut meaning) = (Vec::new(), Vec::new());
        for canary in canaries {
            for form in forms::ALL {
                for pattern in canary.pieces().iter().flat_map(|piece| form.of(piece)) {
                    patterns.push(pattern);
                    meaning.push((canary.input, form));
                }
            }
        }
        let patterns = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(patterns)
            .context("cannot put the search together")?;
        Ok(Self { patterns, meaning })
    }

    /// What stands in some bytes: each canary in each form once, at its first place.
    pub fn find(&self, bytes: &[u8]) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        for hit in self.patterns.find_overlapping_iter(bytes) {
            let Some((input, form)) = self.meaning.get(hit.pattern().as_usize()).copied() else { continue };
            // Where nothing needs escaping, several forms are the same bytes: the first one names them.
            let at = hit.start();
            if !found.iter().any(|known| known.input == input && (known.form == form || known.at == at)) {
                found.push(Found { input, form, at });
            }
        }
        found
    }
}
