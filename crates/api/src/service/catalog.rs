//! The catalogue: providers, connectors, MCP servers.

use leasehold_control::{Control, NewConnector, Problem};
use leasehold_domain::{
    connector::{Exposure, Isolation},
    mcp_server::NEEDS_MAX,
    scope::ScopeSet,
};
use leasehold_proto::v1::{
    self, AddConnectorSecretRequest, AddConnectorSecretResponse, CheckConnectorRequest,
    CheckConnectorResponse, CreateConnectorRequest, CreateConnectorResponse, ListConnectorsRequest,
    ListConnectorsResponse, ListMcpServersRequest, ListMcpServersResponse, ListProvidersRequest,
    ListProvidersResponse, Need, Provider, RegisterMcpServerRequest, RegisterMcpServerResponse,
    RetireConnectorSecretRequest, RetireConnectorSecretResponse, SetConnectorEnabledRequest,
    SetConnectorEnabledResponse, SetMcpServerEnabledRequest, SetMcpServerEnabledResponse,
    SetMcpServerNeedRequest, SetMcpServerNeedResponse, catalog_service_server::CatalogService,
};
use leasehold_upstream::catalogue::RevocationKind;
use secrecy::{ExposeSecret as _, SecretString};
use tonic::Request;

use super::Answer;
use crate::{call::Call, fields, request_id, view};

/// The longest client secret, in bytes.
pub(super) const CLIENT_SECRET_LEN_MAX: usize = 4096;

/// `leasehold.v1.CatalogService`.
pub(crate) struct Catalog {
    pub(crate) control: Control,
}

#[tonic::async_trait]
impl CatalogService for Catalog {
    async fn list_providers(&self, request: Request<ListProvidersRequest>) -> Answer<ListProvidersResponse> {
        let (call, ListProvidersRequest {}) = Call::begin(&self.control, "list the providers", request)?;
        call.answer(async {
            call.for_administrators()?;
            let provider = |known: &std::sync::Arc<leasehold_upstream::catalogue::Provider>| Provider {
                name: known.name.to_string(),
                display_name: known.entry.display_name.clone(),
                refresh_class: view::refresh_class(known.entry.refresh.class()).to_owned(),
                revocation: revocation(known.entry.revocation.kind).to_owned(),
            };
            Ok(ListProvidersResponse { providers: call.control.catalogue().iter().map(provider).collect() })
        })
        .await
    }

    async fn create_connector(
        &self,
        request: Request<CreateConnectorRequest>,
    ) -> Answer<CreateConnectorResponse> {
        let (call, mut ask) = Call::begin(&self.control, "create the connector", request)?;
        let ordered = call.clone();
        call.carry_through(async move {
            let caller = ordered.caller.clone().with_request(request_id::key(&mut ask)?);
            let connector = ordered.control.create_connector(&caller, new_connector(ask)?).await?;
            let redirect_uri = ordered.control.redirect_uri(&connector);
            Ok(CreateConnectorResponse { connector: Some(view::connector(&connector, redirect_uri)) })
        })
        .await
    }

    async fn check_connector(
        &self,
        request: Request<CheckConnectorRequest>,
    ) -> Answer<CheckConnectorResponse> {
        let (call, ask) = Call::begin(&self.control, "check the connector", request)?;
        call.answer(async {
            let CheckConnectorRequest { provider, client_id, issuer, endpoints } = ask;
            let (issuer, endpoints) = match location(issuer, endpoints) {
                Ok(location) => location,
                Err(problem) => return Ok(CheckConnectorResponse { problems: vec![problem.to_string()] }),
            };
            let client = leasehold_control::ClientRegistration {
                provider: &provider,
                client_id: &client_id,
                issuer: issuer.as_deref(),
                endpoints: endpoints.as_ref(),
            };
            let problems = match call.control.check_connector(&call.caller, &client).await {
                Err(problem @ Problem::Invalid { .. }) => vec![problem.to_string()],
                checked => checked.map(|()| Vec::new())?,
            };
            Ok(CheckConnectorResponse { problems })
        })
        .await
    }

    async fn list_connectors(
        &self,
        request: Request<ListConnectorsRequest>,
    ) -> Answer<ListConnectorsResponse> {
        let (call, ListConnectorsRequest {}) = Call::begin(&self.control, "list the connectors", request)?;
        call.answer(async {
            let connectors = call.control.connectors(&call.caller).await?;
            let one = |known| view::connector(known, call.control.redirect_uri(known));
            Ok(ListConnectorsResponse { connectors: connectors.iter().map(one).collect() })
        })
        .await
    }

    async fn add_connector_secret(
        &self,
        request: Request<AddConnectorSecretRequest>,
    ) -> Answer<AddConnectorSecretResponse> {
        let (call, mut ask) = Call::begin(&self.control, "add the client secret", request)?;
        call.answer(async {
            let caller = call.caller.clone().with_request(request_id::key(&mut ask)?);
            let secret = client_secret(ask.client_secret)?
                .ok_or_else(|| Problem::invalid("client_secret", "the secret to add"))?;
            let connector = fields::reference("connector", &ask.connector)?;
            let expected = ask.expected_revision;
            let (secret, revision) =
                call.control.add_connector_secret(&caller, connector, expected, &secret).await?;
            Ok(AddConnectorSecretResponse { secret: secret.to_string(), revision })
        })
        .await
    }

