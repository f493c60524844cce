//! From the text of files to the resources that they want, or to everything that is wrong with them.
//!
//! What a name, a URI, a scope or a certificate's name may be is the domain's to say, here as in the interface.

use std::{collections::BTreeMap, path::PathBuf};

use leasehold_domain::{
    id::Name,
    identity_provider::{DOMAINS_LEN_MAX, DOMAINS_MAX},
    mcp_server::NEEDS_MAX,
    policy::TEXT_LEN_MAX,
    scope::{Scope, ScopeSet},
    text::{Label, Uri},
    workload::{CertificateName, PROOFS_MAX},
};
use toml::de::DeTable;

use super::{
    files::{File, Files, Place, Problem},
    resource::{Connector, Endpoints, IdentityProvider, Kind, McpServer, Workload},
    table::Table,
};

/// What files want.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) identity_providers: BTreeMap<String, Want<IdentityProvider>>,
    pub(super) connectors: BTreeMap<String, Want<Connector>>,
    pub(super) mcp_servers: BTreeMap<String, Want<McpServer>>,
    pub(super) workloads: BTreeMap<String, Want<Workload>>,
    pub(super) policies: Option<Policies>,
    /// Every name that stands in the files, also of what there is something wrong with.
    pub(super) names: BTreeMap<(Kind, String), Place>,
}

/// A resource that files want, and where they say so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Want<Resource> {
    pub(super) resource: Resource,
    /// Where its client secret comes from.
    pub(super) secret: Option<SecretSource>,
    /// That it is to have none.
    pub(super) public_client: bool,
    pub(super) place: Place,
    /// Where its fields stand.
    places: BTreeMap<String, Place>,
}

/// Where a secret comes from. The secret itself is read when it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SecretSource {
    File { path: PathBuf, place: Place },
    Variable { name: String, place: Place },
}

/// The policy set that files want.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Policies {
    pub(super) text: String,
    /// Its first file.
    pub(super) place: Place,
    /// What each file says.
    pub(super) files: Vec<(Place, String)>,
}

impl<Resource> Want<Resource> {
    /// Where a field stands, or else the resource.
    pub(super) fn at(&self, field: &str) -> &Place {
        self.places.get(field).unwrap_or(&self.place)
    }
}

/// Understands files. What could not be understood of the whole is `None`: nothing more can be said about it.
pub(super) fn read(files: &Files) -> (Option<Wanted>, Vec<Problem>) {
    let (mut wanted, mut problems, mut whole) = (Wanted::default(), Vec::new(), true);
    for file in &files.tables {
        let (document, errors) = DeTable::parse_recoverable(&file.text);
        if errors.is_empty() {
            tables(file, document.get_ref(), &mut wanted, &mut problems);
            continue;
        }
        whole = false;
        // The message and the place alone: an error printed whole shows the line, and a secret may stand in it by mistake.
        problems.extend(errors.iter().map(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            file.place(offset).problem(format!("this is not TOML: {}", error.message().replace('\n', ", ")))
        }));
    }
    certificates_once(&wanted, &mut problems);
    wanted.policies = policies(&files.policies, &mut problems);
    (Some(wanted).filter(|_| whole), problems)
}

fn tables(file: &File, document: &DeTable<'_>, wanted: &mut Wanted, problems: &mut Vec<Problem>) {
    for (key, value) in document {
        let place = file.place(key.span().start);
        let Some(kind) = Kind::TABLES.into_iter().find(|kind| kind.key() == key.get_ref()) else {
            let known = Kind::TABLES.map(Kind::key).join(", ");
            problems.push(place.problem(format!("there is no kind {}: one of {known}", key.get_ref())));
            continue;
        };
        let list = value.get_ref().as_array();
        let members = list.and_then(|list| {
            let members = list.iter().map(|member| {
                let table = member.get_ref().as_table()?;
                Some((table, file.place(member.span().start)))
            });
            members.collect::<Option<Vec<_>>>()
        });
        let Some(members) = members else {
            problems.push(place.problem(format!("{0}: each one begins with [[{0}]]", kind.key())));
            continue;
        };
        for (table, place) in members {
            let table = Table::new(file, table, place, kind.noun());
            one(kind, file, table, wanted, problems);
        }
    }
}

