//! What `serve` is told, as a TOML file.
//!
//! `example.toml` beside this module is the reference: every option with its meaning, its default and its bounds. A test holds it to what is read
//! here. An unknown option is refused, and everything that is wrong is said at once.

mod options;

use std::{net::SocketAddr, ops::RangeInclusive, path::PathBuf};

use ipnet::IpNet;
use leasehold_upstream::transport::HostPattern;
use leasehold_vault::RootKeySource;
use url::Url;

pub use options::Finding;
use options::{Options, Read};

/// The commented sample that `leasehold serve --example-config` prints.
pub const EXAMPLE: &str = include_str!("config/example.toml");

/// For how many distinct subjects an hour one workload may vouch.
const VOUCHED_SUBJECTS: RangeInclusive<u64> = 1..=1_000_000;
/// How many of a hundred traces are sent.
const SHARE_PERCENT: RangeInclusive<u64> = 0..=100;
/// How long a node that stops still accepts, in seconds.
const DRAIN_DELAY_SECONDS: RangeInclusive<u64> = 0..=60;
/// What a table that says where a root key comes from has in it.
const ONE_SOURCE: &str = "it needs exactly one of file, environment and command";
/// The longest origin line, in bytes.
const ORIGIN_LEN_MAX: usize = 128;

/// The configuration of a node. `example.toml` says what each option means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the node keeps its data.
    pub data_dir: PathBuf,
    /// The node's number in its cluster.
    pub node: u64,
    /// The origin line of the ledger's checkpoints.
    pub origin: String,
    /// The address at which browsers reach this cluster.
    pub public_url: Url,
    /// Where the root key comes from.
    pub root_key: RootKeySource,
    /// Everything that has a default, or need not be there.
    pub options: Optional,
}

/// The options that a file can leave out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Optional {
    /// Where the root key before comes from, while it is replaced.
    pub previous_root_key: Option<RootKeySource>,
    /// What opens the keys when the root key is lost.
    pub recovery: Option<RecoveryFiles>,
    /// Where gRPC listens.
    pub grpc_address: SocketAddr,
    /// Certificates for gRPC.
    pub tls: Option<TlsFiles>,
    /// Where the browser pages listen.
    pub console_address: SocketAddr,
    /// Certificates for the browser pages.
    pub console_tls: Option<TlsFiles>,
    /// Whether a TLS proxy stands in front of the pages, so that they are served in clear at any address.
    pub console_behind_tls_proxy: bool,
    /// Where tokens are exchanged over HTTP.
    pub exchange_address: SocketAddr,
    /// Where `/metrics`, `/healthz` and `/readyz` listen.
    pub operations_address: SocketAddr,
    /// A folder with provider files.
    pub providers_dir: Option<PathBuf>,
    /// Address blocks that may be reached although they are not public.
    pub egress_allow: Vec<IpNet>,
    /// Certificate authorities for providers besides the platform's.
    pub egress_ca_file: Option<PathBuf>,
    /// A forward proxy.
    pub egress_proxy: Option<Url>,
    /// What the proxy asks for: a user name, a colon and a password.
    pub egress_proxy_credentials_file: Option<PathBuf>,
    /// Hosts that the proxy may be asked for unresolved.
    pub egress_proxy_hosts: Vec<HostPattern>,
    /// Where traces go.
    pub otlp_endpoint: Option<String>,
    /// How many of a hundred traces are sent there.
    pub otlp_share_percent: u64,
    /// For how many distinct subjects an hour one workload may vouch.
    pub vouched_subjects_max: usize,
    /// How long a node that stops still accepts, in seconds.
    pub drain_delay_seconds: u64,
}

/// Certificates of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, as PEM.
    pub certificate_file: PathBuf,
    /// Its key, as PEM.
    pub key_file: PathBuf,
    /// The authorities whose client certificates are verified, as PEM.
    pub client_ca_file: Option<PathBuf>,
}

/// A recovery copy and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryFiles {
    /// The copy.
    pub copy_file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
}

