//! Whatever can be printed is printed here, out of keys and secrets that all consist of one telltale byte.

use std::fmt::Write as _;

use leasehold_domain::id::{ConnectorId, CredentialId, GrantId, OrganisationId, SecretId, SubjectId};
use leasehold_vault::{
    Binding, CheckpointSigner, CredentialKind, CredentialSecret, Entropy, Field, KeyName, Keyring, Owner,
    OwnerBinding, Purpose, RootKey, RootKeySource, Secret,
};

/// Draws the letter Z only.
struct Telltale;

impl Entropy for Telltale {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(b'Z');
    }
}

/// How a run of the telltale byte looks as text, in hexadecimal, in either base64, and as a list of numbers.
const TRACES: [&str; 4] = ["ZZZZ", "5a5a5a", "WlpaWl", "90, 90, 90"];

fn leaks(text: &str) -> bool {
    let lower = text.to_lowercase();
    TRACES.iter().any(|trace| text.contains(trace) || lower.contains(&trace.to_lowercase()))
}

#[test]
fn nothing_that_can_be_printed_shows_a_secret() {
    let organisation = OrganisationId::from_bytes([1; 16]);
    let (grant, connector) = (GrantId::from_bytes([2; 16]), ConnectorId::from_bytes([3; 16]));
    let token = Secret::copy_of(&[b'Z'; 64]).expect("short");
    let root = RootKey::draw(&Telltale);
    let (keyring, wrapped) = Keyring::generate(organisation, &root, &Telltale);
    let (key, wrapped_key) =
        keyring.draw_data_key(Purpose::AccessTokens, grant, &Telltale).expect("all purposes");
    let subject = SubjectId::from_bytes([4; 16]);
    let binding =
        Binding { organisation, subject, connector, grant, generation: 1, field: Field::AccessToken };
    let sealed = key.seal(&binding, &token, &Telltale).expect("the key fits");
    let owner = Owner::ClientSecret(connector, SecretId::from_bytes([5; 16]));
    let owned = OwnerBinding { organisation, owner };
    let credential =
        CredentialSecret::draw(CredentialKind::Workload, CredentialId::from_bytes([6; 16]), &Telltale);
    let name = KeyName::new("ledger.example").expect("a name");
    let (signer, sealed_signer) =
        CheckpointSigner::draw(name.clone(), 1, &keyring, &Telltale).expect("all purposes");
    let fingerprint = keyring.fingerprint(&token).expect("all purposes");

    let mut printed = String::new();
    let mut print =
        |value: &dyn std::fmt::Debug| writeln!(printed, "{value:?}\n{value:#?}").expect("a string grows");
    print(&root.check(organisation));
    print(&wrapped);
    print(&wrapped_key);
    print(&binding);
    print(&sealed);
    print(&owned);
    print(&keyring.seal(&owned, &token, &Telltale));
    print(&key.unseal(&Binding { generation: 2, ..binding }, &sealed).err());
    print(&keyring.unseal(&owned, &sealed).err());
    print(&credential.hash());
    print(&signer.verifier_key());
    print(&sealed_signer);
    print(&CheckpointSigner::open(name, 2, &keyring, &sealed_signer).err());
    print(&keyring.address_pseudonym([127, 0, 0, 1].into()));
    print(&(fingerprint, fingerprint.to_string()));
    assert!(!leaks(&printed), "{printed}");
    // The probe would see a leak: this is what one looks like.
    assert!(leaks(&format!("{:?}", token.expose())) && leaks(&credential.reveal()));
}

#[test]
fn no_error_repeats_what_could_not_be_read() {
    // A name of our own: a random one might look like a trace.
    let directory =
        tempfile::Builder::new().rand_bytes(0).prefix(&format!("leasehold-{}", std::process::id())).tempdir();
    let directory = directory.expect("a directory");
    let path = directory.path().join("root.key");
    drop(RootKey::create_file(&path, &Telltale).expect("a new file"));
    let mut line = std::fs::read(&path).expect("readable");
    line.extend_from_slice(b"ZZZZ");
    std::fs::write(&path, &line).expect("writable");
    let script = format!("cat {0}; cat {0}", path.display());
    let failing = format!("cat {}; exit 1", path.display());
    let shell = |script: String| RootKeySource::Command(vec!["sh".to_owned(), "-c".to_owned(), script]);
    for source in [RootKeySource::File(path), shell(script), shell(failing)] {
        let error = source.load().err().expect("the line is damaged");
        assert!(!leaks(&format!("{error} {error:?}")), "{error:?}");
    }
    let credential =
        CredentialSecret::parse("lh_wk_ZZZZZZZZZZZZZZZZZZZZZZZZZZ.ZZZZ").err().expect("malformed");
    assert!(!leaks(&format!("{credential} {credential:?}")));
    let too_long = Secret::copy_of(&[b'Z'; Secret::LEN_MAX + 1]).err().expect("too long");
    assert!(!leaks(&format!("{too_long} {too_long:?}")));
}
