//! Rows of state as the ledger stores them: a key that begins with its table's number and sorts as the domain
//! sorts, and a value in CBOR.
//!
//! Table numbers, for ever; a table whose rows take another form gets another number:
//!
//! | number | table | key after the number |
//! |---|---|---|
//! | 1 | what there is only one of | nothing |
//! | 2 | administrators | administrator id |
//! | 3 | credentials | credential id |
//! | 4 | certificates | 0 SPIFFE or 1 DNS, the name |
//! | 5 | identity providers | identity provider id |
//! | 6 | connectors | connector id |
//! | 7 | MCP servers | MCP server id |
//! | 8 | workloads | workload id |
//! | 9 | subjects | subject id |
//! | 10 | directory | subject id |
//! | 11 | authorizations | authorization id |
//! | 12 | bindings | authorization id |
//! | 13 | grants | grant id |
//! | 14 | upstream revocations | 0 grant or 1 authorization, its id |
//! | 15 | epochs | 0 grant, 1 subject, 2 workload, 3 connector or 4 MCP server, its id |
//! | 16 | denials | principal, action, resource, reason |
//! | 17 | key-encryption keys | purpose, version (4 bytes) |
//! | 18 | erasures | subject id |
//! | 64 | root check | nothing |
//! | 65 | wrapped keys | purpose, version (4 bytes) |
//! | 66 | checkpoint signing key | nothing |
//! | 67 | client secrets | connector id, secret id |
//! | 68 | secrets at identity providers | identity provider id |
//! | 69 | PKCE verifiers | authorization id |
//! | 70 | tokens to be confirmed | authorization id |
//! | 71 | accounts to be confirmed | authorization id |
//! | 72 | token sets | grant id, generation (8 bytes) |
//! | 73 | accounts | grant id |
//! | 74 | the text of the policy set | nothing |
//! | 75 | notes | note id |
//!
//! From 64 on are blobs, whose values are kept as they are. Numbers in keys are big-endian. Where the ledger
//! puts its rows, and under which prefix, is not known here.

use leasehold_domain::state::{
    BlobKey,
    rows::{Change, Row},
};

use crate::cbor::{self, DecodeError, Problem};

mod key;

use key::{Key, KeyReader};

/// The table of what there is only one of.
const SINGULAR: u8 = 1;

/// Whether a row says that it belongs under a key.
trait Keyed<K> {
    fn belongs_under(&self, key: &K) -> bool;
}

macro_rules! tables {
    ($($number:literal $variant:ident,)+) => {
        /// The key of a row, below the ledger's own prefix.
        pub fn key(change: &Change<'_>) -> Vec<u8> {
            let mut bytes = Vec::with_capacity(18);
            match change {
                Change::Singular(_) => bytes.push(SINGULAR),
                $(Change::$variant(key, _) => {
                    bytes.push($number);
                    key.put(&mut bytes);
                })+
            }
            bytes
        }

        /// The value of a row; `None` where it is gone.
        pub fn value(change: &Change<'_>) -> Option<Vec<u8>> {
            match change {
                Change::Singular(singular) => Some(cbor::to_vec(*singular)),
                $(Change::$variant(_, row) => row.map(cbor::to_vec),)+
            }
        }

        /// Reads a row back.
        ///
        /// # Errors
        /// [`DecodeError`] for any key or value that [`key`] or [`value`] would not write, and for a row under another's key.
        pub fn decode(key: &[u8], value: &[u8]) -> Result<Row, DecodeError> {
            let mut reader = KeyReader::new(key);
            match reader.byte("a table number")? {
                SINGULAR => {
                    reader.finish()?;
                    cbor::from_slice(value).map(Row::Singular)
                }
                $($number => {
                    let key = Key::take(&mut reader)?;
                    reader.finish()?;
                    let row = cbor::from_slice(value)?;
                    if Keyed::belongs_under(&row, &key) {
                        Ok(Row::$variant(key, row))
                    } else {
                        Err(reader.problem(Problem::WrongKey))
                    }
                })+
                other => Err(reader.problem(Problem::UnknownTable(other))),
            }
        }
    };
}

tables! {
    2 Administrator,
    3 Credential,
    4 Certificate,
    5 IdentityProvider,
    6 Connector,
    7 McpServer,
    8 Workload,
    9 Subject,
    10 Directory,
    11 Authorization,
    12 Binding,
    13 Grant,
    14 UpstreamTask,
    15 Epoch,
    16 Denials,
    17 Key,
    18 Erasure,
}

/// The key of a blob, below the ledger's own prefix.
pub fn blob_key(key: &BlobKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(33);
    key.put(&mut bytes);
    bytes
}

/// Reads the key of a blob back.
///
/// # Errors
/// [`DecodeError`] for anything that [`blob_key`] would not write.
pub fn parse_blob_key(key: &[u8]) -> Result<BlobKey, DecodeError> {
    let mut reader = KeyReader::new(key);
    let key = BlobKey::take(&mut reader)?;
    reader.finish()?;
    Ok(key)
}

#[cfg(test)]
#[path = "row/tests.rs"]
pub(crate) mod tests;
