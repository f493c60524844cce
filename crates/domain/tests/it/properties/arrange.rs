//! What administrators arrange and what is read: orders that happen seldom, over a few ids, so that they meet one another.

use std::collections::BTreeSet;

use leasehold_domain::{
    actor::Role,
    administrator,
    audit::{self, View},
    connector,
    id::{AdministratorId, CredentialId, McpServerId, SecretId, SubjectId, WorkloadId},
    identity_provider,
    workload::{self, CertificateName},
};

use super::run::STRICT;
use crate::{
    fixture::{FILES, FILES_WORKLOAD, GATEWAY, MAIL, SIGN_IN, digest, label, name, sealed},
    harness::Step,
    worlds::{
        Setting, found, register_connector, register_server, register_subject, register_workload,
        sign_in_registration,
    },
};

/// How many kinds of them there are.
pub(super) const KINDS: u8 = 17;

/// One of them, for one of a few ids.
pub(super) fn lower(what: u8, id: u8) -> Step {
    let credential = CredentialId::from_bytes([0x40 + id; 16]);
    let administrator = AdministratorId::from_bytes([0x50 + id; 16]);
    let secret = SecretId::from_bytes([0x60 + id; 16]);
    let second = id % 2 == 1;
    let workload = if second { FILES_WORKLOAD } else { GATEWAY };
    let text = format!("new-{id}");
    match what {
        0 => administrator::Command::OfferBootstrap { credential, secret: digest(id) }.into(),
        1 => administrator::Command::RedeemBootstrap {
            bootstrap: credential,
            administrator,
            name: name(&text),
            credential: CredentialId::from_bytes([0x48 + id; 16]),
            secret: digest(id),
        }
        .into(),
        2 => administrator::Command::Register {
            administrator,
            name: name(&text),
            roles: BTreeSet::from([Role::Operator]),
            credential: CredentialId::from_bytes([0x44 + id; 16]),
            secret: digest(id),
        }
        .into(),
        3 => administrator::Command::Disable { administrator }.into(),
        4 => identity_provider::Command::ReplaceSecret {
            identity_provider: SIGN_IN,
            secret: sealed("another secret"),
        }
        .into(),
        5 => identity_provider::Command::Register {
            identity_provider: SIGN_IN,
            registration: sign_in_registration(),
            secret: sealed("secret"),
        }
        .into(),
        6 => connector::Command::AddSecret { connector: STRICT, secret, sealed: sealed("secret") }.into(),
        7 => connector::Command::RetireSecret { connector: STRICT, secret }.into(),
        8 => workload::Command::RetireCredential { workload, credential: CredentialId::from_bytes([id; 16]) }
            .into(),
        9 => {
            let certificate = CertificateName::Dns(label(&format!("host-{}.example", id / 2)));
            workload::Command::BindCertificate { workload, certificate }.into()
        }
        15 => {
            let certificate = CertificateName::Dns(label(&format!("host-{}.example", id / 2)));
            workload::Command::UnbindCertificate { workload, certificate }.into()
        }
        10 => audit::Command::RecordRead { view: View::Ledger, from: u64::from(id) }.into(),
        11 => found().into(),
        12 => register_connector(STRICT, &Setting::default()).into(),
        13 => register_server(McpServerId::from_bytes([0x70 + id; 16]), &text).into(),
        14 => {
            let kind = workload::Kind::McpServer(if second { MAIL } else { FILES });
            register_workload(WorkloadId::from_bytes([0x78 + id; 16]), &text, kind).into()
        }
        _ => register_subject(SubjectId::from_bytes([0x7c + id; 16]), &text).into(),
    }
}
