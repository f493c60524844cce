//! The rows of the threat model, and where each is played.

use std::{collections::BTreeMap, fs};

/// A row, as the model begins it, and the tests that play it: their file, and their names.
type Row = (&'static str, &'static [(&'static str, &'static [&'static str])]);

const ROWS: [Row; 8] = [
    (
        "A stolen workload credential.",
        &[
            ("tests/secrets/tests/threats/a_stolen_workload_credential.rs", &[]),
            ("tests/journey/tests/it/lease.rs", &["a_disabled_workloads_credential_is_nobodys"]),
            ("crates/domain/tests/it/lease/vouched.rs", &[]),
        ],
    ),
    (
        "A stolen administrator credential.",
        &[
            ("tests/secrets/tests/threats/a_stolen_administrator_credential.rs", &[]),
            ("tests/journey/tests/it/lease.rs", &["nobody_and_no_administrator_may_lease"]),
        ],
    ),
    (
        "A malicious provider, or one behind a connector's issuer.",
        &[
            ("tests/secrets/tests/threats/a_malicious_provider.rs", &[]),
            (
                "crates/upstream/tests/wire/egress.rs",
                &[
                    "no_name_reaches_what_its_address_may_not",
                    "one_forbidden_address_among_public_ones_is_enough",
                    "the_address_that_was_judged_is_the_one_that_is_dialled",
                ],
            ),
            (
                "crates/identity/tests/it/sign_in.rs",
                &[
                    "an_id_token_with_a_wrong_claim_is_refused",
                    "an_issuer_that_is_wrong_or_was_promised_and_is_missing_ends_the_sign_in_before_the_code_is_sent",
                ],
            ),
            (
                "crates/upstream/src/callback_tests.rs",
                &["an_advertised_issuer_of_another_is_refused", "issuers_are_compared_as_they_are_written"],
            ),
        ],
    ),
    (
        "Somebody on the network.",
        &[
            (
                "crates/leasehold/src/node/config/config_tests.rs",
                &["ports_that_others_reach_need_certificates_or_a_word_about_a_proxy"],
            ),
            (
                "crates/api/src/server_tests.rs",
                &[
                    "serving_in_clear_beyond_loopback_is_refused",
                    "a_client_certificate_of_a_stranger_does_not_pass_the_handshake",
                    "replaced_certificates_hold_for_the_next_handshake_and_spare_open_connections",
                ],
            ),
            ("crates/console/src/cookies.rs", &["on_https_a_cookie_is_bound_to_the_host_and_to_tls"]),
        ],
    ),
    (
        "A page in the victim's browser.",
        &[
            (
                "tests/journey/tests/it/consent.rs",
                &[
                    "a_forged_approval_without_the_sessions_token_is_refused",
                    "another_person_is_refused_and_nothing_changes",
                    "a_callback_is_good_once",
                    "a_callback_in_a_browser_without_a_session_is_refused_and_the_code_is_not_sent",
                    "a_callback_in_another_persons_session_is_refused",
                    "a_state_that_has_had_its_ten_minutes_is_refused",
                ],
            ),
            ("crates/console/src/tests/forms.rs", &["no_form_is_taken_that_is_not_this_sessions_own"]),
            ("crates/console/src/tests/guarding.rs", &["every_answer_carries_every_header"]),
            (
                "crates/console/src/tests/refusals.rs",
                &[
                    "a_stolen_state_cookie_is_worth_nothing_in_another_session",
                    "a_sign_in_that_this_browser_did_not_begin_signs_nobody_in",
                    "a_forged_form_of_another_site_is_refused",
                ],
            ),
        ],
    ),
    (
        "Whoever reads the disk or a backup.",
        &[
            ("tests/secrets/tests/threats/whoever_reads_the_disk_or_a_backup.rs", &[]),
            (
                "tests/secrets/tests/it/canaries.rs",
                &["no_secret_stands_where_it_should_not_after_a_journey_through_everything"],
            ),
        ],
    ),
    (
        "Whoever writes the disk.",
        &[
            ("tests/secrets/tests/threats/whoever_writes_the_disk.rs", &[]),
            ("crates/ledger/src/tests/damage.rs", &[]),
            ("crates/wal/src/tests/flips.rs", &[]),
        ],
    ),
    (
        "A person who was somebody else's account.",
        &[(
            "tests/journey/tests/it/consent.rs",
            &[
                "another_account_than_the_grants_is_refused_on_a_new_consent_and_its_tokens_are_revoked",
                "an_account_that_the_person_rejects_never_becomes_a_grant",
            ],
        )],
    ),
];

fn source(path: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    fs::read_to_string(format!("{root}{path}")).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_attacker_of_the_threat_model_is_played_by_tests_that_exist() {
    let model = source("THREAT_MODEL.md");
    let attackers = model.split("## Attackers").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<&str> =
        attackers.split("\n\n").filter_map(|row| row.trim().strip_prefix("**")?.split("**").next()).collect();
    let played: BTreeMap<&str, &[(&str, &[&str])]> = ROWS.into_iter().collect();
    for row in &rows {
        assert!(played.contains_key(row), "nobody plays {row:?}");
    }
    assert_eq!(rows.len(), ROWS.len(), "{rows:?}");
    for (row, tests) in played {
        for (file, names) in tests {
            let text = source(file);
            assert!(text.contains("#[test]") || text.contains("#[tokio::test"), "{row}: no test in {file}");
            for name in *names {
                assert!(text.contains(&format!("fn {name}()")), "{row}: {file} has no {name}");
            }
        }
    }
}
