//! The comparison, kind by kind.

use std::collections::{BTreeMap, BTreeSet};

use leasehold_domain::connector::SECRETS_MAX;

use super::{
    super::{
        files::{Place, Problem},
        read::{SecretSource, Want, Wanted},
        resource::{Field, Kind, McpServer, Workload, field, words},
        standing::{Standing, Stands},
    },
    Action, Change, Choice, FieldChange, Plan, Step,
    change::needs,
};

/// A comparison on its way.
pub(super) struct Comparison<'c> {
    wanted: &'c Wanted,
    standing: &'c Standing,
    choice: &'c Choice,
    plan: Plan,
    problems: Vec<Problem>,
}

impl<'c> Comparison<'c> {
    pub(super) fn of(wanted: &'c Wanted, standing: &'c Standing, choice: &'c Choice) -> Self {
        Self { wanted, standing, choice, plan: Plan::default(), problems: Vec::new() }
    }

    pub(super) fn end(mut self) -> Result<Plan, Vec<Problem>> {
        if self.problems.is_empty() {
            return Ok(self.plan);
        }
        self.problems.sort();
        self.problems.dedup();
        Err(self.problems)
    }

    pub(super) fn identity_providers(&mut self) {
        let kind = Kind::IdentityProvider;
        let mut issuers: BTreeMap<&str, &str> = self
            .standing
            .identity_providers
            .iter()
            .map(|(name, known)| (known.resource.issuer.as_str(), name.as_str()))
            .collect();
        for (name, want) in &self.wanted.identity_providers {
            let other = issuers.insert(&want.resource.issuer, name).filter(|other| other != name);
            if let Some(other) = other {
                self.refuse(
                    want.at("issuer"),
                    kind,
                    name,
                    format!("identity provider {other} has this issuer"),
                );
            }
            let mut change = Change::of(kind, name);
            let Some(known) = self.standing.identity_providers.get(name) else {
                self.secret_of_new(kind, name, want, &mut change);
                if want.secret.is_none() {
                    let why = "a new identity provider needs client_secret_file or client_secret_env";
                    self.refuse(&want.place, kind, name, why);
                }
                change.create(want.resource.fields());
                change.steps.push(Step::RegisterIdentityProvider(want.resource.clone()));
                self.plan.changes.push(change);
                continue;
            };
            change.revision = known.revision;
            let advice = "it stays as it was registered: name what stands, or register another issuer under another name";
            self.fixed(kind, name, want, known.resource.fields(), want.resource.fields(), advice);
            if self.rotates(kind, name) {
                self.rotate(kind, name, want, &mut change, Step::ReplaceSecret);
            }
            self.plan.changes.push(change.settled());
        }
    }

    pub(super) fn connectors(&mut self) {
        let kind = Kind::Connector;
        for (name, want) in &self.wanted.connectors {
            let provider = &want.resource.provider;
            if !self.standing.providers.contains(provider) {
                let known = self.standing.providers.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                let why = format!("the catalogue has no provider {provider}: one of {known}");
                self.refuse(want.at("provider"), kind, name, why);
            }
            let mut change = Change::of(kind, name);
            let Some(known) = self.standing.connectors.get(name) else {
                self.secret_of_new(kind, name, want, &mut change);
                if want.secret.is_none() && !want.public_client {
                    let why = "a new connector needs client_secret_file, client_secret_env, or public_client = true";
                    self.refuse(&want.place, kind, name, why);
                }
                change.create(want.resource.fixed());
                change.steps.push(Step::CreateConnector(want.resource.clone()));
                change.born(want.resource.enabled);
                self.plan.changes.push(change);
                continue;
            };
            change.revision = known.revision;
            let advice =
                "make a connector under another name, let MCP servers need that one, and disable this one";
            self.fixed(kind, name, want, known.resource.fixed(), want.resource.fixed(), advice);
            self.connector_secret(name, want, known.secrets, &mut change);
            change.enabled(known.resource.enabled, want.resource.enabled);
            self.plan.changes.push(change.settled());
        }
    }

