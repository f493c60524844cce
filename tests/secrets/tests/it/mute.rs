//! Types that hold secrets do not print, and where one must be printable it prints nothing of its secret.
//!
//! Two tests hold each other: one reads the sources and finds every type that holds a secret, so that a new one is on the list or fails; the other asks
//! the compiler what the types on the list can do, so that a derived `Debug` fails it. What a type may do besides being mute is said beside it.

use std::collections::{BTreeMap, BTreeSet};

use leasehold_client as client;
use leasehold_control as control;
use leasehold_identity as identity;
use leasehold_proto::v1;
use leasehold_upstream as upstream;
use leasehold_vault as vault;

use crate::holders::holders;

/// Whether a type has a trait: an inherent constant exists only where the bound holds, and hides the blanket one where it does.
macro_rules! has {
    ($type:ty: $bound:path) => {{
        trait Absent {
            const HAS: bool = false;
        }
        struct Ask<T: ?Sized>(std::marker::PhantomData<T>);
        impl<T: ?Sized> Absent for Ask<T> {}
        impl<T: ?Sized + $bound> Ask<T> {
            const HAS: bool = true;
        }
        let _ = <Ask<()> as Absent>::HAS;
        assert!(Ask::<u8>::HAS, "the question itself does not see {}", stringify!($bound));
        Ask::<$type>::HAS
    }};
}

/// What a type can do that could let a secret out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Can {
    /// `{:?}`. It must print nothing of the secret, which a test of its own shows.
    Debug,
    /// `{}`.
    Display,
    /// Being copied.
    Clone,
    /// `==`, which takes longer the more is equal.
    Compare,
    /// serde.
    Serialize,
    /// Standing in a `tracing` field.
    Trace,
}

macro_rules! table {
    ($($crate_name:literal: { $($type:ty => [$($may:ident),*]),+ $(,)? })+) => {
        /// Types that hold secrets: their crate and name, what they may do, and what they can.
        fn listed() -> Vec<(&'static str, String, BTreeSet<Can>, BTreeSet<Can>)> {
            vec![$($((
                $crate_name,
                name(stringify!($type)),
                BTreeSet::from([$(Can::$may),*]),
                [
                    (Can::Debug, has!($type: std::fmt::Debug)),
                    (Can::Display, has!($type: std::fmt::Display)),
                    (Can::Clone, has!($type: Clone)),
                    (Can::Compare, has!($type: PartialEq)),
                    (Can::Serialize, has!($type: serde::Serialize)),
                    (Can::Trace, has!($type: tracing::Value)),
                ]
                .into_iter()
                .filter_map(|(can, has)| has.then_some(can))
                .collect(),
            )),+),+]
        }
    };
}

table! {
    "vault": {
        vault::Secret => [],
        vault::RootKey => [],
        vault::Keyring => [],
        vault::DataKey => [],
        vault::CredentialSecret => [],
        vault::CheckpointSigner => [],
    }
    "upstream": {
        upstream::proof::Verifier => [Debug, Clone],
        upstream::client::Client => [Debug, Clone],
        upstream::client::Counterpart<'static> => [Debug, Clone],
        upstream::authorize::AuthorizeRequest<'static> => [],
        upstream::callback::Callback => [Debug],
        upstream::callback::Expectation<'static> => [Debug, Clone],
        upstream::callback::UntrustedCallback => [Debug],
        upstream::token::CodeExchange<'static> => [],
        upstream::token::Refresh<'static> => [],
        upstream::token::TokenSet => [Debug],
        upstream::account::AccountLookup<'static> => [],
        upstream::introspect::Introspection<'static> => [],
        upstream::revoke::Revocation<'static> => [],
        upstream::call::Call => [Debug],
        upstream::call::RawAnswer => [Debug],
        upstream::transport::ProxyCredentials => [Debug, Clone],
        upstream::transport::Request => [Debug],
        upstream::transport::Answer => [Debug],
        upstream::transport::Exchange => [Debug],
    }
    "identity": {
        identity::session::Session => [],
        identity::session::Standing => [],
        identity::sign_in::PendingSignIn => [],
        identity::subject_token::Presented<'static> => [],
    }
    "control": {
        control::Credentials => [],
        control::SubjectClaim => [Debug, Clone],
        control::Acquire => [Debug, Clone],
        control::Acquired => [],
        control::LeaseAnswer => [],
        control::ApprovedConsent => [],
        control::NewConnector => [],
        control::NewIdentityProvider => [],
        control::Keys => [],
        control::FormerKey => [],
        control::Replacement<'static> => [],
    }
    "client": {
        client::Endpoint => [Debug],
        client::Proof => [Debug],
        client::Whose => [Debug, Clone],
        client::Want => [Debug, Clone],
        client::Lease => [Debug],
        client::HeldLease => [Debug, Clone],
    }
    "leasehold": {
        leasehold::node::DevSecrets => [Clone],
        leasehold::node::Furnished => [],
        leasehold::command_line::profiles::Profile => [Debug],
        leasehold::node::NodeOptions => [],
    }
    "proto": {
        v1::AcquireRequest => [Debug, Clone, Compare],
        v1::Lease => [Debug, Clone, Compare],
        v1::CreateConnectorRequest => [Debug, Clone, Compare],
        v1::AddConnectorSecretRequest => [Debug, Clone, Compare],
        v1::RegisterIdentityProviderRequest => [Debug, Clone, Compare],
        v1::ReplaceIdentityProviderSecretRequest => [Debug, Clone, Compare],
        v1::AddWorkloadCredentialResponse => [Debug, Clone, Compare],
        v1::RedeemBootstrapResponse => [Debug, Clone, Compare],
        v1::RegisterAdministratorResponse => [Debug, Clone, Compare],
    }
}

