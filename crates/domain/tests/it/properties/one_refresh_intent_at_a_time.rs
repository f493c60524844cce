//! Of every grant at most one refresh intent has no outcome, an attempt number is never used again, and a refresh token that its provider
//! honours once is not sent a second time while there is an access token to lose, nor one with a grace after half of it. Judged from the
//! events alone.

use std::collections::BTreeMap;

use leasehold_domain::{
    authorization::TokenFacts,
    event::Event as AnyEvent,
    grant::Event,
    id::{ConnectorId, GrantId},
    time::Timestamp,
};
use proptest::prelude::*;

use super::{
    operation::operations,
    run::{GRACE, GRACE_SPAN, Run, STRICT},
};

struct Reading {
    connector: ConnectorId,
    tokens: TokenFacts,
    open: Option<u64>,
    last_attempt: u64,
    /// The attempts of this generation of which it is not known whether the provider processed them, and when each was intended.
    unresolved: BTreeMap<u64, Timestamp>,
}

#[derive(Default)]
struct Reader {
    grants: BTreeMap<GrantId, Reading>,
}

impl Reader {
    /// Reads an event. Answers what is wrong with it, if anything is.
    fn read(&mut self, at: Timestamp, event: &Event) -> Result<(), String> {
        match event {
            Event::Activated { grant, connector, tokens, .. } => {
                let last_attempt = self.grants.get(grant).map_or(0, |known| known.last_attempt);
                let (connector, tokens) = (*connector, tokens.clone());
                let unresolved = BTreeMap::new();
                let fresh = Reading { connector, tokens, open: None, last_attempt, unresolved };
                self.grants.insert(*grant, fresh);
                Ok(())
            }
            Event::RefreshIntended { grant, attempt, .. } => self.known(grant)?.intend(*attempt, at),
            Event::Refreshed { grant, attempt, tokens, .. } => {
                let known = self.known(grant)?;
                known.tokens = tokens.clone();
                known.unresolved.clear();
                known.settle(Some(*attempt))
            }
            Event::RefreshFailed { grant, attempt, .. } => {
                let known = self.known(grant)?;
                known.unresolved.remove(attempt);
                known.settle(Some(*attempt))
            }
            Event::RefreshUnknown { grant, attempt, .. } => self.known(grant)?.settle(Some(*attempt)),
            Event::LateTokensKept { grant, .. } | Event::ConsentNeeded { grant, .. } => {
                self.known(grant)?.settle(None)
            }
            Event::ScopesNarrowed { .. }
            | Event::ScopesWidened { .. }
            | Event::Revoked { .. }
            | Event::UpstreamRevoked { .. }
            | Event::UpstreamRevocationFailed { .. }
            | Event::UpstreamRevocationUnsupported { .. } => Ok(()),
        }
    }

    fn known(&mut self, grant: &GrantId) -> Result<&mut Reading, String> {
        self.grants.get_mut(grant).ok_or_else(|| format!("{grant} was never consented"))
    }
}

impl Reading {
    fn intend(&mut self, attempt: u64, at: Timestamp) -> Result<(), String> {
        if let Some(open) = self.open {
            return Err(format!("attempt {attempt} was intended while {open} had no outcome"));
        }
        if attempt <= self.last_attempt {
            return Err(format!("attempt {attempt} was used again"));
        }
        let lives = self.tokens.access_expires_at.is_some_and(|end| at < end);
        let first = self.unresolved.values().next().copied();
        let allowed = match first {
            Some(first) if self.connector == GRACE => first.until(at) <= GRACE_SPAN.half(),
            Some(_) => self.connector != STRICT,
            None => true,
        };
        if lives && !allowed {
            return Err(format!("attempt {attempt} risked a living access token"));
        }
        self.unresolved.insert(attempt, at);
        self.open = Some(attempt);
        self.last_attempt = attempt;
        Ok(())
    }

    /// An outcome is that of the last attempt: of the open one, or of one whose answer was thought lost.
    fn settle(&mut self, attempt: Option<u64>) -> Result<(), String> {
        self.open = None;
        match attempt {
            Some(attempt) if attempt != self.last_attempt => Err(format!("attempt {attempt} came late")),
            Some(_) | None => Ok(()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn one_refresh_is_intended_at_a_time_and_no_attempt_is_used_again(operations in operations(180)) {
        let mut run = Run::begin();
        for operation in &operations {
            let proposal = run.propose(operation);
            run.apply(proposal);
        }
        let mut reader = Reader::default();
        for (context, event) in run.lines() {
            if let AnyEvent::Grant(event) = event {
                prop_assert_eq!(reader.read(context.at, event), Ok(()));
            }
        }
    }
}
