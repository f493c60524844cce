//! Every family of tokens at the provider: what was consented, what was issued from it, and what became of that.
//!
//! Synchronous and without a clock: the time is an argument.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::behaviour::Behaviour;
use crate::clock::Millis;
use crate::codes::Code;
use crate::secret;

mod refresh;

pub(crate) use refresh::{RefreshRefusal, RefreshRequest};

/// Why a family ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ended {
    /// A used refresh token came again.
    RefreshTokenReuse,
    /// A used code came again.
    CodeReuse,
    /// The client revoked it (RFC 7009).
    Revoked,
    /// The account's owner withdrew it at the provider.
    Withdrawn,
}

/// One consent and all that was issued from it.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    pub(crate) client: String,
    pub(crate) subject: String,
    pub(crate) scope: Vec<String>,
    pub(crate) resource: Vec<String>,
    pub(crate) generation: u64,
    pub(crate) ended: Option<Ended>,
    /// A client that revoked its refresh token may keep its access tokens, at some providers.
    pub(crate) access_outlives: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct RefreshToken {
    pub(crate) family: String,
    pub(crate) generation: u64,
    pub(crate) issued_at: Millis,
    pub(crate) expires_at: Option<Millis>,
    first_used_at: Option<Millis>,
    /// Killed by a newer set.
    superseded: bool,
    /// The sets it was exchanged for, oldest first.
    successors: Vec<Successor>,
    /// The access token issued in the same set.
    sibling: String,
}

#[derive(Clone, Debug)]
struct Successor {
    access: String,
    refresh: Option<String>,
    set: TokenSet,
}

#[derive(Clone, Debug)]
pub(crate) struct AccessToken {
    pub(crate) family: String,
    pub(crate) generation: u64,
    pub(crate) scope: Vec<String>,
    pub(crate) issued_at: Millis,
    pub(crate) expires_at: Option<Millis>,
    used: bool,
    dead: bool,
}

/// A token set in clear, on its way to the client.
#[derive(Clone, Debug)]
pub(crate) struct TokenSet {
    pub(crate) family: String,
    pub(crate) generation: u64,
    pub(crate) access: String,
    pub(crate) access_expires_at: Option<Millis>,
    /// What the answer carries as refresh token.
    pub(crate) refresh: Option<String>,
    pub(crate) refresh_expires_at: Option<Millis>,
    /// Whether the refresh token is newly issued, and not the one presented.
    pub(crate) refresh_is_new: bool,
    pub(crate) scope: Vec<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Grants {
    families: BTreeMap<String, Family>,
    refresh: BTreeMap<String, RefreshToken>,
    access: BTreeMap<String, AccessToken>,
}

impl Grants {
    /// Opens the family of a redeemed code with its first set.
    pub(crate) fn open(
        &mut self,
        code: &Code,
        scope: Vec<String>,
        behaviour: &Behaviour,
        with_refresh: bool,
        now: Millis,
    ) -> Option<TokenSet> {
        let family = Family {
            client: code.client.clone(),
            subject: code.subject.clone(),
            scope: scope.clone(),
            resource: code.resource.clone(),
            generation: 0,
            ended: None,
            access_outlives: false,
        };
        self.families.insert(code.family.clone(), family);
        let with_refresh = with_refresh && behaviour.issues_refresh_token;
        self.issue(&code.family, scope, behaviour, with_refresh, now)
    }

