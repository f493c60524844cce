//! People who sign in: exactly one subject, or nobody.

use leasehold_journey::{World, reason};
use leasehold_proto::v1::{
    RegisterSubjectRequest, SubjectKind, subject_service_client::SubjectServiceClient,
};
use leasehold_sandbox::{Issuer, Person, browser::Browser};

const READ: [&str; 1] = ["files.read"];

async fn register(world: &World, user_name: &str, email: &str) {
    let request = RegisterSubjectRequest {
        user_name: user_name.to_owned(),
        email: email.to_owned(),
        kind: SubjectKind::Person.into(),
        ..RegisterSubjectRequest::default()
    };
    SubjectServiceClient::new(world.admin()).register(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_whose_email_two_entries_have_is_nobodys_subject() {
    let world = World::start().await.unwrap();
    // Before anybody has signed in, a second entry claims Alice's email.
    register(&world, "alice-too", "alice@example.test").await;
    let needed = world.acquire(&READ).await.unwrap().consent();
    let mut browser = Browser::new().unwrap();
    let page = world.open(&mut browser, &needed.connect_url, "alice").await.unwrap();
    assert!(page.status.as_u16() >= 400, "{}: {}", page.status, page.text);
    assert!(!page.has_form("consent"));
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_first_sign_in_an_email_resolves_nothing_any_more() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    // Somebody new at the identity provider gets Alice's email: the pinned claim keeps them apart.
    let mallory = Person::new("mallory", "a-password-of-mallory", "alice@example.test", "Mallory");
    world.sandbox().add_person(Issuer::Idp, mallory).unwrap();
    let needed = world.acquire(&["files.read", "files.write"]).await.unwrap().consent();
    let mut browser = Browser::new().unwrap();
    browser.goto(&needed.connect_url).await.unwrap();
    let form = leasehold_sandbox::browser::Form::with_id("login")
        .fill("username", "mallory")
        .fill("password", "a-password-of-mallory");
    let page = browser.submit(&form).await.unwrap();
    assert!(page.status.as_u16() >= 400, "{}: {}", page.status, page.text);
    assert!(!page.has_form("consent"));
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_that_nobody_knows_is_unknown() {
    let world = World::start().await.unwrap();
    let mut request = leasehold_journey::calls::for_alice(&READ);
    request.for_subject = Some(leasehold_proto::v1::acquire_request::ForSubject::Subject("carol".to_owned()));
    let refused = leasehold_journey::calls::acquire(world.gateway(), request).await.err().unwrap();
    assert_eq!(reason(&refused), "SUBJECT_UNKNOWN");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_entries_cannot_have_one_user_name() {
    let world = World::start().await.unwrap();
    let request = RegisterSubjectRequest {
        user_name: "Alice".to_owned(),
        kind: SubjectKind::Person.into(),
        ..RegisterSubjectRequest::default()
    };
    let refused = SubjectServiceClient::new(world.admin()).register(request).await.unwrap_err();
    assert_eq!(reason(&refused), "NAME_TAKEN");
    world.stop().await.unwrap();
}
