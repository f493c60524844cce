//! A ledger of canned lines, with its checkpoints. Hashes are an independent implementation's.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use leasehold_domain::id::OrganisationId;
use leasehold_vault::{CheckpointSigner, KeyName, Keyring, OsEntropy, RootKey};
use tlog_tiles::{Error, Hash, HashReader, stored_hashes, tree_hash};

/// The lines, and the key that signs their checkpoints.
pub(crate) struct Ledger {
    pub(crate) lines: Vec<Vec<u8>>,
    signer: CheckpointSigner,
}

struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

impl Ledger {
    pub(crate) fn of(size: u64) -> Self {
        let keyring =
            Keyring::generate(OrganisationId::from_bytes([7; 16]), &RootKey::draw(&OsEntropy), &OsEntropy).0;
        let name = KeyName::new("ledger.example/org").unwrap();
        let (signer, _) = CheckpointSigner::draw(name, 1, &keyring, &OsEntropy).unwrap();
        let mut ledger = Self { lines: Vec::new(), signer };
        ledger.grow(size);
        ledger
    }

    pub(crate) fn grow(&mut self, by: u64) {
        for seq in self.lines.len() as u64..self.lines.len() as u64 + by {
            let (event, data) = match seq {
                0 => ("OrganisationFounded", format!("{{\"verifier\":\"{}\"}}", self.signer.verifier_key())),
                _ => ("GrantApproved", "{}".to_owned()),
            };
            let line = format!(
                "{{\"v\":1,\"seq\":{seq},\"at\":\"2026-07-30T12:00:00.000Z\",\"org\":\"org_1\",\"event\":\"{event}\",\
                 \"outcome\":\"success\",\"actor\":{{\"kind\":\"cluster\",\"proof\":\"cluster\"}},\"data\":{data}}}"
            );
            self.lines.push(line.into_bytes());
        }
    }

    pub(crate) fn checkpoint(&self) -> String {
        let mut stored = Stored(Vec::new());
        for (seq, line) in self.lines.iter().enumerate() {
            stored.0.extend(stored_hashes(seq as u64, line, &stored).unwrap());
        }
        let size = self.lines.len() as u64;
        let root = STANDARD.encode(tree_hash(size, &stored).unwrap().0);
        self.signer.sign_note(&format!("ledger.example/org\n{size}\n{root}\n")).unwrap()
    }

    pub(crate) fn verifier(&self) -> String {
        self.signer.verifier_key().to_string()
    }
}
