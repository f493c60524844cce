use leasehold_domain::{
    administrator::Administrator,
    authorization::{Authorization, Binding},
    connector::Connector,
    grant::{Grant, UpstreamTarget, UpstreamTask},
    id::{AuthorizationId, CredentialId, GrantId, SubjectId, WorkloadId},
    identity_provider::IdentityProvider,
    mcp_server::McpServer,
    organisation::{KeyId, KeyPurpose, KeyVersion},
    policy::{Action, DenialReason, Resource},
    revocation::Selector,
    state::{Credential, DenialCount, DenialKey, Epoch, Singular},
    subject::{DirectoryEntry, Erasure, Subject},
    workload::{CertificateName, Workload},
};
use proptest::prelude::*;

use super::*;
use crate::samples::{Draw, Sample, sample};

impl Sample for DenialKey {
    fn sample(draw: &mut Draw) -> Self {
        let action: Action = draw.named("action");
        let resource: Resource = draw.named("resource");
        let reason: DenialReason = draw.named("reason");
        Self { principal: draw.named("principal"), action, resource, reason }
    }
}

/// One row of each table, as a change, handed to `write`.
pub(crate) fn each_row(seed: u64, mut write: impl FnMut(Change<'_>)) {
    let draw = Draw::new(seed);
    macro_rules! by_id {
        ($($variant:ident: $row:ty),+ $(,)?) => {$(
            let row: $row = draw.named(stringify!($variant));
            write(Change::$variant(&row.id, Some(&row)));
        )+};
    }
    macro_rules! by_key {
        ($($variant:ident: $key:ty => $row:ty),+ $(,)?) => {$(
            let key: $key = draw.named(concat!(stringify!($variant), " key"));
            let row: $row = draw.named(stringify!($variant));
            write(Change::$variant(&key, Some(&row)));
        )+};
    }
    write(Change::Singular(&draw.named::<Singular>("Singular")));
    by_id! {
        Administrator: Administrator, IdentityProvider: IdentityProvider, Connector: Connector, McpServer: McpServer,
        Workload: Workload, Subject: Subject, Authorization: Authorization, Grant: Grant,
    }
    by_key! {
        Credential: CredentialId => Credential,
        Certificate: CertificateName => WorkloadId,
        Directory: SubjectId => DirectoryEntry,
        Binding: AuthorizationId => Binding,
        UpstreamTask: UpstreamTarget => UpstreamTask,
        Epoch: Selector => Epoch,
        Denials: DenialKey => DenialCount,
        Key: KeyId => KeyVersion,
        Erasure: SubjectId => Erasure,
    }
}

/// Whether a change says what a row that was read says.
fn says_the_same(change: &Change<'_>, row: &Row) -> bool {
    macro_rules! equal {
        ($($variant:ident),+ $(,)?) => {
            match (change, row) {
                (Change::Singular(one), Row::Singular(other)) => *one == other,
                $((Change::$variant(key, Some(one)), Row::$variant(other_key, other)) => *key == other_key && *one == other,)+
                _ => false,
            }
        };
    }
    equal! {
        Administrator, Credential, Certificate, IdentityProvider, Connector, McpServer, Workload, Subject, Directory,
        Authorization, Binding, Grant, UpstreamTask, Epoch, Denials, Key, Erasure,
    }
}

/// One key of each kind of blob.
pub(crate) fn blob_keys(seed: u64) -> Vec<BlobKey> {
    let draw = Draw::new(seed);
    vec![
        BlobKey::RootCheck,
        BlobKey::WrappedKey(draw.named::<KeyPurpose>("purpose"), draw.named("version")),
        BlobKey::SigningKey,
        BlobKey::ClientSecret(draw.named("connector"), draw.named("secret")),
        BlobKey::IdentityProviderSecret(draw.named("identity provider")),
        BlobKey::Verifier(draw.named("verifier")),
        BlobKey::PendingTokens(draw.named("pending tokens")),
        BlobKey::PendingAccount(draw.named("pending account")),
        BlobKey::Tokens(draw.named("grant"), draw.named("generation")),
        BlobKey::Account(draw.named("account")),
        BlobKey::PolicyText,
        BlobKey::Note(draw.named("note")),
    ]
}

/// A row's own bytes, if it was read.
fn bytes_of(row: &Row) -> (Vec<u8>, Option<Vec<u8>>) {
    macro_rules! change {
        ($($variant:ident),+ $(,)?) => {
            match row {
                Row::Singular(row) => Change::Singular(row),
                $(Row::$variant(key, row) => Change::$variant(key, Some(row)),)+
            }
        };
    }
    let change = change! {
        Administrator, Credential, Certificate, IdentityProvider, Connector, McpServer, Workload, Subject, Directory,
        Authorization, Binding, Grant, UpstreamTask, Epoch, Denials, Key, Erasure,
    };
    (key(&change), value(&change))
}

proptest! {
    #[test]
    fn a_row_of_each_table_reads_back(seed: u64) {
        let mut tables = Vec::new();
        each_row(seed, |change| {
            let (key, value) = (key(&change), value(&change).unwrap());
            let row = decode(&key, &value).unwrap();
            assert!(says_the_same(&change, &row));
            tables.push(key[0]);
        });
        tables.sort_unstable();
        prop_assert_eq!(tables, (1..=18).collect::<Vec<u8>>());
    }

    #[test]
    fn a_row_cut_short_is_refused(seed: u64, cut: prop::sample::Index) {
        each_row(seed, |change| {
            let (key, value) = (key(&change), value(&change).unwrap());
            assert!(decode(&key, &value[..cut.index(value.len())]).is_err());
            let open_ended = matches!(change, Change::Certificate(..));
            assert!(open_ended || decode(&key[..cut.index(key.len())], &value).is_err());
        });
    }

    #[test]
    fn changed_bytes_are_refused_or_are_the_form_of_another_row(seed: u64, at: prop::sample::Index, bits in 1..=255u8) {
        each_row(seed, |change| {
            let (key, value) = (key(&change), value(&change).unwrap());
            let mut bytes = [key.as_slice(), &value].concat();
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
            let (changed_key, changed_value) = bytes.split_at(key.len());
            if let Ok(other) = decode(changed_key, changed_value) {
                assert_eq!(bytes_of(&other), (changed_key.to_vec(), Some(changed_value.to_vec())));
            }
        });
    }

    #[test]
    fn keys_sort_as_the_domain_sorts(one: u64, other: u64) {
        fn sorts<K: Key + Sample + Ord>(one: u64, other: u64) -> bool {
            let (one, other): (K, K) = (sample(one), sample(other));
            let bytes = |key: &K| {
                let mut bytes = Vec::new();
                key.put(&mut bytes);
                bytes
            };
            bytes(&one).cmp(&bytes(&other)) == one.cmp(&other)
        }
        prop_assert!(sorts::<GrantId>(one, other));
        prop_assert!(sorts::<CertificateName>(one, other));
        prop_assert!(sorts::<UpstreamTarget>(one, other));
        prop_assert!(sorts::<Selector>(one, other));
        prop_assert!(sorts::<DenialKey>(one, other));
        for one in blob_keys(one) {
            for other in blob_keys(other) {
                prop_assert_eq!(blob_key(&one).cmp(&blob_key(&other)), one.cmp(&other));
            }
        }
    }

    #[test]
    fn the_key_of_a_blob_reads_back_and_nothing_else_does(seed: u64, cut: prop::sample::Index) {
        for key in blob_keys(seed) {
            let bytes = blob_key(&key);
            prop_assert_eq!(parse_blob_key(&bytes), Ok(key));
            prop_assert!(parse_blob_key(&bytes[..cut.index(bytes.len())]).is_err());
            let longer = [bytes.as_slice(), &[0]].concat();
            prop_assert_eq!(parse_blob_key(&longer).unwrap_err().problem, Problem::Trailing);
        }
    }
}

#[test]
fn every_kind_of_blob_has_its_table() {
    let tables: Vec<u8> = blob_keys(0).iter().map(|key| blob_key(key)[0]).collect();
    assert_eq!(tables, (64..=75).collect::<Vec<u8>>());
}

#[test]
fn a_row_that_is_gone_has_no_value() {
    let id = GrantId::from_bytes([7; 16]);
    assert_eq!(key(&Change::Grant(&id, None)), [&[13][..], &[7; 16]].concat());
    assert_eq!(value(&Change::Grant(&id, None)), None);
}

#[test]
fn a_row_under_another_key_than_its_own_is_refused() {
    let grant: Grant = sample(1);
    let other = GrantId::from_bytes([0; 16]);
    let value = value(&Change::Grant(&grant.id, Some(&grant))).unwrap();
    let refusal = decode(&key(&Change::Grant(&other, None)), &value).err();
    assert_eq!(refusal.map(|error| error.problem), Some(Problem::WrongKey));
}

#[test]
fn an_unknown_table_and_a_blob_among_rows_are_refused() {
    let refusal = |key: &[u8]| decode(key, &[]).err().map(|error| error.problem);
    assert_eq!(refusal(&[]), Some(Problem::Expected("a table number")));
    assert_eq!(refusal(&[0]), Some(Problem::UnknownTable(0)));
    assert_eq!(refusal(&[64]), Some(Problem::UnknownTable(64)));
    assert_eq!(parse_blob_key(&[13]).unwrap_err().problem, Problem::UnknownVariant(13));
}
