//! The little that the demonstration API keeps: files by account.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

const FILES_MAX: usize = 100;
const NAME_MAX: usize = 200;
const CONTENT_MAX: usize = 16 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) content: String,
}

#[derive(Debug, Default)]
pub(crate) struct Files(Mutex<BTreeMap<String, Vec<File>>>);

impl Files {
    /// The files of an account; a new account has one.
    pub(crate) fn of(&self, subject: &str) -> Vec<File> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.get(subject).cloned().unwrap_or_else(welcome)
    }

    /// Adds or replaces a file. Answers whether it was within the bounds.
    pub(crate) fn put(&self, subject: &str, file: File) -> bool {
        if file.name.is_empty() || file.name.len() > NAME_MAX || file.content.len() > CONTENT_MAX {
            return false;
        }
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = files.entry(subject.to_owned()).or_insert_with(welcome);
        own.retain(|known| known.name != file.name);
        let room = own.len() < FILES_MAX;
        if room {
            own.push(file);
        }
        room
    }
}

fn welcome() -> Vec<File> {
    vec![File { name: "welcome.txt".to_owned(), content: "A file in the sandbox.".to_owned() }]
}
