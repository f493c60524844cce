//! Who can sign in at one issuer: usernames, passwords, stable subjects.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::ExposeSecret as _;

use crate::options::Person;
use crate::secret;

const PEOPLE_MAX: usize = 10_000;

/// A person with the subject that clients know them by.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) subject: String,
    pub(crate) person: Person,
}

#[derive(Debug, Default)]
pub(crate) struct People(Mutex<BTreeMap<String, Arc<Account>>>);

/// Why someone could not be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddPersonError {
    /// Usernames are unique; email addresses are not.
    #[error("the username is taken")]
    UsernameTaken,
    /// A subject stands for one person for ever.
    #[error("the subject is taken")]
    SubjectTaken,
    /// The directory holds ten thousand people.
    #[error("there is no room for another person")]
    Full,
}

impl People {
    /// Adds someone and answers with their subject.
    pub(crate) fn add(&self, person: Person) -> Result<String, AddPersonError> {
        let mut people = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if people.contains_key(&person.username) {
            return Err(AddPersonError::UsernameTaken);
        }
        if people.len() >= PEOPLE_MAX {
            return Err(AddPersonError::Full);
        }
        let subject = person.subject.clone().unwrap_or_else(|| secret::name("u_"));
        if people.values().any(|known| known.subject == subject) {
            return Err(AddPersonError::SubjectTaken);
        }
        people.insert(person.username.clone(), Arc::new(Account { subject: subject.clone(), person }));
        Ok(subject)
    }

    pub(crate) fn named(&self, username: &str) -> Option<Arc<Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(username).cloned()
    }

    pub(crate) fn of_subject(&self, subject: &str) -> Option<Arc<Account>> {
        let people = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        people.values().find(|account| account.subject == subject).cloned()
    }

    pub(crate) fn sign_in(&self, username: &str, password: &str) -> Option<Arc<Account>> {
        let account = self.named(username)?;
        secret::same(account.person.password.expose_secret(), password).then_some(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_people_may_share_an_email_address_but_not_a_username() {
        let people = People::default();
        let one = people.add(Person::new("ann", "first", "team@example.test", "Ann")).unwrap();
        let two = people.add(Person::new("bob", "second", "team@example.test", "Bob")).unwrap();
        assert_ne!(one, two);
        let again = people.add(Person::new("ann", "third", "other@example.test", "Ann"));
        assert_eq!(again, Err(AddPersonError::UsernameTaken));
    }

    #[test]
    fn only_the_right_password_signs_in() {
        let people = People::default();
        people.add(Person::new("ann", "first", "ann@example.test", "Ann")).unwrap();
        assert!(people.sign_in("ann", "first").is_some());
        assert!(people.sign_in("ann", "second").is_none());
        assert!(people.sign_in("eve", "first").is_none());
    }
}
