//! The policy set.

use leasehold_control::Control;
use leasehold_domain::policy::TEXT_LEN_MAX;
use leasehold_policy::{Engine, SCHEMA};
use leasehold_proto::v1::{
    CheckPolicyRequest, CheckPolicyResponse, GetPolicyRequest, GetPolicyResponse, SetPolicyRequest,
    SetPolicyResponse, policy_service_server::PolicyService,
};
use tonic::Request;

use super::Answer;
use crate::{
    call::{Call, broken},
    fields, request_id,
};

/// `leasehold.v1.PolicyService`.
pub(crate) struct Policies {
    pub(crate) control: Control,
}

#[tonic::async_trait]
impl PolicyService for Policies {
    async fn get(&self, request: Request<GetPolicyRequest>) -> Answer<GetPolicyResponse> {
        let (call, GetPolicyRequest {}) = Call::begin(&self.control, "read the policy set", request)?;
        call.answer(async {
            let (version, text) = call.control.policy_text(&call.caller).await?;
            Ok(GetPolicyResponse { text, version, schema: SCHEMA.to_owned() })
        })
        .await
    }

    async fn set(&self, request: Request<SetPolicyRequest>) -> Answer<SetPolicyResponse> {
        let (call, mut ask) = Call::begin(&self.control, "replace the policy set", request)?;
        call.answer(async {
            let caller = call.caller.clone().with_request(request_id::key(&mut ask)?);
            fields::bounded("text", &ask.text, TEXT_LEN_MAX)?;
            let version = call.control.set_policies(&caller, ask.expected_version, ask.text).await?;
            Ok(SetPolicyResponse { version })
        })
        .await
    }

    async fn check(&self, request: Request<CheckPolicyRequest>) -> Answer<CheckPolicyResponse> {
        let (call, ask) = Call::begin(&self.control, "check the policy set", request)?;
        call.answer(async {
            fields::bounded("text", &ask.text, TEXT_LEN_MAX)?;
            // Who may read the policy set may have one checked.
            call.control.policy_text(&call.caller).await?;
            // Parsing and validating takes a processor for a while: not one that answers calls.
            let checked = tokio::task::spawn_blocking(move || problems(&ask.text)).await;
            Ok(CheckPolicyResponse { problems: checked.map_err(|error| broken(&error))? })
        })
        .await
    }
}

fn problems(text: &str) -> Vec<String> {
    Engine::check(text).err().map(|invalid| invalid.problems).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_set_that_breaks_the_schema_is_told_why() {
        assert!(problems("").is_empty());
        let told = problems("permit (principal, action == Leasehold::Action::\"fly\", resource);");
        assert!(!told.is_empty());
    }
}