/// The name alone: without its path and its lifetimes.
fn name(path: &str) -> String {
    let path = path.split('<').next().unwrap_or_default();
    path.rsplit("::").next().unwrap_or_default().trim().to_owned()
}

#[test]
fn the_question_whether_a_type_can_do_something_is_answered_rightly() {
    struct Nothing;
    let _ = Nothing;
    assert!(!has!(Nothing: std::fmt::Debug) && has!(String: std::fmt::Debug));
    assert!(!has!(Nothing: std::fmt::Display) && has!(String: std::fmt::Display));
    assert!(!has!(Nothing: Clone) && has!(String: Clone));
    assert!(!has!(Nothing: PartialEq) && has!(String: PartialEq));
    assert!(!has!(Nothing: serde::Serialize) && has!(String: serde::Serialize));
    assert!(!has!(Nothing: tracing::Value) && has!(String: tracing::Value));
}

#[test]
fn a_type_that_holds_a_secret_can_do_exactly_what_is_said_of_it() {
    for (crate_name, type_name, may, can) in listed() {
        assert_eq!(can, may, "{crate_name}::{type_name}");
        assert!(!can.contains(&Can::Display) && !can.contains(&Can::Serialize) && !can.contains(&Can::Trace));
    }
}

/// Types that nobody outside their crate can name, or that are listed above by another name: what they derive is read from the source.
const INSIDE: [(&str, &str, &[&str]); 17] = [
    ("vault", "KeyMaterial", &[]),
    ("vault", "CipherKey", &[]),
    ("vault", "KeyEncryptionKey", &[]),
    ("identity", "Basic", &[]),
    ("authserver", "Asked", &[]),
    ("authserver", "Parameters", &[]),
    ("control", "Parts", &[]),
    ("control", "Founding", &[]),
    ("control", "Kept", &[]),
    ("control", "Held", &[]),
    ("control", "ClearTokens", &[]),
    ("console", "Form", &[]),
    ("console", "StateCookie", &[]),
    ("leasehold", "Value", &[]),
    ("leasehold", "Call", &[]),
    ("leasehold", "Pems", &[]),
    ("leasehold", "Prepared", &[]),
];

