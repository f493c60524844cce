//! The refresh of a token set: checks that change nothing first, then the rotation class decides.

use super::{Ended, Family, Grants, RefreshToken, Successor, TokenSet, past};
use crate::behaviour::{Behaviour, Replay};
use crate::clock::Millis;
use crate::provider::rotation::{History, Verdict, judge};
use crate::secret;

/// A refresh, after the client has been authenticated.
#[derive(Debug)]
pub(crate) struct RefreshRequest<'a> {
    pub(crate) token: &'a str,
    pub(crate) client: &'a str,
    /// Scopes asked for; empty means all.
    pub(crate) scope: Vec<String>,
    pub(crate) resource: Vec<String>,
    /// Scopes that a fault leaves of them.
    pub(crate) narrowed: Option<Vec<String>>,
    /// A fault: answer without a refresh token and keep the one presented.
    pub(crate) keep_refresh: bool,
}

/// A refresh that was granted.
#[derive(Debug)]
pub(crate) struct Refreshed {
    pub(crate) set: TokenSet,
    /// A used refresh token was accepted again.
    pub(crate) replayed: bool,
    /// Nothing new was issued: the earlier set was answered again.
    pub(crate) repeated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefreshRefusal {
    Unknown,
    NotYours,
    FamilyEnded,
    Expired,
    Superseded,
    /// `ended`: this very presentation ended the family.
    Reuse {
        ended: bool,
    },
    ResourceMissing,
    ResourceUnknown,
    ScopeTooWide,
}

impl RefreshRefusal {
    pub(crate) fn error(self) -> (&'static str, &'static str) {
        match self {
            Self::Unknown | Self::NotYours => ("invalid_grant", "the refresh token is unknown"),
            Self::FamilyEnded => ("invalid_grant", "the grant has ended"),
            Self::Expired => ("invalid_grant", "the refresh token has expired"),
            Self::Superseded => ("invalid_grant", "the refresh token was replaced"),
            Self::Reuse { .. } => ("invalid_grant", "the refresh token was used before"),
            Self::ResourceMissing => ("invalid_target", "resource is required"),
            Self::ResourceUnknown => ("invalid_target", "the resource was not consented to"),
            Self::ScopeTooWide => ("invalid_scope", "a scope was not consented to"),
        }
    }
}

impl Grants {
    /// What became of a refresh token so far.
    pub(super) fn history(&self, token: &RefreshToken) -> History {
        let used = |successor: &Successor| {
            let access = self.access.get(&successor.access).is_some_and(|access| access.used);
            let refresh = successor.refresh.as_ref().and_then(|key| self.refresh.get(key));
            access || refresh.is_some_and(|refresh| refresh.first_used_at.is_some())
        };
        History { first_used_at: token.first_used_at, successor_used: token.successors.iter().any(used) }
    }

    pub(crate) fn refresh(
        &mut self,
        request: &RefreshRequest<'_>,
        behaviour: &Behaviour,
        now: Millis,
    ) -> Result<Refreshed, RefreshRefusal> {
        let key = secret::fingerprint(request.token);
        let token = self.refresh.get(&key).ok_or(RefreshRefusal::Unknown)?.clone();
        let family = self.families.get(&token.family).ok_or(RefreshRefusal::Unknown)?;
        let scope = admit(request, behaviour, &token, family, now)?;
        let verdict = judge(behaviour.rotation, self.history(&token), now);
        let keeps = request.keep_refresh || verdict == Verdict::Keep;
        if verdict == Verdict::Reuse {
            let ended = behaviour.reuse_revokes_family && self.end(&token.family, Ended::RefreshTokenReuse);
            return Err(RefreshRefusal::Reuse { ended });
        }
        if verdict == Verdict::Replay
            && behaviour.replay == Replay::SamePair
            && let Some(last) = token.successors.last()
        {
            return Ok(Refreshed { set: last.set.clone(), replayed: true, repeated: true });
        }
        if verdict == Verdict::Replay && behaviour.replay == Replay::NewestWins {
            self.supersede(&token);
        }
        if behaviour.old_access_token_dies
            && let Some(old) = self.access.get_mut(&token.sibling)
        {
            old.dead = true;
        }
        let mut set =
            self.issue(&token.family, scope, behaviour, !keeps, now).ok_or(RefreshRefusal::Unknown)?;
        if let Some(used) = self.refresh.get_mut(&key) {
            if keeps {
                used.sibling = secret::fingerprint(&set.access);
            } else {
                used.first_used_at.get_or_insert(now);
                used.successors.push(Successor {
                    access: secret::fingerprint(&set.access),
                    refresh: set.refresh.as_deref().map(secret::fingerprint),
                    set: set.clone(),
                });
            }
        }
        if verdict == Verdict::Keep && !request.keep_refresh {
            set.refresh = Some(request.token.to_owned());
            set.refresh_expires_at = token.expires_at;
        }
        Ok(Refreshed { set, replayed: verdict == Verdict::Replay, repeated: false })
    }

    /// Kills the sets that a refresh token was exchanged for before.
    fn supersede(&mut self, token: &RefreshToken) {
        for successor in &token.successors {
            if let Some(access) = self.access.get_mut(&successor.access) {
                access.dead = true;
            }
            if let Some(refresh) = successor.refresh.as_ref().and_then(|key| self.refresh.get_mut(key)) {
                refresh.superseded = true;
            }
        }
    }
}

/// What can be refused without touching the token: the scopes to issue, else why not.
fn admit(
    request: &RefreshRequest<'_>,
    behaviour: &Behaviour,
    token: &RefreshToken,
    family: &Family,
    now: Millis,
) -> Result<Vec<String>, RefreshRefusal> {
    if family.client != request.client {
        return Err(RefreshRefusal::NotYours);
    }
    if family.ended.is_some() {
        return Err(RefreshRefusal::FamilyEnded);
    }
    if token.superseded {
        return Err(RefreshRefusal::Superseded);
    }
    if past(token.expires_at, now) {
        return Err(RefreshRefusal::Expired);
    }
    if behaviour.refresh_requires_resource && !family.resource.is_empty() && request.resource.is_empty() {
        return Err(RefreshRefusal::ResourceMissing);
    }
    if !request.resource.iter().all(|resource| family.resource.contains(resource)) {
        return Err(RefreshRefusal::ResourceUnknown);
    }
    let asked = if request.scope.is_empty() { &family.scope } else { &request.scope };
    if !asked.iter().all(|scope| family.scope.contains(scope)) {
        return Err(RefreshRefusal::ScopeTooWide);
    }
    let left = |scope: &&String| request.narrowed.as_ref().is_none_or(|narrowed| narrowed.contains(scope));
    Ok(asked.iter().filter(left).cloned().collect())
}
