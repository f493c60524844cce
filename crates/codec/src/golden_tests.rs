//! What level 1 has promised, in files that must never change. `LEASEHOLD_GOLDEN=write` writes them anew,
//! which is right only for a kind of event, command or row that no release has had.

use std::{env, fs, path::PathBuf};

use leasehold_domain::{
    administrator, audit, authorization,
    command::{self, Command, Proposal},
    connector,
    event::Event,
    grant, identity_provider, lease, mcp_server, organisation, policy, revocation, subject, workload,
};

use crate::{
    batch, cbor, line, row,
    samples::{Draw, Variants, each},
};

/// Compares `lines` with a golden file, or writes it.
pub(crate) fn hold(file: &str, lines: &[String]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    if env::var_os("LEASEHOLD_GOLDEN").is_some_and(|value| value == "write") {
        fs::write(&path, &text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap();
    for (number, (golden, line)) in golden.lines().zip(lines).enumerate() {
        assert_eq!(golden, line, "line {} of {file}", number + 1);
    }
    assert_eq!(golden.len(), text.len(), "{file} has lines too many or too few");
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One command of every kind, with its name.
fn commands() -> Vec<(String, Command)> {
    fn kinds<T: Variants>(aggregate: &str, wrap: fn(T) -> Command) -> Vec<(String, Command)> {
        let names = T::NAMES.iter().map(|name| format!("{aggregate}.{name}"));
        names.zip(each::<T>(&format!("{aggregate}.")).into_iter().map(wrap)).collect()
    }
    macro_rules! aggregates {
        ($($aggregate:ident($module:ident)),+ $(,)?) => {{
            assert_eq!(<Command as Variants>::NAMES, [$(stringify!($aggregate),)+ "Tick"]);
            [$(kinds::<$module::Command>(stringify!($aggregate), Command::$aggregate)),+].concat()
        }};
    }
    let mut commands = aggregates! {
        Organisation(organisation), Administrator(administrator), IdentityProvider(identity_provider), Connector(connector),
        McpServer(mcp_server), Workload(workload), Subject(subject), Policy(policy), Authorization(authorization),
        Grant(grant), Lease(lease), Revocation(revocation), Audit(audit),
    };
    commands.push(("Tick".to_owned(), Command::Tick));
    commands
}

#[test]
fn a_line_of_every_kind_of_event_has_the_golden_bytes() {
    let mut lines = Vec::new();
    for (name, event) in line::NAMES.iter().zip(each::<Event>("")) {
        let envelope = Draw::of_name(name).named("envelope");
        let bytes = line::render(&envelope, &event);
        assert_eq!(line::parse(&bytes), Ok((envelope, event)));
        lines.push(String::from_utf8(bytes).unwrap());
    }
    hold("level-1.jsonl", &lines);
}

#[test]
fn a_command_of_every_kind_has_the_golden_bytes() {
    let mut lines = Vec::new();
    for (name, command) in commands() {
        let draw = Draw::of_name(&name);
        let proposal = Proposal {
            request: draw.named("request"),
            actor: draw.named("actor"),
            at: draw.named("at"),
            facts: draw.named("facts"),
            command,
        };
        let bytes = batch::encode(std::slice::from_ref(&proposal));
        assert!(batch::decode(&bytes) == Ok(vec![proposal]), "{name} reads back");
        lines.push(format!("{name} {}", hex(&bytes)));
    }
    hold("level-1.cbor.hex", &lines);
}

#[test]
fn a_row_of_every_table_has_the_golden_bytes() {
    let mut lines = Vec::new();
    for seed in 1..=3 {
        row::tests::each_row(seed, |change| {
            lines.push(format!("{} {}", hex(&row::key(&change)), hex(&row::value(&change).unwrap())));
        });
        lines.extend(row::tests::blob_keys(seed).iter().map(|key| hex(&row::blob_key(key))));
    }
    macro_rules! choices {
        ($($module:ident::$type:ident),+ $(,)?) => {$(
            let prefix = concat!(stringify!($module), ".", stringify!($type), ".");
            for (name, value) in $module::$type::NAMES.iter().zip(each::<$module::$type>(prefix)) {
                lines.push(format!("{prefix}{name} {}", hex(&cbor::to_vec(&value))));
            }
        )+};
    }
    choices! {
        authorization::End, authorization::Phase, grant::Phase, grant::Refresh, command::Entity, organisation::SealedPlace,
    }
    hold("level-1.rows.hex", &lines);
}
