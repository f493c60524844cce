//! The ledger by itself: rows and lines a second that apply can write to sled, with the flushes and syncs that it does by itself.

use std::time::Duration;

use anyhow::{Context, ensure};
use leasehold_domain::{
    actor::Actor,
    command::{Command, Proposal},
    id::{OrganisationId, SubjectId},
    machine::Reply,
    organisation::{self, KeyPurpose, LEVEL, Organisation, Signer, WrappedKey},
    subject,
    text::{Commitment, Label, Sealed},
    time::{Span, Timestamp},
};
use leasehold_ledger::{Entry, Ledger, Options, Payload, Position};
use tokio::time::Instant;

/// Writes entries, each a millisecond after the one before.
struct Author {
    index: u64,
    now: Timestamp,
    subjects: u64,
}

impl Author {
    fn entry(&mut self, commands: Vec<Command>) -> Entry {
        let position = Position { term: 1, node: 1, index: self.index };
        self.index += 1;
        self.now = self.now + Span::from_millis(1);
        let proposal = |command| Proposal {
            request: None,
            actor: Actor::cluster(1),
            at: self.now,
            facts: Vec::new(),
            command,
        };
        Entry { position, payload: Payload::Proposals(commands.into_iter().map(proposal).collect()) }
    }

    fn found(&mut self) -> anyhow::Result<Entry> {
        let sealed = |len| Sealed::new(vec![7; len]).context("sealed");
        let key = |purpose| anyhow::Ok(WrappedKey { purpose, version: 1, wrapped: sealed(60)? });
        let purposes = [
            KeyPurpose::AccessTokens,
            KeyPurpose::RefreshTokens,
            KeyPurpose::Signing,
            KeyPurpose::Pseudonyms,
        ];
        let found = organisation::Command::Found {
            organisation: Organisation {
                id: OrganisationId::from_bytes([9; 16]),
                origin: Label::new("leasehold.example/bench").context("origin")?,
                development: true,
                level: LEVEL,
            },
            root_check: sealed(40)?,
            keys: purposes.into_iter().map(key).collect::<anyhow::Result<_>>()?,
            signer: Signer { sealed: sealed(80)?, verifier: Label::new("bench+1+key").context("verifier")? },
        };
        Ok(self.entry(vec![Command::Organisation(found)]))
    }

    /// A new subject: one event, and the rows of its directory entry.
    fn subject(&mut self) -> anyhow::Result<Command> {
        self.subjects += 1;
        let n = self.subjects;
        // Spread over the key space, as drawn ids are.
        let id = u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let entry = subject::DirectoryEntry {
            user_name: Label::new(&format!("person-{n}")).context("name")?,
            email: Some(Label::new(&format!("person-{n}@example.org")).context("email")?),
            display_name: None,
            identifiers: Vec::new(),
            salt: [8; 16],
        };
        Ok(Command::Subject(subject::Command::Register {
            subject: SubjectId::from_bytes(id.to_be_bytes()),
            kind: subject::Kind::Person,
            entry,
            commitment: Commitment::from_bytes([8; 32]),
        }))
    }
}

/// Applies entries of one and of 64 new subjects for a turn each, and waits until all of it is flushed and synced.
///
/// # Errors
/// Where the ledger fails.
pub(crate) fn rows_a_second(turn: Duration) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for batch in [1, 64] {
        let folder = tempfile::tempdir()?;
        let ledger = Ledger::open(folder.path(), Options::default(), Box::new(|_| {}))?;
        let mut author = Author { index: 0, now: Timestamp::from_millis(1_700_000_000_000), subjects: 0 };
        apply(&ledger, author.found()?)?;
        let started = Instant::now();
        while started.elapsed() < turn {
            let commands = (0..batch).map(|_| author.subject()).collect::<anyhow::Result<_>>()?;
            let entry = author.entry(commands);
            apply(&ledger, entry)?;
        }
        ledger.checkpoint()?;
        let rate = author.subjects as f64 / started.elapsed().as_secs_f64();
        ledger.close()?;
        found.push(format!(
            "The ledger by itself: {rate:.0} new subjects a second (one event and its rows each), {batch} to an entry, flushed and synced"
        ));
    }
    Ok(found)
}

fn apply(ledger: &Ledger, entry: Entry) -> anyhow::Result<()> {
    let index = entry.position.index;
    for reply in ledger.apply(entry)? {
        ensure!(matches!(reply, Reply::Applied { .. }), "the ledger refused a new subject");
    }
    ledger.wal_durable(index);
    Ok(())
}
