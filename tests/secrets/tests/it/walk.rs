//! A journey through everything that touches a secret: consent, lease, renewal, refresh, a provider that fails in words, reports, a revocation, the
//! whole ledger followed and exported, bad calls of every kind, a restart and a kill.

use std::sync::{Arc, Mutex};

use anyhow::{Context, ensure};
use futures::StreamExt as _;
use leasehold_journey::{Acquired, people::AtProvider};
use leasehold_proto::v1::{
    AcquireRequest, AcquireResponse, AddConnectorSecretRequest, DisableSubjectRequest, ExportRequest,
    ListGrantsRequest, RefreshGrantRequest, RenewRequest, ReportRejectedRequest, RevokeRequest, Selector,
    StartAuthorizationRequest, TailRequest, WatchRequest, acquire_request::ForSubject,
    acquire_response::Outcome, audit_service_client::AuditServiceClient,
    catalog_service_client::CatalogServiceClient, grant_service_client::GrantServiceClient,
    lease_service_client::LeaseServiceClient, selector, subject_service_client::SubjectServiceClient,
};
use leasehold_sandbox::{Fault, FaultRule, Issuer, browser::Form};
use leasehold_secrets::{
    bad_calls,
    canary::planted,
    furnish::{CONNECTOR, Furnished, GATEWAY, MCP_SERVER},
    production::Production,
};
use prost::Message as _;
use secrecy::ExposeSecret as _;

/// Where subject tokens are sent: nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9/gateway";

/// What a walk left behind to look in, and what was planted on its way.
#[derive(Default)]
pub(crate) struct Walked {
    pub(crate) lines: Vec<u8>,
    pub(crate) errors: Vec<u8>,
    pub(crate) subject_token: String,
    pub(crate) provider_text: String,
    pub(crate) challenge: String,
    pub(crate) reasons: Vec<String>,
    pub(crate) client_secret: String,
    pub(crate) misplaced: Vec<String>,
}

/// Bytes that several streams bring.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    fn add(&self, bytes: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(bytes);
    }
}

/// Follows the gateway's leases and the ledger until the node ends.
pub(crate) async fn listen(production: &Production, furnished: &Furnished) -> anyhow::Result<Heard> {
    let heard = Heard::default();
    let mut leases = LeaseServiceClient::new(production.gateway()?);
    let watch = leases.watch(WatchRequest { resume_after: 0 }).await?;
    let (mut watch, kept) = (watch.into_inner(), heard.clone());
    tokio::spawn(async move {
        while let Some(Ok(change)) = watch.next().await {
            kept.add(&change.encode_to_vec());
        }
    });
    let mut audit = AuditServiceClient::new(production.speaking(&furnished.auditor)?);
    let tail = audit.tail(TailRequest { from: 0 }).await?;
    let (mut tail, kept) = (tail.into_inner(), heard.clone());
    tokio::spawn(async move {
        while let Some(Ok(line)) = tail.next().await {
            kept.add(&line.line);
            kept.add(b"\n");
        }
    });
    Ok(heard)
}

fn request(for_subject: ForSubject) -> AcquireRequest {
    AcquireRequest {
        mcp_server: MCP_SERVER.to_owned(),
        connector: CONNECTOR.to_owned(),
        for_subject: Some(for_subject),
        scopes: vec!["files.read".to_owned()],
        ..AcquireRequest::default()
    }
}

fn outcome(answer: AcquireResponse) -> anyhow::Result<Acquired> {
    Ok(match answer.outcome.context("no outcome")? {
        Outcome::Lease(lease) => Acquired::Lease(lease),
        Outcome::ConsentRequired(needed) => Acquired::ConsentRequired(needed),
    })
}

/// Alice connects her account.
async fn consent(production: &Production, url: &str) -> anyhow::Result<()> {
    let mut browser = production.browser()?;
    let people = production.people();
    let page = people.open(&mut browser, url, "alice").await?;
    ensure!(page.has_form("consent"), "no consent page came: {} {}", page.status, page.text);
    let page = people.to_account(&mut browser, AtProvider { account: "alice", refused: &[] }).await?;
    ensure!(page.has_form("account"), "the account was not shown: {} {}", page.status, page.text);
    let page = browser.submit(&Form::with_id("account").press("confirm")).await?;
    ensure!(page.status == 200, "the confirmation ended with {}", page.status);
    // Home, and what every visitor can get wrong.
    for path in ["/", "/connect/aut_00000000000000000000000000", "/nowhere", "/callback/x?code=y&state=z"] {
        browser.goto(&format!("{}{path}", production.public_url)).await?;
    }
    Ok(())
}

