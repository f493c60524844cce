//! Texts with a form: ids, names, scopes, URIs, credentials, notes, keys, policies.

use std::{fmt::Display, fs, os::unix::fs::PermissionsExt as _, str::FromStr};

use leasehold_domain::{
    id::{AuthorizationId, ConnectorId, GrantId, LeaseId, Name, OrganisationId, SubjectId, WorkloadId},
    scope::{Scope, ScopeSet},
    text::{Label, Uri},
};
use leasehold_fuzz::run;
use leasehold_identity::{caller::bearer, session::LocalPath};
use leasehold_policy::Engine;
use leasehold_upstream::resource::Resource;
use leasehold_vault::{
    CredentialSecret, KeyName, OsEntropy, RecoveryCopy, RootKey, RootKeySource, VerifierKey, verify_note,
};

use crate::tells_nothing;

/// What is read from a text prints as that text.
fn same<T: FromStr + Display>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        assert_eq!(read.to_string(), text);
    }
}

#[test]
fn ids_and_names_print_as_they_were_read() {
    run("ids", 20_000, |input| {
        let Ok(text) = str::from_utf8(input) else { return };
        same::<GrantId>(text);
        same::<LeaseId>(text);
        same::<SubjectId>(text);
        same::<WorkloadId>(text);
        same::<ConnectorId>(text);
        same::<OrganisationId>(text);
        same::<AuthorizationId>(text);
        same::<Name>(text);
        if Name::new(text).is_ok() {
            assert!((1..=Name::LEN_MAX).contains(&text.len()));
        }
    });
}

#[test]
fn scopes_stay_within_their_grammar_and_print_as_a_set() {
    run("scopes", 10_000, |input| {
        let Ok(text) = str::from_utf8(input) else { return };
        if let Ok(scope) = Scope::new(text) {
            assert_eq!(scope.as_str(), text);
            assert!(
                !text.is_empty()
                    && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
            );
        }
        if let Ok(set) = text.parse::<ScopeSet>() {
            let printed = set.to_string();
            assert_eq!(printed.parse::<ScopeSet>(), Ok(set.clone()), "a set prints as one that is equal");
            assert!(set.iter().zip(set.iter().skip(1)).all(|(one, next)| one < next));
        }
    });
}

#[test]
fn uris_and_labels_and_paths_are_kept_byte_for_byte() {
    run("uris", 10_000, |input| {
        let Ok(text) = str::from_utf8(input) else { return };
        if let Ok(uri) = Uri::new(text) {
            assert_eq!(uri.to_string(), text);
            assert!(text.len() <= Uri::LEN_MAX && text.is_ascii());
        }
        if let Ok(label) = Label::<64>::new(text) {
            assert_eq!(label.to_string(), text);
            assert!(!text.chars().any(char::is_control));
        }
        if let Ok(path) = LocalPath::new(text) {
            assert_eq!(path.as_str(), text);
            assert!(
                text.starts_with('/') && !text.starts_with("//") && !text.contains('\\'),
                "a path is this site's own"
            );
        }
        if let Ok(resource) = Resource::new(text) {
            let canonical = resource.as_str();
            assert_eq!(
                Resource::new(canonical).as_ref().map(Resource::as_str),
                Ok(canonical),
                "canonical once is canonical"
            );
            assert!(!canonical.contains('#') && canonical.starts_with("http"));
        }
    });
}

#[test]
fn credentials_are_their_one_text_or_refused_without_a_word_of_it() {
    run("credential", 20_000, |input| {
        if let Ok(text) = str::from_utf8(input) {
            match CredentialSecret::parse(text) {
                Ok(credential) => assert_eq!(credential.reveal().as_str(), text),
                Err(refusal) => tells_nothing(refusal),
            }
        }
        match bearer(input) {
            Ok(credential) => assert!(input.ends_with(credential.reveal().as_bytes())),
            Err(refusal) => tells_nothing(format!("{refusal:?} {refusal}")),
        }
    });
}

#[test]
fn a_root_key_is_one_line_with_one_key_or_refused_without_a_word_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.key");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let source = RootKeySource::File(path.clone());
    let organisation = OrganisationId::from_bytes([7; 16]);
    let genuine = leasehold_fuzz::corpus("root_key").remove("genuine").unwrap();
    let good = genuine.trim_ascii_end();
    run("root_key", 4_000, |input| {
        fs::write(&path, input).unwrap();
        match source.load() {
            Ok(key) => {
                // What is read is what stands there: the same key only from the same line.
                fs::write(&path, good).unwrap();
                let known = source.load().unwrap().check(organisation);
                assert_eq!(key.check(organisation) == known, input.trim_ascii_end() == good);
            }
            Err(refusal) => {
                let shown = format!("{refusal:?} {refusal}");
                tells_nothing(&shown);
                let secret = str::from_utf8(good).unwrap().rsplit(['-', '_', ':']).next().unwrap();
                assert!(!shown.contains(secret), "a key is told");
            }
        }
    });
}

#[test]
fn a_recovery_copy_that_is_read_is_one_that_would_be_written() {
    let key = RootKey::draw(&OsEntropy);
    run("recovery_copy", 10_000, |input| {
        let Ok(text) = str::from_utf8(input) else { return };
        match RecoveryCopy::parse(text) {
            Ok(copy) => {
                assert_eq!(RecoveryCopy::parse(&copy.to_text()).unwrap(), copy);
                assert!(copy.open(&key).is_err(), "a key opens a copy that was not made with it");
            }
            Err(refusal) => tells_nothing(refusal),
        }
    });
}

#[test]
fn a_note_is_believed_only_as_it_was_signed() {
    let corpus = leasehold_fuzz::corpus("note");
    let key: VerifierKey = str::from_utf8(&corpus["key"]).unwrap().trim_end().parse().unwrap();
    let genuine = str::from_utf8(&corpus["genuine"]).unwrap();
    let signed = verify_note(genuine, &key).unwrap();
    run("note", 10_000, |input| {
        let Ok(text) = str::from_utf8(input) else { return };
        if let Ok(found) = verify_note(text, &key) {
            assert_eq!(found, signed, "another text than the one that was signed");
        }
        same::<VerifierKey>(text);
        if let Ok(name) = KeyName::new(text) {
            assert_eq!(name.as_str(), text);
        }
    });
}

#[test]
fn policies_are_in_order_or_refused_and_what_is_in_order_makes_an_engine() {
    run("policy", 300, |input| {
        let Ok(text) = str::from_utf8(input) else { return };
        match Engine::check(text) {
            Ok(()) => assert_eq!(Engine::new(3, text).map(|engine| engine.version()).ok(), Some(3)),
            Err(refusal) => assert!(!refusal.to_string().is_empty()),
        }
    });
}
