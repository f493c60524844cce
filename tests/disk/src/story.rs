//! What clients ask of a node while its disk fails, and what they were told: the promises that must hold afterwards.

use std::time::Duration;

use anyhow::{Context, ensure};
use leasehold_journey::{Apart, calls::Acquired, calls::acquire, calls::for_alice, reason};
use leasehold_proto::v1::{
    AcquireRequest, ExportRequest, RegisterSubjectRequest, ReleaseRequest, RevokeRequest, Selector,
    StartAuthorizationRequest, SubjectKind, audit_service_client::AuditServiceClient,
    grant_service_client::GrantServiceClient, lease_service_client::LeaseServiceClient, selector,
    subject_service_client::SubjectServiceClient,
};
use tonic::Status;

use crate::layer::Layer;

/// How long a call may take: a node that hangs is a failure too.
const CALL_MAX: Duration = Duration::from_secs(20);

/// What the gateway asks for.
pub const READ: [&str; 1] = ["files.read"];

/// Something that was acknowledged.
#[derive(Debug, Clone)]
pub struct Promise {
    /// How long the layer's trace was when the answer had come.
    pub traced: u64,
    /// What must stand in one line of the ledger.
    pub words: Vec<String>,
}

/// What was asked for, and what came of it.
#[derive(Debug, Default)]
pub struct Story {
    /// What was acknowledged.
    pub promises: Vec<Promise>,
    /// How many calls were refused in order, and so must have changed nothing.
    pub refused: usize,
    /// How many calls had no answer: they may have happened.
    pub unknown: usize,
    /// How many people were registered.
    registered: usize,
    /// How many registrations had no answer.
    perhaps_registered: usize,
    named: usize,
}

/// Whether the node still answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// It does.
    Answers,
    /// It does not.
    Gone,
}

async fn within<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    match tokio::time::timeout(CALL_MAX, call).await {
        Ok(answer) => answer,
        Err(_) => Err(Status::deadline_exceeded("no answer in time")),
    }
}

impl Story {
    fn promise(&mut self, layer: &Layer, words: Vec<String>) {
        self.promises.push(Promise { traced: layer.traced(), words });
    }

    fn lost(&mut self) -> Node {
        self.unknown += 1;
        Node::Gone
    }

    /// Registers a person nobody knows yet.
    pub async fn register(&mut self, apart: &Apart, layer: &Layer) -> Node {
        self.named += 1;
        let request = RegisterSubjectRequest {
            user_name: format!("person-{}", self.named),
            kind: SubjectKind::Person.into(),
            ..RegisterSubjectRequest::default()
        };
        let mut subjects = SubjectServiceClient::new(apart.admin());
        match within(subjects.register(request)).await {
            Ok(answer) => {
                let id = answer.into_inner().subject.map(|subject| subject.id).unwrap_or_default();
                self.registered += 1;
                self.promise(layer, vec!["\"SubjectRegistered\"".to_owned(), id]);
                Node::Answers
            }
            Err(_) => {
                self.perhaps_registered += 1;
                self.lost()
            }
        }
    }

    /// Registers Alice a second time, which is refused and must leave nothing.
    pub async fn register_twice(&mut self, apart: &Apart) -> Node {
        let request = RegisterSubjectRequest {
            user_name: "alice".to_owned(),
            kind: SubjectKind::Person.into(),
            ..RegisterSubjectRequest::default()
        };
        let mut subjects = SubjectServiceClient::new(apart.admin());
        match within(subjects.register(request)).await {
            Err(status) if !reason(&status).is_empty() && reason(&status) != "STOPPED" => {
                self.refused += 1;
                Node::Answers
            }
            Err(_) | Ok(_) => self.lost(),
        }
    }

    /// Takes a lease of Alice's token and gives it back, so that the next one is another.
    pub async fn lease(&mut self, apart: &Apart, layer: &Layer) -> Node {
        let request = AcquireRequest { ttl_seconds: 60, ..for_alice(&READ) };
        let lease = match within(acquire(apart.gateway(), request)).await {
            Ok(Acquired::Lease(lease)) => lease,
            Ok(Acquired::ConsentRequired(_)) => {
                self.refused += 1;
                return Node::Answers;
            }
            Err(_) => return self.lost(),
        };
        self.promise(layer, vec!["\"LeaseIssued\"".to_owned(), lease.lease_id.clone()]);
        let request = ReleaseRequest { lease_id: lease.lease_id.clone(), ..ReleaseRequest::default() };
        match within(LeaseServiceClient::new(apart.gateway()).release(request)).await {
            Ok(_) => {
                self.promise(layer, vec!["\"LeaseReleased\"".to_owned(), lease.lease_id]);
                Node::Answers
            }
            Err(_) => self.lost(),
        }
    }

