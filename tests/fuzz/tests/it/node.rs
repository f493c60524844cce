//! What an operator writes for a node.

use leasehold::node::config::parse;
use leasehold_fuzz::run;

#[test]
fn a_configuration_that_is_taken_says_what_can_be() {
    run("config", 4_000, |input| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        let parsed = parse(text);
        assert_eq!(parsed.config.is_some(), parsed.findings.is_empty(), "{:?}", parsed.findings);
        if let Some(config) = parsed.config {
            assert!(config.node >= 1);
            assert!(
                matches!(config.public_url.scheme(), "https" | "http") && config.public_url.path() == "/"
            );
            assert!((1..=1_000_000).contains(&config.options.vouched_subjects_max));
            assert!(config.options.otlp_share_percent <= 100 && config.options.drain_delay_seconds <= 60);
        }
    });
}