    /// A secret that stands already is not compared: the cluster tells nobody anything about it. It is sent where there is none, or where
    /// somebody says that it is another.
    fn connector_secret<R>(&mut self, name: &str, want: &Want<R>, secrets: usize, change: &mut Change) {
        let kind = Kind::Connector;
        if want.public_client && secrets > 0 {
            let why = "it has client secrets, so it is no public client: retire them with `leasehold connector retire-secret`";
            self.refuse(want.at("public_client"), kind, name, why);
        }
        if self.rotates(kind, name) {
            if secrets >= SECRETS_MAX {
                let why = format!(
                    "it has {secrets} client secrets, the most there may be: retire one first with `leasehold connector retire-secret`"
                );
                self.refuse(&want.place, kind, name, why);
            }
            self.rotate(kind, name, want, change, Step::AddSecret);
        } else if secrets == 0
            && let Some(source) = &want.secret
        {
            change.fields.push(FieldChange {
                name: "client_secret".to_owned(),
                old: Some("none".to_owned()),
                new: from(source),
            });
            change.secret = Some(source.clone());
            change.steps.push(Step::AddSecret);
        }
    }

    pub(super) fn mcp_servers(&mut self) {
        let kind = Kind::McpServer;
        for (name, want) in &self.wanted.mcp_servers {
            for connector in want.resource.needs.keys() {
                let at = want.at(&format!("needs.{connector}")).clone();
                self.refers(&at, kind, name, Kind::Connector, connector);
            }
            let mut change = Change::of(kind, name);
            let Some(known) = self.standing.mcp_servers.get(name) else {
                let resource = field("resource", &want.resource.resource);
                change.create([vec![resource], want.resource.needs()].concat());
                change.steps.push(Step::RegisterMcpServer(want.resource.clone()));
                change.born(want.resource.enabled);
                self.plan.changes.push(change);
                continue;
            };
            change.revision = known.revision;
            let resource = |server: &McpServer| vec![field("resource", &server.resource)];
            let advice = "register an MCP server under another name, and disable this one";
            self.fixed(kind, name, want, resource(&known.resource), resource(&want.resource), advice);
            change.differ(&known.resource.needs(), &want.resource.needs());
            change.steps.extend(needs(&known.resource, &want.resource));
            change.enabled(known.resource.enabled, want.resource.enabled);
            self.plan.changes.push(change.settled());
        }
    }

    pub(super) fn workloads(&mut self) {
        let kind = Kind::Workload;
        for (name, want) in &self.wanted.workloads {
            if let Some(server) = &want.resource.mcp_server {
                self.refers(&want.at("mcp_server").clone(), kind, name, Kind::McpServer, server);
            }
            for certificate in &want.resource.certificates {
                self.certificate_is_free(name, want, certificate);
            }
            let server = |workload: &Workload| vec![field("mcp_server", workload.server())];
            let mut change = Change::of(kind, name);
            let Some(known) = self.standing.workloads.get(name) else {
                let certificates = field("certificates", &words(&want.resource.certificates));
                change.create([server(&want.resource), vec![certificates]].concat());
                change.steps.push(Step::RegisterWorkload(want.resource.clone()));
                change.bind(&want.resource.certificates);
                change.born(want.resource.enabled);
                self.plan.changes.push(change);
                continue;
            };
            change.revision = known.revision;
            let advice = "register a workload under another name, and disable this one";
            self.fixed(kind, name, want, server(&known.resource), server(&want.resource), advice);
            change.enabled(known.resource.enabled, want.resource.enabled);
            // Disabling ends them all by itself.
            if want.resource.enabled {
                change.certificates(&known.resource.certificates, &want.resource.certificates);
            }
            self.plan.changes.push(change.settled());
        }
    }

    pub(super) fn policies(&mut self) {
        let (Some(want), Some(known)) = (&self.wanted.policies, &self.standing.policies) else { return };
        let mut change = Change { revision: known.version, ..Change::of(Kind::Policies, "") };
        if want.text != known.text {
            change.fields.push(FieldChange {
                name: "text".to_owned(),
                old: Some(known.text.clone()),
                new: want.text.clone(),
            });
            change.steps.push(Step::SetPolicies(want.text.clone()));
        }
        self.plan.changes.push(change.settled());
    }

    /// What stands in the cluster alone. What the files rest on is never disabled.
    pub(super) fn elsewhere(&mut self) {
        let needed = self.wanted.mcp_servers.values().flat_map(|want| want.resource.needs.keys());
        let needed: BTreeSet<&String> = needed.collect();
        let servers: BTreeSet<&String> =
            self.wanted.workloads.values().filter_map(|want| want.resource.mcp_server.as_ref()).collect();
        let Standing { identity_providers, connectors, mcp_servers, workloads, .. } = self.standing;
        for (name, known) in workloads {
            self.beside(Kind::Workload, name, known.resource.enabled, known.revision);
        }
        for (name, known) in mcp_servers {
            self.beside(
                Kind::McpServer,
                name,
                known.resource.enabled && !servers.contains(name),
                known.revision,
            );
        }
        for (name, known) in connectors {
            self.beside(
                Kind::Connector,
                name,
                known.resource.enabled && !needed.contains(name),
                known.revision,
            );
        }
        // There is no way to disable an identity provider.
        for (name, known) in identity_providers {
            self.beside(Kind::IdentityProvider, name, false, known.revision);
        }
    }

