//! The auditor's check accepts the ledger that was signed, and no other. The ledgers are made here, from the public
//! texts: the tree by its definition, the signature by another implementation.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use leasehold_interop::{Tool, Toolchain, Verdict, python_folder, require, verify_ledger};
use rand_core::OsRng;
use signed_note::{Note, StandardSigner};
use tempfile::TempDir;
use tokio::process::Command;

use crate::merkle;

const ORIGIN: &str = "ledger.example.test/acme";

struct Signed {
    lines: Vec<String>,
    note: Vec<u8>,
    vkey: String,
}

/// A ledger of `size` lines and its signed checkpoint.
fn signed(size: usize) -> Signed {
    let lines: Vec<String> =
        (0..size).map(|seq| format!(r#"{{"seq":{seq},"kind":"LeaseIssued","note":"Zoë"}}"#)).collect();
    let leaves: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    let (note, vkey) = sign(&head(ORIGIN, size, &merkle::root(&leaves)));
    Signed { lines, note, vkey }
}

fn head(origin: &str, size: usize, root: &merkle::Hash) -> String {
    format!("{origin}\n{size}\n{}\n", BASE64_STANDARD.encode(root))
}

fn sign(text: &str) -> (Vec<u8>, String) {
    let (skey, vkey) = signed_note::generate_key(&mut OsRng, ORIGIN);
    let signer = StandardSigner::new(&skey).expect("a generated key is well formed");
    let mut note = Note::new(text.as_bytes(), &[]).expect("a checkpoint is a note");
    note.add_sigs(&[&signer]).expect("it can be signed");
    (note.to_bytes(), vkey)
}

async fn check(toolchain: &Toolchain, ledger: &[u8], note: &[u8], vkey: &str) -> Verdict {
    let folder = TempDir::new().expect("a temporary folder");
    let write = |name: &str, bytes: &[u8]| -> PathBuf {
        let file = folder.path().join(name);
        fs::write(&file, bytes).expect("a temporary file");
        file
    };
    let (ledger, note) = (write("ledger.jsonl", ledger), write("checkpoint", note));
    let verdict = verify_ledger(toolchain, &ledger, &note, vkey).await;
    verdict.unwrap_or_else(|error| unreachable!("no verdict: {error}"))
}

impl Signed {
    fn bytes(&self) -> Vec<u8> {
        self.lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
    }

    async fn check(&self, toolchain: &Toolchain) -> Verdict {
        check(toolchain, &self.bytes(), &self.note, &self.vkey).await
    }
}

#[track_caller]
fn assert_refused(verdict: &Verdict, because: &str) {
    assert!(matches!(verdict, Verdict::Refused(reason) if reason.contains(because)), "{verdict:?}");
}

#[tokio::test]
async fn a_ledger_of_any_size_matches_its_checkpoint() {
    let toolchain = require!(Python);
    for size in [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 100] {
        let signed = signed(size);
        let leaves: Vec<&[u8]> = signed.lines.iter().map(String::as_bytes).collect();
        let root = BASE64_STANDARD.encode(merkle::root(&leaves));
        assert_eq!(signed.check(&toolchain).await, Verdict::Verified { size: size as u64, root });
    }
}

#[tokio::test]
async fn a_changed_byte_is_refused() {
    let toolchain = require!(Python);
    let mut signed = signed(9);
    signed.lines[4] = signed.lines[4].replace("LeaseIssued", "LeaseIssueD");
    assert_refused(&signed.check(&toolchain).await, "the ledger's root is not the signed one");
}

#[tokio::test]
async fn a_missing_last_line_is_refused() {
    let toolchain = require!(Python);
    let mut signed = signed(9);
    signed.lines.pop();
    assert_refused(&signed.check(&toolchain).await, "has 8 lines, the checkpoint signs 9");
}

#[tokio::test]
async fn a_last_line_cut_short_is_refused() {
    let toolchain = require!(Python);
    let signed = signed(9);
    let mut bytes = signed.bytes();
    bytes.pop();
    assert_refused(&check(&toolchain, &bytes, &signed.note, &signed.vkey).await, "line 9 is cut short");
}

#[tokio::test]
async fn swapped_lines_are_refused() {
    let toolchain = require!(Python);
    let mut signed = signed(9);
    signed.lines.swap(2, 3);
    assert_refused(&signed.check(&toolchain).await, "the ledger's root is not the signed one");
}

#[tokio::test]
async fn an_added_line_is_refused() {
    let toolchain = require!(Python);
    let mut signed = signed(8);
    signed.lines.push("{}".to_owned());
    assert_refused(&signed.check(&toolchain).await, "has 9 lines, the checkpoint signs 8");
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let toolchain = require!(Python);
    let mut signed = signed(3);
    signed.vkey = self::signed(3).vkey;
    assert_refused(&signed.check(&toolchain).await, "has no signature by");
}

#[tokio::test]
async fn a_key_whose_id_does_not_belong_to_it_is_refused() {
    let toolchain = require!(Python);
    let (mut signed, other) = (signed(3), signed(3));
    let (id, key) = (signed.vkey.split('+').nth(1).unwrap(), other.vkey.splitn(3, '+').nth(2).unwrap());
    signed.vkey = format!("{ORIGIN}+{id}+{key}");
    assert_refused(&signed.check(&toolchain).await, "not a well-formed Ed25519 key");
}

#[tokio::test]
async fn a_checkpoint_changed_after_its_signature_is_refused() {
    let toolchain = require!(Python);
    let mut signed = signed(3);
    let shorter = self::signed(2);
    let note = String::from_utf8(signed.note).unwrap();
    let (_, signatures) = note.split_once("\n\n").unwrap();
    let leaves: Vec<&[u8]> = shorter.lines.iter().map(String::as_bytes).collect();
    signed.note = format!("{}\n{signatures}", head(ORIGIN, 2, &merkle::root(&leaves))).into_bytes();
    signed.lines = shorter.lines;
    assert_refused(&signed.check(&toolchain).await, "the checkpoint's signature is wrong");
}

#[tokio::test]
async fn a_checkpoint_without_a_signature_is_refused() {
    let toolchain = require!(Python);
    let mut signed = signed(3);
    let text = String::from_utf8(signed.note).unwrap();
    signed.note = format!("{}\n\n", text.split_once("\n\n").unwrap().0).into_bytes();
    assert_refused(&signed.check(&toolchain).await, "has no signature by");
}

#[tokio::test]
async fn a_checkpoint_of_another_origin_is_refused() {
    let toolchain = require!(Python);
    let mut signed = signed(3);
    let leaves: Vec<&[u8]> = signed.lines.iter().map(String::as_bytes).collect();
    (signed.note, signed.vkey) = sign(&head("ledger.example.test/epoch2", 3, &merkle::root(&leaves)));
    assert_refused(&signed.check(&toolchain).await, "the checkpoint is of ledger.example.test/epoch2");
}

/// RFC 8032, section 7.1: public key, message, signature.
const VECTORS: [[&str; 3]; 3] = [
    [
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
];

async fn ed25519(toolchain: &Toolchain, arguments: [&str; 3]) -> bool {
    let program = "import sys; sys.path.insert(0, sys.argv[1]); import ed25519; \
                   print(ed25519.verify(*map(bytes.fromhex, sys.argv[2:])))";
    let python = toolchain.path(Tool::Python).expect("the test requires it");
    let mut command = Command::new(python);
    command.args(["-B", "-c", program]).arg(python_folder()).args(arguments);
    let output = command.output().await.expect("python runs");
    assert!(output.status.success(), "{output:?}");
    output.stdout == b"True\n"
}

#[tokio::test]
async fn the_python_ed25519_agrees_with_the_vectors_of_rfc_8032() {
    let toolchain = require!(Python);
    for vector in VECTORS {
        assert!(ed25519(&toolchain, vector).await, "{vector:?}");
        let [key, message, signature] = vector;
        assert!(!ed25519(&toolchain, [key, &format!("{message}00"), signature]).await, "another message");
    }
}

#[tokio::test]
async fn the_python_ed25519_refuses_a_second_form_of_a_signature() {
    let toolchain = require!(Python);
    let [key, message, signature] = VECTORS[1];
    // The same scalar plus the group's order, little-endian: equal in the group, and refused by RFC 8032.
    let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let byte = |text: &str, at: usize| u16::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    let mut carry = 0;
    let mut scalar = String::new();
    for at in 0..32 {
        let sum = byte(&signature[64..], at) + byte(order, at) + carry;
        scalar.push_str(&format!("{:02x}", sum & 0xff));
        carry = sum >> 8;
    }
    assert!(!ed25519(&toolchain, [key, message, &format!("{}{scalar}", &signature[..64])]).await);
}