fn one(kind: Kind, file: &File, mut table: Table<'_>, wanted: &mut Wanted, problems: &mut Vec<Problem>) {
    let name = table.demanded("name", Name::new).map(|name| name.to_string());
    if let Some(name) = &name {
        table.subject = format!("{} {name}", kind.noun());
        let known = wanted.names.entry((kind, name.clone()));
        match known {
            std::collections::btree_map::Entry::Occupied(first) => {
                let Place { file, line } = first.get();
                table.refuse(format!("it stands there twice: first at {file}:{line}"));
            }
            std::collections::btree_map::Entry::Vacant(room) => {
                room.insert(table.place.clone());
            }
        }
    }
    // A name that is missing was said to be; the rest is read for what else is wrong.
    let name = name.unwrap_or_default();
    match kind {
        Kind::IdentityProvider => {
            let resource = identity_provider(&mut table);
            let secret = secret(file, &mut table);
            keep(&mut wanted.identity_providers, name, resource, (secret, false), table, problems);
        }
        Kind::Connector => {
            let resource = connector(&mut table);
            let secret = secret(file, &mut table);
            let public = table.flag("public_client", false);
            if public && secret.is_some() {
                table.refuse_field("public_client", "a public client has no client secret");
            }
            keep(&mut wanted.connectors, name, resource, (secret, public), table, problems);
        }
        Kind::McpServer => {
            let resource = mcp_server(&mut table);
            keep(&mut wanted.mcp_servers, name, resource, (None, false), table, problems);
        }
        Kind::Workload => {
            let resource = workload(&mut table);
            keep(&mut wanted.workloads, name, resource, (None, false), table, problems);
        }
        Kind::Policies => {}
    }
}

fn keep<Resource>(
    all: &mut BTreeMap<String, Want<Resource>>,
    name: String,
    resource: Option<Resource>,
    (secret, public_client): (Option<SecretSource>, bool),
    table: Table<'_>,
    problems: &mut Vec<Problem>,
) {
    let place = table.place.clone();
    let (places, found) = table.end();
    problems.extend(found);
    if let Some(resource) = resource {
        all.entry(name).or_insert(Want { resource, secret, public_client, place, places });
    }
}

fn identity_provider(table: &mut Table<'_>) -> Option<IdentityProvider> {
    let issuer = table.demanded("issuer", uri);
    let client_id = table.demanded("client_id", client_id);
    let join_claim = table.word("join_claim", &["sub", "tid+oid"]);
    let email_domains = table.set("email_domains", |text| {
        Label::<253>::new(&text.to_ascii_lowercase()).map(|domain| domain.to_string())
    });
    if email_domains.len() > DOMAINS_MAX {
        table.refuse_field("email_domains", format!("at most {DOMAINS_MAX}"));
    }
    if email_domains.iter().map(String::len).sum::<usize>() > DOMAINS_LEN_MAX {
        table.refuse_field("email_domains", format!("at most {DOMAINS_LEN_MAX} bytes together"));
    }
    Some(IdentityProvider { issuer: issuer?, client_id: client_id?, join_claim, email_domains })
}

fn connector(table: &mut Table<'_>) -> Option<Connector> {
    let provider = table.demanded("provider", name);
    let client_id = table.demanded("client_id", client_id);
    let issuer = table.parsed("issuer", uri).unwrap_or_default();
    let authorization = table.parsed("authorization_endpoint", uri).unwrap_or_default();
    let token = table.parsed("token_endpoint", uri).unwrap_or_default();
    let revocation = table.parsed("revocation_endpoint", uri).unwrap_or_default();
    let account = table.parsed("account_endpoint", uri).unwrap_or_default();
    let endpoints = Endpoints { authorization, token, revocation, account };
    if endpoints != Endpoints::default() {
        if !issuer.is_empty() {
            table.refuse_field("issuer", "an issuer or endpoints, and not both");
        }
        if endpoints.authorization.is_empty() || endpoints.token.is_empty() {
            table.refuse("endpoints by hand are at least authorization_endpoint and token_endpoint");
        }
    }
    let isolation = table.word("isolation", &["shared", "per_mcp_server"]);
    let exposure = table.word("exposure", &["hand_out", "inject_only"]);
    let enabled = table.flag("enabled", true);
    let (provider, client_id) = (provider?, client_id?);
    Some(Connector { provider, client_id, issuer, endpoints, isolation, exposure, enabled })
}

