//! Writes the samples that only our own code can make: `cargo run -p leasehold-fuzz --example seeds`. They differ from run to run where
//! entropy is in them; write them again only when a format changed, and review what a diff of binary files can show.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use anyhow::Context as _;
use leasehold_codec::batch;
use leasehold_domain::{
    id::{CredentialId, OrganisationId},
    time::Timestamp,
};
use leasehold_ledger::{Entry, Ledger, Payload, Position};
use leasehold_upstream::{
    call::{Leg, RawAnswer},
    transport::Completeness,
};
use leasehold_vault::{
    CheckpointSigner, CredentialKind, CredentialSecret, KeyName, Keyring, OsEntropy, RecoveryCopy, RootKey,
};
use leasehold_wal::{Expectation, Fs, Identity, LogId, Options, Vote, Wal, testing::SimFs};
use zeroize::Zeroizing;

fn main() -> anyhow::Result<()> {
    golden()?;
    log()?;
    snapshot()?;
    keys()?;
    certificates()?;
    answers()
}

fn write(target: &str, name: &str, content: &[u8]) -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), content).with_context(|| format!("{target}/{name}"))
}

/// The golden files of the codec, by the lines that differ most: one of each aggregate.
fn golden_file(name: &str) -> anyhow::Result<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/codec/tests/golden").join(name);
    Ok(fs::read_to_string(path)?.lines().map(str::to_owned).collect())
}

fn unhex(text: &str) -> anyhow::Result<Vec<u8>> {
    let pair = |at: usize| text.get(at..at + 2).context("hex has pairs");
    (0..text.len()).step_by(2).map(|at| Ok(u8::from_str_radix(pair(at)?, 16)?)).collect()
}

fn golden() -> anyhow::Result<()> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for line in golden_file("level-1.cbor.hex")? {
        let (name, hex) = line.split_once(' ').context("a name and hex")?;
        let aggregate = name.split('.').next().unwrap_or_default().to_owned();
        let count = seen.entry(aggregate).or_default();
        if *count < 3 && hex.len() <= 4096 {
            *count += 1;
            write("batch", name, &unhex(hex)?)?;
        }
    }
    let mut tables: BTreeMap<String, usize> = BTreeMap::new();
    for line in golden_file("level-1.rows.hex")? {
        let Some((key, value)) =
            line.split_once(' ').filter(|(key, _)| key.bytes().all(|byte| byte.is_ascii_hexdigit()))
        else {
            continue;
        };
        let table = key.get(..2).context("a table")?.to_owned();
        let count = tables.entry(table.clone()).or_default();
        if *count < 2 {
            let key = unhex(key)?;
            let len = u8::try_from(key.len())?;
            write(
                "row",
                &format!("table-{table}-{count}"),
                &[[len].as_slice(), &key, &unhex(value)?].concat(),
            )?;
            *count += 1;
        }
    }
    for (nth, line) in golden_file("level-1.jsonl")?.iter().step_by(3).take(36).enumerate() {
        write("line", &format!("{nth:02}"), line.as_bytes())?;
    }
    Ok(())
}

fn log() -> anyhow::Result<()> {
    let sim = SimFs::new();
    let identity = Identity { cluster: [7; 16], node: 1 };
    let options = Options { segment_bytes: 256, ..Options::default() };
    let disk: Arc<dyn Fs> = Arc::new(sim.clone());
    let (wal, _) =
        Wal::open(disk, Path::new("/log"), identity, options, Expectation::default(), Box::new(|_| {}))?;
    wal.save_vote(Vote { term: 1, node: 1, committed: true })?;
    for index in 0..=5 {
        let id = LogId { term: 1, node: 1, index };
        let payload = format!("entry {index} {}", "x".repeat(60)).into_bytes().into();
        wal.append(vec![leasehold_wal::Entry { id, payload }], Box::new(|_| {}))?;
        wal.wait_durable(index)?;
    }
    wal.save_committed(LogId { term: 1, node: 1, index: 5 })?;
    wal.close()?;
    for (path, content) in sim.files() {
        let name = path.file_name().context("a file has a name")?.to_string_lossy().into_owned();
        write("wal", &format!("log.{name}"), &content)?;
    }
    Ok(())
}

fn snapshot() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let ledger =
        Ledger::open(&folder.path().join("ledger"), leasehold_ledger::Options::default(), Box::new(|_| {}))?;
    let mut index = 0;
    for line in golden_file("level-1.cbor.hex")? {
        let (_, hex) = line.split_once(' ').context("a name and hex")?;
        index += 1;
        let payload = Payload::Proposals(batch::decode(&unhex(hex)?)?);
        ledger.apply(Entry { position: Position { term: 1, node: 1, index }, payload })?;
        if index == 2 {
            break;
        }
    }
    ledger.wal_durable(index);
    let snapshots = folder.path().join("snapshots");
    fs::create_dir_all(&snapshots)?;
    let meta = ledger.build_snapshot(&snapshots, 0)?;
    let content = fs::read(&meta.path)?;
    write("snapshot", "genuine", &content)?;
    write("snapshot", "cut-off", content.get(..content.len() / 2).unwrap_or_default())?;
    write("snapshot", "trailing", &[content.as_slice(), &content].concat())?;
    Ok(ledger.close()?)
}

