//! What there is to look in, and what to look for.

use std::{collections::BTreeMap, fs, path::Path, process::Stdio};

use anyhow::{Context, ensure};
use leasehold_ledger::{Ledger, Options};
use leasehold_sandbox::{TokenKind, fingerprint};
use leasehold_secrets::{
    authority::Issued,
    canary::Canary,
    front::heads_and_bodies,
    furnish::{CONNECTOR, Furnished, GATEWAY, MCP_SERVER},
    input::Input,
    place::Place,
    process,
    production::{Production, private},
};
use secrecy::ExposeSecret as _;

use crate::walk::Walked;

/// Bytes of a place, and what they are.
pub(crate) struct Sample {
    pub(crate) place: Place,
    pub(crate) what: String,
    pub(crate) bytes: Vec<u8>,
}

/// Everything that was gathered.
#[derive(Default)]
pub(crate) struct Gathered(pub(crate) Vec<Sample>);

impl Gathered {
    pub(crate) fn add(&mut self, place: Place, what: &str, bytes: Vec<u8>) {
        self.0.push(Sample { place, what: what.to_owned(), bytes });
    }

    /// What the system shows of the running node, and what the node tells whoever monitors it.
    pub(crate) async fn running(&mut self, production: &Production) -> anyhow::Result<()> {
        let pid = production.pid()?;
        self.add(Place::Arguments, "cmdline", process::arguments(pid)?);
        self.add(Place::Environment, "environ", process::environment(pid)?);
        self.add(Place::OpenFiles, "maps and fd", process::open_files(pid)?);
        self.folder(Place::TemporaryFolder, &production.temporary_folder())?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        for (place, path) in
            [(Place::Metrics, "/metrics"), (Place::Health, "/healthz"), (Place::Health, "/readyz")]
        {
            let answer = http.get(format!("{}{path}", production.operations())).send().await?;
            let mut bytes = format!("{:?}", answer.headers()).into_bytes();
            bytes.extend(answer.bytes().await?);
            self.add(place, path, bytes);
        }
        Ok(())
    }

    /// Every file below a folder, by its name too.
    pub(crate) fn folder(&mut self, place: Place, folder: &Path) -> anyhow::Result<()> {
        self.add(place, "names", folder.display().to_string().into_bytes());
        for (path, mut bytes) in process::files(folder)? {
            let name = path.display().to_string();
            bytes.extend_from_slice(name.as_bytes());
            self.add(place, &name, bytes);
        }
        Ok(())
    }

    /// Of a node that has stopped: an archive of its data, and a snapshot of them.
    pub(crate) async fn stopped(&mut self, production: &Production) -> anyhow::Result<()> {
        let archive = tokio::process::Command::new("tar")
            .arg("-C")
            .arg(production.folder())
            .args(["-cf", "-", "data"])
            .output()
            .await?;
        ensure!(archive.status.success(), "no archive: {}", String::from_utf8_lossy(&archive.stderr));
        self.add(Place::Archive, "data.tar", archive.stdout);
        let copy = production.folder().join("copy");
        process::copy_folder(&production.data().join("ledger"), &copy)?;
        let ledger = Ledger::open(&copy, Options::default(), Box::new(|_| {}))?;
        let snapshots = production.folder().join("snapshots");
        fs::create_dir(&snapshots)?;
        ledger.build_snapshot(&snapshots, 0)?;
        ledger.close()?;
        self.folder(Place::Snapshot, &snapshots)
    }

    /// What the command line answers where it was not asked for a secret, in every form; and what it says to those who err.
    pub(crate) async fn command_line(
        &mut self,
        production: &Production,
        furnished: &Furnished,
        grant: &str,
    ) -> anyhow::Result<()> {
        let ca = production.folder().join("ca.pem").display().to_string();
        let address = production.grpc();
        for (name, credential) in [("admin", &furnished.admin), ("gateway", &furnished.gateway)] {
            let file = production.folder().join(format!("{name}.credential"));
            private(&file, credential)?;
            let file = file.display().to_string();
            let login =
                ["login", "--as", name, "--credential-file", &file, "--address", &address, "--ca-file", &ca];
            self.say(production, Place::CommandLine, &login).await?;
        }
        let out = production.folder().join("ledger.jsonl").display().to_string();
        let lists: [&[&str]; 23] = [
            &["status"],
            &["provider", "list"],
            &["connector", "list"],
            &["mcp-server", "list"],
            &["workload", "list"],
            &["administrator", "list"],
            &["idp", "list"],
            &["subject", "list"],
            &["policy", "show"],
            &["grant", "list"],
            &["grant", "show", grant],
            &["access", "who", "--connector", CONNECTOR],
            &["access", "who", "--workload", GATEWAY],
            &["access", "what", "--subject", "alice", "--ended"],
            &["access", "why", grant],
            &["revoke", "--subject", "alice", "--dry-run"],
            &["revoke", "--subject", "alice", "--reason", "no secret at all", "--dry-run"],
            &["audit", "checkpoint"],
            &["audit", "export", "--out", &out],
            &["audit", "verify", &out],
            &["--as", "gateway", "lease", "list"],
            &["--as", "gateway", "grant", "list"],
            &["--as", "nobody", "grant", "list"],
        ];
        for arguments in lists {
            for form in ["table", "json", "jsonl"] {
                let arguments: Vec<&str> = arguments.iter().copied().chain(["--output", form]).collect();
                self.say(production, Place::CommandLine, &arguments).await?;
            }
        }
        // A token that is not asked for: the table hides it.
        let acquire =
            ["--as", "gateway", "lease", "acquire", "--mcp-server", MCP_SERVER, "--connector", CONNECTOR];
        let table: Vec<&str> = acquire.iter().copied().chain(["--subject", "alice"]).collect();
        self.say(production, Place::CommandLine, &table).await?;
        // A credential where a name belongs, and a profile that is broken at the credential.
        self.say(production, Place::CommandLine, &["grant", "show", "--credential-file", &out, "x"]).await?;
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            self.say(production, Place::Completions, &["completions", shell]).await?;
        }
        self.say(production, Place::Completions, &["man"]).await
    }

    async fn say(&mut self, production: &Production, place: Place, arguments: &[&str]) -> anyhow::Result<()> {
        let output = production.command(arguments).stdin(Stdio::null()).output().await?;
        let said = [output.stdout, output.stderr].concat();
        self.add(place, &arguments.join(" "), said);
        Ok(())
    }
}

