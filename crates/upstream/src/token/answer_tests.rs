use secrecy::ExposeSecret;

use super::*;
use crate::{
    call::Leg,
    catalogue::tests::built_in,
    samples::{self, acme},
    transport::Completeness,
};

const SENT_AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn answer(status: u16, content_type: &str, body: &str) -> RawAnswer {
    RawAnswer { content_type: Some(content_type.to_owned()), ..samples::answer(Leg::Refresh, status, body) }
}

fn json(body: &str) -> RawAnswer {
    answer(200, "application/json", body)
}

fn asked() -> ScopeSet {
    "a b".parse().unwrap()
}

fn parse(provider: &Provider, answer: &RawAnswer) -> Result<TokenSet, Failure> {
    parse_token_answer(provider, answer, &asked(), SENT_AT)
}

fn class(provider: &Provider, answer: &RawAnswer) -> ProviderFailure {
    parse(provider, answer).unwrap_err().class
}

#[test]
fn a_full_answer_becomes_a_token_set() {
    let acme = acme("[token]\nmetadata = [\"instance_url\"]\n");
    let set = parse(
        &acme,
        &json(
            r#"{"access_token":"at","token_type":"bearer","expires_in":3600,"refresh_token":"rt","scope":"b a c",
                "refresh_token_expires_in":7200,"id_token":"a.b.c","instance_url":"https://eu.acme.example"}"#,
        ),
    )
    .unwrap();
    assert_eq!(set.access_token.expose_secret(), "at");
    assert_eq!(set.refresh_token.unwrap().expose_secret(), "rt");
    assert_eq!(set.id_token.unwrap().expose_secret(), "a.b.c");
    assert_eq!(set.token_type, "Bearer");
    assert_eq!(set.scopes, Granted::Stated("a b c".parse().unwrap()));
    let at = |secs| Expiry { at: SENT_AT + Span::from_secs(secs), source: ExpirySource::Stated };
    assert_eq!(set.expires_at, Some(at(3600)));
    assert_eq!(set.refresh_expires_at, Some(at(7200)));
    assert_eq!(set.metadata["instance_url"], "https://eu.acme.example");
}

