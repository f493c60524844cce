//! What happens to a test whose tool is missing: it is left out loudly, or fails where all tools are required.

use std::env;
use std::io::Write as _;

use crate::toolchain::Tool;

/// Set to `required`, a missing tool fails the test that needs it.
const VARIABLE: &str = "LEASEHOLD_INTEROP";

/// Says that `test` did not run because `tool` is missing.
///
/// # Panics
///
/// If the environment has `LEASEHOLD_INTEROP=required`.
pub fn not_run(test: &str, tool: Tool) {
    let required = env::var(VARIABLE).is_ok_and(|mode| mode == "required");
    assert!(!required, "{}, and {VARIABLE}=required", sentence(test, tool));
    // Not `eprintln!`: the test runner captures it and shows nothing of a test that passed.
    // A closed standard error leaves nobody to tell.
    let _ = std::io::stderr().write_all(format!("{}\n", sentence(test, tool)).as_bytes());
}

fn sentence(test: &str, tool: Tool) -> String {
    format!("NOT RUN: {test}: {tool} is missing")
}

/// The name the test runner shows, from the type name of a function inside the test.
#[must_use]
pub fn short_test_name(inner: &str) -> &str {
    let test = inner.strip_suffix("::here").unwrap_or(inner).trim_end_matches("::{{closure}}");
    test.split_once("::").map_or(test, |(_crate, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_left_out_is_named_with_its_missing_tool() {
        assert_eq!(
            sentence("journey::alice_connects", Tool::Node),
            "NOT RUN: journey::alice_connects: node is missing"
        );
    }

    #[test]
    fn the_name_is_the_one_the_test_runner_shows() {
        fn here() {}
        let name = std::any::type_name_of_val(&here);
        assert_eq!(short_test_name(name), "requirement::tests::the_name_is_the_one_the_test_runner_shows");
    }

    #[tokio::test]
    async fn the_name_of_an_async_test_is_the_same() {
        fn here() {}
        let name = std::any::type_name_of_val(&here);
        assert_eq!(short_test_name(name), "requirement::tests::the_name_of_an_async_test_is_the_same");
    }
}