fn keys() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("root.key");
    let root = RootKey::create_file(&path, &OsEntropy)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    let line = fs::read(&path)?;
    write("root_key", "genuine", &line)?;
    write("root_key", "twice", &[line.as_slice(), &line].concat())?;
    write("root_key", "cut-off", line.get(..line.len() - 3).unwrap_or_default())?;
    let (keyring, _) = Keyring::generate(OrganisationId::from_bytes([7; 16]), &root, &OsEntropy);
    let copy = RecoveryCopy::make(&keyring, &RootKey::draw(&OsEntropy), &OsEntropy).to_text();
    write("recovery_copy", "genuine", copy.as_bytes())?;
    write("recovery_copy", "no-newline", copy.trim_end().as_bytes())?;
    write("recovery_copy", "crlf", copy.replace('\n', "\r\n").as_bytes())?;
    write("recovery_copy", "twice", copy.repeat(2).as_bytes())?;
    write("recovery_copy", "no-key", copy.lines().take(2).collect::<Vec<_>>().join("\n").as_bytes())?;
    write("recovery_copy", "cut-off", copy.as_bytes().get(..copy.len() - 9).unwrap_or_default())?;
    for (name, kind) in [("workload", CredentialKind::Workload), ("bootstrap", CredentialKind::Bootstrap)] {
        let credential = CredentialSecret::draw(kind, CredentialId::from_bytes([9; 16]), &OsEntropy).reveal();
        write("credential", name, credential.as_bytes())?;
        write("credential", &format!("bearer-{name}"), format!("Bearer {}", credential.as_str()).as_bytes())?;
        write("credential", &format!("{name}-cut-off"), credential.as_bytes().get(..40).unwrap_or_default())?;
    }
    let (signer, _) = CheckpointSigner::draw(KeyName::new("ledger.example")?, 1, &keyring, &OsEntropy)?;
    let text = "ledger.example\n42\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    let note = signer.sign_note(text)?;
    write("note", "genuine", note.as_bytes())?;
    write("note", "key", signer.verifier_key().to_string().as_bytes())?;
    write("note", "two-signatures", format!("{note}{}", note.lines().last().unwrap_or_default()).as_bytes())?;
    write(
        "note",
        "cosigned",
        format!("{note}— witness.example AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n").as_bytes(),
    )
}

fn certificates() -> anyhow::Result<()> {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, SanType};
    let make = |names: Vec<SanType>, authority: bool| -> anyhow::Result<Vec<u8>> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.subject_alt_names = names;
        if authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        Ok(params.self_signed(&KeyPair::generate()?)?.der().to_vec())
    };
    let uri = |text: &str| anyhow::Ok(SanType::URI(text.try_into()?));
    let dns = |text: &str| anyhow::Ok(SanType::DnsName(text.try_into()?));
    let spiffe = "spiffe://acme.example/ns/prod/sa/gateway";
    write("certificate", "spiffe", &make(vec![uri(spiffe)?], false)?)?;
    write("certificate", "dns", &make(vec![dns("gateway.acme.example")?], false)?)?;
    write("certificate", "wildcard", &make(vec![dns("*.acme.example")?], false)?)?;
    write(
        "certificate",
        "two-spiffe",
        &make(vec![uri(spiffe)?, uri("spiffe://acme.example/other")?], false)?,
    )?;
    write("certificate", "none", &make(Vec::new(), false)?)?;
    write("certificate", "authority", &make(vec![uri(spiffe)?], true)?)?;
    write("certificate", "address", &make(vec![SanType::IpAddress([127, 0, 0, 1].into())], false)?)?;
    let many = (0..40).map(|nth| dns(&format!("n{nth}.acme.example"))).collect::<Result<_, _>>()?;
    write("certificate", "many-names", &make(many, false)?)?;
    write("certificate", "odd-uri", &make(vec![uri("spiffe://ACME.example/../a?b#c")?], false)?)
}

fn answers() -> anyhow::Result<()> {
    let answer = |leg, status, content_type: Option<&str>, body: &str| RawAnswer {
        leg,
        status,
        content_type: content_type.map(str::to_owned),
        retry_after: (status == 429).then(|| "7".to_owned()),
        completeness: if body.is_empty() { Completeness::BrokenOff } else { Completeness::Whole },
        received: Timestamp::from_millis(1_795_000_000_000),
        body: Zeroizing::new(body.as_bytes().to_vec()),
    };
    let json = Some("application/json");
    let token = r#"{"access_token":"at-c4n4ry-0001","expires_in":60}"#;
    write("raw_answer", "exchange", &answer(Leg::Exchange, 200, json, token).to_bytes())?;
    write(
        "raw_answer",
        "refresh",
        &answer(Leg::Refresh, 400, json, r#"{"error":"invalid_grant"}"#).to_bytes(),
    )?;
    write("raw_answer", "throttled", &answer(Leg::Revoke, 429, None, "slow down").to_bytes())?;
    write("raw_answer", "broken-off", &answer(Leg::Account, 200, json, "").to_bytes())?;
    write("raw_answer", "introspect", &answer(Leg::Introspect, 200, Some("text/plain"), "x").to_bytes())
}
