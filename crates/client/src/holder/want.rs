//! What a holder is asked for, and the key under which it keeps the answer.

use std::time::Duration;

use aws_lc_rs::digest;
use leasehold_proto::v1::{AcquireRequest, acquire_request::ForSubject};
use secrecy::{ExposeSecret, SecretString};

use crate::client::seconds;

/// What somebody wants a token for.
#[derive(Debug, Clone)]
pub struct Want {
    /// The MCP server that the token is for: its name or id.
    pub mcp_server: String,
    /// The connector: its name or id.
    pub connector: String,
    /// Whose access it is.
    pub whose: Whose,
    /// The scopes that the token must carry; none means what the MCP server is registered as needing.
    pub scopes: Vec<String>,
    /// The account at the provider, where the subject has several; empty otherwise.
    pub account: String,
    /// How long the token must still live, in whole seconds. At most 30 minutes.
    pub min_validity: Duration,
    /// How long the lease may live before it is renewed, in whole seconds. The cluster's default, 5 minutes, where it is zero.
    pub ttl: Duration,
}

/// Whose access is wanted.
#[derive(Debug, Clone)]
pub enum Whose {
    /// A subject's id or user name, for which the caller vouches.
    Vouched(String),
    /// A token of the subject, addressed to the caller or its MCP server.
    Token(SecretString),
}

/// Two wants with the same key are answered by the same lease. A subject token stands here as its digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    mcp_server: String,
    connector: String,
    whose: Identity,
    scopes: Vec<String>,
    account: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Identity {
    Vouched(String),
    Token(Vec<u8>),
}

impl Want {
    /// Wants what the MCP server is registered as needing at the connector.
    pub fn new(mcp_server: impl Into<String>, connector: impl Into<String>, whose: Whose) -> Self {
        Self {
            mcp_server: mcp_server.into(),
            connector: connector.into(),
            whose,
            scopes: Vec::new(),
            account: String::new(),
            min_validity: Duration::ZERO,
            ttl: Duration::ZERO,
        }
    }

    /// Wants this scope too.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    pub(super) fn key(&self) -> Key {
        let mut scopes = self.scopes.clone();
        scopes.sort_unstable();
        scopes.dedup();
        let whose = match &self.whose {
            Whose::Vouched(subject) => Identity::Vouched(subject.clone()),
            Whose::Token(token) => {
                let token = token.expose_secret().as_bytes();
                Identity::Token(digest::digest(&digest::SHA256, token).as_ref().to_vec())
            }
        };
        Key {
            mcp_server: self.mcp_server.clone(),
            connector: self.connector.clone(),
            whose,
            scopes,
            account: self.account.clone(),
        }
    }

    pub(super) fn request(&self) -> AcquireRequest {
        let whose = match &self.whose {
            Whose::Vouched(subject) => ForSubject::Subject(subject.clone()),
            Whose::Token(token) => ForSubject::SubjectToken(token.expose_secret().to_owned()),
        };
        AcquireRequest {
            mcp_server: self.mcp_server.clone(),
            connector: self.connector.clone(),
            for_subject: Some(whose),
            scopes: self.scopes.clone(),
            account: self.account.clone(),
            min_validity_seconds: seconds(self.min_validity),
            ttl_seconds: seconds(self.ttl),
            request_id: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_scopes_does_not_make_another_want() {
        let want = Want::new("files", "sandbox", Whose::Vouched("alice".to_owned()));
        let one = want.clone().scope("a").scope("b").key();
        assert_eq!(one, want.clone().scope("b").scope("a").scope("b").key());
        assert_ne!(one, want.scope("a").key());
    }

    #[test]
    fn a_subject_token_is_kept_as_its_digest() {
        let token = |text: &str| Want::new("files", "sandbox", Whose::Token(text.into()));
        assert_eq!(token("eyJhbGciOi").key(), token("eyJhbGciOi").key());
        assert_ne!(token("eyJhbGciOi").key(), token("eyJhbGciOj").key());
        let printed = format!("{:?} {:?}", token("eyJhbGciOi"), token("eyJhbGciOi").key());
        assert!(!printed.contains("eyJhbGciOi"));
    }
}
