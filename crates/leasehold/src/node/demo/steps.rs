//! The steps of the journey.

use std::{fs, path::Path};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::{Duration, timeout},
};

use super::{
    browse::{self, Person},
    child::{Binary, DevProcess, profiles_file},
};

/// How the gateway asks for Alice's token; the scopes come after it.
const ACQUIRE: [&str; 10] = [
    "--as",
    "demo-gateway",
    "lease",
    "acquire",
    "--mcp-server",
    "files",
    "--connector",
    "sandbox",
    "--subject",
    "alice",
];
/// To read.
const READ: [&str; 2] = ["--scope", "files.read"];
/// To read and write.
const BOTH: [&str; 4] = ["--scope", "files.read", "--scope", "files.write"];

/// How long a push may take.
const PUSH_MAX: Duration = Duration::from_secs(10);

/// What a command of the demo came to.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.out)
            .with_context(|| format!("expected JSON, got:\n{}{}", self.out, self.err))
    }
}

struct Walk<'a> {
    binary: &'a Binary,
    dev: &'a DevProcess,
    data: &'a Path,
    profiles: std::path::PathBuf,
    say: &'a mut dyn FnMut(&str),
    http: reqwest::Client,
    number: u32,
}

/// Walks all of them.
pub(super) async fn walk(
    binary: &Binary,
    dev: &DevProcess,
    data: &Path,
    say: &mut dyn FnMut(&str),
) -> anyhow::Result<()> {
    let http = reqwest::Client::builder().no_proxy().build().context("cannot make an HTTP client")?;
    let mut walk = Walk { binary, dev, data, profiles: profiles_file(data), say, http, number: 1 };
    (walk.say)("1. Started one node, its sandbox identity provider and its sandbox OAuth provider.");
    let url = walk.nobody_consented().await.context("step 2, asking without a consent, failed")?;
    walk.another_person(&url).await.context("step 3, another person at the connect URL, failed")?;
    walk.consent_without_write(&url).await.context("step 4, the consent with one scope refused, failed")?;
    let token = walk.lease_and_use().await.context("step 5, leasing and using the token, failed")?;
    walk.missing_scope().await.context("step 6, asking for a scope that was refused, failed")?;
    walk.step_up().await.context("step 7, the step-up, failed")?;
    walk.refresh().await.context("step 8, the refresh, failed")?;
    walk.access().await.context("step 9, who has access, failed")?;
    walk.revoke().await.context("step 10, the revocation, failed")?;
    walk.gone(&token).await.context("step 11, that everything is gone, failed")?;
    walk.evidence().await.context("step 12, the export and its verification, failed")?;
    (walk.say)("\nThe whole journey works.");
    Ok(())
}

