use std::{sync::Arc, time::Duration};

use leasehold_consensus::{Config, LogOptions, Replica};
use leasehold_domain::{
    actor::Actor,
    command::{Command, Proposal},
    id::AuthorizationId,
    machine::Reply,
    organisation::{self, KeyId, KeyPurpose},
    time::Timestamp,
};
use leasehold_ledger::{Ledger, Options};
use leasehold_upstream::call::RawAnswer;
use leasehold_vault::{RootKey, Secret};
use leasehold_wal::DiskFs;
use tempfile::TempDir;
use tokio::time::Instant;

use super::{super::Kept, *};
use crate::{
    clock::{Clock as _, SystemClock},
    founding::{Founding, found},
    keys::{live::Keys, wrapped_key},
    propose::PROPOSE_WAIT,
};

const AT: Timestamp = Timestamp::from_millis(1_893_456_000_000);
const CONSENT: Attempt = Attempt::Exchange(AuthorizationId::from_bytes([7; 16]));

/// An outbox of a cluster of one, and its keys.
struct Place {
    dir: TempDir,
    replica: Replica,
    ledger: Ledger,
    keys: Arc<Keys>,
    outbox: Outbox,
}

impl Place {
    async fn begin() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let on_fatal = Box::new(|fault: &leasehold_ledger::Fault| panic!("{fault}"));
        let ledger = Ledger::open(&dir.path().join("ledger"), Options::default(), on_fatal).unwrap();
        let config = Config {
            cluster: [3; 16],
            node: 1,
            address: "node.test:1".to_owned(),
            log_dir: dir.path().join("log"),
            log: LogOptions::default(),
            fs: Arc::new(DiskFs),
            ledger: ledger.clone(),
            snapshot_dir: dir.path().join("snapshots"),
            snapshot_every_bytes: Config::SNAPSHOT_EVERY_BYTES,
            entries_kept: Config::ENTRIES_KEPT,
        };
        let replica = Replica::start(config, Box::new(|fault| panic!("{fault:?}"))).await.unwrap();
        replica.initialise().await.unwrap();
        replica.recovered(Duration::from_secs(60)).await.unwrap();
        let root_key = RootKey::draw(&OsEntropy);
        let founding = Founding { root_key: &root_key, origin: "ledger.test/1", development: true, node: 1 };
        found(&replica, &ledger, &SystemClock, &OsEntropy, &founding).await.unwrap();
        let (keys, _) = Keys::open(ledger.clone(), root_key).unwrap();
        let keys = Arc::new(keys);
        let organisation = keys.current().unwrap().organisation();
        let outbox = Outbox::open(&dir.path().join("outbox"), organisation, keys.clone()).unwrap();
        Self { dir, replica, ledger, keys, outbox }
    }

    async fn propose(&self, command: organisation::Command) {
        let command = Command::Organisation(command);
        let (actor, at) = (Actor::cluster(1), SystemClock.now());
        let proposal = Proposal { request: None, actor, at, facts: Vec::new(), command };
        let reply = self.replica.propose(proposal, Instant::now() + PROPOSE_WAIT).await.unwrap();
        assert!(matches!(reply, Reply::Applied { .. }), "refused");
    }

    /// Adds the second version of the key that the outbox is under.
    async fn rotate(&self) {
        let drawn = self
            .keys
            .current()
            .unwrap()
            .draw_version(Purpose::RefreshTokens, self.keys.root_key(), &OsEntropy)
            .unwrap();
        let keyring = self.ledger.read(leasehold_domain::state::State::keyring_revision).unwrap();
        let key = wrapped_key(&drawn).unwrap();
        self.propose(organisation::Command::AddKeyVersion { key, keyring }).await;
    }

    async fn retire_the_first(&self) {
        let key = KeyId { purpose: KeyPurpose::RefreshTokens, version: 1 };
        self.propose(organisation::Command::RetireKeyVersion { key }).await;
        assert!(self.keys.current().unwrap().key_check(Purpose::RefreshTokens, 1).is_none());
    }

    async fn mark(&self, code: &[u8]) {
        let presented = Arc::new(Secret::copy_of(code).unwrap());
        self.outbox.sent_with(Arc::new(OsEntropy), CONSENT, AT, presented).await.unwrap();
    }

    async fn keep(&self, answer: &RawAnswer) {
        self.outbox.keep(Arc::new(OsEntropy), CONSENT, AT, answer).await.unwrap();
    }

    fn versions(&self) -> Vec<(u32, u64)> {
        self.outbox.versions().unwrap().into_iter().collect()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.dir.path().join("outbox"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn rename(&self, from: &str, to: &str) {
        let folder = self.dir.path().join("outbox");
        let name = |end: &str| folder.join(format!("{}{end}", CONSENT.stem()));
        fs::rename(name(from), name(to)).unwrap();
    }

    async fn end(self) {
        self.replica.shutdown().await.unwrap();
        tokio::task::spawn_blocking(move || self.ledger.close()).await.unwrap().unwrap();
    }
}

/// An answer with this body, as its bytes are laid out.
fn answer(body: &[u8]) -> RawAnswer {
    let mut bytes = vec![1, 0, 0, 0, 200];
    bytes.extend_from_slice(&AT.as_millis().to_be_bytes());
    for part in [&b"application/json"[..], b"", body] {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(part);
    }
    RawAnswer::from_bytes(&bytes).unwrap()
}

fn body(kept: Kept) -> Vec<u8> {
    match kept {
        Kept::Answer(answer, at) => {
            assert_eq!(at, AT);
            answer.body.to_vec()
        }
        Kept::Nothing | Kept::Sent(_) => panic!("no answer is kept"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_may_be_presented_again_opens_after_its_key_was_retired() {
    let place = Place::begin().await;
    place.mark(b"verifier\0code").await;
    let refresh = Attempt::Refresh(leasehold_domain::id::GrantId::from_bytes([8; 16]), 1);
    place.outbox.sent(refresh, AT).await.unwrap();
    assert_eq!(place.versions(), [(1, 1)], "a refresh's marker holds nothing");
    place.rotate().await;
    assert_eq!(place.versions(), [(1, 1)]);
    assert_eq!(place.outbox.rewrap().await.unwrap(), 1);
    assert_eq!(place.versions(), [(2, 1)]);
    assert_eq!(place.outbox.rewrap().await.unwrap(), 0, "again it does nothing");
    place.retire_the_first().await;
    match place.outbox.find(CONSENT).unwrap() {
        Kept::Sent(Some(presented)) => assert_eq!(presented.expose(), b"verifier\0code"),
        Kept::Sent(None) | Kept::Nothing | Kept::Answer(..) => panic!("the marker is not what it was"),
    }
    assert!(matches!(place.outbox.find(refresh).unwrap(), Kept::Sent(None)));
    // Under the current key from here on.
    place.mark(b"verifier\0code").await;
    assert_eq!(place.versions(), [(2, 1)]);
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_a_crash_left_without_its_name_moves_too_and_what_is_no_answer_keeps_no_key() {
    let place = Place::begin().await;
    place.mark(b"verifier\0code").await;
    place.keep(&answer(b"tokens")).await;
    place.rename(".answer", ".answer.part");
    assert_eq!(place.versions(), [(1, 2)]);
    place.rotate().await;
    assert_eq!(place.outbox.rewrap().await.unwrap(), 2);
    let stem = CONSENT.stem();
    assert_eq!(place.names(), [format!("{stem}.answer"), format!("{stem}.sent")]);
    assert_eq!(place.versions(), [(2, 2)]);
    place.retire_the_first().await;
    assert_eq!(body(place.outbox.find(CONSENT).unwrap()), b"tokens");

    // Cut short it is nobody's, and so is a marker that never got its name: they keep no version, and go with their attempt.
    let folder = place.dir.path().join("outbox");
    let whole = fs::read(folder.join(format!("{stem}.answer"))).unwrap();
    fs::remove_file(folder.join(format!("{stem}.answer"))).unwrap();
    fs::write(folder.join(format!("{stem}.answer.part")), &whole[..whole.len() - 1]).unwrap();
    place.rename(".sent", ".sent.part");
    assert_eq!(place.versions(), []);
    assert_eq!(place.outbox.rewrap().await.unwrap(), 0);
    assert!(matches!(place.outbox.find(CONSENT).unwrap(), Kept::Nothing));
    place.outbox.forget(CONSENT).await.unwrap();
    assert!(place.names().is_empty());
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_interrupted_move_leaves_beside_an_answer_counts_for_nothing() {
    let place = Place::begin().await;
    place.mark(b"verifier\0code").await;
    place.keep(&answer(b"tokens")).await;
    let folder = place.dir.path().join("outbox");
    let stem = CONSENT.stem();
    fs::copy(folder.join(format!("{stem}.answer")), folder.join(format!("{stem}.answer.part"))).unwrap();
    assert_eq!(place.versions(), [(1, 2)]);
    place.rotate().await;
    assert_eq!(place.outbox.rewrap().await.unwrap(), 2);
    place.retire_the_first().await;
    assert_eq!(place.versions(), [(2, 2)]);
    assert_eq!(body(place.outbox.find(CONSENT).unwrap()), b"tokens");
    place.end().await;
}
