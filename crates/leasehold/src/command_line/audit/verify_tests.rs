//! Ledgers made here, and everything that can be wrong with one.

use leasehold_domain::id::OrganisationId;
use leasehold_vault::{CheckpointSigner, KeyName, Keyring, OsEntropy, RootKey, VerifyNoteError};

use super::*;

/// A ledger of `size` lines, as one text.
fn ledger(size: u64) -> String {
    (0..size).map(|seq| line(seq, "GrantApproved")).collect()
}

fn line(seq: u64, event: &str) -> String {
    format!(
        "{{\"v\":1,\"seq\":{seq},\"at\":\"2026-07-30T12:00:{:02}.000Z\",\"org\":\"org_1\",\"event\":\"{event}\",\
         \"outcome\":\"success\",\"actor\":{{\"kind\":\"cluster\",\"proof\":\"cluster\"}},\"data\":{{}}}}\n",
        seq % 60
    )
}

fn signer(name: &str) -> CheckpointSigner {
    let organisation = OrganisationId::from_bytes([7; 16]);
    let (keyring, _) = Keyring::generate(organisation, &RootKey::draw(&OsEntropy), &OsEntropy);
    CheckpointSigner::draw(KeyName::new(name).unwrap(), 1, &keyring, &OsEntropy).unwrap().0
}

/// A checkpoint over lines, by an oracle of its own.
fn checkpoint(lines: &str, signer: &CheckpointSigner) -> String {
    struct Stored(Vec<tlog_tiles::Hash>);
    impl tlog_tiles::HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
            Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
        }
    }
    let (mut stored, mut size) = (Stored(Vec::new()), 0);
    for line in lines.lines() {
        stored.0.extend(tlog_tiles::stored_hashes(size, line.as_bytes(), &stored).unwrap());
        size += 1;
    }
    let root = tlog_tiles::tree_hash(size, &stored).unwrap();
    signer.sign_note(&format!("ledger.example/org\n{size}\n{}\n", STANDARD.encode(root.0))).unwrap()
}

fn check(lines: &str, note: &str, key: &VerifierKey) -> Result<Verified, VerifyError> {
    verify(lines.as_bytes(), note, key, |_| {})
}

#[test]
fn a_whole_ledger_verifies() {
    let signer = signer("ledger.example/org");
    for size in [1, 2, 3, 64, 257] {
        let lines = ledger(size);
        let mut bytes = 0;
        let note = checkpoint(&lines, &signer);
        let verified =
            verify(lines.as_bytes(), &note, signer.verifier_key(), |count| bytes += count).unwrap();
        assert_eq!(verified.checkpoint.size, size);
        assert_eq!(verified.checkpoint.origin, "ledger.example/org");
        assert_eq!(verified.first_at.as_deref(), Some("2026-07-30T12:00:00.000Z"));
        assert_eq!(bytes, lines.len());
    }
}

#[test]
fn a_flipped_byte_anywhere_is_found() {
    let signer = signer("ledger.example/org");
    let lines = ledger(9);
    let note = checkpoint(&lines, &signer);
    for position in (0..lines.len()).step_by(7) {
        let mut bytes = lines.clone().into_bytes();
        bytes[position] ^= 1;
        assert!(verify(&bytes[..], &note, signer.verifier_key(), |_| {}).is_err(), "byte {position}");
    }
}

#[test]
fn a_changed_event_is_another_root() {
    let signer = signer("ledger.example/org");
    let lines = ledger(5);
    let changed = lines.replacen(&line(3, "GrantApproved"), &line(3, "GrantRevoked"), 1);
    let error = check(&changed, &checkpoint(&lines, &signer), signer.verifier_key()).unwrap_err();
    assert!(matches!(error, VerifyError::Root { lines: 5, .. }), "{error}");
}

#[test]
fn a_missing_line_is_named_by_its_number() {
    let signer = signer("ledger.example/org");
    let lines = ledger(5);
    let missing = lines.replacen(&line(3, "GrantApproved"), "", 1);
    let error = check(&missing, &checkpoint(&lines, &signer), signer.verifier_key()).unwrap_err();
    assert_eq!(error.to_string(), "line 4 has sequence number 4 where 3 belongs: one line is missing");
    let begun_late = ledger(5).replacen(&line(0, "GrantApproved"), "", 1);
    let error = check(&begun_late, &checkpoint(&lines, &signer), signer.verifier_key()).unwrap_err();
    assert!(matches!(error, VerifyError::Sequence { line: 1, expected: 0, found: 1 }), "{error}");
}

