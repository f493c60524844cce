use leasehold_domain::{
    actor::{self as actors, Origin, Principal, Proof},
    audit, connector, grant,
    id::{ConnectorId, CredentialId, GrantId, LeaseId, McpServerId, SubjectId, WorkloadId},
    identity_provider,
    lease::{self, Basis},
    organisation,
    policy::{self, Decision},
    provider, revocation, subject,
    text::{Digest, Fingerprint, Label, TraceId},
    workload,
};
use proptest::prelude::*;

use super::{values::Json, *};
use crate::{
    cbor,
    golden_tests::{hex, hold},
    samples::{Draw, Sample, Variants, each, sample},
};

impl Sample for Envelope {
    fn sample(draw: &mut Draw) -> Self {
        Self {
            organisation: draw.named("organisation"),
            seq: draw.named("seq"),
            at: draw.named("at"),
            raft: Raft { term: draw.named("term"), index: draw.named("index") },
            level: LEVEL,
            actor: draw.named("actor"),
            request: draw.named("request"),
        }
    }
}

/// The form of a value.
fn form(value: &impl Json) -> String {
    let mut writer = Writer::new();
    value.render(&mut writer);
    String::from_utf8(writer.into_bytes()).unwrap()
}

fn moment(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_795_498_181_000 + millis)
}

fn lease_issued() -> (Envelope, Event) {
    let scopes = |text: &str| text.parse().unwrap();
    let workload = WorkloadId::from_bytes([1; 16]);
    let envelope = Envelope {
        organisation: OrganisationId::from_bytes([0; 16]),
        seq: 42,
        at: moment(123),
        raft: Raft { term: 3, index: 1007 },
        level: LEVEL,
        actor: Actor {
            principal: Principal::Workload(workload),
            proof: Proof::Credential(CredentialId::from_bytes([2; 16])),
            origin: Origin {
                address: Some(Fingerprint::from_bytes([0; 20])),
                trace: Some(TraceId::from_bytes([0xab; 16])),
                node: 1,
            },
        },
        request: Some(RequestKey {
            id: Label::new("r \"1\" \\ é").unwrap(),
            body: Digest::from_bytes([0xcd; 32]),
        }),
    };
    let event = Event::Lease(lease::Event::Issued {
        lease: LeaseId::from_bytes([3; 16]),
        workload,
        mcp_server: McpServerId::from_bytes([4; 16]),
        connector: ConnectorId::from_bytes([5; 16]),
        subject: SubjectId::from_bytes([6; 16]),
        grant: GrantId::from_bytes([7; 16]),
        generation: 9,
        token: Fingerprint::from_bytes([0, 0, 0, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
        needed: scopes("files.read"),
        carried: scopes("files.write files.read"),
        basis: Basis::Vouched,
        expires_at: moment(300_123),
        token_expires_at: None,
        decision: Decision { version: 7, determining: vec![Label::new("gateway-may-lease").unwrap()] },
    });
    (envelope, event)
}

fn refused(line: &str) -> LineProblem {
    match parse(line.as_bytes()) {
        Ok(_) => panic!("{line} should have been refused"),
        Err(error) => error.problem,
    }
}

#[test]
fn a_line_is_written_member_by_member_as_documented() {
    let (envelope, event) = lease_issued();
    let line = String::from_utf8(render(&envelope, &event)).unwrap();
    let expected = concat!(
        r#"{"v":1,"seq":42,"at":"2026-11-24T05:29:41.123Z","org":"org_00000000000000000000000000","#,
        r#""raft":{"term":3,"index":1007},"event":"LeaseIssued","outcome":"success","#,
        r#""actor":{"kind":"workload","id":"wkl_01040g2081040g2081040g2081","proof":"credential","#,
        r#""credential":"crd_02081040g2081040g2081040g2"},"#,
        r#""origin":{"address":"hmac-v0:00000000000000000000000000000000","node":1,"#,
        r#""trace":"abababababababababababababababab"},"#,
        r#""request":{"id":"r \"1\" \\ é","#,
        r#""body":"sha256:cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"},"#,
        r#""data":{"lease":"lse_030c1g60r30c1g60r30c1g60r3","workload":"wkl_01040g2081040g2081040g2081","#,
        r#""mcp_server":"mcp_040g2081040g2081040g208104","connector":"con_050m2ga1850m2ga1850m2ga185","#,
        r#""subject":"sub_060r30c1g60r30c1g60r30c1g6","#,
        r#""grant":"grt_070w3ge1r70w3ge1r70w3ge1r7","generation":9,"#,
        r#""token":"hmac-v2:000102030405060708090a0b0c0d0e0f","needed":["files.read"],"#,
        r#""carried":["files.read","files.write"],"basis":{"kind":"vouched"},"#,
        r#""expires_at":"2026-11-24T05:34:41.123Z","#,
        r#""decision":{"version":7,"determining":["gateway-may-lease"]}}}"#,
    );
    assert_eq!(line, expected);
    assert_eq!(parse(line.as_bytes()), Ok((envelope, event)));
}

/// Every variant of every choice that stands in lines, in both of its forms.
#[test]
fn every_word_has_the_golden_bytes() {
    let mut lines = Vec::new();
    macro_rules! words {
        ($($module:ident::$type:ident $(as $shown:expr)?),+ $(,)?) => {$(
            let prefix = concat!(stringify!($module), ".", stringify!($type), ".");
            for (name, value) in $module::$type::NAMES.iter().zip(each::<$module::$type>(prefix)) {
                let bytes = cbor::to_vec(&value);
                let shown = form(&words!(@shown value $($shown)?));
                assert_eq!(cbor::from_slice(&bytes), Ok(value));
                lines.push(format!("{prefix}{name} {} {shown}", hex(&bytes)));
            }
        )+};
        (@shown $value:ident) => { $value.clone() };
        (@shown $value:ident $shown:expr) => { $shown($value) };
    }
    words! {
        actors::Principal as |principal| actor::Identity { principal, proof: Proof::SignIn },
        actors::Proof as |proof| actor::Identity { principal: Principal::Cluster, proof },
        actors::Role,
        audit::View,
        connector::Exposure,
        connector::Isolation,
        connector::Location,
        grant::Death,
        grant::Occasion,
        grant::UpstreamTarget,
        identity_provider::JoinClaim,
        lease::Basis,
        lease::EndReason,
        organisation::KeyPurpose,
        policy::Action,
        policy::DenialReason,
        provider::ProviderFailure,
        provider::RefreshClass,
        revocation::Selector,
        subject::Kind,
        workload::CertificateName,
        workload::Kind,
    }
    hold("level-1.words", &lines);
}

#[test]
fn every_name_belongs_to_one_kind_of_event() {
    let names: BTreeSet<&str> = NAMES.iter().copied().collect();
    assert_eq!(names.len(), NAMES.len());
    assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_alphabetic())));
    let longest: Vec<&str> = events::longest().iter().map(name).collect();
    assert_eq!(longest, NAMES);
}