#[test]
fn the_smallest_answer_leaves_open_what_it_does_not_say() {
    let set = parse(&acme(""), &json(r#"{"access_token":"at"}"#)).unwrap();
    assert!(set.refresh_token.is_none() && set.id_token.is_none());
    assert_eq!(set.scopes, Granted::AsAsked(asked()));
    assert_eq!((set.expires_at, set.refresh_expires_at), (None, None));
    assert_eq!(set.token_type, "Bearer");
    assert!(set.metadata.is_empty());
}

#[test]
fn lifetimes_come_from_the_entry_where_the_answer_is_silent() {
    let acme = acme(
        "[lifetimes]\naccess_token_secs = 600\nrefresh_token_idle_secs = 100\nrefresh_token_absolute_secs = 1000\n\
         refresh_token_field = \"x_refresh\"\n",
    );
    let derived = |secs| Some(Expiry { at: SENT_AT + Span::from_secs(secs), source: ExpirySource::Derived });
    let set = parse(&acme, &json(r#"{"access_token":"at","refresh_token":"rt"}"#)).unwrap();
    assert_eq!((set.expires_at, set.refresh_expires_at), (derived(600), derived(100)));
    let set = parse(&acme, &json(r#"{"access_token":"at","x_refresh":5}"#)).unwrap();
    assert_eq!(set.refresh_expires_at, None, "there is no refresh token that could end");
    let set = parse(&acme, &json(r#"{"access_token":"at","refresh_token":"rt","x_refresh":5}"#)).unwrap();
    assert_eq!(set.refresh_expires_at.unwrap().source, ExpirySource::Stated);
}

#[test]
fn a_lifetime_is_read_from_every_way_of_writing_a_number_and_from_nothing_else() {
    for (written, secs) in [
        ("60", Some(60)),
        ("60.9", Some(60)),
        ("\"60\"", Some(60)),
        ("\" 60 \"", Some(60)),
        ("0", None),
        ("-1", None),
        ("null", None),
        ("\"soon\"", None),
        ("true", None),
        ("[60]", None),
        ("1e400", None),
        ("\"6e1\"", None),
    ] {
        // A number beyond all bounds is no JSON number for the reader, and then the whole is malformed.
        let Ok(set) = parse(&acme(""), &json(&format!(r#"{{"access_token":"at","expires_in":{written}}}"#)))
        else {
            assert_eq!(written, "1e400");
            continue;
        };
        assert_eq!(
            set.expires_at.map(|expiry| expiry.at),
            secs.map(|secs| SENT_AT + Span::from_secs(secs)),
            "{written}"
        );
    }
}

#[test]
fn a_lifetime_beyond_the_calendar_ends_with_the_calendar() {
    let set = parse(&acme(""), &json(r#"{"access_token":"at","expires_in":18446744073709551615}"#)).unwrap();
    assert_eq!(set.expires_at.unwrap().at, Timestamp::MAX);
}

#[test]
fn scopes_are_read_as_text_and_as_a_list_and_with_commas_where_the_entry_says_so() {
    let commas = acme("[token]\ncomma_scopes = true\n");
    let granted = |provider: &Provider, written: &str| {
        parse(provider, &json(&format!(r#"{{"access_token":"at","scope":{written}}}"#))).map(|set| set.scopes)
    };
    let stated = |text: &str| Ok(Granted::Stated(text.parse().unwrap()));
    assert_eq!(granted(&acme(""), r#""b  a""#), stated("a b"));
    assert_eq!(granted(&acme(""), r#"["b","a"]"#), stated("a b"));
    assert_eq!(granted(&acme(""), r#""a,b""#), stated("a,b"));
    assert_eq!(granted(&commas, r#""a,b, c""#), stated("a b c"));
    assert_eq!(granted(&acme(""), r#""""#), stated(""));
    assert_eq!(granted(&acme(""), "null"), Ok(Granted::AsAsked(asked())));
    assert_eq!(granted(&built_in("github"), r#""""#), Ok(Granted::AsAsked(asked())));
}

#[test]
fn scopes_that_cannot_be_read_are_not_guessed() {
    let many: Vec<String> = (0..65).map(|n| format!("s{n}")).collect();
    for written in ["1", "{}", r#"["a", 1]"#, r#"["a b"]"#, r#""ä""#, &format!("\"{}\"", many.join(" "))] {
        let found = class(&acme(""), &json(&format!(r#"{{"access_token":"at","scope":{written}}}"#)));
        assert_eq!(found, ProviderFailure::Malformed, "{written}");
    }
}

#[test]
fn a_form_encoded_answer_is_read_under_its_type() {
    let body = "access_token=a%2Bt&token_type=bearer&scope=a%2Cb&expires_in=28800&refresh_token=rt";
    for content_type in [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-8",
        "text/plain",
    ] {
        let set = parse(&built_in("github"), &answer(200, content_type, body)).unwrap();
        assert_eq!(set.access_token.expose_secret(), "a+t");
        assert_eq!(set.scopes, Granted::Stated(asked()));
        assert_eq!(set.expires_at.unwrap().at, SENT_AT + Span::from_secs(28_800));
    }
    assert_eq!(class(&acme(""), &answer(200, "text/html", body)), ProviderFailure::Malformed);
    let twice = answer(200, "application/x-www-form-urlencoded", "access_token=a&access_token=b");
    assert_eq!(class(&acme(""), &twice), ProviderFailure::Malformed);
}

#[test]
fn a_json_object_is_read_whatever_type_it_claims_and_a_page_is_not() {
    let body = "\u{feff} {\"access_token\":\"at\"} ";
    assert!(parse(&acme(""), &answer(200, "text/html", body)).is_ok());
    let page = answer(200, "text/html; charset=utf-8", "<html>Sign in</html>");
    assert_eq!(class(&acme(""), &page), ProviderFailure::Malformed);
}

#[test]
fn a_success_that_cannot_be_read_is_malformed() {
    for body in [
        "",
        "null",
        "[]",
        "{",
        r#"{"access_token":"at""#,
        "{}",
        r#"{"access_token":null}"#,
        r#"{"access_token":""}"#,
        r#"{"access_token":1}"#,
        r#"{"access_token":"a b"}"#,
        r#"{"access_token":"a\r\nX-Evil: 1"}"#,
        r#"{"access_token":"ä"}"#,
        r#"{"access_token":"a","access_token":"b"}"#,
        r#"{"access_token":"a","refresh_token":1}"#,
        r#"{"access_token":"a","refresh_token":"r\u0000"}"#,
        r#"{"access_token":"a","token_type":1}"#,
        r#"{"access_token":"a","token_type":"x y"}"#,
        r#"{"access_token":"a"} trailing"#,
        &format!(r#"{{"access_token":"{}"}}"#, "a".repeat(20_000)),
    ] {
        assert_eq!(class(&acme(""), &json(body)), ProviderFailure::Malformed, "{body}");
    }
}

#[test]
fn a_transfer_that_broke_off_is_ambiguous_unless_the_object_is_whole() {
    let broken = |status, body| RawAnswer {
        completeness: Completeness::BrokenOff,
        ..answer(status, "application/json", body)
    };
    assert_eq!(class(&acme(""), &broken(200, r#"{"access_token":"at"#)), ProviderFailure::Ambiguous);
    assert_eq!(class(&acme(""), &broken(200, "")), ProviderFailure::Ambiguous);
    assert_eq!(class(&acme(""), &broken(400, r#"{"error":"inv"#)), ProviderFailure::Ambiguous);
    assert_eq!(class(&acme(""), &broken(400, r#"{"error":"invalid_grant"}"#)), ProviderFailure::GrantDead);
    assert!(parse(&acme(""), &broken(200, r#"{"access_token":"at"}"#)).is_ok());
    let form = RawAnswer {
        completeness: Completeness::BrokenOff,
        ..answer(200, "application/x-www-form-urlencoded", "access_token=trunca")
    };
    assert_eq!(class(&acme(""), &form), ProviderFailure::Ambiguous);
}

#[test]
fn an_answer_beyond_the_limit_is_malformed() {
    let cut = RawAnswer { completeness: Completeness::CutAtLimit, ..json(r#"{"access_token":"at"#) };
    assert_eq!(class(&acme(""), &cut), ProviderFailure::Malformed);
}

#[test]
fn a_provider_that_says_ok_inside_the_body_is_held_to_it() {
    let slack = acme(
        "[token]\nwithin = \"/authed_user\"\n[failures.success]\nat = \"/ok\"\nequals = true\n[failures.map]\ninvalid_refresh_token = \"grant_dead\"\n",
    );
    let good = json(r#"{"ok":true,"authed_user":{"access_token":"at"},"error":"ignored when ok"}"#);
    assert_eq!(parse(&slack, &good).unwrap().access_token.expose_secret(), "at");
    assert_eq!(
        class(&slack, &json(r#"{"ok":false,"error":"invalid_refresh_token"}"#)),
        ProviderFailure::GrantDead
    );
    assert_eq!(class(&slack, &json(r#"{"ok":false,"error":"weird"}"#)), ProviderFailure::RequestFault);
    assert_eq!(
        class(&slack, &json(r#"{"ok":"true","authed_user":{"access_token":"at"}}"#)),
        ProviderFailure::Malformed
    );
    assert_eq!(class(&slack, &json(r#"{"ok":true,"authed_user":"at"}"#)), ProviderFailure::Malformed);
}

#[test]
fn a_code_can_be_a_number() {
    let coded = acme(
        "[failures]\ncode = \"/result\"\nsuccess = { at = \"/result\", equals = 0 }\nmap = { \"4010\" = \"grant_dead\" }\n",
    );
    assert!(parse(&coded, &json(r#"{"result":0,"access_token":"at"}"#)).is_ok());
    assert_eq!(class(&coded, &json(r#"{"result":4010}"#)), ProviderFailure::GrantDead);
}

#[test]
fn github_tells_errors_under_status_200() {
    let github = built_in("github");
    for (code, expected) in [
        ("bad_refresh_token", ProviderFailure::GrantDead),
        ("bad_verification_code", ProviderFailure::GrantDead),
        ("incorrect_client_credentials", ProviderFailure::ClientFault),
        ("redirect_uri_mismatch", ProviderFailure::RequestFault),
        ("unverified_user_email", ProviderFailure::RequestFault),
        ("something_new", ProviderFailure::RequestFault),
    ] {
        assert_eq!(class(&github, &json(&format!(r#"{{"error":"{code}"}}"#))), expected, "{code}");
    }
    assert!(
        parse(&github, &json(r#"{"error":"incorrect_client_credentials"}"#)).unwrap_err().blames_secret()
    );
    let form =
        answer(200, "application/x-www-form-urlencoded", "error=bad_refresh_token&error_description=no");
    assert_eq!(class(&github, &form), ProviderFailure::GrantDead);
}

#[test]
fn a_token_and_an_error_at_once_are_kept_and_not_guessed() {
    let both = json(r#"{"access_token":"at","error":"invalid_grant"}"#);
    assert_eq!(class(&acme(""), &both), ProviderFailure::Malformed);
    for nothing in ["null", "\"\"", "false"] {
        let body = format!(r#"{{"access_token":"at","error":{nothing}}}"#);
        assert!(parse(&acme(""), &json(&body)).is_ok(), "{nothing}");
    }
}

#[test]
fn standard_codes_have_their_standard_meaning() {
    for (status, code, expected) in [
        (400, "invalid_grant", ProviderFailure::GrantDead),
        (401, "invalid_grant", ProviderFailure::GrantDead),
        (401, "invalid_client", ProviderFailure::ClientFault),
        (400, "invalid_client", ProviderFailure::ClientFault),
        (400, "unauthorized_client", ProviderFailure::ClientFault),
        (400, "invalid_request", ProviderFailure::RequestFault),
        (400, "invalid_scope", ProviderFailure::RequestFault),
        (400, "invalid_target", ProviderFailure::RequestFault),
        (400, "unsupported_grant_type", ProviderFailure::RequestFault),
        (400, "temporarily_unavailable", ProviderFailure::Transient),
        (400, "slow_down", ProviderFailure::Throttled(None)),
        (400, "unheard_of", ProviderFailure::RequestFault),
    ] {
        let body = format!(r#"{{"error":"{code}","error_description":"canary"}}"#);
        let failure =
            parse(&acme("[refresh]\nclass = \"stable\"\n"), &answer(status, "application/json", &body))
                .unwrap_err();
        assert_eq!(failure.class, expected, "{status} {code}");
        assert!(!format!("{failure} {failure:?}").contains("canary"));
    }
}

#[test]
fn an_entry_may_mean_something_else_by_a_standard_code() {
    let odd = acme("[failures.map]\ninvalid_request = \"grant_dead\"\nnot_yet = \"too_early\"\n");
    assert_eq!(
        class(&odd, &answer(400, "application/json", r#"{"error":"invalid_request"}"#)),
        ProviderFailure::GrantDead
    );
    assert_eq!(
        class(&odd, &answer(400, "application/json", r#"{"error":"not_yet"}"#)),
        ProviderFailure::TooEarly
    );
}

#[test]
fn a_status_speaks_where_no_code_does_and_never_ends_a_grant() {
    let stable = acme("[refresh]\nclass = \"stable\"\n");
    for (status, expected) in [
        (301, ProviderFailure::RequestFault),
        (302, ProviderFailure::RequestFault),
        (307, ProviderFailure::RequestFault),
        (400, ProviderFailure::RequestFault),
        (401, ProviderFailure::ClientFault),
        (403, ProviderFailure::RequestFault),
        (404, ProviderFailure::RequestFault),
        (408, ProviderFailure::Transient),
        (425, ProviderFailure::Transient),
        (429, ProviderFailure::Throttled(None)),
        (500, ProviderFailure::Transient),
        (502, ProviderFailure::Transient),
        (503, ProviderFailure::Transient),
    ] {
        for body in ["", "<html>", "{}", r#"{"error":{"message":"x"}}"#] {
            assert_eq!(class(&stable, &answer(status, "text/html", body)), expected, "{status} {body}");
        }
    }
}

#[test]
fn a_server_error_after_the_send_is_ambiguous_where_a_second_send_could_harm() {
    let strict = acme("");
    let stable = acme("[refresh]\nclass = \"stable\"\n");
    for status in [500, 502, 503, 504] {
        let refresh = answer(status, "application/json", r#"{"error":"invalid_grant"}"#);
        assert_eq!(class(&strict, &refresh), ProviderFailure::Ambiguous, "{status}");
        assert_eq!(class(&stable, &refresh), ProviderFailure::Transient, "{status}");
        let exchange = RawAnswer { leg: Leg::Exchange, ..answer(status, "text/html", "") };
        assert_eq!(class(&stable, &exchange), ProviderFailure::Ambiguous, "{status}");
    }
    let disguised = answer(400, "application/json", r#"{"error":"server_error"}"#);
    assert_eq!(class(&strict, &disguised), ProviderFailure::Ambiguous);
    assert_eq!(class(&stable, &disguised), ProviderFailure::Transient);
    let busy = answer(400, "application/json", r#"{"error":"temporarily_unavailable"}"#);
    assert_eq!(class(&strict, &busy), ProviderFailure::Transient);
}

#[test]
fn a_throttling_says_how_long_in_seconds_or_as_a_date() {
    let wait = |status, text: &str| {
        let answer = RawAnswer { retry_after: Some(text.to_owned()), ..answer(status, "text/plain", "slow") };
        class(&acme("[refresh]\nclass = \"stable\"\n"), &answer)
    };
    let throttled = |span| ProviderFailure::Throttled(Some(span));
    assert_eq!(wait(429, "7"), throttled(Span::from_secs(7)));
    assert_eq!(wait(429, "0"), throttled(Span::ZERO));
    assert_eq!(wait(429, "99999999999999999999999"), throttled(Span::from_secs(86_400)));
    // The answer arrived at 2023-11-14T22:13:20.5Z.
    assert_eq!(wait(429, "Tue, 14 Nov 2023 22:13:50 GMT"), throttled(Span::from_millis(29_500)));
    assert_eq!(wait(429, "Tue, 14 Nov 2023 22:13:00 GMT"), throttled(Span::ZERO));
    assert_eq!(wait(429, "Fri, 14 Nov 2031 22:13:00 GMT"), throttled(Span::from_secs(86_400)));
    assert_eq!(wait(429, "soon"), ProviderFailure::Throttled(None));
    assert_eq!(wait(429, "-5"), ProviderFailure::Throttled(None));
    assert_eq!(wait(403, "7"), throttled(Span::from_secs(7)));
    assert_eq!(wait(503, "7"), throttled(Span::from_secs(7)));
}

#[test]
fn metadata_is_what_the_entry_lists_and_bounded() {
    let acme = acme("[token]\nmetadata = [\"instance_url\", \"api_domain\", \"region\"]\n");
    let long = "x".repeat(600);
    let body = format!(
        r#"{{"access_token":"at","instance_url":"https://a.example","api_domain":"{long}","region":"a\nb","other":"x"}}"#
    );
    let set = parse(&acme, &json(&body)).unwrap();
    assert_eq!(
        set.metadata.into_iter().collect::<Vec<_>>(),
        [("instance_url".to_owned(), "https://a.example".to_owned())]
    );
}

#[test]
fn a_token_set_prints_no_secret_and_no_metadata() {
    let acme = acme("[token]\nmetadata = [\"instance_url\"]\n");
    let body =
        r#"{"access_token":"canary","refresh_token":"canary","id_token":"canary","instance_url":"canary"}"#;
    let printed = format!("{:?}", parse(&acme, &json(body)).unwrap());
    assert!(!printed.contains("canary"), "{printed}");
}
