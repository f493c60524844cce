//! `serve --check` and `--example-config`: what is found without starting a node, and what a node refuses to start with.

use crate::{
    node::run,
    place::{Authority, Place},
};

#[tokio::test]
async fn a_configuration_that_fits_is_said_to_fit_and_nothing_is_made() {
    let place = Place::with_tls();
    let checked = run(&place, "serve --config leasehold.toml --check", &[]).await;
    assert_eq!(checked.exit, 0, "{}{}", checked.stdout, checked.stderr);
    assert!(checked.stdout.contains("a node can start with it"), "{}", checked.stdout);
    assert!(checked.stdout.contains("valid until"), "{}", checked.stdout);
    let advice = "advice: the certificate of console_tls is not for leasehold.example";
    assert!(checked.stdout.contains(advice), "{}", checked.stdout);
    assert!(!place.path("data").exists());
}

#[tokio::test]
async fn every_finding_is_printed_in_one_run() {
    let place = Place::with_tls();
    place.write("node.key", &Authority::new("another").issue(&["localhost"]).key);
    place.write("root.key", "leasehold-root-key-v1:short\n");
    let config = std::fs::read_to_string(place.path("leasehold.toml")).unwrap();
    let broken =
        config.replace("drain_delay_seconds = 1", "drain_delay_second = 1\nproviders_dir = \"nowhere\"");
    place.write("leasehold.toml", &broken);
    let checked = run(&place, "serve --config leasehold.toml --check", &[]).await;
    assert_eq!(checked.exit, 1, "{}", checked.stdout);
    let found: Vec<&str> = checked.stdout.lines().collect();
    let about = ["line 8: drain_delay_second: ", "root_key: ", "tls: ", "console_tls: ", "providers_dir: "];
    assert_eq!(found.len(), about.len(), "{found:#?}");
    for (finding, about) in found.iter().zip(about) {
        assert!(finding.starts_with(about), "{about}: {finding}");
    }
    assert!(found[0].ends_with("is drain_delay_seconds meant?"), "{found:#?}");
    assert!(found[2].contains("does not fit the certificate"), "{found:#?}");
    assert!(checked.stderr.contains("leasehold.toml has 5 findings"), "{}", checked.stderr);

    let refused = run(&place, "serve --config leasehold.toml", &[]).await;
    assert_eq!(refused.exit, 1);
    for about in ["drain_delay_second: ", "root_key: ", "console_tls: ", "providers_dir: "] {
        assert!(refused.stderr.contains(about), "{about}: {}", refused.stderr);
    }
    assert!(!place.path("data").exists(), "what is refused changes nothing");
}

#[tokio::test]
async fn data_of_another_node_or_of_dev_are_found() {
    let place = Place::bare("");
    std::fs::create_dir(place.path("data")).unwrap();
    let identity = |node: u64, development: bool| {
        format!("format = 1\ncluster = \"{:032x}\"\nnode = {node}\ndevelopment = {development}\n", 7)
    };
    for (identity, about) in [
        (identity(2, false), "this is node 2, not node 1"),
        (identity(1, true), "was made by `leasehold dev`"),
        ("format = 9".to_owned(), "cannot read"),
    ] {
        std::fs::write(place.path("data/node.toml"), identity).unwrap();
        let checked = run(&place, "serve --config leasehold.toml --check", &[]).await;
        assert_eq!(checked.exit, 1, "{}", checked.stdout);
        assert!(
            checked.stdout.starts_with("data_dir: ") && checked.stdout.contains(about),
            "{}",
            checked.stdout
        );
    }
}

#[tokio::test]
async fn the_example_is_printed_and_is_a_configuration() {
    let place = Place::bare("");
    let printed = run(&place, "serve --example-config", &[]).await;
    assert_eq!(printed.exit, 0, "{}", printed.stderr);
    let folder = place.folder().display().to_string();
    place.write(
        "leasehold.toml",
        &printed
            .stdout
            .replace("/etc/leasehold", &folder)
            .replace("/var/lib/leasehold", &format!("{folder}/data")),
    );
    let checked = run(&place, "serve --config leasehold.toml --check", &[]).await;
    assert_eq!(checked.exit, 0, "{}{}", checked.stdout, checked.stderr);
}

#[tokio::test]
async fn a_configuration_has_to_be_named() {
    let place = Place::bare("");
    assert_eq!(run(&place, "serve", &[]).await.exit, 2);
    assert_eq!(run(&place, "serve --config nothing-here.toml", &[]).await.exit, 1);
}
