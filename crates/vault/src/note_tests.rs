//! Notes: our writer and reader against another implementation, and everything that must not verify.

use proptest::prelude::*;
use signed_note::{Note, StandardSigner, StandardVerifier, VerifierList};

use super::*;
use crate::{
    CheckpointSigner,
    testing::{Counting, keyring},
};

// The example of https://pkg.go.dev/golang.org/x/mod/sumdb/note.
const EXAMPLE_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const EXAMPLE_SIGNER: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const EXAMPLE_TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const EXAMPLE_SIGNATURE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn example_key() -> VerifierKey {
    EXAMPLE_KEY.parse().unwrap()
}

fn example_note() -> String {
    [EXAMPLE_TEXT, "\n", EXAMPLE_SIGNATURE].concat()
}

fn signer() -> CheckpointSigner {
    let name = KeyName::new("ledger.example/org").unwrap();
    CheckpointSigner::draw(name, 1, &keyring().0, &Counting::new()).unwrap().0
}

/// Whether the other implementation accepts a note by this key.
fn oracle_accepts(note: &str, key: &VerifierKey) -> bool {
    let verifier = StandardVerifier::new(&key.to_string()).unwrap();
    Note::from_bytes(note.as_bytes())
        .is_ok_and(|note| note.verify(&VerifierList::new(vec![Box::new(verifier)])).is_ok())
}

#[test]
fn the_published_example_verifies() {
    assert_eq!(verify_note(&example_note(), &example_key()), Ok(EXAMPLE_TEXT));
    assert_eq!(example_key().to_string(), EXAMPLE_KEY);
    assert_eq!(u32::from_be_bytes(example_key().id()), 0xc74f_20a3);
}

#[test]
fn the_other_implementation_accepts_our_notes_and_we_accept_its() {
    let ours = signer();
    let note = ours.sign_note("ledger.example/org\n3\nAAAA\n").unwrap();
    assert!(oracle_accepts(&note, ours.verifier_key()));

    let mut theirs = Note::new("origin\n0\n\nextension\n".as_bytes(), &[]).unwrap();
    theirs.add_sigs(&[&StandardSigner::new(EXAMPLE_SIGNER).unwrap()]).unwrap();
    let theirs = String::from_utf8(theirs.to_bytes()).unwrap();
    assert_eq!(verify_note(&theirs, &example_key()), Ok("origin\n0\n\nextension\n"));
}

#[test]
fn a_note_signed_by_several_verifies_by_each() {
    let ours = signer();
    let line = ours.verifier_key().signature_line(&ours.sign(EXAMPLE_TEXT.as_bytes()));
    let note = [&example_note(), line.as_str()].concat();
    for key in [&example_key(), ours.verifier_key()] {
        assert_eq!(verify_note(&note, key), Ok(EXAMPLE_TEXT));
        assert!(oracle_accepts(&note, key));
    }
}

#[test]
fn a_changed_text_is_a_wrong_signature() {
    let note = example_note().replacen("answer", "Answer", 1);
    assert_eq!(verify_note(&note, &example_key()), Err(VerifyNoteError::WrongSignature));
}

#[test]
fn a_note_by_another_key_is_not_signed() {
    assert_eq!(verify_note(&example_note(), signer().verifier_key()), Err(VerifyNoteError::NotSigned));
    let renamed = VerifierKey::new(KeyName::new("Peter").unwrap(), *example_key().public());
    assert_eq!(verify_note(&example_note(), &renamed), Err(VerifyNoteError::NotSigned));
}

#[test]
fn a_wrong_signature_in_our_name_is_refused_even_beside_a_right_one() {
    let wrong = example_key().signature_line(&[7; 64]);
    for note in [
        [EXAMPLE_TEXT, "\n", &wrong, EXAMPLE_SIGNATURE].concat(),
        [EXAMPLE_TEXT, "\n", EXAMPLE_SIGNATURE, &wrong].concat(),
    ] {
        assert_eq!(verify_note(&note, &example_key()), Err(VerifyNoteError::WrongSignature));
    }
}

