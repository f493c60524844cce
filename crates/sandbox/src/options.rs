//! What a sandbox is started with: ports, people, clients, scopes.

use std::net::{IpAddr, Ipv4Addr};

use secrecy::SecretString;

use crate::behaviour::Behaviour;

/// Everything `Sandbox::start` needs. Ports of 0 are ephemeral; the address must be loopback.
#[derive(Clone, Debug)]
pub struct Options {
    /// Loopback address of all three listeners. Default: 127.0.0.1.
    pub address: IpAddr,
    /// Default: 0.
    pub idp_port: u16,
    /// Default: 0.
    pub provider_port: u16,
    /// Default: 0.
    pub control_port: u16,
    /// Bearer secret of the control port. Default: none, 256 random bits are drawn.
    pub control_secret: Option<SecretString>,
    /// Who can sign in at the identity provider.
    pub people: Vec<Person>,
    /// Who has an account at the provider.
    pub accounts: Vec<Person>,
    /// Clients of the identity provider.
    pub idp_clients: Vec<Client>,
    /// Clients of the provider.
    pub provider_clients: Vec<Client>,
    /// Scopes of the provider; a request that names none asks for the first. Default: `files.read`, `files.write`,
    /// `profile`.
    pub scopes: Vec<Scope>,
    /// The identity provider's issuer as others reach it, where a TLS proxy stands in front of its port, such as
    /// `https://127.0.0.1:8443`. Default: none, `http://` and its own address.
    pub idp_issuer: Option<String>,
    /// The same for the provider's.
    pub provider_issuer: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            idp_port: 0,
            provider_port: 0,
            control_port: 0,
            control_secret: None,
            people: Vec::new(),
            accounts: Vec::new(),
            idp_clients: Vec::new(),
            provider_clients: Vec::new(),
            scopes: vec![
                Scope::new("files.read", "See your files"),
                Scope::new("files.write", "Add and change your files"),
                Scope::new("profile", "See your name and email address"),
            ],
            idp_issuer: None,
            provider_issuer: None,
        }
    }
}

/// Someone who can sign in. Two people may share an email address, never a username.
#[derive(Clone, Debug)]
pub struct Person {
    /// What is typed into the login page.
    pub username: String,
    /// Chosen by the caller.
    pub password: SecretString,
    /// Shown to clients as `email`.
    pub email: String,
    /// Shown to clients as `email_verified`. Default: true.
    pub email_verified: bool,
    /// Display name.
    pub name: String,
    /// The stable `sub` (identity provider) or account id (provider). Default: none, one is drawn at start.
    pub subject: Option<String>,
}

impl Person {
    /// Someone with a verified email address and a subject drawn at start.
    pub fn new(
        username: impl Into<String>,
        password: impl Into<SecretString>,
        email: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            username: username.into(),
            password: password.into(),
            email: email.into(),
            email_verified: true,
            name: name.into(),
            subject: None,
        }
    }

    /// The same person with a fixed subject, so that a restart keeps it.
    pub fn with_subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }
}

/// A client registration.
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// Shown on the consent page.
    pub name: String,
    /// All of them are valid, so that they can be rotated; none at all makes a public client.
    pub secrets: Vec<SecretString>,
    /// Matched byte by byte.
    pub redirect_uris: Vec<String>,
    /// Matched byte by byte; used by the identity provider only.
    pub post_logout_redirect_uris: Vec<String>,
    /// Used by the provider only.
    pub behaviour: Behaviour,
}

impl Client {
    /// A confidential client with one secret and one redirect URI.
    pub fn new(
        id: impl Into<String>,
        secret: impl Into<SecretString>,
        redirect_uri: impl Into<String>,
    ) -> Self {
        let id = id.into();
        Self {
            name: id.clone(),
            id,
            secrets: vec![secret.into()],
            redirect_uris: vec![redirect_uri.into()],
            post_logout_redirect_uris: Vec::new(),
            behaviour: Behaviour::default(),
        }
    }

    /// The same client, named for people.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The same client with one more redirect URI.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// The same client with one more post-logout redirect URI.
    pub fn post_logout_redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.post_logout_redirect_uris.push(uri.into());
        self
    }

    /// The same client, treated in this way by the provider.
    pub fn behaving(mut self, behaviour: Behaviour) -> Self {
        self.behaviour = behaviour;
        self
    }
}

/// A scope of the provider.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The token of RFC 6749 section 3.3.
    pub name: String,
    /// Shown on the consent page.
    pub description: String,
}

impl Scope {
    /// A scope with its line on the consent page.
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        Self { name: name.into(), description: description.into() }
    }
}
