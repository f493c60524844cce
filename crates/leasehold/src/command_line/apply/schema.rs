//! What a file may say: every field of every kind, with an example that uses them all. `--schema` and `--example` print them.

use super::{
    super::{record::Record, view::List},
    resource::Kind,
};

/// An example of the tables: every field stands in it.
pub(super) const EXAMPLE: &str = include_str!("example.toml");

/// What a field is.
pub(super) struct Described {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    /// What can stand there.
    form: &'static str,
    /// What holds where it does not stand; `needed` where it has to.
    default: &'static str,
    /// Whether it can be changed once the resource exists.
    changes: bool,
    about: &'static str,
}

const fn described(
    kind: Kind,
    name: &'static str,
    form: &'static str,
    default: &'static str,
    changes: bool,
    about: &'static str,
) -> Described {
    Described { kind, name, form, default, changes, about }
}

const NAME: &str = "its name; what has another name is another thing";
const ENABLED: &str = "whether it may be used; disabling ends its leases";
const SECRET_FILE: &str =
    "a file with the client secret, relative to this file; read only where it is new or rotated";
const SECRET_ENV: &str = "the environment variable with the client secret, in place of a file";

/// Every field, by kind.
#[rustfmt::skip]
pub(super) const FIELDS: [Described; 30] = {
    use Kind::{Connector as C, IdentityProvider as I, McpServer as M, Workload as W};
    [
        described(I, "name", "text", "needed", false, NAME),
        described(I, "issuer", "URL", "needed", false, "its issuer, as its metadata says"),
        described(I, "client_id", "text", "needed", false, "the client id that it gave"),
        described(I, "client_secret_file", "path", "none", true, SECRET_FILE),
        described(I, "client_secret_env", "text", "none", true, SECRET_ENV),
        described(I, "join_claim", "sub, tid+oid", "sub", false, "the immutable claim that joins people"),
        described(I, "email_domains", "list", "none", false, "the email domains for which it is authoritative"),
        described(C, "name", "text", "needed", false, NAME),
        described(C, "provider", "text", "needed", false, "the catalogue's name of the provider: `leasehold provider list`"),
        described(C, "client_id", "text", "needed", false, "the client id that the provider gave"),
        described(C, "client_secret_file", "path", "none", true, SECRET_FILE),
        described(C, "client_secret_env", "text", "none", true, SECRET_ENV),
        described(C, "public_client", "true, false", "false", false, "that it has no client secret; a new connector has one or says this"),
        described(C, "issuer", "URL", "none", false, "the issuer whose metadata names the endpoints"),
        described(C, "authorization_endpoint", "URL", "none", false, "the authorization endpoint, where no metadata names it"),
        described(C, "token_endpoint", "URL", "none", false, "the token endpoint, where no metadata names it"),
        described(C, "revocation_endpoint", "URL", "none", false, "the revocation endpoint, where no metadata names it"),
        described(C, "account_endpoint", "URL", "none", false, "the endpoint that names the account, where no metadata names it"),
        described(C, "isolation", "shared, per_mcp_server", "shared", false, "whether one grant serves all MCP servers, or each has its own"),
        described(C, "exposure", "hand_out, inject_only", "hand_out", false, "whether workloads receive the tokens, or only gateways do"),
        described(C, "enabled", "true, false", "true", true, ENABLED),
        described(M, "name", "text", "needed", false, NAME),
        described(M, "resource", "URI", "needed", false, "its canonical resource URI (RFC 8707)"),
        described(M, "needs", "table of lists", "none", true, "the scopes that it needs at each connector; all of them"),
        described(M, "enabled", "true, false", "true", true, ENABLED),
        described(W, "name", "text", "needed", false, NAME),
        described(W, "mcp_server", "text", "none", false, "the MCP server that it is; a gateway where none is named"),
        described(W, "certificates", "list", "none", true, "SPIFFE ids or DNS names in certificates that stand for it, all of them; none while it is disabled"),
        described(W, "enabled", "true, false", "true", true, "whether it may ask; disabling ends its leases, credentials and certificates"),
        described(Kind::Policies, "*.cedar", "Cedar", "untouched", true, "all such files of the folder, in the order of their names, are the policy set"),
    ]
};

/// The fields as a list.
pub(super) fn list() -> List {
    let record = |field: &Described| {
        Record::default()
            .with("kind", field.kind.key())
            .with("field", field.name)
            .with("form", field.form)
            .with("default", field.default)
            .with("changes", field.changes)
            .with("about", field.about)
    };
    List {
        noun: "fields",
        columns: &["kind", "field", "form", "default", "changes", "about"],
        records: FIELDS.iter().map(record).collect(),
        as_of: None,
    }
}