#[test]
fn what_is_no_signed_note_is_malformed() {
    let (note, too_many) = (example_note(), EXAMPLE_SIGNATURE.repeat(SIGNATURES_MAX + 1));
    for bad in [
        String::new(),
        "\n".to_owned(),
        "\n\n".to_owned(),
        EXAMPLE_TEXT.to_owned(),
        [EXAMPLE_TEXT, "\n"].concat(),
        [EXAMPLE_TEXT, EXAMPLE_SIGNATURE].concat(),
        [EXAMPLE_TEXT, "\n", EXAMPLE_SIGNATURE.trim_end()].concat(),
        [EXAMPLE_TEXT, "\n", &too_many].concat(),
        note.replace('\n', "\r\n"),
        note.replacen('\u{2014}', "-", 1),
        note.replacen("PeterNeumann x", "PeterNeumann  x", 1),
        note.replacen("x08go", "x08g!", 1),
        note.replacen("answer", "ans\twer", 1),
        "x".repeat(NOTE_LEN_MAX) + &note,
    ] {
        assert_eq!(verify_note(&bad, &example_key()), Err(VerifyNoteError::Malformed), "{bad:.80?}");
        assert!(!oracle_accepts(&bad, &example_key()), "{bad:.80?}");
    }
}

#[test]
fn a_text_that_cannot_be_read_back_is_not_signed() {
    for bad in ["", "no newline", "tab\t\n", "return\r\n", &("x".repeat(NOTE_LEN_MAX) + "\n")] {
        assert_eq!(signer().sign_note(bad), Err(NoteError::InvalidText), "{bad:.20?}");
    }
}

#[test]
fn a_name_with_white_space_or_a_plus_sign_is_refused() {
    assert!(KeyName::new(&"x".repeat(KeyName::LEN_MAX)).is_ok());
    for bad in ["", "a b", "a+b", "a\n", "a\u{a0}b", "a\u{2003}b", "a\0", &"x".repeat(KeyName::LEN_MAX + 1)] {
        assert_eq!(KeyName::new(bad), Err(NoteError::InvalidName), "{bad:?}");
    }
}

#[test]
fn a_verifier_key_has_one_text() {
    let key = EXAMPLE_KEY;
    for bad in [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        &key.replace("c74f20a3", "C74F20A3"),
        &key.replace("c74f20a3", "c74f20a4"),
        &key.replace("c74f20a3", "0c74f20a3"),
        &key.replace("Peter", "peter"),
        &key.replace("+AR", "+AB"),
        &key.replace("+AR", "+BR"),
        &format!("{key} "),
        &format!("{key}="),
        &key[..key.len() - 4],
    ] {
        assert_eq!(bad.parse::<VerifierKey>(), Err(ParseVerifierKeyError), "{bad}");
    }
}

proptest! {
    #[test]
    fn verifier_keys_round_trip(name in "[a-z./é-]{1,20}", public: [u8; 32]) {
        let key = VerifierKey::new(KeyName::new(&name).unwrap(), public);
        prop_assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn every_text_that_is_signed_verifies_here_and_elsewhere(lines in prop::collection::vec("[^\\p{Cc}]{0,20}", 1..6)) {
        let signer = signer();
        let text = lines.join("\n") + "\n";
        let note = signer.sign_note(&text).unwrap();
        prop_assert_eq!(verify_note(&note, signer.verifier_key()), Ok(text.as_str()));
        prop_assert!(oracle_accepts(&note, signer.verifier_key()));
    }

    #[test]
    fn a_changed_note_verifies_only_with_its_text_unchanged(
        position in 0usize..230, replacement in "[\\n A-Za-z0-9+/=\u{2014}]{0,3}",
    ) {
        let mut note = example_note();
        prop_assume!(note.is_char_boundary(position) && note.is_char_boundary(position + 1));
        note.replace_range(position..=position, &replacement);
        if let Ok(text) = verify_note(&note, &example_key()) {
            prop_assert_eq!(text, EXAMPLE_TEXT);
            prop_assert!(oracle_accepts(&note, &example_key()));
        }
    }
}
