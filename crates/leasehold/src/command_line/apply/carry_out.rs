//! Doing what a plan says, one call after the other, each resting on the revision that was read. Ends at the first that fails.

use std::collections::BTreeMap;

use leasehold_client::{
    Client,
    v1::{
        self, AddConnectorSecretRequest, BindCertificateRequest, CreateConnectorRequest, Endpoints, Need,
        RegisterIdentityProviderRequest, RegisterMcpServerRequest, RegisterWorkloadRequest,
        ReplaceIdentityProviderSecretRequest, SetConnectorEnabledRequest, SetMcpServerEnabledRequest,
        SetMcpServerNeedRequest, SetPolicyRequest, SetWorkloadEnabledRequest, UnbindCertificateRequest,
    },
};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    super::{
        context::ask,
        failure::{During as _, Failure, incomplete},
        progress::{Progress, share},
        secret,
    },
    files::{Place, Problem},
    plan::{Change, Plan, Step},
    read::SecretSource,
    resource::{Connector, IdentityProvider, Kind, McpServer},
};

/// The secrets that a plan sends, by the place of its change.
pub(super) type Secrets = BTreeMap<usize, SecretString>;

/// How far a plan was carried out: for each change, how many of its calls were answered.
#[derive(Debug, Default)]
pub(super) struct Done(pub(super) Vec<usize>);

/// A call that failed.
#[derive(Debug)]
pub(super) struct Stopped {
    /// Of which change.
    pub(super) at: usize,
    pub(super) failure: Failure,
}

/// Reads the secrets that a plan sends, all of them before anything is changed.
///
/// # Errors
/// Everything for which one of them cannot be read.
pub(super) fn secrets(plan: &Plan) -> Result<Secrets, Vec<Problem>> {
    let (mut secrets, mut problems) = (Secrets::new(), Vec::new());
    for (at, change) in plan.changes.iter().enumerate() {
        let Some(source) = &change.secret else { continue };
        let (place, read) = read(source);
        match read {
            Ok(secret) => {
                secrets.insert(at, secret);
            }
            Err(failure) => problems.push(place.problem(format!(
                "{} {}: {}",
                change.kind.noun(),
                change.name,
                failure.why()
            ))),
        }
    }
    if problems.is_empty() { Ok(secrets) } else { Err(problems) }
}

fn read(source: &SecretSource) -> (&Place, Result<SecretString, Failure>) {
    let what = "the client secret";
    match source {
        SecretSource::File { path, place } => (place, secret::from_file(what, path)),
        SecretSource::Variable { name, place } => {
            let secret = secret::from_either(what, None, Some(name));
            let demanded =
                || Failure::local("read the client secret", "SECRET_EMPTY", "there is nothing in it");
            (place, secret.and_then(|secret| secret.ok_or_else(demanded)))
        }
    }
}

/// Endpoints given by hand, as the interface takes them.
pub(super) fn endpoints(wanted: &Connector) -> Option<Endpoints> {
    let given = &wanted.endpoints;
    let endpoints = Endpoints {
        authorization: given.authorization.clone(),
        token: given.token.clone(),
        revocation: given.revocation.clone(),
        account: given.account.clone(),
    };
    Some(endpoints).filter(|endpoints| *endpoints != Endpoints::default())
}

/// Carries out a plan.
///
/// # Errors
/// [`Stopped`] at the first call that fails. What was done before it stays done, and `done` says what that is.
pub(super) async fn carry_out(
    client: &Client,
    plan: &Plan,
    secrets: &Secrets,
    done: &mut Done,
) -> Result<(), Stopped> {
    done.0 = vec![0; plan.changes.len()];
    let (mut progress, total) = (Progress::new(), plan.pending().count() as u64);
    let mut begun = 0;
    for (at, (change, answered)) in plan.changes.iter().zip(&mut done.0).enumerate() {
        if change.steps.is_empty() {
            continue;
        }
        progress.show(|| format!("{}: {} {}", share(begun, total), change.kind.noun(), change.name));
        begun += 1;
        let mut revision = change.revision;
        for step in &change.steps {
            let call = Call { client, change, secret: secrets.get(&at), revision };
            revision = call.step(step).await.map_err(|failure| Stopped { at, failure })?;
            *answered += 1;
        }
    }
    Ok(())
}

