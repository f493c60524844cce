//! The whole journey of a production node, and then every canary in every place.

use std::collections::BTreeSet;

use leasehold_proto::v1::{ListGrantsRequest, grant_service_client::GrantServiceClient};
use leasehold_secrets::{
    front::heads_and_bodies,
    furnish::furnish,
    input::{self, Input},
    place::Place,
    process,
    production::{KeyBy, Production},
    search::Search,
    tally::Tally,
};

use crate::{
    gather::{Gathered, canaries},
    walk,
};

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_where_it_should_not_after_a_journey_through_everything() {
    let mut production = Production::start(KeyBy::File, None).await.unwrap();
    let mut gathered = Gathered::default();
    // The bootstrap credential lies there for its hour.
    gathered.folder(Place::DataFolder, &production.data()).unwrap();
    let furnished = furnish(&production).await.unwrap();
    let heard = walk::listen(&production, &furnished).await.unwrap();
    let mut walked = walk::walk(&production, &furnished).await.unwrap();
    let mut grants = GrantServiceClient::new(production.speaking(&furnished.admin).unwrap());
    let listed = grants.list(ListGrantsRequest::default()).await.unwrap().into_inner();
    let grant = listed.grants.first().unwrap().id.clone();
    gathered.command_line(&production, &furnished, &grant).await.unwrap();
    let sent = walk::bad_calls(&production, &furnished, &mut walked).await.unwrap();
    assert!(sent > 500, "only {sent} bad calls");
    walk::revoke(&production, &furnished, &mut walked).await.unwrap();
    walked.lines.extend(walk::export(&production, &furnished).await.unwrap());
    gathered.running(&production).await.unwrap();
    gathered.folder(Place::DataFolder, &production.data()).unwrap();

    // A power cut, then a start that ends in order, so that the last traces are sent.
    production.end_by("-KILL").await.unwrap();
    gathered.folder(Place::DataFolder, &production.data()).unwrap();
    production.start_again(KeyBy::File).await.unwrap();
    walked.lines.extend(walk::export(&production, &furnished).await.unwrap());
    gathered.running(&production).await.unwrap();
    assert!(production.end_by("-TERM").await.unwrap().success());
    gathered.folder(Place::DataFolder, &production.data()).unwrap();
    gathered.stopped(&production).await.unwrap();

    // A crash. Core dumps of any size are allowed.
    production.start_again(KeyBy::File).await.unwrap();
    assert!(!production.end_by("-ABRT").await.unwrap().success());
    let dumps = process::files(&production.working_folder()).unwrap();

    let (log, output) = production.logs_and_output().unwrap();
    assert!(production.receiver.spans().iter().any(|span| span == "call"), "no call was traced");
    assert!(production.receiver.spans().iter().any(|span| span == "browser"), "no page was traced");
    assert!(log.windows(9).any(|nine| nine == b"\"openraft"), "openraft said nothing");
    let (heads, bodies) = heads_and_bodies(&production.pages.bytes());
    gathered.add(Place::Log, "standard error", log);
    gathered.add(Place::Output, "standard output", output);
    gathered.add(Place::Traces, "what was exported", production.receiver.bytes());
    gathered.add(Place::PageHeaders, "heads", heads);
    gathered.add(Place::PageBodies, "bodies", bodies);
    gathered.add(Place::EventLines, "export", walked.lines.clone());
    gathered.add(Place::EventLines, "tail and watch", heard.bytes());
    gathered.add(Place::Errors, "answers", walked.errors.clone());

    let planted = canaries(&production, &furnished, &walked).unwrap();
    let inputs: BTreeSet<Input> = planted.iter().map(|canary| canary.input).collect();
    for known in &input::ALL {
        assert!(inputs.contains(&known.input), "no {} was planted", known.name);
    }
    let search = Search::new(&planted).unwrap();
    let mut tally = Tally::default();
    for sample in &gathered.0 {
        tally.look(&search, &inputs, sample.place, &sample.what, &sample.bytes);
    }
    tally.absent(&inputs, Place::CoreDump);
    assert!(dumps.is_empty(), "the node left {:?}", dumps.iter().map(|(path, _)| path).collect::<Vec<_>>());
    println!("{} canaries; {}", planted.len(), tally.summary());
    tally.close().unwrap();
    production.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_key_that_comes_from_a_command_is_in_no_argument_list_environment_or_file() {
    let mut production = Production::start(KeyBy::Command, None).await.unwrap();
    let mut gathered = Gathered::default();
    gathered.running(&production).await.unwrap();
    assert!(production.end_by("-TERM").await.unwrap().success());
    let (log, output) = production.logs_and_output().unwrap();
    gathered.add(Place::Log, "standard error", log);
    gathered.add(Place::Output, "standard output", output);
    gathered.folder(Place::DataFolder, &production.data()).unwrap();
    assert!(crate::control::strays_of_root_key(&production, &gathered).unwrap().is_empty());
    production.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_key_that_comes_from_a_variable_is_seen_in_the_environment_and_the_log_warns_of_it() {
    let mut production = Production::start(KeyBy::Environment, None).await.unwrap();
    let mut gathered = Gathered::default();
    gathered.running(&production).await.unwrap();
    assert!(production.end_by("-TERM").await.unwrap().success());
    let (log, _) = production.logs_and_output().unwrap();
    let log = String::from_utf8_lossy(&log).into_owned();
    assert!(log.contains("the root key comes from the environment"), "nobody was warned");
    gathered.add(Place::Log, "standard error", log.into_bytes());
    let strays = crate::control::strays_of_root_key(&production, &gathered).unwrap();
    assert!(strays.iter().all(|place| *place == Place::Environment) && !strays.is_empty(), "{strays:?}");
    production.stop().await.unwrap();
}
