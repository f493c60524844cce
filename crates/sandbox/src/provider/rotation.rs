//! The one question in which providers differ: a refresh token arrives, perhaps not for the first time. Pure.

use crate::behaviour::Rotation;
use crate::clock::Millis;

/// What a refresh token's history says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct History {
    pub(crate) first_used_at: Option<Millis>,
    /// Whether any token of a set that replaced it has been used.
    pub(crate) successor_used: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A new access token; the refresh token stays.
    Keep,
    /// A new set.
    Rotate,
    /// Used before, and accepted once more.
    Replay,
    /// Used before, and no longer accepted.
    Reuse,
}

pub(crate) fn judge(rotation: Rotation, history: History, now: Millis) -> Verdict {
    match (rotation, history.first_used_at) {
        (Rotation::Stable, _) => Verdict::Keep,
        (Rotation::NonRevoking, _) | (_, None) => Verdict::Rotate,
        (Rotation::Strict, Some(_)) => Verdict::Reuse,
        (Rotation::Grace(seconds), Some(used)) => {
            let until = used.saturating_add(seconds.saturating_mul(1000));
            if now <= until { Verdict::Replay } else { Verdict::Reuse }
        }
        (Rotation::UntilSuccessorUsed, Some(_)) => {
            if history.successor_used {
                Verdict::Reuse
            } else {
                Verdict::Replay
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(at: Millis, successor_used: bool) -> History {
        History { first_used_at: Some(at), successor_used }
    }

    #[test]
    fn a_strict_refresh_token_works_once() {
        assert_eq!(judge(Rotation::Strict, History::default(), 5), Verdict::Rotate);
        assert_eq!(judge(Rotation::Strict, used(5, false), 5), Verdict::Reuse);
    }

    #[test]
    fn grace_ends_with_its_last_millisecond() {
        let grace = Rotation::Grace(30);
        assert_eq!(judge(grace, used(1_000, true), 31_000), Verdict::Replay);
        assert_eq!(judge(grace, used(1_000, true), 31_001), Verdict::Reuse);
    }

    #[test]
    fn a_stable_and_a_non_revoking_refresh_token_work_for_ever() {
        assert_eq!(judge(Rotation::Stable, used(0, true), Millis::MAX), Verdict::Keep);
        assert_eq!(judge(Rotation::NonRevoking, used(0, true), Millis::MAX), Verdict::Rotate);
    }

    #[test]
    fn the_old_one_lives_until_its_successor_is_used() {
        let class = Rotation::UntilSuccessorUsed;
        assert_eq!(judge(class, used(0, false), Millis::MAX), Verdict::Replay);
        assert_eq!(judge(class, used(0, true), 0), Verdict::Reuse);
    }
}