    async fn retire_connector_secret(
        &self,
        request: Request<RetireConnectorSecretRequest>,
    ) -> Answer<RetireConnectorSecretResponse> {
        let (call, ask) = Call::begin(&self.control, "retire the client secret", request)?;
        call.answer(async {
            let connector = fields::reference("connector", &ask.connector)?;
            let secret = fields::id("secret", &ask.secret)?;
            call.control.retire_connector_secret(&call.caller, connector, secret).await?;
            Ok(RetireConnectorSecretResponse {})
        })
        .await
    }

    async fn set_connector_enabled(
        &self,
        request: Request<SetConnectorEnabledRequest>,
    ) -> Answer<SetConnectorEnabledResponse> {
        let (call, ask) = Call::begin(&self.control, "enable or disable the connector", request)?;
        let ordered = call.clone();
        call.carry_through(async move {
            let connector = fields::reference("connector", &ask.connector)?;
            let (caller, expected) = (&ordered.caller, ask.expected_revision);
            let revision =
                ordered.control.set_connector_enabled(caller, connector, expected, ask.enabled).await?;
            Ok(SetConnectorEnabledResponse { revision })
        })
        .await
    }

    async fn register_mcp_server(
        &self,
        request: Request<RegisterMcpServerRequest>,
    ) -> Answer<RegisterMcpServerResponse> {
        let (call, mut ask) = Call::begin(&self.control, "register the MCP server", request)?;
        let ordered = call.clone();
        call.carry_through(async move {
            let caller = ordered.caller.clone().with_request(request_id::key(&mut ask)?);
            let needs = needs(&ask.needs)?;
            let server =
                ordered.control.register_mcp_server(&caller, &ask.name, &ask.resource, &needs).await?;
            Ok(RegisterMcpServerResponse { mcp_server: Some(view::mcp_server(&server, &needs)) })
        })
        .await
    }

    async fn list_mcp_servers(
        &self,
        request: Request<ListMcpServersRequest>,
    ) -> Answer<ListMcpServersResponse> {
        let (call, ListMcpServersRequest {}) = Call::begin(&self.control, "list the MCP servers", request)?;
        call.answer(async {
            let servers = call.control.mcp_servers(&call.caller).await?;
            let one = |(server, needs): &(_, Vec<_>)| view::mcp_server(server, needs);
            Ok(ListMcpServersResponse { mcp_servers: servers.iter().map(one).collect() })
        })
        .await
    }

    async fn set_mcp_server_need(
        &self,
        request: Request<SetMcpServerNeedRequest>,
    ) -> Answer<SetMcpServerNeedResponse> {
        let (call, ask) = Call::begin(&self.control, "set what the MCP server needs", request)?;
        call.answer(async {
            let server = fields::reference("mcp_server", &ask.mcp_server)?;
            let need = ask.need.ok_or_else(|| Problem::invalid("need", "a connector, and scopes there"))?;
            let connector = fields::reference("need.connector", &need.connector)?;
            let scopes = fields::scopes("need.scopes", &need.scopes)?.unwrap_or_default();
            let (caller, expected) = (&call.caller, ask.expected_revision);
            let revision =
                call.control.set_mcp_server_need(caller, server, expected, connector, scopes).await?;
            Ok(SetMcpServerNeedResponse { revision })
        })
        .await
    }

    async fn set_mcp_server_enabled(
        &self,
        request: Request<SetMcpServerEnabledRequest>,
    ) -> Answer<SetMcpServerEnabledResponse> {
        let (call, ask) = Call::begin(&self.control, "enable or disable the MCP server", request)?;
        call.answer(async {
            let server = fields::reference("mcp_server", &ask.mcp_server)?;
            let (caller, expected) = (&call.caller, ask.expected_revision);
            let revision = call.control.set_mcp_server_enabled(caller, server, expected, ask.enabled).await?;
            Ok(SetMcpServerEnabledResponse { revision })
        })
        .await
    }
}

const fn revocation(kind: RevocationKind) -> &'static str {
    match kind {
        RevocationKind::None => "none",
        RevocationKind::Rfc7009 => "rfc7009",
        RevocationKind::GithubToken => "github_token",
        RevocationKind::GithubGrant => "github_grant",
        RevocationKind::Bearer => "bearer",
    }
}

/// A client secret, if there is one.
pub(super) fn client_secret(text: String) -> Result<Option<SecretString>, Problem> {
    let secret = SecretString::from(text);
    fields::bounded("client_secret", secret.expose_secret(), CLIENT_SECRET_LEN_MAX)?;
    Ok(Some(secret).filter(|secret| !secret.expose_secret().is_empty()))
}

/// An issuer, or endpoints by hand, as the use case takes them.
type GivenLocation = (Option<String>, Option<(String, String, Option<String>, Option<String>)>);

