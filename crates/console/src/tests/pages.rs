//! Every page from samples: well formed, escaped, and usable without a mouse or an eye.

use askama::Template;
use leasehold_domain::{
    authorization::End,
    id::{AuthorizationId, GrantId},
    provider::ProviderFailure,
    text::TraceId,
};
use scraper::{Html, Selector};

use crate::{
    outcome::{self, Tone},
    page::{Account, Consent, Frame, Home, Outcome, ProblemPage, SignedOut},
    trouble::Trouble,
};

/// What a hostile provider, or anybody with a name, would have a page say.
const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror='1'>{{7*7}}";
const ID: AuthorizationId = AuthorizationId::from_bytes([7; 16]);

fn frame() -> Frame<'static> {
    Frame { host: "leasehold.example", development: true, trace: TraceId::from_bytes([0xab; 16]) }
}

fn consent(text: &str, handed_out: bool, shared: bool, scopes: usize) -> Consent<'static> {
    Consent {
        frame: frame(),
        authorization: ID,
        greeting: text.to_owned(),
        asked_by: text.to_owned(),
        mcp_server: text.to_owned(),
        resource: text.to_owned(),
        connector: text.to_owned(),
        provider: text.to_owned(),
        provider_host: text.to_owned(),
        scopes: vec![text.to_owned(); scopes],
        handed_out,
        shared,
        csrf: "token",
    }
}

fn account(account: &str, granted: &[&str], refused: &[&str]) -> Account<'static> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Account {
        frame: frame(),
        authorization: ID,
        account: account.to_owned(),
        connector: "files".to_owned(),
        mcp_server: "drive".to_owned(),
        granted: owned(granted),
        refused: owned(refused),
        csrf: "token",
    }
}

fn ends() -> Vec<End> {
    let failures = [
        ProviderFailure::GrantDead,
        ProviderFailure::ClientFault,
        ProviderFailure::RequestFault,
        ProviderFailure::Transient,
        ProviderFailure::Throttled(None),
        ProviderFailure::Ambiguous,
        ProviderFailure::Malformed,
        ProviderFailure::TooEarly,
    ];
    let others = [
        End::Confirmed(GrantId::from_bytes([1; 16])),
        End::Declined,
        End::RefusedByProvider,
        End::AccountMismatch,
        End::Superseded,
        End::Revoked,
        End::Expired,
    ];
    others.into_iter().chain(failures.map(End::ExchangeFailed)).collect()
}

fn outcome(notice: crate::trouble::Notice, tone: Tone, text: &str) -> Outcome<'static> {
    Outcome {
        frame: frame(),
        authorization: ID,
        notice,
        tone,
        connector: text.to_owned(),
        mcp_server: text.to_owned(),
        granted: vec![text.to_owned(); 2],
    }
}

/// Every page, with its name and whether the samples in it are hostile.
fn all() -> Vec<(String, String)> {
    let mut pages = Vec::new();
    let mut add =
        |name: &str, html: Result<String, askama::Error>| pages.push((name.to_owned(), html.unwrap()));
    for text in [HOSTILE, "Example", "you", ""] {
        add("home", Home { frame: frame(), greeting: text.to_owned(), csrf: "token" }.render());
        for (handed_out, shared) in [(true, true), (true, false), (false, true), (false, false)] {
            add("consent", consent(text, handed_out, shared, 3).render());
        }
        add("consent without scopes", consent(text, true, true, 0).render());
        add("account", account(text, &[text, "files.read"], &[text]).render());
        add("account, nothing granted", account(text, &[], &[text]).render());
        add("account, all granted", account(text, &[text], &[]).render());
        for end in ends() {
            add("outcome", outcome(outcome::notice(end), Tone::Bad, text).render());
        }
        add("connected", outcome(outcome::CONNECTED, Tone::Good, text).render());
        add("exchanging", outcome(outcome::EXCHANGING, Tone::Waiting, text).render());
    }
    add("signed out", SignedOut { frame: frame(), authorization: None }.render());
    add("signed out of a consent", SignedOut { frame: frame(), authorization: Some(ID) }.render());
    for trouble in Trouble::ALL {
        for (back, sign_out) in [
            (None, None),
            (Some(ID), None),
            (Some(ID), Some(("token", Some(ID)))),
            (None, Some(("token", None))),
        ] {
            add("problem", ProblemPage { frame: frame(), notice: trouble.notice(), back, sign_out }.render());
        }
    }
    pages
}

#[test]
fn every_page_renders_whole_and_says_where_it_is_from() {
    for (name, html) in all() {
        let page = Html::parse_document(&html);
        assert!(page.errors.is_empty(), "{name}: {:?}", page.errors);
        let count = |css: &str| page.select(&Selector::parse(css).unwrap()).count();
        assert_eq!((count("h1"), count("main"), count("title")), (1, 1, 1), "{name}");
        assert_eq!(count("html[lang=en]"), 1, "{name}");
        assert_eq!(count("style"), 1, "{name}");
        assert!(html.contains("leasehold.example"), "{name}");
        assert!(html.contains("abababababababababababababababab"), "{name}");
    }
}

#[test]
fn nothing_on_a_page_runs_loads_or_leads_away() {
    for (name, html) in all() {
        let page = Html::parse_document(&html);
        let count = |css: &str| page.select(&Selector::parse(css).unwrap()).count();
        for forbidden in
            ["script", "img", "iframe", "object", "base", "[onerror]", "[style]", "[href^=http]", "[src]"]
        {
            assert_eq!(count(forbidden), 0, "{name}: {forbidden}");
        }
        for link in page.select(&Selector::parse("a[href], form[action]").unwrap()) {
            let target = link.attr("href").or(link.attr("action")).unwrap();
            assert!(target.starts_with('/') && !target.starts_with("//"), "{name}: {target}");
        }
    }
}

#[test]
fn every_form_posts_and_carries_the_sessions_token_and_named_buttons() {
    let mut forms = 0;
    for (name, html) in all() {
        let page = Html::parse_document(&html);
        for form in page.select(&Selector::parse("form").unwrap()) {
            forms += 1;
            assert_eq!(form.attr("method"), Some("post"), "{name}");
            let hidden = Selector::parse("input[type=hidden][name=csrf][value=token]").unwrap();
            assert_eq!(form.select(&hidden).count(), 1, "{name}");
            for button in form.select(&Selector::parse("button").unwrap()) {
                assert_eq!(button.attr("type"), Some("submit"), "{name}");
                assert!(!button.text().collect::<String>().trim().is_empty(), "{name}");
            }
        }
    }
    assert!(forms > 20);
}

#[test]
fn the_style_is_the_one_that_the_policy_names() {
    let html = SignedOut { frame: frame(), authorization: None }.render().unwrap();
    let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    assert_eq!(style, crate::page::STYLE);
    assert!(!style.contains("url(") && !style.contains("@import"));
}

#[test]
fn the_consent_page_says_where_the_token_goes() {
    let text = |handed_out, shared| consent("Example", handed_out, shared, 1).render().unwrap();
    assert!(text(true, false).contains("receive it for minutes at a time"));
    assert!(text(false, false).contains("Only gateways receive it"));
    assert!(text(true, true).contains("every MCP server that uses the connector"));
    assert!(text(true, false).contains("and no other MCP server"));
    assert!(consent("you", true, true, 1).render().unwrap().contains("You asked for this."));
    assert!(consent("", true, true, 1).render().unwrap().contains("no longer registered"));
}
