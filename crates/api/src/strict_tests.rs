use leasehold_proto::v1::{
    AcquireRequest, AcquireStreamRequest, CreateConnectorRequest, Endpoints, Need, RegisterMcpServerRequest,
    RevokeRequest, Selector, acquire_request::ForSubject, selector,
};
use proptest::prelude::*;
use prost::Message;

use super::*;

fn input(method: &str) -> ShapeId {
    Interface::of_this_build().method(&format!("/leasehold.v1.{method}")).unwrap().input
}

fn checked(method: &str, bytes: &[u8]) -> Result<(), Flaw> {
    check(Interface::of_this_build(), input(method), bytes)
}

fn acquire() -> AcquireRequest {
    AcquireRequest {
        mcp_server: "files".to_owned(),
        connector: "sandbox".to_owned(),
        for_subject: Some(ForSubject::Subject("alice".to_owned())),
        scopes: vec!["files.read".to_owned(), "files.write".to_owned()],
        account: String::new(),
        min_validity_seconds: 60,
        ttl_seconds: u32::MAX,
        request_id: "one".to_owned(),
    }
}

#[test]
fn what_generated_code_writes_passes() {
    assert_eq!(checked("LeaseService/Acquire", &acquire().encode_to_vec()), Ok(()));
    let streamed = AcquireStreamRequest { tag: u64::MAX, acquire: Some(acquire()) };
    assert_eq!(checked("LeaseService/AcquireStream", &streamed.encode_to_vec()), Ok(()));
    let connector = CreateConnectorRequest { endpoints: Some(Endpoints::default()), ..Default::default() };
    assert_eq!(checked("CatalogService/CreateConnector", &connector.encode_to_vec()), Ok(()));
    let need = Need { connector: "sandbox".to_owned(), scopes: vec!["a".to_owned(); 3] };
    let server = RegisterMcpServerRequest { needs: vec![need.clone(), need], ..Default::default() };
    assert_eq!(checked("CatalogService/RegisterMcpServer", &server.encode_to_vec()), Ok(()));
}

#[test]
fn an_unknown_field_is_refused_by_its_number() {
    let mut bytes = acquire().encode_to_vec();
    // Field 15, of variable length, 1.
    bytes.extend([0x78, 1]);
    let flaw = checked("LeaseService/Acquire", &bytes).unwrap_err();
    assert_eq!(flaw.to_string(), "AcquireRequest has no field 15");
    assert_eq!(flaw.field(), "AcquireRequest.15");
}

#[test]
fn an_unknown_field_in_an_inner_message_is_refused() {
    // AcquireStreamRequest.acquire with an AcquireRequest that has field 15 alone.
    let flaw = checked("LeaseService/AcquireStream", &[0x12, 2, 0x78, 1]).unwrap_err();
    assert_eq!(flaw.to_string(), "AcquireRequest has no field 15");
}

#[test]
fn a_field_that_stands_there_twice_is_refused() {
    let bytes = [acquire().encode_to_vec(), acquire().encode_to_vec()].concat();
    let flaw = checked("LeaseService/Acquire", &bytes).unwrap_err();
    assert_eq!(flaw.to_string(), "AcquireRequest.mcp_server stands there twice");
}

#[test]
fn two_selectors_of_which_one_must_be_meant_are_refused() {
    let one = Selector { selector: Some(selector::Selector::Grant("a".to_owned())) };
    let other = Selector { selector: Some(selector::Selector::Subject("b".to_owned())) };
    let both = [one.encode_to_vec(), other.encode_to_vec()].concat();
    let mut bytes = vec![0x0a, u8::try_from(both.len()).unwrap()];
    bytes.extend(both);
    assert!(RevokeRequest::decode(bytes.as_slice()).is_ok(), "the generated code takes the last");
    let flaw = checked("GrantService/Revoke", &bytes).unwrap_err();
    assert_eq!(flaw.to_string(), "Selector.subject excludes another field that is there too");
}

#[test]
fn a_value_of_another_type_is_refused() {
    // mcp_server as a number, min_validity_seconds as a text, and a group.
    for (bytes, field) in [
        (vec![0x08, 1], "mcp_server"),
        (vec![0x3a, 1, b'x'], "min_validity_seconds"),
        (vec![0x0b, 0x0c], "mcp_server"),
    ] {
        let flaw = checked("LeaseService/Acquire", &bytes).unwrap_err();
        assert_eq!(flaw.to_string(), format!("AcquireRequest.{field} has another type"));
    }
}

#[test]
fn a_text_that_is_not_utf_8_is_refused_as_the_callers_fault() {
    let flaw = checked("LeaseService/Acquire", &[0x0a, 1, 0xff]).unwrap_err();
    assert_eq!(flaw.to_string(), "AcquireRequest.mcp_server is not UTF-8");
}

#[test]
fn a_message_that_is_cut_off_is_refused_at_every_length() {
    let bytes = AcquireRequest { mcp_server: "files".to_owned(), ..Default::default() }.encode_to_vec();
    for len in 1..bytes.len() {
        let flaw = checked("LeaseService/Acquire", &bytes[..len]).unwrap_err();
        assert!(matches!(flaw, Flaw::Damaged { .. }), "{len}: {flaw}");
    }
}

proptest! {
    #[test]
    fn what_passes_decodes(bytes: Vec<u8>) {
        for method in ["LeaseService/Acquire", "LeaseService/AcquireStream", "GrantService/Revoke"] {
            if checked(method, &bytes).is_ok() {
                let decodes = match method {
                    "LeaseService/Acquire" => AcquireRequest::decode(bytes.as_slice()).is_ok(),
                    "GrantService/Revoke" => RevokeRequest::decode(bytes.as_slice()).is_ok(),
                    _ => AcquireStreamRequest::decode(bytes.as_slice()).is_ok(),
                };
                prop_assert!(decodes, "{} {:?}", method, bytes);
            }
        }
    }

    #[test]
    fn what_is_damaged_by_one_byte_passes_only_if_it_decodes(at: prop::sample::Index, to: u8) {
        let mut bytes = acquire().encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] = to;
        if checked("LeaseService/Acquire", &bytes).is_ok() {
            prop_assert!(AcquireRequest::decode(bytes.as_slice()).is_ok());
        }
    }
}

#[test]
fn what_passes_decodes_and_says_the_same_again() {
    fn again<M: Message + Default + PartialEq>(bytes: &[u8]) {
        let read = M::decode(bytes).expect("what passes decodes");
        let written = read.encode_to_vec();
        assert!(M::decode(written.as_slice()).is_ok_and(|again| again == read), "it says the same again");
    }
    leasehold_fuzz::run("protobuf", 30_000, |bytes| {
        for method in ["LeaseService/Acquire", "GrantService/Revoke", "CatalogService/CreateConnector"] {
            match (checked(method, bytes), method) {
                (Ok(()), "LeaseService/Acquire") => again::<AcquireRequest>(bytes),
                (Ok(()), "GrantService/Revoke") => again::<RevokeRequest>(bytes),
                (Ok(()), _) => again::<CreateConnectorRequest>(bytes),
                (Err(flaw), _) => {
                    assert!(!format!("{flaw:?} {flaw}").contains("c4n4ry"), "a secret is told: {flaw}")
                }
            }
        }
    });
}
