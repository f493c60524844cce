//! Keys: what is under them, and how they come and go.

use leasehold_control::{Control, KeyState, Problem};
use leasehold_domain::organisation::{KeyId, KeyPurpose};
use leasehold_proto::v1::{
    self, GetWrappedKeysRequest, GetWrappedKeysResponse, KeyStatusRequest, KeyStatusResponse, KeyVersion,
    RetireKeyRequest, RetireKeyResponse, RewrapRequest, RewrapResponse, RotateKeyRequest, RotateKeyResponse,
    key_service_server::KeyService,
};
use tonic::Request;

use super::Answer;
use crate::{call::Call, request_id, view};

/// `leasehold.v1.KeyService`.
pub(crate) struct Keys {
    pub(crate) control: Control,
}

#[tonic::async_trait]
impl KeyService for Keys {
    async fn status(&self, request: Request<KeyStatusRequest>) -> Answer<KeyStatusResponse> {
        let (call, KeyStatusRequest {}) = Call::begin(&self.control, "show the keys", request)?;
        call.answer(async {
            let state = call.control.keys(&call.caller).await?;
            Ok(KeyStatusResponse {
                organisation: call.control.organisation().to_string(),
                keys: state.keys.iter().map(version).collect(),
                root_key_check: state.root_key_check.to_vec(),
                as_of: view::as_of(state.size, None),
            })
        })
        .await
    }

    async fn rotate(&self, request: Request<RotateKeyRequest>) -> Answer<RotateKeyResponse> {
        let (call, mut ask) = Call::begin(&self.control, "rotate the key", request)?;
        call.answer(async {
            let caller = call.caller.clone().with_request(request_id::key(&mut ask)?);
            let added = call.control.rotate_key(&caller, purpose(ask.purpose)?).await?;
            Ok(RotateKeyResponse { version: added.version })
        })
        .await
    }

    async fn rewrap(&self, request: Request<RewrapRequest>) -> Answer<RewrapResponse> {
        let (call, ask) = Call::begin(&self.control, "rewrap what is sealed", request)?;
        call.answer(async {
            let from = u16::try_from(ask.from).map_err(|_| Problem::invalid("from", "what `next` said"))?;
            let slice = call.control.rewrap(&call.caller, from).await?;
            Ok(RewrapResponse {
                moved: slice.moved,
                next: u32::from(slice.next.unwrap_or(0)),
                steps: u32::from(slice.steps),
                done: slice.next.is_none(),
            })
        })
        .await
    }

    async fn retire(&self, request: Request<RetireKeyRequest>) -> Answer<RetireKeyResponse> {
        let (call, mut ask) = Call::begin(&self.control, "retire the key version", request)?;
        call.answer(async {
            let caller = call.caller.clone().with_request(request_id::key(&mut ask)?);
            let key = KeyId { purpose: purpose(ask.purpose)?, version: ask.version };
            Ok(RetireKeyResponse { seq: call.control.retire_key(&caller, key).await? })
        })
        .await
    }

    async fn get_wrapped(&self, request: Request<GetWrappedKeysRequest>) -> Answer<GetWrappedKeysResponse> {
        let (call, GetWrappedKeysRequest {}) = Call::begin(&self.control, "read the wrapped keys", request)?;
        call.answer(async {
            let wrapped = call.control.wrapped_keys(&call.caller).await?;
            Ok(GetWrappedKeysResponse {
                organisation: wrapped.organisation.to_string(),
                keys: wrapped.keys,
                root_key_check: wrapped.root_key_check.to_vec(),
            })
        })
        .await
    }
}

fn purpose(number: i32) -> Result<KeyPurpose, Problem> {
    match v1::KeyPurpose::try_from(number) {
        Ok(v1::KeyPurpose::AccessTokens) => Ok(KeyPurpose::AccessTokens),
        Ok(v1::KeyPurpose::RefreshTokens) => Ok(KeyPurpose::RefreshTokens),
        Ok(v1::KeyPurpose::Signing) => Ok(KeyPurpose::Signing),
        Ok(v1::KeyPurpose::Pseudonyms) => Ok(KeyPurpose::Pseudonyms),
        Ok(v1::KeyPurpose::Unspecified) | Err(_) => Err(Problem::invalid(
            "purpose",
            "KEY_PURPOSE_ACCESS_TOKENS, KEY_PURPOSE_REFRESH_TOKENS, KEY_PURPOSE_SIGNING or KEY_PURPOSE_PSEUDONYMS",
        )),
    }
}

const fn shown(purpose: KeyPurpose) -> v1::KeyPurpose {
    match purpose {
        KeyPurpose::AccessTokens => v1::KeyPurpose::AccessTokens,
        KeyPurpose::RefreshTokens => v1::KeyPurpose::RefreshTokens,
        KeyPurpose::Signing => v1::KeyPurpose::Signing,
        KeyPurpose::Pseudonyms => v1::KeyPurpose::Pseudonyms,
    }
}

fn version(key: &KeyState) -> KeyVersion {
    KeyVersion {
        purpose: shown(key.id.purpose).into(),
        version: key.id.version,
        current: key.current,
        added_at: Some(view::timestamp(key.added_at)),
        token_sets: key.uses.token_sets,
        secrets: key.uses.secrets,
        answers: key.uses.answers,
        accounts: key.uses.accounts,
        check: key.check.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_reads_back_and_an_unknown_one_is_refused() {
        for known in KeyPurpose::ALL {
            assert_eq!(purpose(shown(known).into()), Ok(known));
        }
        for bad in [0, 5, -1] {
            assert!(matches!(purpose(bad), Err(Problem::Invalid { field: "purpose", .. })), "{bad}");
        }
    }
}
