use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

const NOT_PUBLIC: [&str; 35] = [
    "0.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "fd00:ec2::254",
    "fe80::1",
];

#[test]
fn no_special_address_is_public() {
    let egress = Egress::default();
    for text in
        NOT_PUBLIC.into_iter().chain(["fc00::1", "fec0::1", "ff02::1", "3fff::1", "5f00::1", "4000::1"])
    {
        assert!(!egress.permits(ip(text)), "{text}");
        assert!(!egress.permits_named("provider.example", ip(text)), "{text}");
    }
}

#[test]
fn public_addresses_are_permitted() {
    let egress = Egress::default();
    for text in
        ["8.8.8.8", "172.15.0.1", "172.32.0.1", "192.1.0.1", "::ffff:8.8.8.8", "2606:4700::1111", "2a00::1"]
    {
        assert!(egress.permits(ip(text)), "{text}");
        assert!(egress.permits_named("provider.example", ip(text)), "{text}");
    }
}

#[test]
fn a_listed_block_is_permitted_and_its_neighbours_are_not() {
    let egress = Egress { allowed: vec!["10.1.0.0/16".parse().unwrap()], ..Egress::default() };
    assert!(egress.permits(ip("10.1.2.3")));
    assert!(egress.permits(ip("::ffff:10.1.2.3")));
    assert!(!egress.permits(ip("10.2.0.1")));
}

#[test]
fn a_listed_nat64_prefix_opens_public_ipv4_only() {
    let egress = Egress { allowed: vec!["64:ff9b::/96".parse().unwrap()], ..Egress::default() };
    assert!(egress.permits(ip("64:ff9b::808:808")));
    for text in ["64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe"] {
        assert!(!egress.permits(ip(text)), "{text}");
    }
}

#[test]
fn loopback_in_development_is_a_literal_or_localhost_and_no_other_name() {
    let dev = Egress { allow_loopback: true, ..Egress::default() };
    assert!(dev.permits(ip("127.0.0.1")));
    assert!(dev.permits_named("localhost", ip("::1")));
    assert!(dev.permits_named("as.localhost.", ip("127.0.0.1")));
    assert!(!dev.permits_named("rebound.example", ip("127.0.0.1")));
    assert!(!dev.permits_named("localhost", ip("8.8.8.8")));
    assert!(!dev.permits(ip("10.0.0.1")));
}

#[test]
fn every_spelling_of_a_forbidden_literal_is_seen_through() {
    let egress = Egress::default();
    for text in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://017700000001/",
        "https://10.0.0.8:8443/token",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://a.localhost/",
    ] {
        assert_eq!(egress.check(&url(text)), Err(EgressRefusal::Address), "{text}");
    }
}

#[test]
fn plain_http_is_for_loopback_in_development_only() {
    let dev = Egress { allow_loopback: true, ..Egress::default() };
    for text in
        ["http://127.0.0.1:9000/", "http://localhost:9000/", "http://[::1]/", "https://provider.example/"]
    {
        assert_eq!(dev.check(&url(text)), Ok(()), "{text}");
    }
    assert_eq!(dev.check(&url("http://provider.example/")), Err(EgressRefusal::Scheme));
    assert_eq!(Egress::default().check(&url("http://127.0.0.1/")), Err(EgressRefusal::Scheme));
    assert_eq!(Egress::default().check(&url("ftp://provider.example/")), Err(EgressRefusal::Scheme));
}

#[test]
fn a_url_with_credentials_is_refused() {
    for text in ["https://user@provider.example/", "https://:pw@provider.example/"] {
        assert_eq!(Egress::default().check(&url(text)), Err(EgressRefusal::Credentials), "{text}");
    }
}