/// A token of Alice's for the gateway: the gateway's own client at the identity provider, and its own browser.
async fn subject_token(production: &Production) -> anyhow::Result<String> {
    const VERIFIER: &str = "the-gateways-own-verifier-which-is-long-enough-for-it";
    const CHALLENGE: &str = "As2kEtoSCjy5UsblA2oIQjADp-1kXjfhMzhtnhp05CE";
    let control = production.sandbox.control();
    let secret = planted();
    control.replace_client_secrets(Issuer::Idp, GATEWAY, secret.clone())?;
    control.add_redirect_uri(Issuer::Idp, GATEWAY, NOWHERE)?;
    let issuer = production.sandbox.idp_issuer();
    let url = url::Url::parse_with_params(
        &format!("{issuer}/authorize"),
        [
            ("response_type", "code"),
            ("client_id", GATEWAY),
            ("redirect_uri", NOWHERE),
            ("scope", "openid"),
            ("state", "the-gateways-state-is-not-ours"),
            ("nonce", "the-gateways-nonce-is-not-ours"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ],
    )?;
    let mut browser = production.browser()?;
    browser.stop_before(NOWHERE);
    let page = browser.goto(url.as_str()).await?;
    ensure!(page.has_form("login"), "no sign-in came: {} {}", page.status, page.text);
    let form = Form::with_id("login")
        .fill("username", "alice")
        .fill("password", production.secrets.alice.expose_secret());
    browser.submit(&form).await?;
    let code = browser.query("code").context("no code came back")?;
    let answer: serde_json::Value = production
        .http()?
        .post(format!("{issuer}/token"))
        .basic_auth(form_encoded(GATEWAY), Some(form_encoded(&secret)))
        .form(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", NOWHERE),
            ("code_verifier", VERIFIER),
        ])
        .send()
        .await?
        .json()
        .await?;
    let token = answer.get("id_token").and_then(serde_json::Value::as_str);
    token.map(str::to_owned).with_context(|| format!("no id token: {answer}"))
}

/// RFC 6749 section 2.3.1.
fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The whole journey. The node runs before and after.
pub(crate) async fn walk(production: &Production, furnished: &Furnished) -> anyhow::Result<Walked> {
    let mut walked = Walked::default();
    let admin = || production.speaking(&furnished.admin);
    let mut leases = LeaseServiceClient::new(production.gateway()?);
    let vouched = || request(ForSubject::Subject("alice".to_owned()));
    let needed = outcome(leases.acquire(vouched()).await?.into_inner())?.consent();
    consent(production, &needed.connect_url).await?;
    let lease = outcome(leases.acquire(vouched()).await?.into_inner())?.lease();

    // The same over a credential, for a person who is present.
    walked.subject_token = subject_token(production).await?;
    let present = request(ForSubject::SubjectToken(walked.subject_token.clone()));
    let mut by_credential = LeaseServiceClient::new(production.speaking(&furnished.gateway)?);
    by_credential.acquire(present).await.context("a subject token was refused")?;
    for spoilt in [format!("{}x", walked.subject_token), walked.subject_token.replacen('.', "..", 1)] {
        let spoilt = request(ForSubject::SubjectToken(spoilt));
        note(&mut walked, by_credential.acquire(spoilt).await);
    }
    leases.renew(RenewRequest { lease_id: lease.lease_id.clone(), ..RenewRequest::default() }).await?;

    refresh(production, furnished).await.context("a refresh failed")?;
    walked.provider_text = planted();
    let text = walked.provider_text.clone();
    let location = format!("http://10.0.0.1/?{}", form_encoded(&text));
    let talks = vec![
        error(400, &text, &text),
        Fault::Redirect { status: 302, location },
        Fault::ErrorWithOk { error: text.clone() },
        error(400, "invalid_scope", &text),
        Fault::Throttled { retry_after_seconds: 1 },
    ];
    let told = fail(production, furnished, talks, &mut walked).await?;
    ensure!(told > 0, "the provider never said what it was to say");
    walked.challenge =
        format!("Bearer error=\"invalid_token\", token=\"{}\" {}", lease.access_token, planted());
    let report = ReportRejectedRequest {
        lease_id: lease.lease_id.clone(),
        status: 401,
        challenge: walked.challenge.clone(),
    };
    let reported = leases.report_rejected(report).await;
    note(&mut walked, reported);

    // A client secret that the provider does not know, then the right one again.
    walked.client_secret = planted();
    let mut catalog = CatalogServiceClient::new(admin()?);
    for secret in [&walked.client_secret.clone(), production.secrets.provider_client.expose_secret()] {
        let request = AddConnectorSecretRequest {
            connector: CONNECTOR.to_owned(),
            client_secret: secret.to_owned(),
            ..AddConnectorSecretRequest::default()
        };
        catalog.add_connector_secret(request).await?;
        let refreshed = refresh(production, furnished).await;
        note(&mut walked, refreshed);
    }
    // After these nobody knows whether the refresh token was used.
    let doubtful = vec![error(503, "temporarily_unavailable", &text), Fault::Html { status: 200 }];
    let _ = fail(production, furnished, doubtful, &mut walked).await?;
    let start = StartAuthorizationRequest {
        connector: CONNECTOR.to_owned(),
        subject: "bob".to_owned(),
        mcp_server: MCP_SERVER.to_owned(),
        ..StartAuthorizationRequest::default()
    };
    GrantServiceClient::new(admin()?).start_authorization(start).await?;
    Ok(walked)
}

