//! A thief who has an administrator's credential.

use leasehold_journey::{
    World,
    calls::{acquire, for_alice},
    reason,
};
use leasehold_proto::v1::{
    AddWorkloadCredentialRequest, GetPolicyRequest, RegisterAdministratorRequest, RegisterSubjectRequest,
    RegisterWorkloadRequest, SetPolicyRequest, SubjectKind,
    administrator_service_client::AdministratorServiceClient, policy_service_client::PolicyServiceClient,
    subject_service_client::SubjectServiceClient, workload_service_client::WorkloadServiceClient,
};
use leasehold_secrets::{
    bad_calls::{self, Interface},
    canary::Canary,
    input::Input,
    search::Search,
};
use serde_json::Value;
use tonic::{Code, Status};

const READ: [&str; 1] = ["files.read"];

/// An administrator with these roles.
async fn administrator(world: &World, name: &str, roles: &[&str]) -> String {
    registered(world, &world.admin_credential, name, roles).await.unwrap()
}

async fn registered(world: &World, by: &str, name: &str, roles: &[&str]) -> Result<String, Status> {
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    let register = RegisterAdministratorRequest { name: name.to_owned(), roles };
    let answer = AdministratorServiceClient::new(world.speaking(by)).register(register).await?;
    Ok(answer.into_inner().secret)
}

async fn register_workload(world: &World, by: &str, name: &str) -> Result<(), Status> {
    let register = RegisterWorkloadRequest { name: name.to_owned(), ..RegisterWorkloadRequest::default() };
    WorkloadServiceClient::new(world.speaking(by)).register(register).await.map(drop)
}

async fn set_policies(world: &World, by: &str, text: &str) -> Result<(), Status> {
    let set = SetPolicyRequest { text: text.to_owned(), ..SetPolicyRequest::default() };
    PolicyServiceClient::new(world.speaking(by)).set(set).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_to_an_administrator_has_a_secret_in_it_and_none_is_a_lease() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    world.acquire(&READ).await.unwrap().lease();
    let canaries: Vec<Canary> =
        world.canaries().iter().map(|secret| Canary::new(Input::AccessToken, secret.as_bytes())).collect();
    let search = Search::new(&canaries).unwrap();
    let mut answered = 0;
    for call in &Interface::read().unwrap().calls {
        // Each call with nothing in it, and with the names of what there is in all its texts.
        let mut messages = vec![Vec::new()];
        for name in ["alice", "sandbox", "files", "demo-gateway"] {
            messages
                .extend(Interface::read().unwrap().wrong(call, name).into_iter().map(|(_, message)| message));
        }
        for message in messages {
            // What ends things has a test of its own.
            if ["Disable", "Revoke", "Retire", "Enabled"].iter().any(|verb| call.path.contains(verb)) {
                continue;
            }
            let said = bad_calls::send(world.admin(), &call.path, message).await.unwrap();
            answered += 1;
            assert!(search.find(&said).is_empty(), "{} answers with a secret", call.path);
            if call.path.starts_with("/leasehold.v1.LeaseService/") && !call.path.ends_with("Stream") {
                let said = String::from_utf8_lossy(&said).into_owned();
                assert!(said.contains("google.rpc.ErrorInfo"), "{} said {said}", call.path);
            }
        }
    }
    assert!(answered > 300, "only {answered} calls were made");
    let refused = acquire(world.admin(), for_alice(&READ)).await.err().unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_bounds_what_its_credential_can_do() {
    let world = World::start().await.unwrap();
    let operator = administrator(&world, "operator", &["operator"]).await;
    let security = administrator(&world, "security", &["security"]).await;
    let auditor = administrator(&world, "auditor", &["auditor"]).await;
    let policies =
        PolicyServiceClient::new(world.admin()).get(GetPolicyRequest {}).await.unwrap().into_inner().text;
    let own = policies.split("@id(\"builtin").next().unwrap_or_default().to_owned();

    let denied = |refused: Status| assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
    for may_not in [&operator, &auditor] {
        denied(set_policies(&world, may_not, &own).await.unwrap_err());
        denied(registered(&world, may_not, "mallory", &["security"]).await.unwrap_err());
    }
    for may_not in [&security, &auditor] {
        denied(register_workload(&world, may_not, "mallory").await.unwrap_err());
        let credential = AddWorkloadCredentialRequest { workload: "demo-gateway".to_owned(), ttl_seconds: 0 };
        let mut workloads = WorkloadServiceClient::new(world.speaking(may_not));
        denied(workloads.add_credential(credential).await.unwrap_err());
    }
    let person = RegisterSubjectRequest {
        user_name: "mallory".to_owned(),
        kind: SubjectKind::Person.into(),
        ..RegisterSubjectRequest::default()
    };
    for may_not in [&operator, &auditor] {
        denied(
            SubjectServiceClient::new(world.speaking(may_not)).register(person.clone()).await.unwrap_err(),
        );
    }
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_credential_alone_reaches_a_token_by_five_events_that_name_it_or_whom_it_made() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let security = administrator(&world, "security", &["security"]).await;
    let (before, _) = world.export().await.unwrap();

    // It may make administrators, and so it can make itself an operator.
    let operator = registered(&world, &security, "mallory", &["operator"]).await.unwrap();
    register_workload(&world, &operator, "mallory").await.unwrap();
    let credential = AddWorkloadCredentialRequest { workload: "mallory".to_owned(), ttl_seconds: 0 };
    let credential = WorkloadServiceClient::new(world.speaking(&operator))
        .add_credential(credential)
        .await
        .unwrap()
        .into_inner()
        .secret;
    let permit = r#"@id("mallory")
permit (principal == Leasehold::Workload::"mallory", action in [Leasehold::Action::"lease", Leasehold::Action::"act_as"], resource);"#;
    set_policies(&world, &security, permit).await.unwrap();
    let stolen = acquire(world.speaking(&credential), for_alice(&READ)).await.unwrap().lease();
    assert!(world.sandbox().is_active(&stolen.access_token));

    let (after, _) = world.export().await.unwrap();
    let lines: Vec<Value> =
        after.iter().skip(before.len()).map(|line| serde_json::from_slice(line).unwrap()).collect();
    let happened: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    for event in
        ["AdministratorRegistered", "WorkloadRegistered", "CredentialAdded", "PolicySet", "LeaseIssued"]
    {
        let short: Vec<&&str> =
            happened.iter().filter(|name| name.contains(event.trim_end_matches("Set"))).collect();
        assert!(!short.is_empty(), "no {event} among {happened:?}");
    }
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_who_is_disabled_is_nobody_at_once() {
    use leasehold_proto::v1::{
        DisableAdministratorRequest, ListConnectorsRequest, catalog_service_client::CatalogServiceClient,
    };
    let world = World::start().await.unwrap();
    let operator = administrator(&world, "operator", &["operator"]).await;
    let look = || async {
        CatalogServiceClient::new(world.speaking(&operator)).list_connectors(ListConnectorsRequest {}).await
    };
    look().await.unwrap();
    let disable = DisableAdministratorRequest { administrator: "operator".to_owned() };
    AdministratorServiceClient::new(world.admin()).disable(disable).await.unwrap();
    let refused = look().await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(reason(&refused), "UNAUTHENTICATED");
    world.stop().await.unwrap();
}