/// One call on its way.
struct Call<'c> {
    client: &'c Client,
    change: &'c Change,
    secret: Option<&'c SecretString>,
    /// What the call rests on.
    revision: u64,
}

impl Call<'_> {
    /// Makes the call; answers with the revision after it.
    async fn step(&self, step: &Step) -> Result<u64, Failure> {
        match step {
            Step::RegisterIdentityProvider(wanted) => self.register_identity_provider(wanted).await,
            Step::ReplaceSecret => self.replace_secret().await,
            Step::CreateConnector(wanted) => self.create_connector(wanted).await,
            Step::AddSecret => self.add_secret().await,
            Step::RegisterMcpServer(wanted) => self.register_mcp_server(wanted).await,
            Step::SetNeed { connector, scopes } => {
                let need = Need { connector: connector.clone(), scopes: scopes.iter().cloned().collect() };
                self.set_need(need).await
            }
            Step::RegisterWorkload(wanted) => self.register_workload(wanted.server()).await,
            Step::BindCertificate(certificate) => self.bind_certificate(certificate).await,
            Step::UnbindCertificate(certificate) => self.unbind_certificate(certificate).await,
            Step::SetEnabled(enabled) => self.set_enabled(*enabled).await,
            Step::SetPolicies(text) => self.set_policies(text).await,
        }
    }

    /// What is attempted, in words.
    fn attempted(&self, verb: &str) -> String {
        format!("{verb} {} {}", self.change.kind.noun(), self.change.name)
    }

    fn name(&self) -> String {
        self.change.name.clone()
    }

    /// The secret as the interface takes it; nothing for a public client.
    fn clear_secret(&self) -> String {
        self.secret.map(|secret| secret.expose_secret().to_owned()).unwrap_or_default()
    }

    async fn register_identity_provider(&self, wanted: &IdentityProvider) -> Result<u64, Failure> {
        let attempted = self.attempted("register");
        let request = RegisterIdentityProviderRequest {
            name: self.name(),
            issuer: wanted.issuer.clone(),
            client_id: wanted.client_id.clone(),
            client_secret: self.clear_secret(),
            join_claim: wanted.join_claim.clone(),
            email_domains: wanted.email_domains.iter().cloned().collect(),
            request_id: String::new(),
        };
        self.client.subjects().register_identity_provider(ask(request)).await.during(attempted)?;
        Ok(self.revision)
    }

    async fn replace_secret(&self) -> Result<u64, Failure> {
        let request = ReplaceIdentityProviderSecretRequest {
            identity_provider: self.name(),
            client_secret: self.clear_secret(),
            request_id: String::new(),
        };
        let answer = self.client.subjects().replace_identity_provider_secret(ask(request)).await;
        answer.during(self.attempted("replace the client secret of"))?;
        // Nothing else of an identity provider changes, so there is nothing for the call to rest on.
        Ok(self.revision)
    }

    async fn create_connector(&self, wanted: &Connector) -> Result<u64, Failure> {
        let attempted = self.attempted("make");
        let isolation = match wanted.isolation.as_str() {
            "per_mcp_server" => v1::Isolation::PerMcpServer,
            _ => v1::Isolation::Shared,
        };
        let exposure = match wanted.exposure.as_str() {
            "inject_only" => v1::Exposure::InjectOnly,
            _ => v1::Exposure::HandOut,
        };
        let request = CreateConnectorRequest {
            name: self.name(),
            provider: wanted.provider.clone(),
            client_id: wanted.client_id.clone(),
            issuer: wanted.issuer.clone(),
            endpoints: endpoints(wanted),
            isolation: isolation.into(),
            exposure: exposure.into(),
            client_secret: self.clear_secret(),
            request_id: String::new(),
        };
        let made = self.client.catalog().create_connector(ask(request)).await.during(&attempted)?.connector;
        Ok(made.ok_or_else(|| incomplete(&attempted, "connector"))?.revision)
    }

    async fn add_secret(&self) -> Result<u64, Failure> {
        let request = AddConnectorSecretRequest {
            connector: self.name(),
            client_secret: self.clear_secret(),
            request_id: String::new(),
            expected_revision: Some(self.revision),
        };
        let answer = self.client.catalog().add_connector_secret(ask(request)).await;
        Ok(answer.during(self.attempted("add the client secret of"))?.revision)
    }

    async fn register_mcp_server(&self, wanted: &McpServer) -> Result<u64, Failure> {
        let attempted = self.attempted("register");
        let need = |(connector, scopes): (&String, &std::collections::BTreeSet<String>)| Need {
            connector: connector.clone(),
            scopes: scopes.iter().cloned().collect(),
        };
        let request = RegisterMcpServerRequest {
            name: self.name(),
            resource: wanted.resource.clone(),
            needs: wanted.needs.iter().map(need).collect(),
            request_id: String::new(),
        };
        let made =
            self.client.catalog().register_mcp_server(ask(request)).await.during(&attempted)?.mcp_server;
        Ok(made.ok_or_else(|| incomplete(&attempted, "MCP server"))?.revision)
    }

    async fn set_need(&self, need: Need) -> Result<u64, Failure> {
        let attempted = format!("{} at {}", self.attempted("change what is needed by"), need.connector);
        let request = SetMcpServerNeedRequest {
            mcp_server: self.name(),
            need: Some(need),
            expected_revision: Some(self.revision),
        };
        Ok(self.client.catalog().set_mcp_server_need(ask(request)).await.during(attempted)?.revision)
    }

    async fn register_workload(&self, mcp_server: &str) -> Result<u64, Failure> {
        let attempted = self.attempted("register");
        let request = RegisterWorkloadRequest {
            name: self.name(),
            mcp_server: mcp_server.to_owned(),
            request_id: String::new(),
        };
        let made = self.client.workloads().register(ask(request)).await.during(&attempted)?.workload;
        Ok(made.ok_or_else(|| incomplete(&attempted, "workload"))?.revision)
    }

    async fn bind_certificate(&self, certificate: &str) -> Result<u64, Failure> {
        let request = BindCertificateRequest {
            workload: self.name(),
            name: certificate.to_owned(),
            expected_revision: Some(self.revision),
        };
        let attempted = format!("{} the certificate {certificate}", self.attempted("let stand for"));
        self.client.workloads().bind_certificate(ask(request)).await.during(attempted)?;
        // A certificate is no change of the workload itself.
        Ok(self.revision)
    }

    async fn unbind_certificate(&self, certificate: &str) -> Result<u64, Failure> {
        let request = UnbindCertificateRequest {
            workload: self.name(),
            name: certificate.to_owned(),
            expected_revision: Some(self.revision),
        };
        let attempted = format!("{} the certificate {certificate}", self.attempted("let no more stand for"));
        self.client.workloads().unbind_certificate(ask(request)).await.during(attempted)?;
        Ok(self.revision)
    }

    async fn set_enabled(&self, enabled: bool) -> Result<u64, Failure> {
        let attempted = self.attempted(if enabled { "enable" } else { "disable" });
        let expected_revision = Some(self.revision);
        match self.change.kind {
            Kind::Connector => {
                let request =
                    SetConnectorEnabledRequest { connector: self.name(), enabled, expected_revision };
                Ok(self
                    .client
                    .catalog()
                    .set_connector_enabled(ask(request))
                    .await
                    .during(attempted)?
                    .revision)
            }
            Kind::McpServer => {
                let request =
                    SetMcpServerEnabledRequest { mcp_server: self.name(), enabled, expected_revision };
                Ok(self
                    .client
                    .catalog()
                    .set_mcp_server_enabled(ask(request))
                    .await
                    .during(attempted)?
                    .revision)
            }
            Kind::Workload => {
                let request = SetWorkloadEnabledRequest { workload: self.name(), enabled, expected_revision };
                Ok(self.client.workloads().set_enabled(ask(request)).await.during(attempted)?.revision)
            }
            Kind::IdentityProvider | Kind::Policies => {
                Err(Failure::local(attempted, "UNIMPLEMENTED", "there is no way to enable or disable it"))
            }
        }
    }

    async fn set_policies(&self, text: &str) -> Result<u64, Failure> {
        let request = SetPolicyRequest {
            text: text.to_owned(),
            request_id: String::new(),
            expected_version: Some(self.revision),
        };
        Ok(self.client.policies().set(ask(request)).await.during("replace the policy set")?.version)
    }
}