#[test]
fn the_longest_line_of_every_kind_fits_its_bound() {
    let envelope = Envelope {
        organisation: Json::longest(),
        seq: u64::MAX,
        at: Timestamp::MAX,
        raft: Json::longest(),
        level: u16::MAX,
        actor: {
            let actor::Identity { principal, proof } = Json::longest();
            Actor { principal, proof, origin: Json::longest() }
        },
        request: Json::longest(),
    };
    for event in events::longest() {
        let len = render(&envelope, &event).len();
        if len > 3000 {
            println!("{} {len}", name(&event));
        }
        assert!(len <= 99999, "{} takes {len} bytes", name(&event));
    }
}

proptest! {
    #[test]
    fn a_line_reads_back(seed: u64) {
        let (envelope, event): (Envelope, Event) = (sample(seed), sample(seed));
        let line = render(&envelope, &event);
        prop_assert_eq!(parse(&line), Ok((envelope, event)));
    }

    #[test]
    fn a_line_is_json_without_floats_and_no_longer_than_the_longest(seed: u64) {
        fn no_floats(value: &serde_json::Value) -> bool {
            match value {
                serde_json::Value::Number(number) => number.is_u64(),
                serde_json::Value::Array(items) => items.iter().all(no_floats),
                serde_json::Value::Object(members) => members.values().all(no_floats),
                serde_json::Value::String(_) | serde_json::Value::Bool(_) => true,
                serde_json::Value::Null => false,
            }
        }
        let (envelope, event): (Envelope, Event) = (sample(seed), sample(seed));
        let line = render(&envelope, &event);
        prop_assert!(!line.contains(&b'\n'));
        prop_assert!(line.len() <= LEN_MAX);
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        prop_assert!(no_floats(&value));
        prop_assert_eq!(value["seq"].as_u64(), Some(envelope.seq));
        prop_assert_eq!(value["event"].as_str(), Some(name(&event)));
        let request = envelope.request.as_ref().map(|request| request.id.as_str());
        prop_assert_eq!(value["request"]["id"].as_str(), request);
    }

    #[test]
    fn a_line_cut_short_is_refused(seed: u64, cut: prop::sample::Index) {
        let line = render(&sample(seed), &sample(seed));
        prop_assert!(parse(&line[..cut.index(line.len())]).is_err());
    }

    /// There is one form of each event: other bytes are another event or none.
    #[test]
    fn changed_bytes_are_refused_or_are_the_form_of_another_line(seed: u64, at: prop::sample::Index, byte: u8) {
        let mut line = render(&sample(seed), &sample(seed));
        let at = at.index(line.len());
        line[at] = byte;
        if let Ok((envelope, event)) = parse(&line) {
            prop_assert_eq!(render(&envelope, &event), line);
        }
    }

    /// Damage that keeps to JSON's own characters comes further than any other.
    #[test]
    fn inserted_and_removed_bytes_are_refused_or_are_the_form_of_another_line(
        seed: u64,
        at: prop::sample::Index,
        removed in 0..3usize,
        inserted in r#"[ {}\[\],:"\\0-9a-fu.+-]{0,3}"#,
    ) {
        let mut line = render(&sample(seed), &sample(seed));
        let at = at.index(line.len());
        let end = line.len().min(at + removed);
        line.splice(at..end, inserted.bytes());
        if let Ok((envelope, event)) = parse(&line) {
            prop_assert_eq!(render(&envelope, &event), line);
        }
    }

    #[test]
    fn any_text_is_written_as_json_writes_it(text in ".*") {
        let mut writer = Writer::new();
        writer.string(&text);
        let line = String::from_utf8(writer.into_bytes()).unwrap();
        prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text.as_str());
        let mut reader = Reader::new(&line);
        prop_assert_eq!(reader.string().unwrap(), text);
        prop_assert_eq!(reader.finish(), Ok(()));
    }
}

