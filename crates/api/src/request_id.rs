//! Under which name a caller may repeat a request: its `request_id`, with a hash of what is asked.
//!
//! The hash is SHA-256 over the call's name and the message without its `request_id`, so that the same name with another body, or for
//! another call, is told apart. Messages of requests have no maps, so equal messages have equal bytes.

use aws_lc_rs::digest::{Context, SHA256};
use leasehold_control::Problem;
use leasehold_domain::{actor::RequestId, command::RequestKey, text::Digest};
use leasehold_proto::v1;
use prost::Message;
use zeroize::Zeroizing;

/// A message with a `request_id`.
pub(crate) trait Repeatable: Message {
    /// The call that it asks for. One name for `Acquire` and for what `AcquireStream` carries: they are the same request.
    const CALL: &'static str;

    /// Takes the `request_id` out of the message.
    fn take_request_id(&mut self) -> String;
}

macro_rules! repeatable {
    ($($message:ident = $call:literal;)+) => {$(
        impl Repeatable for v1::$message {
            const CALL: &'static str = $call;

            fn take_request_id(&mut self) -> String {
                std::mem::take(&mut self.request_id)
            }
        }
    )+};
}

repeatable! {
    AcquireRequest = "LeaseService/Acquire";
    RenewRequest = "LeaseService/Renew";
    ReleaseRequest = "LeaseService/Release";
    StartAuthorizationRequest = "GrantService/StartAuthorization";
    RevokeRequest = "GrantService/Revoke";
    CreateConnectorRequest = "CatalogService/CreateConnector";
    AddConnectorSecretRequest = "CatalogService/AddConnectorSecret";
    RegisterMcpServerRequest = "CatalogService/RegisterMcpServer";
    RegisterSubjectRequest = "SubjectService/Register";
    DisableSubjectRequest = "SubjectService/Disable";
    EraseSubjectRequest = "SubjectService/Erase";
    RegisterIdentityProviderRequest = "SubjectService/RegisterIdentityProvider";
    ReplaceIdentityProviderSecretRequest = "SubjectService/ReplaceIdentityProviderSecret";
    RegisterWorkloadRequest = "WorkloadService/Register";
    SetPolicyRequest = "PolicyService/Set";
    RotateKeyRequest = "KeyService/Rotate";
    RetireKeyRequest = "KeyService/Retire";
}

/// The name of a request; `None` where the caller gave none. The message is left without its `request_id`.
///
/// # Errors
/// [`Problem::Invalid`] for anything but 1 to 64 printable ASCII characters.
pub(crate) fn key<M: Repeatable>(ask: &mut M) -> Result<Option<RequestKey>, Problem> {
    let given = ask.take_request_id();
    if given.is_empty() {
        return Ok(None);
    }
    let expected = || Problem::invalid("request_id", "1 to 64 printable ASCII characters");
    let printable = given.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let id = RequestId::new(&given).ok().filter(|_| printable).ok_or_else(expected)?;
    // The exact capacity: growing would leave a copy behind, unwiped, and there may be a token in it.
    let mut body = Zeroizing::new(Vec::with_capacity(ask.encoded_len()));
    ask.encode(&mut *body).map_err(|_| expected())?;
    Ok(Some(RequestKey { id, body: Digest::from_bytes(hash(M::CALL, &body)) }))
}

fn hash(call: &str, body: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(&u32::try_from(call.len()).unwrap_or(u32::MAX).to_be_bytes());
    context.update(call.as_bytes());
    context.update(body);
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use leasehold_proto::v1::{AcquireRequest, ReleaseRequest, RenewRequest};

    use super::*;

    fn release(lease: &str, request_id: &str) -> Result<Option<RequestKey>, Problem> {
        key(&mut ReleaseRequest { lease_id: lease.to_owned(), request_id: request_id.to_owned() })
    }

    #[test]
    fn the_same_body_has_the_same_hash_whatever_the_request_id() {
        let one = release("lse_a", "one").unwrap().unwrap();
        let other = release("lse_a", "other").unwrap().unwrap();
        assert_eq!(one.body, other.body);
        assert_ne!(one.id, other.id);
    }

    #[test]
    fn another_body_or_another_call_has_another_hash() {
        let one = release("lse_a", "one").unwrap().unwrap();
        assert_ne!(one.body, release("lse_b", "one").unwrap().unwrap().body);
        let mut renew =
            RenewRequest { lease_id: "lse_a".to_owned(), ttl_seconds: 0, request_id: "one".to_owned() };
        assert_eq!(
            RenewRequest { lease_id: "lse_a".to_owned(), ..Default::default() }.encode_to_vec(),
            ReleaseRequest { lease_id: "lse_a".to_owned(), ..Default::default() }.encode_to_vec(),
            "the two messages have the same bytes, and only the call tells them apart"
        );
        assert_ne!(one.body, key(&mut renew).unwrap().unwrap().body);
    }

    #[test]
    fn the_hash_is_sha_256_over_the_framed_call_and_the_message() {
        let body = ReleaseRequest { lease_id: "lse_a".to_owned(), ..Default::default() }.encode_to_vec();
        let framed = [[0, 0, 0, 20].as_slice(), b"LeaseService/Release", &body].concat();
        let expected = aws_lc_rs::digest::digest(&SHA256, &framed);
        assert_eq!(release("lse_a", "one").unwrap().unwrap().body.to_bytes(), expected.as_ref());
    }

    #[test]
    fn a_request_without_an_id_cannot_be_repeated() {
        assert_eq!(release("lse_a", ""), Ok(None));
    }

    #[test]
    fn an_id_that_is_too_long_or_not_printable_is_refused() {
        assert!(release("lse_a", &"x".repeat(64)).is_ok());
        for bad in
            ["x".repeat(65), "a\nb".to_owned(), "a\u{7f}".to_owned(), "ä".to_owned(), "\u{202e}x".to_owned()]
        {
            let refused = release("lse_a", &bad).unwrap_err();
            assert!(matches!(refused, Problem::Invalid { field: "request_id", .. }), "{bad:?}");
        }
    }

    #[test]
    fn the_message_is_left_without_its_request_id() {
        let mut ask = AcquireRequest { request_id: "one".to_owned(), ..Default::default() };
        key(&mut ask).unwrap();
        assert_eq!(ask, AcquireRequest::default());
    }
}