#[test]
fn every_type_of_the_sources_that_holds_a_secret_is_listed() {
    let listed: BTreeSet<(String, String)> =
        listed().into_iter().map(|(crate_name, name, _, _)| (crate_name.to_owned(), name)).collect();
    let inside: BTreeMap<(&str, &str), &[&str]> =
        INSIDE.iter().map(|(crate_name, name, derives)| ((*crate_name, *name), *derives)).collect();
    let (mut seen, mut problems) = (BTreeSet::new(), Vec::new());
    for holder in holders() {
        let key = (holder.crate_name.clone(), holder.name.clone());
        seen.insert(key.clone());
        if holder.public && listed.contains(&key) {
            continue;
        }
        let let_out: BTreeSet<&str> = ["Debug", "Clone", "PartialEq", "Serialize", "Deserialize"]
            .into_iter()
            .filter(|derived| holder.derives.contains(*derived))
            .collect();
        let said = inside.get(&(holder.crate_name.as_str(), holder.name.as_str()));
        if said.is_none_or(|said| said.iter().copied().collect::<BTreeSet<_>>() != let_out) {
            problems.push(format!(
                "(\"{}\", \"{}\", &{:?}), of {:?} in {}",
                holder.crate_name, holder.name, let_out, holder.leaves, holder.path
            ));
        }
        // `Zeroizing` prints what it keeps.
        if holder.derives.contains("Debug") && holder.leaves.contains("Zeroizing") {
            problems.push(format!("{}::{} would print what it wipes", holder.crate_name, holder.name));
        }
    }
    let gone = inside
        .keys()
        .filter(|(crate_name, name)| !seen.contains(&((*crate_name).to_owned(), (*name).to_owned())));
    problems.extend(gone.map(|key| format!("{key:?} is listed, and holds no secret or is no more")));
    assert!(seen.len() > 40, "only {} types were found", seen.len());
    assert!(problems.is_empty(), "not listed, or not as listed:\n{}", problems.join("\n"));
}

#[test]
fn what_prints_at_all_prints_nothing_of_its_secret() {
    let secret = leasehold_secrets::canary::word();
    let text = || secret.clone();
    let string = || secrecy::SecretString::from(secret.clone());
    let mut printed = String::new();
    let mut print = |value: &dyn std::fmt::Debug| printed.push_str(&format!("{value:?}\n{value:#?}\n"));
    let lease = || v1::Lease { access_token: text(), ..v1::Lease::default() };
    print(&lease());
    print(&v1::AcquireResponse { outcome: Some(v1::acquire_response::Outcome::Lease(lease())) });
    let acquire = || v1::AcquireRequest {
        for_subject: Some(v1::acquire_request::ForSubject::SubjectToken(text())),
        ..v1::AcquireRequest::default()
    };
    print(&acquire());
    print(&v1::AcquireStreamRequest { tag: 1, acquire: Some(acquire()) });
    print(&v1::CreateConnectorRequest { client_secret: text(), ..v1::CreateConnectorRequest::default() });
    print(&v1::AddConnectorSecretRequest {
        client_secret: text(),
        ..v1::AddConnectorSecretRequest::default()
    });
    print(&v1::RegisterIdentityProviderRequest {
        client_secret: text(),
        ..v1::RegisterIdentityProviderRequest::default()
    });
    print(&v1::AddWorkloadCredentialResponse {
        secret: text(),
        ..v1::AddWorkloadCredentialResponse::default()
    });
    print(&v1::RedeemBootstrapResponse { secret: text(), ..v1::RedeemBootstrapResponse::default() });
    print(&v1::RegisterAdministratorResponse {
        secret: text(),
        ..v1::RegisterAdministratorResponse::default()
    });
    print(&control::SubjectClaim::Token(string(), identity::subject_token::Declared::IdToken));
    print(&client::Whose::Token(string()));
    print(&client::Want::new("files", "sandbox", client::Whose::Token(string())));
    let endpoint = |proof| client::Endpoint { address: "https://x.example".to_owned(), ca_pem: None, proof };
    print(&endpoint(client::Proof::Credential(string())));
    print(&endpoint(client::Proof::Certificate {
        chain_pem: Vec::new(),
        key_pem: secret.clone().into_bytes().into(),
    }));
    print(&leasehold::command_line::profiles::Profile {
        credential: Some(string()),
        ..leasehold::command_line::profiles::Profile::default()
    });
    let client = upstream::client::Client::new("an-id", vec![string()]).unwrap();
    print(&client);
    let answer = upstream::transport::Answer {
        status: 200,
        content_type: None,
        retry_after: None,
        body: secret.clone().into_bytes().into(),
        completeness: upstream::transport::Completeness::Whole,
    };
    print(&answer);
    print(&upstream::transport::Exchange::Answered(answer));
    let search = leasehold_secrets::search::Search::new(&[leasehold_secrets::canary::Canary::new(
        leasehold_secrets::input::Input::AccessToken,
        secret.as_bytes(),
    )])
    .unwrap();
    assert!(search.find(printed.as_bytes()).is_empty(), "a secret is printed");
    assert!(printed.contains("redacted") || printed.contains("REDACTED"), "{printed}");
    assert!(!search.find(format!("{:?}", secret.as_bytes()).as_bytes()).is_empty(), "it would not be seen");
}