/// What a file says, as far as it can be read: what names other files is there even where something else is wrong, so that those can be
/// looked at in the same run.
#[derive(Debug)]
pub struct Parsed {
    /// The configuration, where nothing is wrong with it.
    pub config: Option<Config>,
    /// The data directory.
    pub data_dir: Option<PathBuf>,
    /// The node's number.
    pub node: u64,
    /// Where the root key comes from.
    pub root_key: Option<RootKeySource>,
    /// The rest.
    pub options: Optional,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Reads a configuration.
pub fn parse(text: &str) -> Parsed {
    let mut read = Read::default();
    let parsed = parse_into(text, &mut read);
    let findings = read.findings;
    Parsed { config: parsed.config.filter(|_| findings.is_empty()), findings, ..parsed }
}

fn parse_into(text: &str, read: &mut Read) -> Parsed {
    let mut file = Options::of(text, read);
    if !read.findings.is_empty() {
        // What follows a broken line would be called missing or unknown.
        let options = optional(&mut Options::of("", &mut Read::default()), &mut Read::default());
        return Parsed {
            config: None,
            data_dir: None,
            node: 1,
            root_key: None,
            options,
            findings: Vec::new(),
        };
    }
    let data_dir: Option<PathBuf> = file.required("data_dir", read);
    let node = file.within_or("node", 1, 1..=u64::MAX, read);
    let origin: Option<String> = file.required("origin", read);
    let public_url: Option<Url> = file.required("public_url", read);
    let root_key = root_key("root_key", &mut file, read);
    if root_key.is_none() && file.line("root_key").is_none() {
        read.find(None, "root_key", format!("is missing: {ONE_SOURCE}"));
    }
    let options = optional(&mut file, read);
    if let Some(origin) = &origin
        && (origin.len() > ORIGIN_LEN_MAX
            || origin.contains(|letter: char| letter.is_whitespace() || letter == '+'))
    {
        let problem = format!("it has {ORIGIN_LEN_MAX} bytes at most, and neither spaces nor pluses");
        read.find(file.line("origin"), "origin", problem);
    }
    if let Some(problem) = public_url.as_ref().and_then(|url| of_public_url(url, &options)) {
        read.find(file.line("public_url"), "public_url", problem);
    }
    if file.line("previous_root_key").is_some() && file.line("recovery").is_some() {
        let problem = "previous_root_key says already what opens the keys: leave one of them out";
        read.find(file.line("recovery"), "recovery", problem);
    }
    of_ports(&options, &file, read);
    of_proxy(&options, &file, read);
    file.end(read);
    let config = match (data_dir.clone(), origin, public_url, root_key.clone()) {
        (Some(data_dir), Some(origin), Some(public_url), Some(root_key)) => {
            Some(Config { data_dir, node, origin, public_url, root_key, options: options.clone() })
        }
        _ => None,
    };
    Parsed { config, data_dir, node, root_key, options, findings: Vec::new() }
}

fn optional(file: &mut Options<'_>, read: &mut Read) -> Optional {
    let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let vouched = file.within_or("vouched_subjects_max", 1000, VOUCHED_SUBJECTS, read);
    Optional {
        previous_root_key: root_key("previous_root_key", file, read),
        recovery: recovery(file, read),
        grpc_address: file.or("grpc_address", local(7400), read),
        tls: tls("tls", true, file, read),
        console_address: file.or("console_address", local(7401), read),
        console_tls: tls("console_tls", false, file, read),
        console_behind_tls_proxy: file.or("console_behind_tls_proxy", false, read),
        exchange_address: file.or("exchange_address", local(7403), read),
        operations_address: file.or("operations_address", local(7402), read),
        providers_dir: file.optional("providers_dir", read),
        egress_allow: file.or("egress_allow", Vec::new(), read),
        egress_ca_file: file.optional("egress_ca_file", read),
        egress_proxy: file.optional("egress_proxy", read),
        egress_proxy_credentials_file: file.optional("egress_proxy_credentials_file", read),
        egress_proxy_hosts: file.or("egress_proxy_hosts", Vec::new(), read),
        otlp_endpoint: file.optional("otlp_endpoint", read),
        otlp_share_percent: file.within_or("otlp_share_percent", 1, SHARE_PERCENT, read),
        vouched_subjects_max: usize::try_from(vouched).unwrap_or(usize::MAX),
        drain_delay_seconds: file.within_or("drain_delay_seconds", 2, DRAIN_DELAY_SECONDS, read),
    }
}

fn tls(name: &'static str, clients: bool, file: &mut Options<'_>, read: &mut Read) -> Option<TlsFiles> {
    let mut table = file.table(name, read)?;
    let certificate_file = table.required("certificate_file", read);
    let key_file = table.required("key_file", read);
    let client_ca_file = if clients { table.optional("client_ca_file", read) } else { None };
    table.end(read);
    Some(TlsFiles { certificate_file: certificate_file?, key_file: key_file?, client_ca_file })
}

fn recovery(file: &mut Options<'_>, read: &mut Read) -> Option<RecoveryFiles> {
    let mut table = file.table("recovery", read)?;
    let copy_file = table.required("copy_file", read);
    let key_file = table.required("key_file", read);
    table.end(read);
    Some(RecoveryFiles { copy_file: copy_file?, key_file: key_file? })
}

fn root_key(name: &'static str, file: &mut Options<'_>, read: &mut Read) -> Option<RootKeySource> {
    let mut table = file.table(name, read)?;
    let before = read.findings.len();
    let path = table.optional("file", read).map(RootKeySource::File);
    let variable = table.optional("environment", read).map(RootKeySource::Environment);
    let command = table.optional::<Vec<String>>("command", read).map(RootKeySource::Command);
    table.end(read);
    let mut named = [path, variable, command].into_iter().flatten();
    match (named.next(), named.next()) {
        (Some(RootKeySource::Command(argv)), None) if argv.is_empty() => {
            read.find(file.line(name), &format!("{name}.command"), "it is empty: it needs a program");
            None
        }
        (Some(source), None) => Some(source),
        // What cannot be read was found already.
        (None, _) if read.findings.len() > before => None,
        (None | Some(_), _) => {
            read.find(file.line(name), name, ONE_SOURCE);
            None
        }
    }
}

fn of_public_url(url: &Url, options: &Optional) -> Option<&'static str> {
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    match url.scheme() {
        "http" if options.console_tls.is_some() => Some("it is http, but console_tls serves https"),
        "https" | "http" if !bare => {
            Some("it has a scheme, a host and at most a port, and nothing after them")
        }
        "https" => None,
        "http" if local => None,
        _ => Some("it is https, or http on this very machine"),
    }
}

