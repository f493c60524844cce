//! Erasing a subject: its names are gone at once, its tokens once their provider has revoked them, and the ledger verifies as before.

use std::{fs, time::Duration};

use leasehold_domain::{state::BlobKey, time::Span};
use leasehold_interop::{Verdict, require, verify_ledger};
use leasehold_journey::{World, reason, world::none_in};
use leasehold_ledger::{Ledger, Options};
use leasehold_proto::v1::{
    EraseSubjectRequest, GetCheckpointRequest, ListSubjectsRequest, LookupSubjectsRequest, RevokeRequest,
    Selector, TailRequest, access_service_client::AccessServiceClient,
    audit_service_client::AuditServiceClient, grant_service_client::GrantServiceClient, selector,
    subject_service_client::SubjectServiceClient,
};
use leasehold_sandbox::{Endpoint, Fault, FaultRule};
use tonic::Status;

const READ: [&str; 1] = ["files.read"];
/// How long a line may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

async fn erase(world: &World, subject: &str) -> Result<leasehold_proto::v1::EraseSubjectResponse, Status> {
    let request = EraseSubjectRequest { subject: subject.to_owned(), request_id: String::new() };
    SubjectServiceClient::new(world.admin()).erase(request).await.map(tonic::Response::into_inner)
}

/// Waits until an event of this kind stands in the ledger.
async fn until(world: &World, event: &str) {
    let mut tail =
        AuditServiceClient::new(world.admin()).tail(TailRequest { from: 0 }).await.unwrap().into_inner();
    let kind = format!(r#""event":"{event}""#);
    let found = async {
        while let Some(message) = tail.message().await.unwrap() {
            if String::from_utf8_lossy(&message.line).contains(&kind) {
                return;
            }
        }
        unreachable!("the tail ended before {event}");
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap();
}

/// What must not be found: the names of Alice, and a note about her.
fn traces() -> Vec<String> {
    ["alice@example.test", "Alice Archer", "sandbox-alice", "a note about somebody"].map(str::to_owned).into()
}

/// Opens the ledger of a node that has stopped: nothing is sealed for anybody in it, and a snapshot of it holds no trace.
fn look_into_the_ledger(world_data: &std::path::Path) {
    let ledger = Ledger::open(
        &world_data.join("ledger"),
        Options::default(),
        Box::new(|fault| unreachable!("{fault}")),
    )
    .unwrap();
    let mut next = Some(0);
    while let Some(from) = next {
        let page = ledger.blobs(from, 1024).unwrap();
        for (key, _) in page.blobs {
            let personal = matches!(
                key,
                BlobKey::Tokens(..)
                    | BlobKey::Account(_)
                    | BlobKey::Note(_)
                    | BlobKey::Verifier(_)
                    | BlobKey::PendingTokens(_)
                    | BlobKey::PendingAccount(_)
            );
            assert!(!personal, "{key:?} is left");
        }
        next = page.next;
    }
    // The store's own file is not looked into: it may keep bytes that it has freed, and the answer to the order says so.
    let folder = tempfile::tempdir().unwrap();
    let snapshot = ledger.build_snapshot(folder.path(), 0).unwrap();
    let bytes = fs::read(&snapshot.path).unwrap();
    assert!(bytes.windows(3).any(|part| part == b"bob"), "names can be found in a snapshot at all");
    none_in(&traces(), &bytes).unwrap();
    ledger.close().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_erased_subject_is_left_in_live_state_and_the_ledger_verifies() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let first = world.acquire(&READ).await.unwrap().lease();
    let note = RevokeRequest {
        selector: Some(Selector { selector: Some(selector::Selector::Grant(first.grant.clone())) }),
        reason: "a note about somebody".to_owned(),
        ..RevokeRequest::default()
    };
    GrantServiceClient::new(world.admin()).revoke(note).await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let second = world.acquire(&READ).await.unwrap().lease();

    let answer = erase(&world, "alice").await.unwrap();
    assert!(answer.seq > 0 && answer.live_state_by.unwrap().unix_millis > 0);
    let after = answer.erasure_complete_after.join("\n");
    for said in ["write-ahead log", "refresh-tokens version 1", "backups"] {
        assert!(after.contains(said), "{after}");
    }
    // Nobody has this name, nothing is leased, and the id is known to be erased.
    assert_eq!(reason(&world.acquire(&READ).await.err().unwrap()), "SUBJECT_UNKNOWN");
    assert_eq!(reason(&erase(&world, "alice").await.unwrap_err()), "SUBJECT_UNKNOWN");
    assert_eq!(reason(&erase(&world, &answer.subject).await.unwrap_err()), "SUBJECT_ERASED");
    let list = ListSubjectsRequest { page_size: 0, page: String::new() };
    let list = SubjectServiceClient::new(world.admin()).list(list).await.unwrap().into_inner();
    assert!(list.subjects.iter().all(|subject| subject.id != answer.subject));
    world.sandbox().wait_until(|control| !control.is_active(&second.access_token)).await;
    until(&world, "SubjectErasureFinished").await;
    let who = LookupSubjectsRequest { mcp_server: "files".to_owned(), ..LookupSubjectsRequest::default() };
    let who = AccessServiceClient::new(world.admin()).lookup_subjects(who).await.unwrap().into_inner();
    assert!(
        who.edges.iter().all(|edge| edge.grant.as_ref().is_none_or(|grant| grant.subject_name.is_empty()))
    );

    let (lines, checkpoint) = world.export().await.unwrap();
    let bytes = [lines.join(&b'\n'), b"\n".to_vec()].concat();
    assert!(String::from_utf8_lossy(&bytes).contains(&answer.subject), "the ledger keeps the id");
    none_in(&traces(), &bytes).unwrap();
    none_in(&traces(), &fs::read(world.data().join("outbox")).unwrap_or_default()).unwrap();
    let mut audit = AuditServiceClient::new(world.admin());
    let verifier = audit.get_checkpoint(GetCheckpointRequest {}).await.unwrap().into_inner().verifier;
    let data = world.keep_data();
    world.stop().await.unwrap();
    look_into_the_ledger(data.path());

    let tools = require!(Python);
    let folder = tempfile::tempdir().unwrap();
    let (ledger, note) = (folder.path().join("ledger.jsonl"), folder.path().join("checkpoint"));
    fs::write(&ledger, &bytes).unwrap();
    fs::write(&note, &checkpoint).unwrap();
    match verify_ledger(&tools, &ledger, &note, &verifier).await.unwrap() {
        Verdict::Verified { size, .. } => assert_eq!(size, lines.len() as u64),
        Verdict::Refused(why) => panic!("refused: {why}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_does_not_revoke_keeps_an_erasure_open_for_three_days_and_no_longer() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let lease = world.acquire(&READ).await.unwrap().lease();
    let fault = Fault::Error { status: 503, error: "temporarily_unavailable".to_owned(), description: None };
    world.sandbox().push_fault(FaultRule::sticky(fault).at(Endpoint::Revocation)).unwrap();
    let answer = erase(&world, "alice").await.unwrap();
    until(&world, "UpstreamRevocationFailed").await;
    let subject = answer.subject.parse().unwrap();
    assert!(!world.dev.node.control.read_now(|state| state.is_erased(subject)));
    world.clock.advance(Span::from_mins(72 * 60));
    until(&world, "TokensAbandoned").await;
    until(&world, "SubjectErasureFinished").await;
    assert!(world.dev.node.control.read_now(|state| state.is_erased(subject)));
    // It was not revoked, and the ledger says so: nobody holds it here any more.
    assert!(world.sandbox().is_active(&lease.access_token));
    let data = world.keep_data();
    world.stop().await.unwrap();
    look_into_the_ledger(data.path());
}