    fn beside(&mut self, kind: Kind, name: &str, may_be_disabled: bool, revision: u64) {
        if self.wanted.names.contains_key(&(kind, name.to_owned())) {
            return;
        }
        if !self.choice.prune || !may_be_disabled {
            self.plan.elsewhere.push((kind, name.to_owned()));
            return;
        }
        let mut change = Change { revision, action: Action::Disable, ..Change::of(kind, name) };
        change.enabled(true, false);
        self.plan.changes.push(change);
    }

    /// A reference has to lead somewhere: into the files, or to what stands.
    fn refers(&mut self, place: &Place, kind: Kind, name: &str, to: Kind, named: &str) {
        let stands = match to {
            Kind::Connector => self.standing.connectors.contains_key(named),
            Kind::McpServer => self.standing.mcp_servers.contains_key(named),
            Kind::IdentityProvider | Kind::Workload | Kind::Policies => false,
        };
        if !stands && !self.wanted.names.contains_key(&(to, named.to_owned())) {
            let why = format!("there is no {} {named}, neither in the cluster nor in the files", to.noun());
            self.refuse(place, kind, name, why);
        }
    }

    fn certificate_is_free(&mut self, name: &str, want: &Want<Workload>, certificate: &str) {
        let has = |(other, known): &(&String, &Stands<Workload>)| {
            *other != name && known.resource.certificates.contains(certificate)
        };
        if let Some((owner, _)) = self.standing.workloads.iter().find(has) {
            let why = format!(
                "the certificate {certificate} stands for workload {owner} already: take it away there first"
            );
            self.refuse(want.at(&format!("certificates.{certificate}")), Kind::Workload, name, why);
        }
    }

    /// What cannot be changed in place is said to be so.
    fn fixed<R>(
        &mut self,
        kind: Kind,
        name: &str,
        want: &Want<R>,
        old: Vec<Field>,
        new: Vec<Field>,
        advice: &str,
    ) {
        for ((field, old), (_, new)) in old.into_iter().zip(new) {
            if old != new {
                let [old, new] =
                    [old, new].map(|text| if text.is_empty() { "none".to_owned() } else { text });
                let why = format!("{field} cannot be changed ({old} -> {new}): {advice}");
                self.refuse(want.at(&field), kind, name, why);
            }
        }
    }

    fn secret_of_new<R>(&mut self, kind: Kind, name: &str, want: &Want<R>, change: &mut Change) {
        if self.rotates(kind, name) && want.secret.is_none() {
            self.refuse(&want.place, kind, name, NO_SECRET);
        }
        if let Some(source) = &want.secret {
            change.secret = Some(source.clone());
            change.fields.push(FieldChange {
                name: "client_secret".to_owned(),
                old: None,
                new: from(source),
            });
        }
    }

    fn rotate<R>(&mut self, kind: Kind, name: &str, want: &Want<R>, change: &mut Change, step: Step) {
        let Some(source) = &want.secret else {
            return self.refuse(&want.place, kind, name, NO_SECRET);
        };
        let old = Some("as it is".to_owned());
        change.fields.push(FieldChange { name: "client_secret".to_owned(), old, new: from(source) });
        change.secret = Some(source.clone());
        change.steps.push(step);
    }

    fn rotates(&self, kind: Kind, name: &str) -> bool {
        self.choice.rotate.contains(&(kind, name.to_owned()))
    }

    fn refuse(&mut self, place: &Place, kind: Kind, name: &str, why: impl std::fmt::Display) {
        self.problems.push(place.problem(format!("{} {name}: {why}", kind.noun())));
    }
}

const NO_SECRET: &str =
    "its secret cannot be rotated: the files name neither client_secret_file nor client_secret_env";

/// Where a secret comes from, in words. Nothing of the secret.
fn from(source: &SecretSource) -> String {
    match source {
        SecretSource::File { path, .. } => format!("from the file {}", path.display()),
        SecretSource::Variable { name, .. } => format!("from the variable {name}"),
    }
}
