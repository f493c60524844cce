//! Authorization codes: 60 seconds, one use, bound to client, redirect URI and PKCE challenge (OAuth 2.1 section 4.1.2).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::authorize;
use crate::clock::Millis;
use crate::secret;

pub(crate) const CODE_TTL_MILLIS: Millis = 60_000;
const KEPT_MAX: usize = 10_000;

/// What a code stands for.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) client: String,
    pub(crate) subject: String,
    pub(crate) scope: Vec<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) resource: Vec<String>,
    pub(crate) signed_in_at: Millis,
    /// All tokens that stem from this code.
    pub(crate) family: String,
    pub(crate) expires_at: Millis,
    redirect_uri: String,
    challenge: String,
    spent: bool,
}

/// Why a code was not redeemed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CodeRefusal {
    Unknown,
    /// Of another client: nothing happens to it.
    NotYours,
    /// It was spent before; its family is named.
    Reused(String),
    Expired,
    /// The redirect URI or the verifier does not fit; the code is spent all the same.
    Mismatch(&'static str),
}

#[derive(Debug, Default)]
pub(crate) struct Codes(Mutex<BTreeMap<String, Code>>);

impl Codes {
    /// Issues a code and answers with it and what it stands for.
    pub(crate) fn issue(
        &self,
        request: &authorize::Request,
        subject: &str,
        signed_in_at: Millis,
        scope: Vec<String>,
        now: Millis,
    ) -> (String, Code) {
        let text = secret::random("sbx_code_");
        let code = Code {
            client: request.client.clone(),
            subject: subject.to_owned(),
            scope,
            nonce: request.nonce.clone(),
            resource: request.resource.clone(),
            signed_in_at,
            family: secret::name("fam_"),
            expires_at: now.saturating_add(CODE_TTL_MILLIS),
            redirect_uri: request.redirect_uri_text.clone(),
            challenge: request.challenge.clone(),
            spent: false,
        };
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if codes.len() >= KEPT_MAX {
            let oldest = codes.iter().min_by_key(|(_, code)| code.expires_at).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                codes.remove(&oldest);
            }
        }
        codes.insert(secret::fingerprint(&text), code.clone());
        (text, code)
    }

    pub(crate) fn find(&self, text: &str) -> Option<Code> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&secret::fingerprint(text)).cloned()
    }

    /// Spends a code.
    pub(crate) fn redeem(
        &self,
        text: &str,
        client: &str,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
        now: Millis,
    ) -> Result<Code, CodeRefusal> {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let code = codes.get_mut(&secret::fingerprint(text)).ok_or(CodeRefusal::Unknown)?;
        if code.client != client {
            return Err(CodeRefusal::NotYours);
        }
        if code.spent {
            return Err(CodeRefusal::Reused(code.family.clone()));
        }
        code.spent = true;
        if now >= code.expires_at {
            return Err(CodeRefusal::Expired);
        }
        if redirect_uri != Some(code.redirect_uri.as_str()) {
            return Err(CodeRefusal::Mismatch("redirect_uri differs from the authorization request"));
        }
        let fits = verifier.is_some_and(|verifier| {
            (43..=128).contains(&verifier.len()) && secret::same(&secret::s256(verifier), &code.challenge)
        });
        if !fits {
            return Err(CodeRefusal::Mismatch("code_verifier does not fit the challenge"));
        }
        Ok(code.clone())
    }
}

impl CodeRefusal {
    pub(crate) fn description(&self) -> &'static str {
        match self {
            Self::Unknown | Self::NotYours => "the code is unknown",
            Self::Reused(_) => "the code was used before",
            Self::Expired => "the code has expired",
            Self::Mismatch(description) => description,
        }
    }
}