#[test]
fn only_quotes_backslashes_and_controls_are_escaped() {
    let mut writer = Writer::new();
    writer.string("\"\\/\u{0}\n\u{1f}\u{7f}é\u{2028}");
    assert_eq!(writer.into_bytes(), "\"\\\"\\\\/\\u0000\\u000a\\u001f\u{7f}é\u{2028}\"".as_bytes());
}

#[test]
fn another_form_of_the_same_line_is_refused() {
    let (envelope, event) = lease_issued();
    let line = String::from_utf8(render(&envelope, &event)).unwrap();
    let changed = |from: &str, to: &str| {
        let other = line.replacen(from, to, 1);
        assert_ne!(other, line, "{from}");
        refused(&other)
    };
    assert_eq!(changed("\"seq\":42", "\"seq\": 42"), LineProblem::Expected("an unsigned integer"));
    assert_eq!(changed("\"seq\":42", "\"seq\":042"), LineProblem::Expected("an unsigned integer"));
    assert_eq!(changed("\"seq\":42", "\"seq\":4.2e1"), LineProblem::Missing("at"));
    assert_eq!(
        changed("\"seq\":42", "\"seq\":18446744073709551616"),
        LineProblem::Expected("an unsigned integer")
    );
    assert_eq!(changed("\"seq\":42,", "\"seq\":42,\"seq\":42,"), LineProblem::Missing("at"));
    assert_eq!(
        changed("\"term\":3,\"index\":1007", "\"index\":1007,\"term\":3"),
        LineProblem::Missing("term")
    );
    assert_eq!(changed("\"node\":1,", "\"node\":1,\"zone\":null,"), LineProblem::Expected("}"));
    assert_eq!(changed("\"basis\":", "\"token_expires_at\":null,\"basis\":"), LineProblem::Missing("basis"));
    assert_eq!(changed("[\"files.read\",", "[\"files.read\", "), LineProblem::Expected("\""));
    assert_eq!(
        changed("files.read\",\"files.write", "files.write\",\"files.read"),
        LineProblem::Invalid("set of scopes")
    );
    assert_eq!(changed("sha256:cd", "sha256:CD"), LineProblem::Invalid("digest"));
    assert_eq!(changed("hmac-v2:", "hmac-v02:"), LineProblem::Invalid("fingerprint"));
    assert_eq!(changed("r \\\"1", "\\u0072 \\\"1"), LineProblem::Expected("a string in its one form"));
    assert_eq!(changed("gateway-may", "gateway\\/may"), LineProblem::Expected("a string in its one form"));
    assert_eq!(changed("\"v\":1", "\"v\":2"), LineProblem::UnknownLevel(2));
    assert_eq!(changed("LeaseIssued", "LeaseGiven"), LineProblem::UnknownEvent);
    assert_eq!(changed("\"success\"", "\"denied\""), LineProblem::WrongOutcome);
    assert_eq!(changed("\"kind\":\"workload\"", "\"kind\":\"stranger\""), LineProblem::Invalid("kind"));
    assert_eq!(refused(&format!("{line}\n")), LineProblem::Trailing);
    assert_eq!(refused(""), LineProblem::Expected("{"));
    assert_eq!(parse(b"{\"v\":\xff").unwrap_err().problem, LineProblem::NotUtf8);
}

#[test]
fn what_is_not_known_to_have_happened_is_said_to_be_unknown() {
    let unknown =
        grant::Event::RefreshUnknown { grant: GrantId::from_bytes([1; 16]), generation: 1, attempt: 1 };
    assert_eq!(outcome(&Event::Grant(unknown)), Outcome::Unknown);
}