fn of_ports(options: &Optional, file: &Options<'_>, read: &mut Read) {
    let grpc = options.grpc_address;
    if !grpc.ip().is_loopback() && options.tls.is_none() && file.line("tls").is_none() {
        let problem = format!("{grpc} is reached by other machines, so gRPC needs certificates: set tls");
        read.find(file.line("grpc_address"), "grpc_address", problem);
    }
    let console = options.console_address;
    if options.console_tls.is_some() && options.console_behind_tls_proxy {
        let problem =
            "it says that a proxy serves TLS, and console_tls that the node does: leave one of them out";
        read.find(file.line("console_behind_tls_proxy"), "console_behind_tls_proxy", problem);
    } else if !console.ip().is_loopback()
        && !options.console_behind_tls_proxy
        && file.line("console_tls").is_none()
    {
        let problem = format!(
            "{console} is reached by other machines, so the pages need certificates: set console_tls, or console_behind_tls_proxy = true where a TLS proxy stands in front of them"
        );
        read.find(file.line("console_address"), "console_address", problem);
    }
    if !options.exchange_address.ip().is_loopback() {
        let problem = format!(
            "{} is reached by other machines, and tokens would go there in clear: it is a loopback address, with a TLS proxy in front of it for others",
            options.exchange_address
        );
        read.find(file.line("exchange_address"), "exchange_address", problem);
    }
    let ports = [
        ("grpc_address", grpc),
        ("console_address", console),
        ("exchange_address", options.exchange_address),
        ("operations_address", options.operations_address),
    ];
    for (at, (name, address)) in ports.iter().enumerate() {
        for (other, same) in
            ports.iter().take(at).filter(|(_, before)| before == address && before.port() != 0)
        {
            let line = file.line(name).or(file.line(other));
            read.find(line, name, format!("{same} is {other} already"));
        }
    }
}

fn of_proxy(options: &Optional, file: &Options<'_>, read: &mut Read) {
    let Some(proxy) = &options.egress_proxy else {
        let without = [
            ("egress_proxy_credentials_file", options.egress_proxy_credentials_file.is_some()),
            ("egress_proxy_hosts", !options.egress_proxy_hosts.is_empty()),
        ];
        for (name, _) in without.iter().filter(|(_, set)| *set && file.line("egress_proxy").is_none()) {
            read.find(file.line(name), name, "it says nothing without egress_proxy");
        }
        return;
    };
    let problem = if !proxy.username().is_empty() || proxy.password().is_some() {
        "credentials do not belong into the URL: put them into a file, and set egress_proxy_credentials_file"
    } else if !matches!(proxy.scheme(), "http" | "https") || proxy.host().is_none() {
        "it is of the form http://proxy.example:3128"
    } else if proxy.path() != "/" || proxy.query().is_some() || proxy.fragment().is_some() {
        "it has a scheme, a host and a port, and nothing after them"
    } else {
        return;
    };
    read.find(file.line("egress_proxy"), "egress_proxy", problem);
}

#[cfg(test)]
#[path = "config/config_tests.rs"]
mod tests;
