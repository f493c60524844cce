use leasehold_domain::actor::Proof;
use leasehold_port::Arrival;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::testing::{Known, workload};

const TRACE: TraceId = TraceId::from_bytes([3; 16]);
const CERTIFICATE: &[u8] = b"a certificate in DER form";

fn peer(certificate: Option<&[u8]>) -> Peer {
    let address = "192.0.2.7:4711".parse().unwrap();
    Peer::new(&Arrival::new(address, certificate.map(<[u8]>::to_vec), CancellationToken::new()))
}

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(AUTHORIZATION, value.parse().unwrap());
    }
    headers
}

fn identified(known: &Known, values: &[&str], certificate: Option<&[u8]>) -> Result<Caller, Unidentified> {
    let shown =
        Shown::take(&mut headers(values), &peer(certificate), TRACE).map_err(Unidentified::Unknown)?;
    shown.identify(known)
}

#[test]
fn a_credential_identifies_its_owner() {
    let known = Known::default();
    let text = known.credential(workload(1));
    let caller = identified(&known, &[&format!("Bearer {}", *text)], None).unwrap();
    assert_eq!(caller.actor.principal, workload(1));
    assert_eq!(caller.actor.origin.trace, Some(TRACE));
}

#[test]
fn nothing_malformed_and_unknown_are_told_apart_only_here() {
    let known = Known::default();
    let stranger = Known::default().credential(workload(1));
    let text = known.credential(workload(1));
    let (stranger, good) = (format!("Bearer {}", *stranger), format!("Bearer {}", *text));
    let cases: [(&[&str], Unknown); 6] = [
        (&[], Unknown::Missing),
        (&[""], Unknown::Malformed),
        (&["Basic YTpi"], Unknown::Malformed),
        (&["Bearer lh_wk_x"], Unknown::Malformed),
        (&[&good, &good], Unknown::Malformed),
        (&[&stranger], Unknown::Credential),
    ];
    for (values, why) in cases {
        assert_eq!(identified(&known, values, None).err(), Some(Unidentified::Unknown(why)), "{why}");
    }
}

#[test]
fn a_certificate_identifies_its_workload() {
    let known = Known::default();
    assert_eq!(
        identified(&known, &[], Some(CERTIFICATE)).err(),
        Some(Unidentified::Unknown(Unknown::Certificate))
    );
    known.certificate(CERTIFICATE, workload(2));
    let caller = identified(&known, &[], Some(CERTIFICATE)).unwrap();
    assert_eq!(caller.actor.principal, workload(2));
}

#[test]
fn a_credential_and_a_certificate_of_different_callers_identify_nobody() {
    let known = Known::default();
    let text = format!("Bearer {}", *known.credential(workload(1)));
    known.certificate(CERTIFICATE, workload(2));
    let refused = identified(&known, &[&text], Some(CERTIFICATE)).err();
    assert_eq!(refused, Some(Unidentified::Unknown(Unknown::Disagree)));
}

#[test]
fn of_two_proofs_of_one_caller_the_certificate_counts() {
    let known = Known::default();
    let text = format!("Bearer {}", *known.credential(workload(1)));
    known.certificate(CERTIFICATE, workload(1));
    let caller = identified(&known, &[&text], Some(CERTIFICATE)).unwrap();
    assert!(matches!(caller.actor.proof, Proof::Certificate(_)));
}

#[test]
fn a_certificate_of_nobody_does_not_spoil_a_credential_nor_save_a_bad_one() {
    let known = Known::default();
    let text = format!("Bearer {}", *known.credential(workload(1)));
    assert_eq!(identified(&known, &[&text], Some(CERTIFICATE)).unwrap().actor.principal, workload(1));
    known.certificate(CERTIFICATE, workload(1));
    known.retire_credentials();
    let refused = identified(&known, &[&text], Some(CERTIFICATE)).err();
    assert_eq!(refused, Some(Unidentified::Unknown(Unknown::Credential)));
}

#[test]
fn what_was_shown_is_judged_afresh_each_time() {
    let known = Known::default();
    let text = format!("Bearer {}", *known.credential(workload(1)));
    let shown = Shown::take(&mut headers(&[&text]), &peer(None), TRACE).unwrap();
    assert!(shown.identify(&known).is_ok());
    known.retire_credentials();
    assert_eq!(shown.identify(&known).err(), Some(Unidentified::Unknown(Unknown::Credential)));
}

#[test]
fn the_credential_is_gone_from_the_headers_afterwards() {
    let known = Known::default();
    let mut headers = headers(&[&format!("Bearer {}", *known.credential(workload(1)))]);
    Shown::take(&mut headers, &peer(None), TRACE).unwrap();
    assert!(headers.is_empty());
}