fn mcp_server(table: &mut Table<'_>) -> Option<McpServer> {
    let resource = table.demanded("resource", uri);
    let needs = table.sets("needs", name, |text| Scope::new(text).map(|scope| scope.to_string()));
    for (connector, scopes) in &needs {
        let field = format!("needs.{connector}");
        if scopes.is_empty() {
            table.refuse_field(&field, "at least one scope");
        }
        if let Err(error) = ScopeSet::new(scopes.iter().filter_map(|scope| Scope::new(scope).ok())) {
            table.refuse_field(&field, error);
        }
    }
    if needs.len() > NEEDS_MAX {
        table.refuse_field("needs", format!("at most {NEEDS_MAX} connectors"));
    }
    let enabled = table.flag("enabled", true);
    Some(McpServer { resource: resource?, needs, enabled })
}

fn workload(table: &mut Table<'_>) -> Option<Workload> {
    let mcp_server = table.parsed("mcp_server", name);
    let certificates = table.set("certificates", |text| {
        text.parse::<CertificateName>().map(|certificate| certificate.to_string())
    });
    let enabled = table.flag("enabled", true);
    if certificates.len() > PROOFS_MAX {
        table.refuse_field("certificates", format!("at most {PROOFS_MAX}"));
    }
    if !enabled && !certificates.is_empty() {
        table.refuse_field("certificates", "a workload that is disabled has none: disabling ends them");
    }
    Some(Workload { mcp_server, certificates, enabled })
}

fn secret(file: &File, table: &mut Table<'_>) -> Option<SecretSource> {
    let not_empty = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty()).ok_or("a name");
    let path = table.parsed("client_secret_file", not_empty);
    let variable = table.parsed("client_secret_env", not_empty);
    if path.is_some() && variable.is_some() {
        table.refuse("client_secret_file or client_secret_env, and not both");
    }
    match (path, variable) {
        (Some(path), _) => {
            let place = table.at("client_secret_file");
            Some(SecretSource::File { path: file.folder().join(path), place })
        }
        (None, Some(name)) => Some(SecretSource::Variable { name, place: table.at("client_secret_env") }),
        (None, None) => None,
    }
}

/// A certificate stands for one workload.
fn certificates_once(wanted: &Wanted, problems: &mut Vec<Problem>) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, want) in &wanted.workloads {
        for certificate in &want.resource.certificates {
            if let Some(first) = owners.insert(certificate, name) {
                let why = format!(
                    "workload {name}: the certificate {certificate} stands for workload {first} already"
                );
                problems.push(want.at(&format!("certificates.{certificate}")).problem(why));
            }
        }
    }
}

/// The files, one after the other. Between two there is a line's end, so that they do not run into one another.
fn policies(files: &[File], problems: &mut Vec<Problem>) -> Option<Policies> {
    let place = files.first()?.place(0);
    let (mut text, mut parts) = (String::new(), Vec::new());
    for file in files {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&file.text);
        parts.push((file.place(0), file.text.clone()));
    }
    if text.len() > TEXT_LEN_MAX {
        problems.push(place.problem(format!("policies: longer than {TEXT_LEN_MAX} bytes together")));
    }
    Some(Policies { text, place, files: parts })
}

fn name(text: &str) -> Result<String, leasehold_domain::id::InvalidName> {
    Name::new(text).map(|name| name.to_string())
}

fn uri(text: &str) -> Result<String, leasehold_domain::text::InvalidText> {
    Uri::new(text).map(|uri| uri.to_string())
}

fn client_id(text: &str) -> Result<String, leasehold_domain::text::InvalidText> {
    Label::<256>::new(text).map(|id| id.to_string())
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
