//! The provider catalogue: one TOML file a provider, compiled in, and replaced or added to by files of an operator's folder.
//!
//! Loading is all or nothing: one bad file and there is no catalogue, and the error names the file and the field.

mod check;
mod entry;
mod host;
mod template;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use leasehold_domain::id::Name;
use thiserror::Error;

pub use self::{
    entry::{
        AccountMethod, AccountRule, AccountSource, AuthorizeRule, ClassName, ClientAuth, DiscoveryKind,
        EmptyScope, EndpointRule, Entry, FailureName, FailureRule, IntrospectionRule, IssRule, Lifetimes,
        Limits, Pkce, Pointer, RefreshRule, ResourceLegs, RevocationKind, RevocationRule, Scalar,
        ScopeSeparator, Success, TokenRule, WithinLegs,
    },
    host::HostPattern,
    template::{Input, InputForm, Template, TemplateError},
};

/// The entries that are compiled in, by file name.
const BUILT_IN: [(&str, &str); 8] = [
    ("generic-oauth2.toml", include_str!("../providers/generic-oauth2.toml")),
    ("generic-oidc.toml", include_str!("../providers/generic-oidc.toml")),
    ("github.toml", include_str!("../providers/github.toml")),
    ("google.toml", include_str!("../providers/google.toml")),
    ("microsoft-entra.toml", include_str!("../providers/microsoft-entra.toml")),
    ("salesforce.toml", include_str!("../providers/salesforce.toml")),
    ("sandbox.toml", include_str!("../providers/sandbox.toml")),
    ("slack.toml", include_str!("../providers/slack.toml")),
];
/// The most bytes of a file.
const FILE_LEN_MAX: u64 = 64 * 1024;
/// The most files of a folder.
const FILES_MAX: usize = 2000;

/// A provider: its name, which is the name of its file, and its entry.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The name.
    pub name: Name,
    /// The entry.
    pub entry: Entry,
}

impl Provider {
    /// Reads one entry: `file` is the name of its file, `text` what stands there.
    ///
    /// # Errors
    /// [`CatalogueError`] for an entry that is not in order; it names the field.
    pub fn read(file: &str, text: &str) -> Result<Self, CatalogueError> {
        let name = file
            .strip_suffix(".toml")
            .and_then(|stem| Name::new(stem).ok())
            .ok_or_else(|| CatalogueError::FileName { file: file.to_owned() })?;
        let fault =
            |field: String, reason: String| CatalogueError::Field { file: file.to_owned(), field, reason };
        let document = toml::Deserializer::parse(text)
            .map_err(|error| fault(".".to_owned(), error.message().to_owned()))?;
        let entry: Entry = serde_path_to_error::deserialize(document)
            .map_err(|error| fault(error.path().to_string(), error.inner().message().to_owned()))?;
        check::check(&entry).map_err(|(field, reason)| fault(field, reason))?;
        Ok(Self { name, entry })
    }
}

/// Why there is no catalogue.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// The folder or a file in it cannot be read.
    #[error("reading {} failed", path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is larger than 64 KiB, or the folder has more than 2,000 of them.
    #[error("{} exceeds the bounds of a catalogue", path.display())]
    TooLarge {
        /// The folder or file.
        path: PathBuf,
    },
    /// The file is not named as a provider can be: a lower-case DNS label and `.toml`.
    #[error("{file} does not have the name of a provider and .toml")]
    FileName {
        /// The file.
        file: String,
    },
    /// A field is unknown, missing, of the wrong type or against a rule.
    #[error("{file}: {field}: {reason}")]
    Field {
        /// The file.
        file: String,
        /// The field's path in the file; `.` is the file as a whole.
        field: String,
        /// What is wrong.
        reason: String,
    },
}

/// All providers, by name.
#[derive(Debug, Clone)]
pub struct Catalogue {
    providers: BTreeMap<Name, Arc<Provider>>,
}

impl Catalogue {
    /// Loads the entries that are compiled in, and then those of `folder`: a file of the same name replaces an entry, another
    /// adds one. Files that do not end in `.toml` are not looked at.
    ///
    /// # Errors
    /// [`CatalogueError`] for the first file that is not in order; then nothing is loaded.
    pub fn load(folder: Option<&Path>) -> Result<Self, CatalogueError> {
        let mut providers = BTreeMap::new();
        for (file, text) in BUILT_IN {
            let provider = Provider::read(file, text)?;
            providers.insert(provider.name.clone(), Arc::new(provider));
        }
        for path in folder.map(files).transpose()?.unwrap_or_default() {
            let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let unreadable = |source| CatalogueError::Unreadable { path: path.clone(), source };
            if fs::metadata(&path).map_err(unreadable)?.len() > FILE_LEN_MAX {
                return Err(CatalogueError::TooLarge { path });
            }
            let provider = Provider::read(&file, &fs::read_to_string(&path).map_err(unreadable)?)?;
            providers.insert(provider.name.clone(), Arc::new(provider));
        }
        Ok(Self { providers })
    }

    /// The provider of that name.
    pub fn get(&self, name: &Name) -> Option<&Arc<Provider>> {
        self.providers.get(name)
    }

    /// All providers, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.values()
    }
}

/// The TOML files of a folder, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, CatalogueError> {
    let unreadable = |source| CatalogueError::Unreadable { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for file in fs::read_dir(folder).map_err(unreadable)? {
        let path = file.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
        if found.len() > FILES_MAX {
            return Err(CatalogueError::TooLarge { path: folder.to_owned() });
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
#[path = "catalogue/catalogue_tests.rs"]
pub(crate) mod tests;