fn location(issuer: String, endpoints: Option<v1::Endpoints>) -> Result<GivenLocation, Problem> {
    let issuer = fields::text_if_any(issuer);
    if issuer.is_some() && endpoints.is_some() {
        return Err(Problem::invalid("endpoints", "an issuer or endpoints, and not both"));
    }
    let endpoints = endpoints.map(|given| {
        let [revocation, account] = [given.revocation, given.account].map(fields::text_if_any);
        (given.authorization, given.token, revocation, account)
    });
    Ok((issuer, endpoints))
}

fn new_connector(ask: CreateConnectorRequest) -> Result<NewConnector, Problem> {
    let client_secret = client_secret(ask.client_secret)?;
    let (issuer, endpoints) = location(ask.issuer, ask.endpoints)?;
    let isolation = match v1::Isolation::try_from(ask.isolation) {
        Ok(v1::Isolation::Shared) => Isolation::Shared,
        Ok(v1::Isolation::PerMcpServer) => Isolation::PerMcpServer,
        Ok(v1::Isolation::Unspecified) | Err(_) => {
            return Err(Problem::invalid("isolation", "ISOLATION_SHARED or ISOLATION_PER_MCP_SERVER"));
        }
    };
    let exposure = match v1::Exposure::try_from(ask.exposure) {
        Ok(v1::Exposure::HandOut) => Exposure::HandOut,
        Ok(v1::Exposure::InjectOnly) => Exposure::InjectOnly,
        Ok(v1::Exposure::Unspecified) | Err(_) => {
            return Err(Problem::invalid("exposure", "EXPOSURE_HAND_OUT or EXPOSURE_INJECT_ONLY"));
        }
    };
    Ok(NewConnector {
        name: ask.name,
        provider: ask.provider,
        client_id: ask.client_id,
        issuer,
        endpoints,
        isolation,
        exposure,
        client_secret,
    })
}

/// What an MCP server is to need; each connector once, with at least one scope.
fn needs(asked: &[Need]) -> Result<Vec<(String, ScopeSet)>, Problem> {
    if asked.len() > NEEDS_MAX {
        return Err(Problem::invalid("needs", format!("at most {NEEDS_MAX}")));
    }
    let mut needs: Vec<(String, ScopeSet)> = Vec::with_capacity(asked.len());
    for need in asked {
        let connector = fields::reference("needs.connector", &need.connector)?;
        if needs.iter().any(|(known, _)| known == connector) {
            return Err(Problem::invalid("needs.connector", "each connector once"));
        }
        let scopes = fields::scopes("needs.scopes", &need.scopes)?
            .ok_or_else(|| Problem::invalid("needs.scopes", "at least one scope"))?;
        needs.push((connector.to_owned(), scopes));
    }
    Ok(needs)
}

#[cfg(test)]
mod tests {
    use leasehold_proto::v1::Endpoints;

    use super::*;

    fn ask() -> CreateConnectorRequest {
        CreateConnectorRequest {
            name: "drive".to_owned(),
            provider: "generic-oidc".to_owned(),
            client_id: "leasehold".to_owned(),
            issuer: "https://issuer.example".to_owned(),
            isolation: v1::Isolation::PerMcpServer.into(),
            exposure: v1::Exposure::InjectOnly.into(),
            ..Default::default()
        }
    }

    fn field<T>(result: Result<T, Problem>) -> &'static str {
        match result.err() {
            Some(Problem::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_connector_is_read_as_it_is_asked_for() {
        let new = new_connector(ask()).ok().unwrap();
        assert_eq!((new.isolation, new.exposure), (Isolation::PerMcpServer, Exposure::InjectOnly));
        assert_eq!(new.issuer.as_deref(), Some("https://issuer.example"));
        assert!(new.endpoints.is_none() && new.client_secret.is_none());
    }

    #[test]
    fn what_a_connector_is_to_be_is_never_guessed() {
        assert_eq!(field(new_connector(CreateConnectorRequest { isolation: 0, ..ask() })), "isolation");
        assert_eq!(field(new_connector(CreateConnectorRequest { exposure: 7, ..ask() })), "exposure");
        let both = CreateConnectorRequest { endpoints: Some(Endpoints::default()), ..ask() };
        assert_eq!(field(new_connector(both)), "endpoints");
        let long = "x".repeat(CLIENT_SECRET_LEN_MAX + 1);
        assert_eq!(
            field(new_connector(CreateConnectorRequest { client_secret: long, ..ask() })),
            "client_secret"
        );
    }

    #[test]
    fn needs_are_bounded_distinct_and_not_empty() {
        let one = |connector: &str, scopes: &[&str]| Need {
            connector: connector.to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        };
        assert_eq!(needs(&[one("drive", &["b", "a"])]).unwrap()[0].1.to_string(), "a b");
        assert_eq!(field(needs(&[one("drive", &[])])), "needs.scopes");
        assert_eq!(field(needs(&[one("drive", &["a"]), one("drive", &["b"])])), "needs.connector");
        let many: Vec<Need> = (0..=NEEDS_MAX).map(|n| one(&format!("c{n}"), &["a"])).collect();
        assert_eq!(field(needs(&many)), "needs");
    }
}