#[test]
fn a_line_twice_is_named_by_its_number() {
    let signer = signer("ledger.example/org");
    let twice = ledger(3) + &line(2, "GrantApproved");
    let error = check(&twice, &checkpoint(&ledger(4), &signer), signer.verifier_key()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 4 has sequence number 2 where 3 belongs: it stands there twice, or out of order"
    );
}

#[test]
fn a_truncated_file_is_found_at_a_line_and_within_one() {
    let signer = signer("ledger.example/org");
    let lines = ledger(5);
    let note = checkpoint(&lines, &signer);
    let at_a_line = check(&ledger(3), &note, signer.verifier_key()).unwrap_err();
    assert_eq!(
        at_a_line.to_string(),
        "the file ends after line 3, and the checkpoint covers 5: 2 are missing"
    );
    let within = check(&lines[..lines.len() - 10], &note, signer.verifier_key()).unwrap_err();
    assert!(matches!(within, VerifyError::CutOff { line: 5 }), "{within}");
    let empty = check("", &note, signer.verifier_key()).unwrap_err();
    assert!(matches!(empty, VerifyError::Truncated { lines: 0, size: 5 }), "{empty}");
}

#[test]
fn a_line_that_no_checkpoint_covers_is_refused() {
    let signer = signer("ledger.example/org");
    let error = check(&ledger(6), &checkpoint(&ledger(5), &signer), signer.verifier_key()).unwrap_err();
    assert!(matches!(error, VerifyError::Uncovered { line: 6, size: 5 }), "{error}");
}

#[test]
fn what_is_no_event_is_named_by_its_number() {
    let signer = signer("ledger.example/org");
    let note = checkpoint(&ledger(5), &signer);
    let stray = line(0, "GrantApproved") + "not an event\n";
    assert!(matches!(check(&stray, &note, signer.verifier_key()), Err(VerifyError::NotAnEvent { line: 2 })));
    let endless = line(0, "GrantApproved") + &"x".repeat(line::LEN_MAX + 1);
    assert!(matches!(check(&endless, &note, signer.verifier_key()), Err(VerifyError::TooLong { line: 2 })));
}

#[test]
fn a_checkpoint_by_another_key_is_refused() {
    let (ours, theirs) = (signer("ledger.example/org"), signer("ledger.example/org"));
    let lines = ledger(3);
    let error = check(&lines, &checkpoint(&lines, &theirs), ours.verifier_key()).unwrap_err();
    assert!(
        matches!(error, VerifyError::Checkpoint(CheckpointError::Note(VerifyNoteError::NotSigned))),
        "{error}"
    );
}

#[test]
fn a_checkpoint_that_was_changed_after_signing_is_refused() {
    let signer = signer("ledger.example/org");
    let lines = ledger(3);
    let note = checkpoint(&ledger(5), &signer).replacen("\n5\n", "\n3\n", 1);
    let error = check(&lines, &note, signer.verifier_key()).unwrap_err();
    assert!(
        matches!(error, VerifyError::Checkpoint(CheckpointError::Note(VerifyNoteError::WrongSignature))),
        "{error}"
    );
}

#[test]
fn nothing_but_the_ledger_that_was_signed_verifies_and_under_no_other_note() {
    let signer = signer("ledger.example/org");
    let genuine = leasehold_fuzz::corpus("audit_verify").remove("genuine").unwrap();
    let note = checkpoint(str::from_utf8(&genuine).unwrap(), &signer);
    leasehold_fuzz::run("audit_verify", 10_000, |input| {
        let verified = verify(input, &note, signer.verifier_key(), |_| {}).is_ok();
        assert_eq!(verified, input == genuine);
        if let Ok(other) = str::from_utf8(input) {
            assert!(
                verify(&genuine[..], other, signer.verifier_key(), |_| {}).is_err(),
                "a note that nobody signed"
            );
        }
    });
}