/// Everything of Alice's ends, for reasons that are written down; Bob is disabled.
pub(crate) async fn revoke(
    production: &Production,
    furnished: &Furnished,
    walked: &mut Walked,
) -> anyhow::Result<()> {
    let admin = || production.speaking(&furnished.admin);
    let revoke = RevokeRequest {
        selector: Some(Selector { selector: Some(selector::Selector::Subject("alice".to_owned())) }),
        reason: planted(),
        ..RevokeRequest::default()
    };
    walked.reasons.push(revoke.reason.clone());
    GrantServiceClient::new(admin()?).revoke(revoke).await?;
    let disable = DisableSubjectRequest {
        subject: "bob".to_owned(),
        reason: planted(),
        ..DisableSubjectRequest::default()
    };
    walked.reasons.push(disable.reason.clone());
    SubjectServiceClient::new(admin()?).disable(disable).await?;
    Ok(())
}

/// The ledger as the node exports it.
pub(crate) async fn export(production: &Production, furnished: &Furnished) -> anyhow::Result<Vec<u8>> {
    let mut audit = AuditServiceClient::new(production.speaking(&furnished.auditor)?);
    let mut stream = audit.export(ExportRequest { from: 0, size: 0 }).await?.into_inner();
    let mut lines = Vec::new();
    while let Some(message) = stream.message().await? {
        message.lines.iter().for_each(|line| lines.extend([line.as_slice(), b"\n"].concat()));
        lines.extend_from_slice(message.checkpoint.as_bytes());
    }
    Ok(lines)
}

fn note<T>(walked: &mut Walked, answer: Result<T, tonic::Status>) {
    if let Err(status) = answer {
        bad_calls::tell(&mut walked.errors, &status);
    }
}

async fn refresh(production: &Production, furnished: &Furnished) -> Result<(), tonic::Status> {
    let speaking = || {
        production.speaking(&furnished.admin).map_err(|error| tonic::Status::internal(format!("{error:#}")))
    };
    let grants = GrantServiceClient::new(speaking()?).list(ListGrantsRequest::default()).await?.into_inner();
    let grant = grants.grants.into_iter().next().map(|grant| grant.id).unwrap_or_default();
    GrantServiceClient::new(speaking()?).refresh(RefreshGrantRequest { grant }).await.map(drop)
}

fn error(status: u16, error: &str, text: &str) -> Fault {
    Fault::Error { status, error: error.to_owned(), description: Some(text.to_owned()) }
}

/// Refreshes that fail in these ways. Answers with how many of them the node came to hear: after a failure it may rest.
async fn fail(
    production: &Production,
    furnished: &Furnished,
    faults: Vec<Fault>,
    walked: &mut Walked,
) -> anyhow::Result<usize> {
    let mut told = 0;
    for fault in faults {
        production.sandbox.control().push_fault(FaultRule::once(fault).on_refresh())?;
        let refreshed = refresh(production, furnished).await;
        told += usize::from(production.sandbox.control().pending_faults().is_empty());
        production.sandbox.control().clear_faults();
        note(walked, refreshed);
    }
    Ok(told)
}

/// Every call of the interface, wrong in every way, by nobody, a workload and an administrator; and wrong headers.
pub(crate) async fn bad_calls(
    production: &Production,
    furnished: &Furnished,
    walked: &mut Walked,
) -> anyhow::Result<usize> {
    let interface = bad_calls::Interface::read()?;
    // A control character: no name, label or id takes it, so that nothing of it is anybody's data.
    let misplaced = format!("{}\u{1}{}", planted(), planted());
    let mut sent = 0;
    let admin = production.speaking(&furnished.admin)?;
    let gateway = production.speaking(&furnished.gateway)?;
    let nobody = production.speaking(&misplaced.replace('\u{1}', ""))?;
    for call in &interface.calls {
        let ends_something =
            ["Disable", "Revoke", "SetEnabled", "SetConnectorEnabled", "SetMcpServerEnabled"]
                .iter()
                .any(|name| call.path.ends_with(name));
        // What a caller is let do with its own secrets as names: looked up, and not found.
        let looks_up = ["Acquire", "Get", "List", "Lookup", "Explain", "Simulate", "Check", "Wait"]
            .iter()
            .any(|verb| call.path.rsplit('/').next().is_some_and(|method| method.starts_with(verb)));
        let mut texts = vec![misplaced.clone()];
        if looks_up && !ends_something {
            texts.push(furnished.admin.clone());
        }
        for text in texts {
            for (_, message) in interface.wrong(call, &text) {
                for speaking in [&admin, &gateway] {
                    walked
                        .errors
                        .extend(bad_calls::send(speaking.clone(), &call.path, message.clone()).await?);
                    sent += 1;
                }
            }
        }
        walked.errors.extend(bad_calls::send(nobody.clone(), &call.path, Vec::new()).await?);
        sent += 1;
    }
    let path = format!("/leasehold.v1.LeaseService/{}", misplaced.get(..20).unwrap_or("none"));
    walked.errors.extend(bad_calls::send(admin, &path, Vec::new()).await?);
    walked.misplaced.push(misplaced);
    Ok(sent + 1)
}
