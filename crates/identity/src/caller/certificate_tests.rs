use leasehold_domain::{
    id::Name,
    workload::{Kind, Workload},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, SanType, string::Ia5String};

use super::*;

const GATEWAY: WorkloadId = WorkloadId::from_bytes([1; 16]);
const OTHER: WorkloadId = WorkloadId::from_bytes([2; 16]);
const SPIFFE: &str = "spiffe://corp.example/gateway";
/// 2030-01-01, inside the validity of what [`params`] makes.
const NOW: Timestamp = Timestamp::from_millis(1_893_456_000_000);

fn uri(text: &str) -> SanType {
    SanType::URI(Ia5String::try_from(text).unwrap())
}

fn dns(text: &str) -> SanType {
    SanType::DnsName(Ia5String::try_from(text).unwrap())
}

fn params(names: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2029, 1, 1);
    params.not_after = rcgen::date_time_ymd(2031, 1, 1);
    params.subject_alt_names = names;
    params
}

fn der_of(params: CertificateParams) -> Vec<u8> {
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn der(names: Vec<SanType>) -> Vec<u8> {
    der_of(params(names))
}

fn spiffe_name(text: &str) -> CertificateName {
    CertificateName::Spiffe(Label::new(text).unwrap())
}

fn dns_name(text: &str) -> CertificateName {
    CertificateName::Dns(Label::new(text).unwrap())
}

fn state(registered: &[(CertificateName, WorkloadId)]) -> State {
    let mut state = State::default();
    for (id, name) in [(GATEWAY, "gateway"), (OTHER, "other")] {
        let name = Name::new(name).unwrap();
        state.put_workload(Workload { id, name, kind: Kind::Gateway, enabled: true, revision: 1 });
    }
    for (name, id) in registered {
        state.certificates.put(name.clone(), *id);
    }
    state
}

fn found(state: &State, der: &[u8]) -> Result<WorkloadId, Refused> {
    by_certificate(state, NOW, der).map(|(principal, proof)| {
        assert_eq!(proof, Proof::Certificate(certificate_fingerprint(der)));
        let Principal::Workload(id) = principal else { panic!("{principal:?} is no workload") };
        id
    })
}

#[test]
fn a_registered_spiffe_id_or_dns_name_stands_for_its_workload() {
    let state = state(&[(spiffe_name(SPIFFE), GATEWAY), (dns_name("gw.corp.example"), OTHER)]);
    assert_eq!(found(&state, &der(vec![uri(SPIFFE)])), Ok(GATEWAY));
    assert_eq!(found(&state, &der(vec![dns("GW.corp.Example")])), Ok(OTHER));
    assert_eq!(found(&state, &der(vec![uri(SPIFFE), dns("unregistered.example")])), Ok(GATEWAY));
}

#[test]
fn the_common_name_stands_for_nobody() {
    let state = state(&[(dns_name("gw.corp.example"), GATEWAY)]);
    let mut named = params(vec![]);
    named.distinguished_name.push(DnType::CommonName, "gw.corp.example");
    assert_eq!(found(&state, &der_of(named)), Err(Refused::Unknown));
}

#[test]
fn names_of_two_workloads_in_one_certificate_are_ambiguous_and_two_of_one_are_not() {
    let state = state(&[
        (spiffe_name(SPIFFE), GATEWAY),
        (dns_name("gw.corp.example"), GATEWAY),
        (dns_name("other.corp.example"), OTHER),
    ]);
    let one = vec![uri(SPIFFE), dns("gw.corp.example")];
    assert_eq!(found(&state, &der(one)), Ok(GATEWAY));
    let two = vec![uri(SPIFFE), dns("other.corp.example")];
    assert_eq!(found(&state, &der(two)), Err(Refused::Ambiguous));
}

#[test]
fn a_second_uri_makes_a_spiffe_certificate_ambiguous() {
    let state = state(&[(spiffe_name(SPIFFE), GATEWAY)]);
    for second in ["spiffe://evil.example/gateway", "https://evil.example"] {
        assert_eq!(found(&state, &der(vec![uri(SPIFFE), uri(second)])), Err(Refused::Ambiguous), "{second}");
    }
}

#[test]
fn names_that_only_resemble_a_registered_one_are_unknown() {
    let state = state(&[(spiffe_name(SPIFFE), GATEWAY), (dns_name("gw.corp.example"), GATEWAY)]);
    for name in [
        uri("spiffe://corp.example/gateway/"),
        uri("spiffe://corp.example/Gateway"),
        uri("spiffe://corp.example.evil.example/gateway"),
        uri("SPIFFE://corp.example/gateway"),
        uri("gw.corp.example"),
        dns("spiffe://corp.example/gateway"),
        dns("*.corp.example"),
        dns("gw.corp.example.evil.example"),
        SanType::Rfc822Name(Ia5String::try_from("gw.corp.example").unwrap()),
    ] {
        assert_eq!(found(&state, &der(vec![name.clone()])), Err(Refused::Unknown), "{name:?}");
    }
}

#[test]
fn a_wildcard_certificate_stands_for_nobody_even_where_its_name_was_registered() {
    let state = state(&[(dns_name("*.corp.example"), GATEWAY)]);
    assert_eq!(found(&state, &der(vec![dns("*.corp.example")])), Err(Refused::Unknown));
}

#[test]
fn a_certificate_is_refused_outside_its_time_and_for_a_disabled_workload() {
    let mut state = state(&[(spiffe_name(SPIFFE), GATEWAY)]);
    let der = der(vec![uri(SPIFFE)]);
    let at = |millis| by_certificate(&state, Timestamp::from_millis(millis), &der).err();
    assert_eq!(at(0), Some(Refused::Expired));
    assert_eq!(at(2_000_000_000_000), Some(Refused::Expired));
    let disabled = Workload { enabled: false, ..state.workloads.get(&GATEWAY).unwrap().clone() };
    state.put_workload(disabled);
    assert_eq!(found(&state, &der), Err(Refused::Disabled));
}

#[test]
fn an_authority_and_anything_that_is_no_certificate_are_malformed() {
    let state = state(&[(spiffe_name(SPIFFE), GATEWAY)]);
    let mut authority = params(vec![uri(SPIFFE)]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    assert_eq!(found(&state, &der_of(authority)), Err(Refused::Malformed));
    let good = der(vec![uri(SPIFFE)]);
    let longer = [good.as_slice(), b"\0"].concat();
    for bad in [&b""[..], b"\x30\x00", &good[..good.len() - 1], &longer, &vec![0x30; DER_LEN_MAX + 1]] {
        assert_eq!(found(&state, bad), Err(Refused::Malformed));
    }
}

#[test]
fn the_fingerprint_is_a_version_and_the_beginning_of_a_sha_256() {
    // The SHA-256 of "abc", by FIPS 180-4.
    let text = certificate_fingerprint(b"abc").to_string();
    assert_eq!(text, "00000001ba7816bf8f01cfea414140de5dae2223");
}