impl Walk<'_> {
    fn step(&mut self, text: &str) {
        self.number += 1;
        (self.say)(&format!("\n{}. {text}", self.number));
    }

    async fn leasehold(&mut self, arguments: &[&str]) -> anyhow::Result<Ran> {
        let ran = self.quietly(arguments).await?;
        let words: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
        (self.say)(&format!("   $ leasehold {}", words.join(" ")));
        for line in ran.out.lines().chain(ran.err.lines()).take(24) {
            (self.say)(&format!("   {line}"));
        }
        Ok(ran)
    }

    async fn quietly(&self, arguments: &[&str]) -> anyhow::Result<Ran> {
        let output = self.binary.run(&self.profiles, arguments).await?;
        Ok(Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    fn person<'p>(&'p self, name: &'p str) -> anyhow::Result<Person<'p>> {
        Ok(Person { name, password: self.dev.secret(&format!("{name}_password"))? })
    }

    async fn acquire(&self, more: &[&str]) -> anyhow::Result<Value> {
        let ran = self.quietly(&[&ACQUIRE[..], &["--output", "json"], more].concat()).await?;
        ensure!(ran.code == 0 || ran.code == 1, "the command ended with {}: {}", ran.code, ran.err);
        ran.json()
    }

    /// The gateway asks to read and write, and is not given it. Answers with what it was told instead.
    async fn denied_both_scopes(&mut self) -> anyhow::Result<Value> {
        let ran = self.leasehold(&[&ACQUIRE[..], &BOTH].concat()).await?;
        ensure!(ran.code == 1, "expected exit code 1, got {}", ran.code);
        self.acquire(&BOTH).await
    }

    async fn nobody_consented(&mut self) -> anyhow::Result<String> {
        self.step(
            "A gateway asks for Alice's token. Nobody has consented yet, so the answer is where to send her.",
        );
        let answer = self.denied_both_scopes().await?;
        connect_url(&answer).map(str::to_owned)
    }

    async fn another_person(&mut self, url: &str) -> anyhow::Result<()> {
        self.step("Bob gets hold of that URL, opens it and signs in. The consent was started for Alice, so he is refused.");
        let bob = self.person("bob")?;
        let mut browser = browse::browser()?;
        let page = browse::sign_in(&mut browser, url, bob).await?;
        ensure!(page.status == 403, "expected status 403, got {}:\n{}", page.status, page.text);
        ensure!(!page.has_form("consent"), "Bob was shown Alice's consent");
        (self.say)("   Bob sees a refusal (403), and nothing changed.");
        Ok(())
    }

    async fn consent_without_write(&mut self, url: &str) -> anyhow::Result<()> {
        self.step("Alice opens it, signs in, reads who asks for what, approves, and at the provider refuses files.write.");
        let alice = self.person("alice")?;
        let mut browser = browse::browser()?;
        let page = browse::sign_in(&mut browser, url, alice).await?;
        ensure!(page.has_form("consent"), "Alice was not shown the consent page, but:\n{}", page.text);
        for word in ["demo-gateway", "files", "files.read", "files.write"] {
            ensure!(page.text.contains(word), "the consent page does not say {word}");
        }
        let account_page = browse::consent(&mut browser, alice, &["files.write"]).await?;
        ensure!(account_page.contains("alice"), "the account page does not name the account");
        ensure!(account_page.contains("files.write"), "the account page does not say what was refused");
        (self.say)(
            "   Alice confirmed the account that the provider named, and saw that files.write was not granted.",
        );
        Ok(())
    }

    async fn lease_and_use(&mut self) -> anyhow::Result<String> {
        self.step("The gateway asks again and gets a lease. It calls the provider's API with the token.");
        let ran = self.leasehold(&[&ACQUIRE[..], &READ].concat()).await?;
        ensure!(ran.code == 0, "expected exit code 0, got {}", ran.code);
        let first = lease(&self.acquire(&READ).await?)?;
        let again = lease(&self.acquire(&READ).await?)?;
        ensure!(first.id == again.id, "asking again did not give the same lease");
        let status = self.call_files(&first.token).await?;
        ensure!(status == 200, "the provider's API answered {status}");
        (self.say)(&format!(
            "   GET /api/files with the token: {status}. Asking again gave the same lease, {}.",
            first.id
        ));
        Ok(first.token)
    }

    async fn call_files(&self, token: &str) -> anyhow::Result<u16> {
        let url = format!("{}/api/files", self.dev.says("provider")?);
        let answer = self
            .http
            .get(url)
            .bearer_auth(token)
            .send()
            .await
            .context("the provider's API did not answer")?;
        Ok(answer.status().as_u16())
    }

    async fn missing_scope(&mut self) -> anyhow::Result<()> {
        self.step("An agent now needs to write. The answer says exactly what is missing.");
        let answer = self.denied_both_scopes().await?;
        let missing = answer.get("missing_scopes").cloned().unwrap_or_default();
        ensure!(missing == json!(["files.write"]), "missing_scopes is {missing}");
        Ok(())
    }

    async fn step_up(&mut self) -> anyhow::Result<()> {
        self.step("Alice consents to that too. The same account comes back, and the same grant can do more.");
        let answer = self.acquire(&BOTH).await?;
        let url = connect_url(&answer)?;
        let alice = self.person("alice")?;
        let mut browser = browse::browser()?;
        browse::sign_in(&mut browser, url, alice).await?;
        browse::consent(&mut browser, alice, &[]).await?;
        let wide = lease(&self.acquire(&BOTH).await?)?;
        ensure!(wide.scopes.contains(&"files.write".to_owned()), "the token carries {:?}", wide.scopes);
        (self.say)(&format!(
            "   The lease now carries {} (generation {}).",
            wide.scopes.join(" "),
            wide.generation
        ));
        Ok(())
    }

    async fn refresh(&mut self) -> anyhow::Result<()> {
        self.step(
            "The token at hand lives six seconds. When it has ended, eight callers ask at once: one refresh.",
        );
        let before = lease(&self.acquire(&[]).await?)?;
        self.sandbox("PUT", "/control/behaviour/leasehold", &json!({ "access_lifetime_seconds": 6 })).await?;
        let ran = self.leasehold(&["grant", "refresh", &before.grant]).await?;
        ensure!(ran.code == 0, "expected exit code 0, got {}", ran.code);
        self.sandbox("PUT", "/control/behaviour/leasehold", &json!({ "access_lifetime_seconds": 3600 }))
            .await?;
        let count_before = self.refresh_requests().await?;
        tokio::time::sleep(Duration::from_secs(7)).await;
        let calls = (0..8).map(|_| self.acquire(&[]));
        let answers = futures::future::try_join_all(calls).await?;
        let leases = answers.iter().map(lease).collect::<anyhow::Result<Vec<_>>>()?;
        let first = leases.first().context("no answer")?;
        ensure!(leases.iter().all(|each| each.token == first.token), "not everybody got the same token");
        let refreshes = self.refresh_requests().await? - count_before;
        ensure!(refreshes == 1, "the provider saw {refreshes} refresh requests");
        let summary = self.sandbox("GET", "/control/summary?client=leasehold", &Value::Null).await?;
        let reuse = summary
            .get("reuse_detected")
            .and_then(Value::as_u64)
            .context("the summary does not say reuse_detected")?;
        ensure!(reuse == 0, "the provider detected {reuse} reuses of a refresh token");
        (self.say)(&format!(
            "   Generation {} became {}. The provider saw one refresh request and no refresh token twice.",
            before.generation, first.generation
        ));
        Ok(())
    }

    async fn refresh_requests(&self) -> anyhow::Result<u64> {
        let summary = self.sandbox("GET", "/control/summary?client=leasehold", &Value::Null).await?;
        summary
            .get("refresh_requests")
            .and_then(Value::as_u64)
            .context("the summary does not say refresh_requests")
    }

    async fn sandbox(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.dev.says("sandbox")?);
        let mut request = self
            .http
            .request(method.parse().context("no HTTP method")?, url)
            .bearer_auth(self.dev.secret("sandbox_script_secret")?);
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.context("the sandbox did not answer")?;
        let status = answer.status();
        let text = answer.text().await.context("the sandbox did not answer in full")?;
        ensure!(status.is_success(), "the sandbox answered {status} to {method} {path}: {text}");
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn access(&mut self) -> anyhow::Result<()> {
        self.step("Security asks who has access, what Alice gave, and why.");
        let ran = self.leasehold(&["access", "who", "--mcp-server", "files"]).await?;
        ensure!(ran.code == 0 && ran.out.contains("alice"), "who does not name alice");
        let ran = self.leasehold(&["access", "what", "--subject", "alice"]).await?;
        ensure!(ran.code == 0 && ran.out.contains("demo-gateway"), "what does not name the workload");
        let what =
            self.quietly(&["access", "what", "--subject", "alice", "--output", "json"]).await?.json()?;
        let complete = what.pointer("/as_of/complete").and_then(Value::as_bool);
        ensure!(complete == Some(true), "the answer does not say that it is complete");
        let grant =
            what.pointer("/edges/0/id").and_then(Value::as_str).context("the answer names no grant")?;
        let ran = self.quietly(&["access", "why", grant, "--output", "jsonl"]).await?;
        let why = ran.out;
        for kind in ["GrantActivated", "LeaseIssued", "TokenRefreshed"] {
            ensure!(why.contains(kind), "why does not show {kind}:\n{why}{}", ran.err);
        }
        (self.say)(&format!("   $ leasehold access why {grant}"));
        (self.say)(&format!("   {} events, from GrantActivated to the last lease.", why.lines().count()));
        Ok(())
    }

    async fn revoke(&mut self) -> anyhow::Result<()> {
        self.step(
            "Alice leaves. One command, first dry, then for real, while the gateway watches its leases.",
        );
        let mut watch = self
            .binary
            .command(&self.profiles, &["--as", "demo-gateway", "lease", "watch", "--output", "jsonl"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .context("the watch did not start")?;
        let mut lines = BufReader::new(watch.stdout.take().context("the watch has no output")?).lines();
        let first = timeout(PUSH_MAX, lines.next_line())
            .await
            .context("the watch said nothing")??
            .unwrap_or_default();
        ensure!(first.contains("resync"), "the watch began with {first}");
        let ran = self
            .leasehold(&["revoke", "--subject", "alice", "--reason", "left the company", "--dry-run"])
            .await?;
        ensure!(ran.code == 0, "the dry run ended with {}", ran.code);
        let ran = self.leasehold(&["revoke", "--subject", "alice", "--reason", "left the company"]).await?;
        ensure!(ran.code == 0, "the revocation ended with {}", ran.code);
        let pushed = async {
            loop {
                match lines.next_line().await? {
                    Some(line) if line.contains("revoked") => return Ok(()),
                    Some(_) => {}
                    None => bail!("the watch ended without a push"),
                }
            }
        };
        timeout(PUSH_MAX, pushed).await.context("no push came")??;
        (self.say)("   The watching gateway was pushed the end of its leases.");
        watch.kill().await.context("cannot end the watch")
    }

    async fn gone(&mut self, token: &str) -> anyhow::Result<()> {
        self.step("No lease, no grant, and the provider revoked the tokens too.");
        let answer = self.acquire(&[]).await?;
        connect_url(&answer).context("the gateway still gets a lease")?;
        let what =
            self.quietly(&["access", "what", "--subject", "alice", "--output", "json"]).await?.json()?;
        let edges = what.get("edges").and_then(Value::as_array).map_or(0, Vec::len);
        ensure!(edges == 0, "alice still has {edges} grants");
        for _ in 0..100 {
            let active = self.sandbox("POST", "/control/active", &json!({ "token": token })).await?;
            if active.get("active") == Some(&Value::Bool(false)) && self.call_files(token).await? == 401 {
                (self.say)(
                    "   The gateway is told to ask for a consent; the token of step 5 is dead at the provider (401).",
                );
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the provider still honours the token")
    }

    async fn evidence(&mut self) -> anyhow::Result<()> {
        self.step("Compliance exports the ledger and verifies it offline; a changed byte is found.");
        let ledger = self.data.join("ledger.jsonl");
        let checkpoint = self.data.join("checkpoint");
        let (ledger_text, checkpoint_text) = (
            ledger.to_str().context("no text")?.to_owned(),
            checkpoint.to_str().context("no text")?.to_owned(),
        );
        let ran = self
            .quietly(&["audit", "export", "--out", &ledger_text, "--checkpoint-out", &checkpoint_text])
            .await?;
        ensure!(ran.code == 0, "the export ended with {}: {}", ran.code, ran.err);
        (self.say)("   $ leasehold audit export --out ledger.jsonl");
        let ran = self.quietly(&["audit", "verify", &ledger_text, "--checkpoint", &checkpoint_text]).await?;
        ensure!(ran.code == 0, "the verification ended with {}: {}{}", ran.code, ran.out, ran.err);
        (self.say)("   $ leasehold audit verify ledger.jsonl");
        for line in ran.out.lines() {
            (self.say)(&format!(
                "   {}",
                line.replace(&ledger_text, "ledger.jsonl").replace(&checkpoint_text, "checkpoint")
            ));
        }
        let lines = fs::read(&ledger).context("cannot read the export")?;
        self.no_secret_in(&lines).await?;
        let tampered = self.data.join("tampered.jsonl");
        let changed =
            String::from_utf8_lossy(&lines).replacen("\"outcome\":\"denied\"", "\"outcome\":\"success\"", 1);
        let changed = if changed.as_bytes() == lines.as_slice() {
            changed.replacen("LeaseIssued", "LeaseIssueD", 1)
        } else {
            changed
        };
        fs::write(&tampered, changed).context("cannot write the tampered copy")?;
        let tampered_text = tampered.to_str().context("no text")?.to_owned();
        let ran =
            self.quietly(&["audit", "verify", &tampered_text, "--checkpoint", &checkpoint_text]).await?;
        ensure!(ran.code == 1, "the tampered copy was not found out (exit code {})", ran.code);
        fs::remove_file(&tampered).context("cannot remove the tampered copy")?;
        (self.say)(
            "   A copy with one changed byte is refused, and no secret that ever existed stands in the export.",
        );
        Ok(())
    }

    /// No token, code, refresh token, verifier or client secret that the sandbox ever issued or saw stands anywhere in the data.
    async fn no_secret_in(&self, export: &[u8]) -> anyhow::Result<()> {
        let secrets = self.sandbox("GET", "/control/secrets", &Value::Null).await?;
        let secrets = secrets.get("secrets").cloned().unwrap_or(secrets);
        let secrets: Vec<String> =
            serde_json::from_value(secrets).context("the sandbox did not list its secrets")?;
        ensure!(secrets.len() > 10, "the sandbox lists only {} secrets", secrets.len());
        for secret in &secrets {
            let found = export.windows(secret.len()).any(|window| window == secret.as_bytes());
            ensure!(!found, "a secret stands in the export");
        }
        Ok(())
    }
}

struct Lease {
    id: String,
    grant: String,
    generation: u64,
    token: String,
    scopes: Vec<String>,
}

fn connect_url(answer: &Value) -> anyhow::Result<&str> {
    ensure!(
        answer.get("outcome") == Some(&json!("consent_required")),
        "the answer is no consent_required: {answer}"
    );
    answer.get("connect_url").and_then(Value::as_str).context("there is no connect URL")
}

fn lease(answer: &Value) -> anyhow::Result<Lease> {
    let lease = answer;
    ensure!(lease.get("outcome") == Some(&json!("lease")), "the answer is no lease: {answer}");
    let text = |name: &str| {
        lease
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .with_context(|| format!("the lease has no {name}"))
    };
    let scopes = lease.get("scopes").and_then(Value::as_array).context("the lease has no scopes")?;
    let generation = lease.get("generation").context("the lease has no generation")?;
    Ok(Lease {
        id: text("lease_id")?,
        grant: text("grant")?,
        generation: generation
            .as_u64()
            .or_else(|| generation.as_str()?.parse().ok())
            .context("the generation is no number")?,
        token: text("access_token")?,
        scopes: scopes.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    })
}

fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("\"{word}\"") } else { word.to_owned() }
}
