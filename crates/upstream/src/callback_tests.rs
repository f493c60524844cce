use super::*;

const ASKED: &str = "https://as.example/tenant";
const ASKED_ENCODED: &str = "https%3A%2F%2Fas.example%2Ftenant";

fn judge(query: &str, issuer: Option<&str>, issuer_required: bool) -> Result<Callback, CallbackError> {
    let issuer = issuer.map(|text| Issuer::new(text).unwrap());
    let state = SecretString::from("the-state");
    let expected = Expectation { state: &state, issuer: issuer.as_ref(), issuer_required };
    UntrustedCallback::read(query)?.judge(&expected)
}

fn code(judged: Result<Callback, CallbackError>) -> Result<String, CallbackError> {
    match judged? {
        Callback::Code(code) => Ok(code.expose_secret().to_owned()),
        Callback::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

#[test]
fn an_advertised_issuer_that_matches_is_believed() {
    let query = format!("code=c&state=the-state&iss={ASKED_ENCODED}");
    assert_eq!(code(judge(&query, Some(ASKED), true)).as_deref(), Ok("c"));
}

#[test]
fn an_advertised_issuer_that_is_missing_is_refused() {
    let judged = judge("code=c&state=the-state", Some(ASKED), true);
    assert_eq!(judged.unwrap_err(), CallbackError::IssuerMissing);
}

#[test]
fn an_advertised_issuer_of_another_is_refused() {
    let judged = judge("code=c&state=the-state&iss=https%3A%2F%2Fevil.example", Some(ASKED), true);
    assert_eq!(judged.unwrap_err(), CallbackError::Issuer);
}

#[test]
fn an_issuer_that_was_not_advertised_and_matches_is_believed() {
    let query = format!("code=c&state=the-state&iss={ASKED_ENCODED}");
    assert_eq!(code(judge(&query, Some(ASKED), false)).as_deref(), Ok("c"));
}

#[test]
fn an_issuer_that_was_not_advertised_and_is_missing_is_no_matter() {
    assert_eq!(code(judge("code=c&state=the-state", Some(ASKED), false)).as_deref(), Ok("c"));
}

#[test]
fn an_issuer_that_was_not_advertised_and_is_another_is_refused() {
    let judged = judge("code=c&state=the-state&iss=https%3A%2F%2Fevil.example", Some(ASKED), false);
    assert_eq!(judged.unwrap_err(), CallbackError::Issuer);
}

#[test]
fn issuers_are_compared_as_they_are_written() {
    for other in
        ["https://as.example/tenant/", "https://AS.example/tenant", "https://as.example:443/tenant", ""]
    {
        let encoded: String = url::form_urlencoded::byte_serialize(other.as_bytes()).collect();
        let judged = judge(&format!("code=c&state=the-state&iss={encoded}"), Some(ASKED), false);
        assert_eq!(judged.unwrap_err(), CallbackError::Issuer, "{other}");
    }
}

#[test]
fn an_error_under_a_wrong_issuer_is_not_looked_at() {
    let judged =
        judge("error=access_denied&state=the-state&iss=https%3A%2F%2Fevil.example", Some(ASKED), false);
    assert_eq!(judged.unwrap_err(), CallbackError::Issuer);
}

#[test]
fn a_required_issuer_with_nothing_to_compare_it_to_is_refused() {
    let query = format!("code=c&state=the-state&iss={ASKED_ENCODED}");
    assert_eq!(judge(&query, None, true).unwrap_err(), CallbackError::Issuer);
    assert_eq!(code(judge(&query, None, false)).as_deref(), Ok("c"));
}

#[test]
fn the_state_is_checked_before_all_else() {
    let judged = judge("error=access_denied&state=another&iss=https%3A%2F%2Fevil.example", Some(ASKED), true);
    assert_eq!(judged.unwrap_err(), CallbackError::State);
}

#[test]
fn errors_are_reduced_to_known_kinds_and_their_text_is_dropped() {
    for (sent, kind) in [
        ("access_denied", Refusal::AccessDenied),
        ("login_required", Refusal::InteractionRequired),
        ("invalid_scope", Refusal::InvalidScope),
        ("invalid_target", Refusal::InvalidTarget),
        ("unauthorized_client", Refusal::UnauthorizedClient),
        ("unsupported_response_type", Refusal::InvalidRequest),
        ("temporarily_unavailable", Refusal::Unavailable),
        ("%3Cscript%3E", Refusal::Other),
        ("", Refusal::Other),
    ] {
        let judged =
            judge(&format!("error={sent}&error_description=canary&state=the-state"), None, false).unwrap();
        let printed = format!("{judged:?}");
        assert!(!printed.contains("canary") && !printed.contains("script"), "{printed}");
        assert!(matches!(judged, Callback::Refused(found) if found == kind), "{sent}");
    }
}

#[test]
fn a_parameter_that_occurs_twice_is_refused() {
    for query in [
        "code=c&code=c&state=the-state",
        "code=c&state=the-state&state=the-state",
        "code=c&state=the-state&iss=a&iss=b",
        "code=c&state=the-state&x=1&x=1",
        "code=c&c%6fde=d&state=the-state",
    ] {
        assert_eq!(UntrustedCallback::read(query).unwrap_err(), CallbackError::Duplicate, "{query}");
    }
}

#[test]
fn a_callback_has_either_a_code_or_an_error() {
    for query in ["state=the-state", "code=c&error=access_denied&state=the-state"] {
        assert_eq!(UntrustedCallback::read(query).unwrap_err(), CallbackError::Neither, "{query}");
    }
    for query in ["code=c", "code=c&state=", "", "code=c&STATE=x"] {
        assert_eq!(UntrustedCallback::read(query).unwrap_err(), CallbackError::NoState, "{query}");
    }
}

#[test]
fn what_lenient_decoders_repair_is_refused() {
    let long = format!("code={}&state=s", "c".repeat(5000));
    let longer = format!("code=c&state={}", "s".repeat(9000));
    let many: String = (0..40).map(|n| format!("p{n}=1&")).collect();
    for query in [
        "code=%zz&state=s",
        "code=c%&state=s",
        "code=c%4&state=s",
        "code=%ff&state=s",
        "code=%00&state=s",
        "code=&state=s",
        "code=%c3%a4&state=s",
        &long,
        &longer,
        &many,
    ] {
        assert_eq!(UntrustedCallback::read(query).unwrap_err(), CallbackError::Malformed, "{query}");
    }
}

#[test]
fn values_are_decoded_once() {
    assert_eq!(code(judge("code=a%2Bb%2525+c&state=the-state", None, false)).as_deref(), Ok("a+b%25 c"));
}

#[test]
fn nothing_of_a_callback_prints() {
    let read = UntrustedCallback::read("code=canary-code&state=canary-state").unwrap();
    assert!(!format!("{read:?}").contains("canary"));
    let state = SecretString::from("canary-state");
    let judged = read.judge(&Expectation { state: &state, issuer: None, issuer_required: false }).unwrap();
    assert!(!format!("{judged:?}").contains("canary"));
}
