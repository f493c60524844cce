//! What an operator writes for a node.

use std::fs;

use leasehold::node::config::Config;
use leasehold_fuzz::run;

#[test]
fn a_configuration_that_is_taken_says_what_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leasehold.toml");
    run("config", 4_000, |input| {
        fs::write(&path, input).unwrap();
        match Config::read(&path) {
            Ok(config) => {
                assert!(config.node >= 1);
                assert!(
                    matches!(config.public_url.scheme(), "https" | "http") && config.public_url.path() == "/"
                );
                assert!((1..=1_000_000).contains(&config.vouched_subjects_max));
                let sources = [
                    config.root_key.file.is_some(),
                    config.root_key.environment.is_some(),
                    config.root_key.command.is_some(),
                ];
                assert_eq!(sources.iter().filter(|stated| **stated).count(), 1);
            }
            Err(refusal) => assert!(format!("{refusal:#}").contains("leasehold.toml")),
        }
    });
}