/// All canaries of a journey.
pub(crate) fn canaries(
    production: &Production,
    furnished: &Furnished,
    walked: &Walked,
) -> anyhow::Result<Vec<Canary>> {
    let secrets = &production.secrets;
    let mut all = vec![
        Canary::new(Input::ConnectorSecret, secrets.provider_client.expose_secret().as_bytes()),
        Canary::new(Input::ConnectorSecret, walked.client_secret.as_bytes()),
        Canary::new(Input::IdentityProviderSecret, secrets.idp_client.expose_secret().as_bytes()),
        Canary::new(Input::Password, secrets.alice.expose_secret().as_bytes()),
        Canary::new(Input::BootstrapCredential, furnished.bootstrap.as_bytes()),
        Canary::new(Input::AdministratorCredential, furnished.admin.as_bytes()),
        Canary::new(Input::AdministratorCredential, furnished.auditor.as_bytes()),
        Canary::new(Input::WorkloadCredential, furnished.gateway.as_bytes()),
        Canary::new(Input::SubjectToken, walked.subject_token.as_bytes()),
        Canary::new(Input::ProvidersText, walked.provider_text.as_bytes()),
        Canary::new(Input::ProvidersText, walked.challenge.as_bytes()),
    ];
    all.extend(walked.reasons.iter().map(|reason| Canary::new(Input::Reason, reason.as_bytes())));
    all.extend(walked.misplaced.iter().map(|text| Canary::new(Input::Misplaced, text.as_bytes())));
    root_key(production, &mut all)?;
    tls_key(&production.node_tls, Input::TlsKey, &mut all)?;
    tls_key(&production.gateway_tls, Input::WorkloadKey, &mut all)?;
    of_the_sandbox(production, walked, &mut all);
    of_the_pages(production, &mut all);
    Ok(all)
}

fn root_key(production: &Production, all: &mut Vec<Canary>) -> anyhow::Result<()> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let line = fs::read_to_string(production.root_key())?;
    let digits = line.trim().rsplit(['-', ':', '_', ' ', '.']).next().unwrap_or_default();
    let bytes = STANDARD.decode(digits).context("a root key in a form of its own")?;
    ensure!(bytes.len() == 32, "a root key of {} bytes", bytes.len());
    all.push(Canary::new(Input::RootKey, digits.as_bytes()));
    all.push(Canary::new(Input::RootKey, &bytes));
    Ok(())
}

fn tls_key(issued: &Issued, input: Input, all: &mut Vec<Canary>) -> anyhow::Result<()> {
    all.push(Canary::new(input, &issued.secret_number()?));
    all.push(Canary::piece(input, issued.secret_line()?.as_bytes()));
    Ok(())
}

/// What the sandbox issued and was shown. Whatever is none of its own tokens nor a client's secret is a verifier of ours.
fn of_the_sandbox(production: &Production, walked: &Walked, all: &mut Vec<Canary>) {
    let control = production.sandbox.control();
    let issued: BTreeMap<String, TokenKind> =
        control.issued(|_| true).into_iter().map(|issued| (issued.fingerprint, issued.kind)).collect();
    let known = [
        production.secrets.idp_client.expose_secret(),
        production.secrets.provider_client.expose_secret(),
        walked.client_secret.as_str(),
        walked.subject_token.as_str(),
    ];
    for secret in control.all_secrets() {
        let input = match issued.get(&fingerprint(&secret)) {
            Some(TokenKind::Code) => Input::Code,
            Some(TokenKind::Refresh) => Input::RefreshToken,
            Some(TokenKind::Id) => Input::IdToken,
            Some(_) if secret.starts_with("sbx_idp") => Input::SignInAccessToken,
            Some(_) => Input::AccessToken,
            None => Input::Verifier,
        };
        if !known.contains(&secret.as_str()) {
            all.push(Canary::new(input, secret.as_bytes()));
        }
    }
}

/// What our pages set and sent.
fn of_the_pages(production: &Production, all: &mut Vec<Canary>) {
    let (heads, bodies) = heads_and_bodies(&production.pages.bytes());
    let (heads, bodies) = (String::from_utf8_lossy(&heads), String::from_utf8_lossy(&bodies));
    for line in heads.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("set-cookie") {
            let (name, value) = value.trim().split_once('=').unwrap_or_default();
            let input = if name.contains("state") { Input::StateCookie } else { Input::SessionCookie };
            let value = value.split(';').next().unwrap_or_default();
            if !value.is_empty() {
                all.push(Canary::new(input, value.as_bytes()));
            }
        } else if name.eq_ignore_ascii_case("location")
            && let Ok(url) = url::Url::parse(value.trim())
        {
            let secret = url.query_pairs().filter(|(name, _)| name == "state" || name == "nonce");
            all.extend(secret.map(|(_, value)| Canary::new(Input::State, value.as_bytes())));
        }
    }
    for rest in bodies.split("name=\"csrf\" value=\"").skip(1) {
        let value = rest.split('"').next().unwrap_or_default();
        all.push(Canary::new(Input::FormToken, value.as_bytes()));
    }
}
