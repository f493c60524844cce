//! The list of inputs, held against the interface and the configuration: what is new there and not listed here fails.

use std::collections::BTreeSet;

use leasehold_secrets::{bad_calls::Interface, input};
use prost_types::field_descriptor_proto::Type;

/// Words in the names of fields that sound like secrets, or like what people write freely.
const SOUNDS: [&str; 12] = [
    "secret",
    "token",
    "password",
    "credential",
    "key",
    "cookie",
    "code",
    "verifier",
    "challenge",
    "reason",
    "note",
    "comment",
];

fn source(path: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    std::fs::read_to_string(format!("{root}{path}")).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The messages that `crates/proto/build.rs` keeps from printing.
fn kept_from_printing() -> BTreeSet<String> {
    let build = source("crates/proto/build.rs");
    let list = build.split("const SECRET").nth(1).unwrap().split("];").next().unwrap();
    let names: BTreeSet<String> =
        list.split('"').filter_map(|part| part.strip_prefix(".leasehold.v1.")).map(str::to_owned).collect();
    assert!(names.len() > 5, "{names:?}");
    names
}

fn fields_with_secrets() -> BTreeSet<&'static str> {
    input::ALL.iter().flat_map(|known| known.fields).copied().collect()
}

#[test]
fn every_message_that_is_kept_from_printing_has_a_listed_field_and_the_reverse() {
    let listed: BTreeSet<String> =
        fields_with_secrets().iter().map(|field| field.split('.').next().unwrap().to_owned()).collect();
    let printing: BTreeSet<String> = listed.symmetric_difference(&kept_from_printing()).cloned().collect();
    // Free text of administrators and holders: kept out of every line, and no secret in itself.
    let free_text = ["DisableSubjectRequest", "ReportRejectedRequest", "RevokeRequest"].map(str::to_owned);
    assert_eq!(printing, BTreeSet::from(free_text));
}

#[test]
fn every_text_field_that_sounds_like_a_secret_is_listed_or_said_to_be_none() {
    let none: BTreeSet<&str> =
        input::NO_SECRETS.iter().map(|(field, _)| *field).chain(input::STABLE_REASONS).collect();
    let listed = fields_with_secrets();
    let (mut seen, mut unlisted) = (BTreeSet::new(), Vec::new());
    for (_, message) in Interface::read().unwrap().messages() {
        for field in &message.field {
            let name = format!("{}.{}", message.name(), field.name());
            let sounds = SOUNDS.iter().any(|word| field.name().contains(word));
            let text = matches!(field.r#type(), Type::String | Type::Bytes);
            if text && sounds && !listed.contains(name.as_str()) && !none.contains(name.as_str()) {
                unlisted.push(name.clone());
            }
            seen.insert(name);
        }
    }
    assert!(unlisted.is_empty(), "neither listed inputs nor said to be none: {unlisted:?}");
    for name in listed.iter().chain(&none) {
        assert!(seen.contains(*name), "{name} is listed, and there is no such field");
    }
}

#[test]
fn every_option_of_the_configuration_is_listed_or_said_to_be_plain() {
    let known: BTreeSet<String> = input::ALL
        .iter()
        .flat_map(|known| known.options)
        .chain(&input::PLAIN_OPTIONS)
        .chain(input::ELSEWHERE.iter().map(|(option, _)| option))
        .map(|option| (*option).to_owned())
        .collect();
    // A test of the configuration's own holds its example to be complete.
    let (mut options, mut table) = (BTreeSet::new(), String::new());
    for line in leasehold::node::config::EXAMPLE.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            options.insert(name.to_owned());
            table = format!("{name}.");
        } else if let Some((name, _)) = line.split_once(" = ")
            && name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
        {
            options.insert(format!("{table}{name}"));
        }
    }
    assert_eq!(options, known);
}

#[test]
fn no_argument_of_the_command_line_takes_a_secret_itself() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/leasehold/src/command_line");
    let mut looked_at = 0;
    for (path, bytes) in leasehold_secrets::process::files(std::path::Path::new(folder)).unwrap() {
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for item in file.items {
            let syn::Item::Struct(arguments) = item else { continue };
            if !arguments.ident.to_string().ends_with("Args")
                && arguments.ident != "ClientSecret"
                && arguments.ident != "Whose"
            {
                continue;
            }
            for field in &arguments.fields {
                let Some(name) = field.ident.as_ref().map(ToString::to_string) else { continue };
                looked_at += 1;
                let sounds =
                    ["secret", "token", "password", "key", "code"].iter().any(|word| name.contains(word));
                let names_where =
                    ["_file", "_out", "_env", "_endpoint"].iter().any(|end| name.ends_with(end));
                // An id, as the help says.
                let id = arguments.ident == "RetireSecretArgs" || arguments.ident == "RetireCredentialArgs";
                let process = name == "exit_code";
                let flattened =
                    matches!(&field.ty, syn::Type::Path(path) if path.path.is_ident("ClientSecret"));
                assert!(
                    !sounds || names_where || id || process || flattened,
                    "{}: {}.{name} would take a secret as an argument",
                    path.display(),
                    arguments.ident
                );
            }
        }
    }
    assert!(looked_at > 40, "only {looked_at} arguments were found");
}
