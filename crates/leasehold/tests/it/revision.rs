//! Changes that rest on a revision: an old one is refused, and nothing is changed.

use leasehold_client::{
    Client, Endpoint, Error, Proof,
    v1::{
        AddConnectorSecretRequest, BindCertificateRequest, GetPolicyRequest, ListConnectorsRequest,
        ListMcpServersRequest, ListWorkloadsRequest, Need, SetConnectorEnabledRequest,
        SetMcpServerEnabledRequest, SetMcpServerNeedRequest, SetPolicyRequest, SetWorkloadEnabledRequest,
        UnbindCertificateRequest,
    },
};
use tonic::{Response, Status};

use crate::{
    apply::{apply, example},
    site::Site,
};

/// What a call with an old revision and then with the current one comes to.
async fn old_then_current<Answer>(
    revision: u64,
    call: impl AsyncFn(u64) -> Result<Response<Answer>, Status>,
) -> Answer {
    let refused = call(revision + 1).await.err().map(Error::from).unwrap();
    assert_eq!(refused.reason(), "CHANGED_SINCE_READ", "{refused}");
    call(revision).await.unwrap().into_inner()
}

#[tokio::test]
async fn every_change_that_rests_on_an_old_revision_is_refused() {
    let site = Site::start().await;
    example(&site).await;
    assert_eq!(apply(&site, "-f cluster --yes").await.exit, 0);
    site.administrator("root", "operator --role security").await;
    let credential = std::fs::read_to_string(site.user.path("root.credential")).unwrap();
    let proof = Proof::Credential(credential.trim().into());
    let client = Client::connect(Endpoint { address: site.address(), ca_pem: None, proof }).await.unwrap();

    let connectors = client.catalog().list_connectors(ListConnectorsRequest {}).await.unwrap().into_inner();
    let github = connectors.connectors.into_iter().find(|known| known.name == "github").unwrap();
    let added = old_then_current(github.revision, async |revision| {
        let request = AddConnectorSecretRequest {
            connector: "github".to_owned(),
            client_secret: "s3cret".to_owned(),
            expected_revision: Some(revision),
            ..Default::default()
        };
        client.catalog().add_connector_secret(request).await
    })
    .await;
    let disabled = old_then_current(added.revision, async |revision| {
        let (connector, enabled) = ("github".to_owned(), false);
        let request = SetConnectorEnabledRequest { connector, enabled, expected_revision: Some(revision) };
        client.catalog().set_connector_enabled(request).await
    })
    .await;
    let connectors = client.catalog().list_connectors(ListConnectorsRequest {}).await.unwrap().into_inner();
    let github = connectors.connectors.into_iter().find(|known| known.name == "github").unwrap();
    // One of the example, one of here: what was refused left none.
    assert_eq!((github.revision, github.secrets.len(), github.enabled), (disabled.revision, 2, false));

    let servers = client.catalog().list_mcp_servers(ListMcpServersRequest {}).await.unwrap().into_inner();
    let changed = old_then_current(servers.mcp_servers[0].revision, async |revision| {
        let need = Some(Need { connector: "crm".to_owned(), scopes: vec!["read".to_owned()] });
        let mcp_server = "code".to_owned();
        let request = SetMcpServerNeedRequest { mcp_server, need, expected_revision: Some(revision) };
        client.catalog().set_mcp_server_need(request).await
    })
    .await;
    old_then_current(changed.revision, async |revision| {
        let (mcp_server, enabled) = ("code".to_owned(), false);
        let request = SetMcpServerEnabledRequest { mcp_server, enabled, expected_revision: Some(revision) };
        client.catalog().set_mcp_server_enabled(request).await
    })
    .await;

    let workloads = client.workloads().list(ListWorkloadsRequest {}).await.unwrap().into_inner();
    let gateway = workloads.workloads.into_iter().find(|known| known.name == "gateway").unwrap();
    old_then_current(gateway.revision, async |revision| {
        let (workload, name) = ("gateway".to_owned(), "other.example.com".to_owned());
        let request = BindCertificateRequest { workload, name, expected_revision: Some(revision) };
        client.workloads().bind_certificate(request).await
    })
    .await;
    old_then_current(gateway.revision, async |revision| {
        let (workload, name) = ("gateway".to_owned(), "other.example.com".to_owned());
        let request = UnbindCertificateRequest { workload, name, expected_revision: Some(revision) };
        client.workloads().unbind_certificate(request).await
    })
    .await;
    old_then_current(gateway.revision, async |revision| {
        let (workload, enabled) = ("gateway".to_owned(), false);
        let request = SetWorkloadEnabledRequest { workload, enabled, expected_revision: Some(revision) };
        client.workloads().set_enabled(request).await
    })
    .await;

    let policies = client.policies().get(GetPolicyRequest {}).await.unwrap().into_inner();
    let set = old_then_current(policies.version, async |version| {
        let request = SetPolicyRequest { expected_version: Some(version), ..Default::default() };
        client.policies().set(request).await
    })
    .await;
    assert!(set.version > policies.version);
    site.stop().await;
}
