use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::*;

/// 2030-01-01.
const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_893_456_000));

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(2029, 1, 1);
    params.not_after = rcgen::date_time_ymd(2031, 1, 1);
    params
}

fn pair_of(params: &CertificateParams) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn pair() -> (String, String) {
    pair_of(&params(&["localhost"]))
}

fn made(certificates: &str, key: &str, authorities: Option<&str>) -> Result<Tls, InvalidTls> {
    let material = TlsMaterial {
        certificates: certificates.as_bytes(),
        key: key.as_bytes(),
        client_authorities: authorities.map(str::as_bytes),
    };
    Tls::new(Protocol::Grpc, &material, NOW)
}

fn refused(certificates: &str, key: &str, authorities: Option<&str>) -> InvalidTls {
    made(certificates, key, authorities).unwrap_err()
}

#[test]
fn material_that_is_not_of_one_piece_is_refused() {
    let (certificate, key) = pair();
    let (_, other_key) = pair();
    assert!(matches!(refused("", &key, None), InvalidTls::Certificates));
    assert!(matches!(refused(&certificate, "", None), InvalidTls::Key));
    assert!(matches!(refused(&certificate, &other_key, None), InvalidTls::Pair(_)));
    assert!(matches!(refused(&certificate, &key, Some("")), InvalidTls::ClientAuthorities));
}

#[test]
fn a_certificate_outside_its_time_is_refused_with_the_day() {
    let mut late = params(&["localhost"]);
    late.not_after = rcgen::date_time_ymd(2029, 12, 31);
    let (certificate, key) = pair_of(&late);
    let error = refused(&certificate, &key, None);
    assert!(matches!(error, InvalidTls::Expired { place: 1, .. }), "{error}");
    assert!(error.to_string().contains("2029"), "{error}");
    let mut early = params(&["localhost"]);
    early.not_before = rcgen::date_time_ymd(2030, 6, 1);
    let (certificate, key) = pair_of(&early);
    assert!(matches!(refused(&certificate, &key, None), InvalidTls::Early { place: 1, .. }));
}

#[test]
fn a_chain_is_in_order_and_its_first_end_is_known() {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = params(&[]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "the authority");
    authority.not_after = rcgen::date_time_ymd(2030, 7, 1);
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let leaf = params(&["localhost"]).signed_by(&key, &issuer).unwrap().pem();
    let key = key.serialize_pem();

    let tls = made(&format!("{leaf}{authority_pem}"), &key, None).unwrap();
    let seconds = rcgen::date_time_ymd(2030, 7, 1).unix_timestamp();
    assert_eq!(tls.expires_at(), moment(seconds));
    let (stranger, _) = pair_of(&{
        let mut other = params(&["other.example"]);
        other.distinguished_name.push(DnType::CommonName, "somebody else");
        other
    });
    let error = refused(&format!("{leaf}{stranger}"), &key, None);
    assert!(matches!(error, InvalidTls::Order { place: 1 }), "{error}");
}

#[test]
fn a_certificate_is_for_the_hosts_it_names_and_no_others() {
    let (certificate, key) = pair_of(&params(&["leasehold.example", "*.nodes.example", "127.0.0.1"]));
    let tls = made(&certificate, &key, None).unwrap();
    for host in ["leasehold.example", "one.nodes.example", "127.0.0.1"] {
        assert!(tls.names(host), "{host}");
    }
    for host in ["other.example", "nodes.example", "[::1]", "127.0.0.2", "", "a b"] {
        assert!(!tls.names(host), "{host}");
    }
}

#[test]
fn a_replacement_that_is_refused_changes_nothing() {
    let (certificate, key) = pair();
    let good = TlsMaterial {
        certificates: certificate.as_bytes(),
        key: key.as_bytes(),
        client_authorities: Some(certificate.as_bytes()),
    };
    let tls = Tls::new(Protocol::Grpc, &good, NOW).unwrap();
    let (before, _) = tls.next();
    assert!(tls.replace(&TlsMaterial { key: b"", ..good }, NOW).is_err());
    assert!(Arc::ptr_eq(&before, &tls.next().0));
    tls.replace(&good, NOW).unwrap();
    assert!(!Arc::ptr_eq(&before, &tls.next().0));
}

#[test]
fn nothing_can_be_resumed_and_each_protocol_has_its_name() {
    let (certificate, key) = pair();
    let material =
        TlsMaterial { certificates: certificate.as_bytes(), key: key.as_bytes(), client_authorities: None };
    for (protocol, names) in
        [(Protocol::Grpc, &[b"h2".as_slice()][..]), (Protocol::Pages, &[b"h2".as_slice(), b"http/1.1"])]
    {
        let (config, _) = Tls::new(protocol, &material, NOW).unwrap().next();
        assert_eq!(config.alpn_protocols, names);
        assert_eq!(config.send_tls13_tickets, 0);
        assert!(!config.session_storage.can_cache());
        assert!(!config.ticketer.enabled());
    }
}
