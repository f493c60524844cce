//! Fields of requests, each read into a value or refused by its name. What stands in a field is never repeated in a refusal.

use std::{fmt::Display, str::FromStr};

use leasehold_control::{Control, Problem};
use leasehold_domain::{
    id::GrantId,
    revocation,
    scope::{Scope, ScopeSet},
    time::Span,
};
use leasehold_proto::v1;

/// The longest id, name, user name or email by which a request names something, in bytes.
const REFERENCE_LEN_MAX: usize = 254;
/// Entries on a page where the caller does not say.
const PAGE_SIZE_DEFAULT: usize = 100;
/// The most entries on a page.
const PAGE_SIZE_MAX: u32 = 500;

/// An id.
pub(crate) fn id<T>(field: &'static str, text: &str) -> Result<T, Problem>
where
    T: FromStr<Err: Display>,
{
    text.parse().map_err(|error| Problem::invalid(field, error))
}

/// An id, if there is one.
pub(crate) fn id_if_any<T>(field: &'static str, text: &str) -> Result<Option<T>, Problem>
where
    T: FromStr<Err: Display>,
{
    if text.is_empty() { Ok(None) } else { id(field, text).map(Some) }
}

/// What names something: its id, or a name.
pub(crate) fn reference<'a>(field: &'static str, text: &'a str) -> Result<&'a str, Problem> {
    let fits = (1..=REFERENCE_LEN_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits { Ok(text) } else { Err(Problem::invalid(field, "an id or a name, of 1 to 254 bytes")) }
}

/// What names something, if anything does.
pub(crate) fn reference_if_any<'a>(field: &'static str, text: &'a str) -> Result<Option<&'a str>, Problem> {
    if text.is_empty() { Ok(None) } else { reference(field, text).map(Some) }
}

/// A text that may be empty, of at most `max` bytes.
pub(crate) fn bounded(field: &'static str, text: &str, max: usize) -> Result<(), Problem> {
    if text.len() <= max { Ok(()) } else { Err(Problem::invalid(field, format!("at most {max} bytes"))) }
}

/// A text, if there is one.
pub(crate) fn text_if_any(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// Scopes; `None` where there are none.
pub(crate) fn scopes(field: &'static str, texts: &[String]) -> Result<Option<ScopeSet>, Problem> {
    if texts.is_empty() {
        return Ok(None);
    }
    let scopes: Vec<Scope> = texts
        .iter()
        .map(|text| Scope::new(text))
        .collect::<Result<_, _>>()
        .map_err(|error| Problem::invalid(field, error))?;
    ScopeSet::new(scopes).map(Some).map_err(|error| Problem::invalid(field, error))
}

/// A span in seconds, of at most `max`; `None` for 0.
pub(crate) fn seconds(field: &'static str, seconds: u32, max: Span) -> Result<Option<Span>, Problem> {
    let span = Span::from_secs(seconds.into());
    if span > max {
        return Err(Problem::invalid(field, format!("at most {} seconds", max.as_secs())));
    }
    Ok(Some(span).filter(|span| *span > Span::ZERO))
}

/// How many entries a page has at most.
pub(crate) fn page_size(asked: u32) -> Result<usize, Problem> {
    match asked {
        0 => Ok(PAGE_SIZE_DEFAULT),
        1..=PAGE_SIZE_MAX => Ok(usize::try_from(asked).unwrap_or(PAGE_SIZE_DEFAULT)),
        _ => Err(Problem::invalid("page_size", format!("at most {PAGE_SIZE_MAX}"))),
    }
}

/// Where a page begins; `None` for the first.
pub(crate) fn page<T: FromStr>(text: &str) -> Result<Option<T>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| Problem::invalid("page", "what `next_page` of the answer before said"))
}

/// What a revocation is to cover.
pub(crate) fn selector(
    control: &Control,
    selector: Option<v1::Selector>,
) -> Result<revocation::Selector, Problem> {
    use v1::selector::Selector;
    let expected = "one of grant, subject, workload, connector, mcp_server";
    let one = selector.and_then(|selector| selector.selector);
    match one.ok_or_else(|| Problem::invalid("selector", expected))? {
        Selector::Grant(text) => id::<GrantId>("selector.grant", &text).map(revocation::Selector::Grant),
        Selector::Subject(text) => control.selector_subject(reference("selector.subject", &text)?),
        Selector::Workload(text) => control.selector_workload(reference("selector.workload", &text)?),
        Selector::Connector(text) => control.selector_connector(reference("selector.connector", &text)?),
        Selector::McpServer(text) => control.selector_mcp_server(reference("selector.mcp_server", &text)?),
    }
}

#[cfg(test)]
mod tests {
    use leasehold_domain::id::LeaseId;

    use super::*;

    fn invalid<T>(result: Result<T, Problem>) -> (&'static str, String) {
        match result.err() {
            Some(Problem::Invalid { field, expected }) => (field, expected),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_id_of_another_kind_is_refused_by_the_fields_name() {
        let grant = GrantId::from_bytes([1; 16]).to_string();
        assert!(id::<GrantId>("grant", &grant).is_ok());
        let (field, expected) = invalid(id::<LeaseId>("lease_id", &grant));
        assert_eq!((field, expected.as_str()), ("lease_id", "expected an id that begins with lse_"));
    }

    #[test]
    fn a_reference_is_bounded_and_has_no_control_characters() {
        assert!(reference("subject", &"x".repeat(254)).is_ok());
        for bad in [String::new(), "x".repeat(255), "a\nb".to_owned()] {
            assert_eq!(invalid(reference("subject", &bad)).0, "subject");
        }
        assert_eq!(reference_if_any("subject", ""), Ok(None));
    }

    #[test]
    fn no_scopes_are_none_and_a_bad_one_is_refused() {
        assert_eq!(scopes("scopes", &[]), Ok(None));
        let set = scopes("scopes", &["b".to_owned(), "a".to_owned()]).unwrap().unwrap();
        assert_eq!(set.to_string(), "a b");
        assert_eq!(invalid(scopes("scopes", &["a b".to_owned()])).0, "scopes");
        let many: Vec<String> = (0..65).map(|n| format!("s{n}")).collect();
        assert_eq!(invalid(scopes("scopes", &many)).0, "scopes");
    }

    #[test]
    fn a_span_above_its_bound_is_refused_and_not_cut() {
        let hour = Span::from_mins(60);
        assert_eq!(seconds("ttl_seconds", 0, hour), Ok(None));
        assert_eq!(seconds("ttl_seconds", 3600, hour), Ok(Some(hour)));
        assert_eq!(
            invalid(seconds("ttl_seconds", 3601, hour)),
            ("ttl_seconds", "at most 3600 seconds".to_owned())
        );
        assert!(seconds("ttl_seconds", u32::MAX, hour).is_err());
    }

    #[test]
    fn a_page_has_a_hundred_entries_unless_said_and_at_most_five_hundred() {
        assert_eq!((page_size(0), page_size(1), page_size(500)), (Ok(100), Ok(1), Ok(500)));
        assert_eq!(invalid(page_size(501)).0, "page_size");
        assert_eq!(page::<GrantId>(""), Ok(None));
        assert_eq!(invalid(page::<GrantId>("next")).0, "page");
    }
}
