//! Every way in which a secret enters or is made.
//!
//! Tests hold the list against the interface and the configuration: a field with a secret in it that stands nowhere here fails them.

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is described in `ALL`")]
pub enum Input {
    RootKey,
    TlsKey,
    WorkloadKey,
    ConnectorSecret,
    IdentityProviderSecret,
    BootstrapCredential,
    AdministratorCredential,
    WorkloadCredential,
    SubjectToken,
    AccessToken,
    RefreshToken,
    SignInAccessToken,
    IdToken,
    Code,
    Verifier,
    State,
    SessionCookie,
    StateCookie,
    FormToken,
    Password,
    ProvidersText,
    Reason,
    Misplaced,
}

/// What is known of a way in.
#[derive(Debug)]
pub struct Known {
    /// Which.
    pub input: Input,
    /// What comes in by it.
    pub name: &'static str,
    /// How it enters, or who makes it.
    pub how: &'static str,
    /// The fields of the gRPC interface that carry it: `Message.field`.
    pub fields: &'static [&'static str],
    /// The options of the configuration that lead to it.
    pub options: &'static [&'static str],
}

const fn known(
    input: Input,
    name: &'static str,
    how: &'static str,
    fields: &'static [&'static str],
    options: &'static [&'static str],
) -> Known {
    Known { input, name, how, fields, options }
}

/// All of them, in the order of the table.
pub const ALL: [Known; 23] = [
    known(
        Input::RootKey,
        "root key",
        "a file, a command or a variable that the configuration names",
        &[],
        &["root_key.file", "root_key.environment", "root_key.command"],
    ),
    known(
        Input::TlsKey,
        "private key of TLS",
        "a file that the configuration names",
        &[],
        &["tls.key_file", "console_tls.key_file"],
    ),
    known(Input::WorkloadKey, "private key of a workload", "stays with the workload", &[], &[]),
    known(
        Input::ConnectorSecret,
        "client secret of a connector",
        "gRPC; a file or a variable of the command line",
        &["CreateConnectorRequest.client_secret", "AddConnectorSecretRequest.client_secret"],
        &[],
    ),
    known(
        Input::IdentityProviderSecret,
        "client secret of an identity provider",
        "gRPC; a file or a variable of the command line",
        &[
            "RegisterIdentityProviderRequest.client_secret",
            "ReplaceIdentityProviderSecretRequest.client_secret",
        ],
        &[],
    ),
    known(
        Input::BootstrapCredential,
        "bootstrap credential",
        "drawn by the node, into a file of its user's",
        &[],
        &[],
    ),
    known(
        Input::AdministratorCredential,
        "credential of an administrator",
        "drawn by the node, shown once; on every call",
        &["RedeemBootstrapResponse.secret", "RegisterAdministratorResponse.secret"],
        &[],
    ),
    known(
        Input::WorkloadCredential,
        "credential of a workload",
        "drawn by the node, shown once; on every call",
        &["AddWorkloadCredentialResponse.secret"],
        &[],
    ),
    known(Input::SubjectToken, "subject token", "gRPC", &["AcquireRequest.subject_token"], &[]),
    known(
        Input::AccessToken,
        "access token of a provider",
        "a token endpoint's answer; handed out with a lease",
        &["Lease.access_token"],
        &[],
    ),
    known(Input::RefreshToken, "refresh token of a provider", "a token endpoint's answer", &[], &[]),
    known(Input::SignInAccessToken, "access token of a sign-in", "an identity provider's answer", &[], &[]),
    known(Input::IdToken, "id token", "an identity provider's answer", &[], &[]),
    known(Input::Code, "authorization code", "a callback", &[], &[]),
    known(Input::Verifier, "code verifier", "drawn by the node", &[], &[]),
    known(Input::State, "state and nonce", "drawn by the node, for a provider's URL", &[], &[]),
    known(Input::SessionCookie, "session cookie", "sealed by the node, for one browser", &[], &[]),
    known(Input::StateCookie, "state cookie", "sealed by the node, for one browser", &[], &[]),
    known(Input::FormToken, "form token (CSRF)", "drawn by the node, for the forms of one session", &[], &[]),
    known(Input::Password, "password of a person", "typed at the provider; never ours to see", &[], &[]),
    known(
        Input::ProvidersText,
        "free text of a provider, and challenges",
        "error texts; what a holder reports",
        &["ReportRejectedRequest.challenge"],
        &[],
    ),
    known(
        Input::Reason,
        "reason that an administrator writes",
        "gRPC; not a secret, kept out of lines",
        &["RevokeRequest.reason", "DisableSubjectRequest.reason"],
        &[],
    ),
    known(
        Input::Misplaced,
        "secret where none belongs",
        "any text field of any call, headers, paths",
        &[],
        &[],
    ),
];

/// Text fields whose names sound like secrets and are none, and why.
pub const NO_SECRETS: [(&str, &str); 13] = [
    ("GetCheckpointResponse.verifier", "a public key"),
    ("AddConnectorSecretResponse.secret", "the id of what was added"),
    ("Connector.secrets", "ids"),
    ("RetireConnectorSecretRequest.secret", "an id"),
    ("AddWorkloadCredentialResponse.credential", "the id of what was added"),
    ("Workload.credentials", "ids"),
    ("RetireWorkloadCredentialRequest.credential", "an id"),
    ("Lease.token_type", "a word such as Bearer"),
    ("Endpoints.token", "the URL of an endpoint"),
    ("StreamError.reason", "a stable code"),
    ("KeyStatusResponse.root_key_check", "a check value, which tells keys apart and nothing else"),
    ("GetWrappedKeysResponse.keys", "keys wrapped by the root key: ciphertext"),
    ("GetWrappedKeysResponse.root_key_check", "a check value, which tells keys apart and nothing else"),
];

/// Words of answers that say why, as stable codes: no free text.
pub const STABLE_REASONS: [&str; 3] =
    ["Grant.reason", "WaitAuthorizationResponse.reason", "LeaseEnded.reason"];

/// Options of the configuration that hold and lead to no secret.
pub const PLAIN_OPTIONS: [&str; 27] = [
    "data_dir",
    "node",
    "origin",
    "public_url",
    "grpc_address",
    "console_address",
    "console_behind_tls_proxy",
    "exchange_address",
    "operations_address",
    "providers_dir",
    "egress_allow",
    "egress_ca_file",
    "egress_proxy",
    "egress_proxy_hosts",
    "otlp_endpoint",
    "otlp_share_percent",
    "vouched_subjects_max",
    "drain_delay_seconds",
    "root_key",
    "previous_root_key",
    "recovery",
    "recovery.copy_file",
    "tls",
    "tls.certificate_file",
    "tls.client_ca_file",
    "console_tls",
    "console_tls.certificate_file",
];

/// Options that lead to a secret which is not planted here, and where it is looked for.
pub const ELSEWHERE: [(&str, &str); 5] = [
    ("egress_proxy_credentials_file", "crates/leasehold/tests/it/serve_egress.rs"),
    ("previous_root_key.file", "crates/leasehold/tests/it/serve_root_key.rs"),
    ("previous_root_key.environment", "crates/leasehold/tests/it/serve_root_key.rs"),
    ("previous_root_key.command", "crates/leasehold/tests/it/serve_root_key.rs"),
    ("recovery.key_file", "crates/leasehold/tests/it/serve_root_key.rs"),
];
