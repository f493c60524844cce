//! Finds, in the sources, every type of the product whose fields hold a secret.

use std::{collections::BTreeSet, path::Path};

use leasehold_secrets::process;
use syn::{Fields, Item, Type};

/// Types that hold a secret only as the types of libraries that wipe and hide it. A field of one of these makes the type one that holds a secret.
const LEAVES: [&str; 4] = ["SecretString", "SecretBox", "SecretSlice", "Zeroizing"];
/// Types of ours, of names that no other crate uses, with the same meaning wherever they stand.
const OWN: [&str; 14] = [
    "KeyMaterial",
    "CipherKey",
    "KeyEncryptionKey",
    "Secret",
    "RootKey",
    "Keyring",
    "DataKey",
    "CredentialSecret",
    "CheckpointSigner",
    "Verifier",
    "TokenSet",
    "RawAnswer",
    "PendingSignIn",
    "UntrustedCallback",
];

/// A type that holds a secret.
pub(crate) struct Holder {
    pub(crate) crate_name: String,
    pub(crate) name: String,
    pub(crate) derives: BTreeSet<String>,
    pub(crate) public: bool,
    /// By which of its fields' types it was found.
    pub(crate) leaves: BTreeSet<String>,
    pub(crate) path: String,
}

/// Every type of the product whose fields hold a secret.
pub(crate) fn holders() -> Vec<Holder> {
    let crates = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates"));
    let mut holders = Vec::new();
    for entry in std::fs::read_dir(crates).unwrap() {
        let folder = entry.unwrap().path();
        let crate_name = folder.file_name().unwrap().to_string_lossy().into_owned();
        // It is the foreign system: its secrets are the test's.
        if crate_name == "sandbox" {
            continue;
        }
        for (path, bytes) in process::files(&folder.join("src")).unwrap() {
            let shown = path.strip_prefix(crates).unwrap_or(&path).display().to_string();
            let of_tests = ["_tests.rs", "/tests.rs", "/tests/", "/testing", "samples.rs"];
            if path.extension().is_none_or(|extension| extension != "rs")
                || of_tests.iter().any(|part| shown.contains(part))
            {
                continue;
            }
            let file = syn::parse_file(str::from_utf8(&bytes).unwrap()).unwrap();
            walk(&file.items, &crate_name, &shown, &mut holders);
        }
    }
    holders
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only structs, enums and modules hold anything")]
fn walk(items: &[Item], crate_name: &str, path: &str, holders: &mut Vec<Holder>) {
    for item in items {
        let (attributes, ident, visibility, fields): (_, _, _, Vec<&Fields>) = match item {
            Item::Struct(item) => (&item.attrs, &item.ident, &item.vis, vec![&item.fields]),
            Item::Enum(item) => {
                let fields = item.variants.iter().map(|variant| &variant.fields).collect();
                (&item.attrs, &item.ident, &item.vis, fields)
            }
            Item::Mod(inner) if !inner.attrs.iter().any(|attribute| attribute.path().is_ident("cfg")) => {
                if let Some((_, items)) = &inner.content {
                    walk(items, crate_name, path, holders);
                }
                continue;
            }
            _ => continue,
        };
        let mut named = BTreeSet::new();
        fields.iter().flat_map(|fields| fields.iter()).for_each(|field| names_in(&field.ty, &mut named));
        let leaves: BTreeSet<String> = named
            .into_iter()
            .filter(|name| LEAVES.contains(&name.as_str()) || OWN.contains(&name.as_str()))
            .collect();
        if !leaves.is_empty() {
            let mut derives = BTreeSet::new();
            for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
                let _ = attribute.parse_nested_meta(|meta| {
                    derives.extend(meta.path.segments.last().map(|segment| segment.ident.to_string()));
                    Ok(())
                });
            }
            holders.push(Holder {
                crate_name: crate_name.to_owned(),
                name: ident.to_string(),
                derives,
                public: matches!(visibility, syn::Visibility::Public(_)),
                leaves,
                path: path.to_owned(),
            });
        }
    }
}

/// The names of all types in a type.
#[expect(clippy::wildcard_enum_match_arm, reason = "other types have no names in them that matter")]
fn names_in(found: &Type, names: &mut BTreeSet<String>) {
    match found {
        Type::Path(path) => {
            for segment in &path.path.segments {
                names.insert(segment.ident.to_string());
                if let syn::PathArguments::AngleBracketed(arguments) = &segment.arguments {
                    for argument in &arguments.args {
                        if let syn::GenericArgument::Type(inner) = argument {
                            names_in(inner, names);
                        }
                    }
                }
            }
        }
        Type::Reference(inner) => names_in(&inner.elem, names),
        Type::Slice(inner) => names_in(&inner.elem, names),
        Type::Array(inner) => names_in(&inner.elem, names),
        Type::Tuple(inner) => inner.elems.iter().for_each(|inner| names_in(inner, names)),
        _ => {}
    }
}
