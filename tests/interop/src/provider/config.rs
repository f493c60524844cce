//! Who the provider knows, and what it allows. No `Debug`, no `Serialize`: these hold passwords.

use serde_json::{Value, json};

/// Everything one provider is started with.
#[derive(Clone)]
pub struct ProviderConfig {
    /// The loopback port, or 0 for any.
    pub port: u16,
    /// How long access tokens live, in seconds; at least 1.
    pub access_token_seconds: u32,
    /// The scopes beside `openid`, `offline_access`, `email` and `profile`.
    pub scopes: Vec<String>,
    /// What an authorization request without a scope is taken to ask for. Without it, such a request ends in
    /// `access_denied`.
    pub default_scope: Option<String>,
    /// The OAuth clients.
    pub clients: Vec<Client>,
    /// The people who can sign in.
    pub accounts: Vec<Account>,
}

impl ProviderConfig {
    /// Any port, access tokens of a minute, the scopes `files.read` and `files.write`, no default scope.
    #[must_use]
    pub fn new(clients: Vec<Client>, accounts: Vec<Account>) -> Self {
        Self {
            port: 0,
            access_token_seconds: 60,
            scopes: vec!["files.read".to_owned(), "files.write".to_owned()],
            default_scope: None,
            clients,
            accounts,
        }
    }

    pub(super) fn document(&self, admin_secret: &str) -> Value {
        json!({
            "port": self.port,
            "admin_secret": admin_secret,
            "access_token_seconds": self.access_token_seconds,
            "scopes": self.scopes,
            "default_scope": self.default_scope,
            "clients": self.clients.iter().map(Client::document).collect::<Vec<_>>(),
            "accounts": self.accounts.iter().map(Account::document).collect::<Vec<_>>(),
        })
    }
}

/// An OAuth client. Authenticates by `client_secret_basic`; `client_secret_post` is not accepted.
#[derive(Clone)]
pub struct Client {
    /// The client id.
    pub id: String,
    /// The secret; none makes a public client.
    pub secret: Option<String>,
    /// Where authorizations may be sent to, exactly.
    pub redirect_uris: Vec<String>,
    /// `authorization_code`, `refresh_token`, `client_credentials`.
    pub grant_types: Vec<String>,
}

impl Client {
    /// A confidential client for authorization codes and refresh tokens.
    #[must_use]
    pub fn web(id: &str, secret: &str, redirect_uri: &str) -> Self {
        Self {
            id: id.to_owned(),
            secret: Some(secret.to_owned()),
            redirect_uris: vec![redirect_uri.to_owned()],
            grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
        }
    }

    /// A confidential client for client credentials; it can introspect tokens as a resource server does.
    #[must_use]
    pub fn service(id: &str, secret: &str) -> Self {
        Self {
            id: id.to_owned(),
            secret: Some(secret.to_owned()),
            redirect_uris: Vec::new(),
            grant_types: vec!["client_credentials".to_owned()],
        }
    }

    fn document(&self) -> Value {
        json!({
            "id": self.id,
            "secret": self.secret,
            "redirect_uris": self.redirect_uris,
            "grant_types": self.grant_types,
        })
    }
}

/// A person who can sign in.
#[derive(Clone)]
pub struct Account {
    /// The `sub` of their tokens.
    pub subject: String,
    /// What they type, also their `preferred_username`.
    pub login: String,
    /// Their password.
    pub password: String,
    /// Their `email`, always verified.
    pub email: String,
    /// Their `name`.
    pub name: String,
}

impl Account {
    /// `login` with subject `sub-LOGIN`, mail address `LOGIN@example.test`, and their login as name.
    #[must_use]
    pub fn new(login: &str, password: &str) -> Self {
        Self {
            subject: format!("sub-{login}"),
            login: login.to_owned(),
            password: password.to_owned(),
            email: format!("{login}@example.test"),
            name: login.to_owned(),
        }
    }

    fn document(&self) -> Value {
        json!({
            "subject": self.subject,
            "login": self.login,
            "password": self.password,
            "email": self.email,
            "name": self.name,
        })
    }
}
