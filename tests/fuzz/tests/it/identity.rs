//! Everything that says who somebody is: subject tokens, cookies, certificates, an identity provider's metadata and keys.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use leasehold_domain::{
    id::{IdentityProviderId, Name, OrganisationId, SubjectId},
    identity_provider::{IdentityProvider, JoinClaim, Registration},
    state::State,
    text::{Label, Uri},
    time::Timestamp,
};
use leasehold_fuzz::{Draw, run};
use leasehold_identity::{
    caller::{by_certificate, certificate_fingerprint},
    metadata::Metadata,
    session::{COOKIE_LEN_MAX, Session, decode, encode},
    subject_token::{Declared, Presented},
};
use leasehold_upstream::transport::{Egress, Settings, Transport};
use leasehold_vault::{Entropy, Keyring, RootKey};

use crate::tells_nothing;

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// Bytes that are always the same.
struct Fixed(Mutex<Draw>);

impl Fixed {
    fn new() -> Self {
        Self(Mutex::new(Draw::new(1)))
    }
}

impl Entropy for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        let mut draw = self.0.lock().unwrap();
        bytes.iter_mut().for_each(|byte| *byte = draw.next().to_le_bytes()[0]);
    }
}

#[test]
fn a_subject_token_of_nobody_that_is_known_is_not_believed_and_not_repeated() {
    let state = State::default();
    run("subject_token", 20_000, |input| {
        let Ok(text) = str::from_utf8(input) else { return };
        let Err(refusal) = Presented::read(&state, text, Declared::IdToken) else {
            panic!("no issuer is known here")
        };
        tells_nothing(format!("{refusal:?} {refusal}"));
    });
}

#[test]
fn a_session_cookie_opens_only_as_it_was_sealed() {
    let entropy = Fixed::new();
    let root = RootKey::draw(&entropy);
    let (keyring, _) = Keyring::generate(OrganisationId::from_bytes([7; 16]), &root, &entropy);
    let provider = IdentityProviderId::from_bytes([2; 16]);
    let session = Session::signed_in(SubjectId::from_bytes([1; 16]), provider, 42, NOW, &entropy);
    let genuine = encode(&keyring, &session, &entropy).unwrap();
    assert!(decode(&keyring, &genuine, NOW).is_some());
    let seeds = leasehold_fuzz::corpus("session_cookie");
    let mut draw = Draw::new(3);
    let judge = |input: &[u8]| {
        let Ok(text) = str::from_utf8(input) else { return };
        let opened = decode(&keyring, text, NOW).is_some();
        assert_eq!(opened, text == genuine, "{text}");
        assert!(!opened || text.len() <= COOKIE_LEN_MAX);
    };
    // Its own neighbours, and whatever else a browser may send.
    for _ in 0..10_000 {
        let mut all: Vec<&[u8]> = seeds.values().map(Vec::as_slice).collect();
        all.push(genuine.as_bytes());
        judge(&leasehold_fuzz::mutate(&all, &mut draw));
    }
    run("session_cookie", 2_000, judge);
}

#[test]
fn a_certificate_stands_for_nobody_where_nobody_has_one() {
    let state = State::default();
    run("certificate", 20_000, |input| {
        let Err(refusal) = by_certificate(&state, NOW, input) else {
            panic!("no workload has a certificate")
        };
        tells_nothing(format!("{refusal:?} {refusal}"));
        assert_eq!(certificate_fingerprint(input), certificate_fingerprint(input));
    });
}

/// What a server answers: its metadata and its keys.
type Served = Arc<Mutex<(Vec<u8>, Vec<u8>)>>;

/// A server that answers every request with what stands in the slot for its path: metadata, or else keys.
fn server() -> (u16, Served) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let slot = Arc::new(Mutex::new((Vec::new(), Vec::new())));
    let answers = Arc::clone(&slot);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                head.push(byte[0]);
            }
            let body = {
                let slot = answers.lock().unwrap();
                if head.starts_with(b"GET /.well-known/") { slot.0.clone() } else { slot.1.clone() }
            };
            let said = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            // Who asked may be gone.
            drop(stream.write_all(&[said.as_bytes(), &body].concat()));
        }
    });
    (port, slot)
}

#[test]
fn an_identity_providers_metadata_and_keys_are_usable_or_refused() {
    let (port, slot) = server();
    let issuer = format!("http://127.0.0.1:{port}");
    let provider = IdentityProvider {
        id: IdentityProviderId::from_bytes([2; 16]),
        registration: Registration {
            name: Name::new("idp").unwrap(),
            issuer: Uri::new(&issuer).unwrap(),
            client_id: Label::new("leasehold").unwrap(),
            join_claim: JoinClaim::Sub,
            email_domains: Vec::new(),
        },
        revision: 1,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    install_crypto();
    let transport = Transport::new(Settings {
        egress: Egress { allow_loopback: true, ..Egress::default() },
        ..Settings::default()
    })
    .unwrap();
    run("identity_metadata", 600, |input| {
        let parts: Vec<&[u8]> = input.splitn(2, |byte| *byte == b'\n').collect();
        let metadata = String::from_utf8_lossy(parts[0]).replace("{issuer}", &issuer);
        *slot.lock().unwrap() =
            (metadata.into_bytes(), parts.get(1).map(|keys| keys.to_vec()).unwrap_or_default());
        match runtime.block_on(Metadata::fetch(&transport, &provider)) {
            Ok(found) => assert_eq!(found.issuer().as_str(), issuer),
            Err(refusal) => tells_nothing(format!("{refusal:?} {refusal}")),
        }
    });
}

fn install_crypto() {
    // Another test of this process may have been first.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
}
