//! Administrators.

use std::collections::BTreeSet;

use leasehold_control::{Control, Problem};
use leasehold_domain::actor::Role;
use leasehold_proto::v1::{
    DisableAdministratorRequest, DisableAdministratorResponse, ListAdministratorsRequest,
    ListAdministratorsResponse, RedeemBootstrapRequest, RedeemBootstrapResponse,
    RegisterAdministratorRequest, RegisterAdministratorResponse,
    administrator_service_server::AdministratorService,
};
use tonic::Request;

use super::Answer;
use crate::{call::Call, fields, view};

/// `leasehold.v1.AdministratorService`.
pub(crate) struct Administrators {
    pub(crate) control: Control,
}

#[tonic::async_trait]
impl AdministratorService for Administrators {
    async fn redeem_bootstrap(
        &self,
        request: Request<RedeemBootstrapRequest>,
    ) -> Answer<RedeemBootstrapResponse> {
        let (call, ask) = Call::begin(&self.control, "redeem the bootstrap credential", request)?;
        call.answer(async {
            let (administrator, secret) = call.control.redeem_bootstrap(&call.caller, &ask.name).await?;
            Ok(RedeemBootstrapResponse {
                administrator: administrator.to_string(),
                secret: secret.as_str().to_owned(),
            })
        })
        .await
    }

    async fn register(
        &self,
        request: Request<RegisterAdministratorRequest>,
    ) -> Answer<RegisterAdministratorResponse> {
        let (call, ask) = Call::begin(&self.control, "register the administrator", request)?;
        call.answer(async {
            let roles = roles(&ask.roles)?;
            let registered = call.control.register_administrator(&call.caller, &ask.name, roles).await?;
            let (administrator, secret) = registered;
            Ok(RegisterAdministratorResponse {
                administrator: administrator.to_string(),
                secret: secret.as_str().to_owned(),
            })
        })
        .await
    }

    async fn list(&self, request: Request<ListAdministratorsRequest>) -> Answer<ListAdministratorsResponse> {
        let (call, ListAdministratorsRequest {}) =
            Call::begin(&self.control, "list the administrators", request)?;
        call.answer(async {
            let administrators = call.control.administrators(&call.caller).await?;
            Ok(ListAdministratorsResponse {
                administrators: administrators.iter().map(view::administrator).collect(),
            })
        })
        .await
    }

    async fn disable(
        &self,
        request: Request<DisableAdministratorRequest>,
    ) -> Answer<DisableAdministratorResponse> {
        let (call, ask) = Call::begin(&self.control, "disable the administrator", request)?;
        call.answer(async {
            let administrator = fields::reference("administrator", &ask.administrator)?;
            call.control.disable_administrator(&call.caller, administrator).await?;
            Ok(DisableAdministratorResponse {})
        })
        .await
    }
}

fn roles(names: &[String]) -> Result<BTreeSet<Role>, Problem> {
    let role = |name: &String| match name.as_str() {
        "operator" => Ok(Role::Operator),
        "security" => Ok(Role::Security),
        "auditor" => Ok(Role::Auditor),
        _ => Err(Problem::invalid("roles", "operator, security, auditor")),
    };
    names.iter().map(role).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_by_their_names_and_no_others() {
        let names = ["auditor", "operator", "security"].map(str::to_owned);
        assert_eq!(roles(&names), Ok(BTreeSet::from([Role::Operator, Role::Security, Role::Auditor])));
        for bad in ["", "Operator", "admin"] {
            assert!(
                matches!(roles(&[bad.to_owned()]), Err(Problem::Invalid { field: "roles", .. })),
                "{bad}"
            );
        }
    }
}