    fn issue(
        &mut self,
        family: &str,
        scope: Vec<String>,
        behaviour: &Behaviour,
        with_refresh: bool,
        now: Millis,
    ) -> Option<TokenSet> {
        let state = self.families.get_mut(family)?;
        state.generation += 1;
        let generation = state.generation;
        let after = |seconds: Option<u64>| seconds.map(|s| now.saturating_add(s.saturating_mul(1000)));
        let access = secret::random("sbx_at_");
        let access_expires_at = after(behaviour.access_lifetime_seconds);
        let access_key = secret::fingerprint(&access);
        let token = AccessToken {
            family: family.to_owned(),
            generation,
            scope: scope.clone(),
            issued_at: now,
            expires_at: access_expires_at,
            used: false,
            dead: false,
        };
        self.access.insert(access_key.clone(), token);
        let refresh = with_refresh.then(|| secret::random("sbx_rt_"));
        let refresh_expires_at = refresh.as_ref().and(after(behaviour.refresh_lifetime_seconds));
        if let Some(refresh) = &refresh {
            let token = RefreshToken {
                family: family.to_owned(),
                generation,
                issued_at: now,
                expires_at: refresh_expires_at,
                first_used_at: None,
                superseded: false,
                successors: Vec::new(),
                sibling: access_key,
            };
            self.refresh.insert(secret::fingerprint(refresh), token);
        }
        Some(TokenSet {
            family: family.to_owned(),
            generation,
            access,
            access_expires_at,
            refresh_is_new: refresh.is_some(),
            refresh,
            refresh_expires_at,
            scope,
        })
    }

    pub(crate) fn family(&self, id: &str) -> Option<&Family> {
        self.families.get(id)
    }

    pub(crate) fn families(&self) -> impl Iterator<Item = (&String, &Family)> {
        self.families.iter()
    }

    pub(crate) fn refresh_token(&self, text: &str) -> Option<&RefreshToken> {
        self.refresh.get(&secret::fingerprint(text))
    }

    pub(crate) fn access_token(&self, text: &str) -> Option<&AccessToken> {
        self.access.get(&secret::fingerprint(text))
    }

    /// Ends a family, unless it has ended before.
    pub(crate) fn end(&mut self, family: &str, why: Ended) -> bool {
        match self.families.get_mut(family) {
            Some(family) if family.ended.is_none() => {
                family.ended = Some(why);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Ends a family but leaves the access tokens it has.
    pub(crate) fn end_refresh_only(&mut self, family: &str, why: Ended) {
        if self.end(family, why)
            && let Some(family) = self.families.get_mut(family)
        {
            family.access_outlives = true;
        }
    }

    /// Ends all families of an account.
    pub(crate) fn withdraw(&mut self, subject: &str) -> u64 {
        let mut ended = 0;
        for family in self.families.values_mut().filter(|family| family.subject == subject) {
            if family.ended.is_none() {
                family.ended = Some(Ended::Withdrawn);
                ended += 1;
            }
        }
        ended
    }

    pub(crate) fn kill_access(&mut self, text: &str) {
        if let Some(token) = self.access.get_mut(&secret::fingerprint(text)) {
            token.dead = true;
        }
    }

    /// A live access token; `using` it at the API is what makes a successor used.
    pub(crate) fn live_access(
        &mut self,
        text: &str,
        now: Millis,
        using: bool,
    ) -> Option<(AccessToken, Family)> {
        let token = self.access.get_mut(&secret::fingerprint(text))?;
        let family = self.families.get(&token.family)?;
        let ended = family.ended.is_some() && !family.access_outlives;
        if token.dead || ended || past(token.expires_at, now) {
            return None;
        }
        token.used |= using;
        Some((token.clone(), family.clone()))
    }

    /// Whether a refresh token would be accepted now, as introspection tells it.
    pub(crate) fn live_refresh(
        &self,
        text: &str,
        behaviour: &Behaviour,
        now: Millis,
    ) -> Option<(RefreshToken, Family)> {
        let token = self.refresh_token(text)?;
        let family = self.families.get(&token.family)?;
        let verdict = super::rotation::judge(behaviour.rotation, self.history(token), now);
        let dead = token.superseded || verdict == super::rotation::Verdict::Reuse;
        if dead || family.ended.is_some() || past(token.expires_at, now) {
            return None;
        }
        Some((token.clone(), family.clone()))
    }
}

pub(crate) fn past(expires_at: Option<Millis>, now: Millis) -> bool {
    expires_at.is_some_and(|end| now >= end)
}
