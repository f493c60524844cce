//! The ledger as evidence, the access view, and what must stand nowhere.

use std::fs;

use leasehold_interop::{Verdict, require, verify_ledger};
use leasehold_journey::{World, world::none_in};
use leasehold_proto::v1::{
    ExplainRequest, GetCheckpointRequest, LookupResourcesRequest, LookupSubjectsRequest,
    ProveConsistencyRequest, ProveInclusionRequest, TailRequest, access_service_client::AccessServiceClient,
    audit_service_client::AuditServiceClient,
};
use serde_json::Value;

const READ: [&str; 1] = ["files.read"];
const BOTH: [&str; 2] = ["files.read", "files.write"];

/// A journey with something of everything in it.
async fn eventful() -> World {
    let world = World::start().await.unwrap();
    world.alice_consents(&BOTH, &["files.write"]).await.unwrap();
    world.acquire(&READ).await.unwrap().lease();
    world.alice_consents(&BOTH, &[]).await.unwrap();
    world.acquire(&BOTH).await.unwrap().lease();
    world.advance(leasehold_domain::time::Span::from_mins(61));
    world.acquire(&BOTH).await.unwrap().lease();
    world
}

fn kinds(lines: &[Vec<u8>]) -> Vec<String> {
    lines
        .iter()
        .map(|line| serde_json::from_slice::<Value>(line).unwrap())
        .map(|line| line.get("event").and_then(Value::as_str).unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_that_shares_no_code_with_us_agrees_and_finds_a_changed_byte() {
    let tools = require!(Python);
    let world = eventful().await;
    let (lines, checkpoint) = world.export().await.unwrap();
    let verifier =
        AuditServiceClient::new(world.admin()).get_checkpoint(GetCheckpointRequest {}).await.unwrap();
    let verifier = verifier.into_inner().verifier;
    let folder = tempfile::tempdir().unwrap();
    let (ledger, note) = (folder.path().join("ledger.jsonl"), folder.path().join("checkpoint"));
    let mut bytes = lines.join(&b'\n');
    bytes.push(b'\n');
    fs::write(&ledger, &bytes).unwrap();
    fs::write(&note, &checkpoint).unwrap();
    match verify_ledger(&tools, &ledger, &note, &verifier).await.unwrap() {
        Verdict::Verified { size, .. } => assert_eq!(size, lines.len() as u64),
        Verdict::Refused(why) => panic!("refused: {why}"),
    }
    let at = bytes.iter().position(|byte| *byte == b'7').unwrap();
    bytes[at] = b'8';
    fs::write(&ledger, &bytes).unwrap();
    assert!(matches!(verify_ledger(&tools, &ledger, &note, &verifier).await.unwrap(), Verdict::Refused(_)));
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_tells_the_whole_journey_in_order() {
    let world = eventful().await;
    world.revoke_subject("alice").await;
    let (lines, _) = world.export().await.unwrap();
    let kinds = kinds(&lines);
    let mut rest = kinds.iter();
    for expected in [
        "OrganisationFounded",
        "ConsentStarted",
        "SubjectPinned",
        "ConsentApproved",
        "CodeExchangeIntended",
        "CodeExchanged",
        "AccountConfirmed",
        "GrantActivated",
        "LeaseIssued",
        "RefreshIntended",
        "TokenRefreshed",
        "LeaseIssued",
        "RevocationRaised",
    ] {
        assert!(rest.any(|kind| kind == expected), "{expected} is missing, or out of order, in {kinds:?}");
    }
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_that_ever_existed_stands_in_any_file_log_or_line() {
    let world = eventful().await;
    world.revoke_subject("alice").await;
    let (lines, _) = world.export().await.unwrap();
    none_in(&world.canaries(), &lines.join(&b'\n')).unwrap();
    assert!(world.look_for_canaries().unwrap() > 10);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_email_account_or_free_text_stands_in_a_line() {
    let world = eventful().await;
    world.revoke_subject("alice").await;
    let (lines, _) = world.export().await.unwrap();
    let all = String::from_utf8(lines.join(&b'\n')).unwrap();
    for personal in ["alice", "Alice", "@example.test", "left the company", "sandbox-alice"] {
        assert!(!all.contains(personal), "{personal} stands in the ledger");
    }
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_view_says_who_what_and_why_and_of_which_size_it_speaks() {
    let world = eventful().await;
    let mut access = AccessServiceClient::new(world.admin());
    let who = access
        .lookup_subjects(LookupSubjectsRequest { mcp_server: "files".to_owned(), ..Default::default() })
        .await
        .unwrap()
        .into_inner();
    let as_of = who.as_of.unwrap();
    assert!(as_of.complete && as_of.size > 0);
    let edge = who.edges.first().unwrap();
    assert_eq!(edge.workloads, ["demo-gateway"]);
    assert_eq!(edge.holders, ["demo-gateway"]);
    let grant = edge.grant.as_ref().unwrap();
    assert_eq!(
        (grant.subject_name.as_str(), grant.granted_scopes.as_slice()),
        ("alice", &BOTH.map(str::to_owned)[..])
    );
    let what = access
        .lookup_resources(LookupResourcesRequest { subject: "alice".to_owned(), ..Default::default() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(what.edges.len(), 1);
    let why = access
        .explain(ExplainRequest { grant: grant.id.clone(), ..Default::default() })
        .await
        .unwrap()
        .into_inner();
    let kinds = kinds(&why.lines);
    assert_eq!(kinds.last().map(String::as_str), Some("GrantActivated"));
    assert!(kinds.contains(&"TokenRefreshed".to_owned()));
    world.revoke_subject("alice").await;
    let what = access
        .lookup_resources(LookupResourcesRequest { subject: "alice".to_owned(), ..Default::default() })
        .await
        .unwrap()
        .into_inner();
    assert!(what.edges.is_empty());
    assert!(what.as_of.unwrap().size > as_of.size);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_only_grow_and_proofs_are_given() {
    let world = World::start().await.unwrap();
    let mut audit = AuditServiceClient::new(world.admin());
    let size = |note: &str| note.lines().nth(1).unwrap().parse::<u64>().unwrap();
    let first = size(&audit.get_checkpoint(GetCheckpointRequest {}).await.unwrap().into_inner().checkpoint);
    world.acquire(&READ).await.unwrap().consent();
    let second = size(&audit.get_checkpoint(GetCheckpointRequest {}).await.unwrap().into_inner().checkpoint);
    assert!(second > first);
    let proof = ProveConsistencyRequest { old_size: first, new_size: second };
    assert!(!audit.prove_consistency(proof).await.unwrap().into_inner().hashes.is_empty());
    let proof = ProveInclusionRequest { seq: 0, size: second };
    assert!(!audit.prove_inclusion(proof).await.unwrap().into_inner().hashes.is_empty());
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_goes_on_with_what_comes() {
    let world = World::start().await.unwrap();
    let mut tail =
        AuditServiceClient::new(world.admin()).tail(TailRequest { from: 0 }).await.unwrap().into_inner();
    let first = tail.message().await.unwrap().unwrap();
    assert_eq!(first.seq, 0);
    world.acquire(&READ).await.unwrap().consent();
    let started = async {
        loop {
            let message = tail.message().await.unwrap().unwrap();
            if String::from_utf8_lossy(&message.line).contains("ConsentStarted") {
                return message.seq;
            }
        }
    };
    assert!(tokio::time::timeout(std::time::Duration::from_secs(10), started).await.unwrap() > 0);
    drop(tail);
    world.stop().await.unwrap();
}