    /// Revokes everything of a person who was registered, who has nothing.
    pub async fn revoke(&mut self, apart: &Apart, layer: &Layer) -> Node {
        let name = format!("person-{}", self.named);
        self.revoke_subject(name, apart, layer).await
    }

    async fn revoke_subject(&mut self, name: String, apart: &Apart, layer: &Layer) -> Node {
        let request = RevokeRequest {
            selector: Some(Selector { selector: Some(selector::Selector::Subject(name)) }),
            reason: "left the company".to_owned(),
            ..RevokeRequest::default()
        };
        match within(GrantServiceClient::new(apart.admin()).revoke(request)).await {
            Ok(answer) => {
                let seq = answer.into_inner().seq;
                self.promise(layer, vec![format!("\"seq\":{seq},"), "Revo".to_owned()]);
                Node::Answers
            }
            Err(status) if !reason(&status).is_empty() && reason(&status) != "STOPPED" => {
                self.refused += 1;
                Node::Answers
            }
            Err(_) => self.lost(),
        }
    }

    /// Alice consents anew, so that a code is exchanged and its answer goes through the outbox.
    pub async fn consent(&mut self, apart: &Apart, layer: &Layer) -> Node {
        // A consent whose answer outlived an earlier fault waits for the browser that it was begun in.
        if self.revoke_subject("alice".to_owned(), apart, layer).await == Node::Gone {
            return Node::Gone;
        }
        let request = StartAuthorizationRequest {
            connector: "sandbox".to_owned(),
            subject: "alice".to_owned(),
            mcp_server: "files".to_owned(),
            ..StartAuthorizationRequest::default()
        };
        let started = match within(GrantServiceClient::new(apart.admin()).start_authorization(request)).await
        {
            Ok(started) => started.into_inner(),
            Err(_) => return self.lost(),
        };
        self.promise(layer, vec![started.authorization.clone()]);
        match tokio::time::timeout(CALL_MAX, apart.people().consent(&started.connect_url, "alice", &[])).await
        {
            Ok(Ok(())) => {
                self.promise(layer, vec!["\"GrantActivated\"".to_owned(), started.authorization]);
                Node::Answers
            }
            Ok(Err(_)) | Err(_) => self.lost(),
        }
    }

    /// A round of everything but the consent.
    pub async fn round(&mut self, apart: &Apart, layer: &Layer) -> Node {
        for step in 0..4 {
            let node = match step {
                0 => self.register(apart, layer).await,
                1 => self.lease(apart, layer).await,
                2 => self.register_twice(apart).await,
                _ => self.revoke(apart, layer).await,
            };
            if node == Node::Gone {
                return node;
            }
        }
        Node::Answers
    }

    /// That every promise made up to `traced` is kept by these lines, and nothing stands there that was refused. `complete` says that no call
    /// came after `traced`.
    ///
    /// # Errors
    /// Which promise was broken.
    pub fn is_kept(&self, lines: &[Vec<u8>], traced: u64, complete: bool) -> anyhow::Result<()> {
        let lines: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
        for promise in self.promises.iter().filter(|promise| promise.traced <= traced) {
            let kept =
                lines.iter().any(|line| promise.words.iter().all(|words| line.contains(words.as_str())));
            ensure!(kept, "acknowledged, and lost: {:?}", promise.words);
        }
        let registered = lines.iter().filter(|line| line.contains("\"event\":\"SubjectRegistered\"")).count();
        // Alice and Bob were there from the start.
        let (least, most) = (self.registered + 2, self.registered + self.perhaps_registered + 2);
        ensure!(registered <= most, "{registered} registrations, but at most {most} were taken");
        ensure!(!complete || registered >= least, "{registered} registrations of {least}");
        Ok(())
    }
}

/// Every line of a node's ledger.
///
/// # Errors
/// What the node answers.
pub async fn export(apart: &Apart) -> anyhow::Result<Vec<Vec<u8>>> {
    let exported = async {
        let request = ExportRequest { from: 0, size: 0 };
        let mut stream = AuditServiceClient::new(apart.admin()).export(request).await?.into_inner();
        let mut lines = Vec::new();
        while let Some(message) = stream.message().await? {
            lines.extend(message.lines);
        }
        Ok(lines)
    };
    within(exported).await.context("cannot export the ledger")
}
