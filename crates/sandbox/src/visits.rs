//! What an issuer remembers of browsers: who is signed in, and which authorization requests are under way.
//!
//! Both are found only by a random value in the browser's cookie; a transaction's id alone opens nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, header};

use crate::clock::Millis;
use crate::secret;

const KEPT_MAX: usize = 10_000;
const SESSION_TTL: Duration = Duration::from_secs(12 * 3600);
const TRANSACTION_TTL: Duration = Duration::from_secs(600);
/// Wrong passwords after which a transaction is given up.
const ATTEMPTS_MAX: u8 = 10;

/// Someone signed in on a browser.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) subject: String,
    pub(crate) signed_in_at: Millis,
}

/// An authorization request under way in one browser.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) id: String,
    pub(crate) browser: String,
    pub(crate) request: crate::authorize::Request,
    pub(crate) begun_at: Millis,
    attempts: u8,
}

#[derive(Debug)]
pub(crate) struct Visits {
    cookie: &'static str,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    sessions: BTreeMap<String, Session>,
    transactions: BTreeMap<String, Transaction>,
}

impl Visits {
    pub(crate) fn new(cookie: &'static str) -> Self {
        Self { cookie, kept: Mutex::default() }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The browser's random value, if it sent one.
    pub(crate) fn browser(&self, headers: &HeaderMap) -> Option<String> {
        let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        pairs
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, _)| *name == self.cookie)
            .map(|(_, value)| value.to_owned())
    }

    /// The `Set-Cookie` line for a browser value. Lax: the client's redirect to us must carry it.
    pub(crate) fn set_cookie(&self, browser: &str) -> String {
        format!("{}={browser}; Path=/; HttpOnly; SameSite=Lax", self.cookie)
    }

    pub(crate) fn session(&self, browser: &str, now: Millis) -> Option<Session> {
        let session = self.kept().sessions.get(browser).cloned()?;
        within(session.signed_in_at, SESSION_TTL, now).then_some(session)
    }

    /// Signs a browser in under a new value, so that one planted before is worth nothing, and moves the transaction there.
    pub(crate) fn sign_in(&self, subject: &str, transaction: &str, now: Millis) -> String {
        let browser = secret::random("");
        let mut kept = self.kept();
        make_room(&mut kept.sessions, |session| session.signed_in_at);
        kept.sessions.insert(browser.clone(), Session { subject: subject.to_owned(), signed_in_at: now });
        if let Some(transaction) = kept.transactions.get_mut(transaction) {
            transaction.browser.clone_from(&browser);
        }
        browser
    }

    pub(crate) fn sign_out(&self, browser: &str) {
        self.kept().sessions.remove(browser);
    }

    /// Ends every session of one person.
    pub(crate) fn sign_out_everywhere(&self, subject: &str) {
        self.kept().sessions.retain(|_, session| session.subject != subject);
    }

    pub(crate) fn begin(
        &self,
        browser: &str,
        request: crate::authorize::Request,
        now: Millis,
    ) -> Transaction {
        let transaction = Transaction {
            id: secret::random(""),
            browser: browser.to_owned(),
            request,
            begun_at: now,
            attempts: 0,
        };
        let mut kept = self.kept();
        make_room(&mut kept.transactions, |transaction| transaction.begun_at);
        kept.transactions.insert(transaction.id.clone(), transaction.clone());
        transaction
    }

    /// The transaction, if this browser began it and it is not too old.
    pub(crate) fn transaction(&self, id: &str, browser: &str, now: Millis) -> Option<Transaction> {
        let transaction = self.kept().transactions.get(id).cloned()?;
        let fresh = within(transaction.begun_at, TRANSACTION_TTL, now);
        (fresh && secret::same(&transaction.browser, browser)).then_some(transaction)
    }

    pub(crate) fn end(&self, id: &str) {
        self.kept().transactions.remove(id);
    }

    /// Counts a wrong password, and gives the transaction up after too many.
    pub(crate) fn failed(&self, id: &str) {
        let mut kept = self.kept();
        let spent = kept.transactions.get_mut(id).is_some_and(|transaction| {
            transaction.attempts = transaction.attempts.saturating_add(1);
            transaction.attempts >= ATTEMPTS_MAX
        });
        if spent {
            kept.transactions.remove(id);
        }
    }
}

fn within(since: Millis, ttl: Duration, now: Millis) -> bool {
    u128::from(now.saturating_sub(since)) < ttl.as_millis()
}

fn make_room<V>(kept: &mut BTreeMap<String, V>, age: impl Fn(&V) -> Millis) {
    if kept.len() >= KEPT_MAX {
        let oldest = kept.iter().min_by_key(|(_, value)| age(value)).map(|(id, _)| id.clone());
        if let Some(oldest) = oldest {
            kept.remove(&oldest);
        }
    }
}
