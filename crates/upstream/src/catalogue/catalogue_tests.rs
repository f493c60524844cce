use leasehold_domain::{
    provider::{ProviderFailure, RefreshClass},
    time::Span,
};
use tempfile::TempDir;

use super::*;

/// A provider out of TOML, for tests of other modules.
pub(crate) fn provider(text: &str) -> Provider {
    Provider::read("under-test.toml", text).unwrap()
}

/// A provider that is compiled in, for tests of other modules.
pub(crate) fn built_in(name: &str) -> Provider {
    let catalogue = Catalogue::load(None).unwrap();
    Provider::clone(catalogue.get(&Name::new(name).unwrap()).unwrap())
}

const SMALLEST: &str = r#"
display_name = "Acme"
[endpoints]
authorize = "https://acme.example/authorize"
token = "https://acme.example/token"
"#;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// The field and the reason of the error that `text` added to the smallest entry leads to.
fn fault(text: &str) -> (String, String) {
    match Provider::read("acme.toml", text) {
        Err(CatalogueError::Field { file, field, reason }) => {
            assert_eq!(file, "acme.toml");
            (field, reason)
        }
        other => panic!("expected a fault in a field, not {other:?}"),
    }
}

#[test]
fn every_entry_that_is_compiled_in_is_in_order() {
    let catalogue = Catalogue::load(None).unwrap();
    let entries: Vec<_> =
        catalogue.iter().map(|provider| (provider.name.as_str(), provider.entry.refresh.class())).collect();
    let known = [
        ("generic-oauth2", RefreshClass::Strict),
        ("generic-oidc", RefreshClass::Strict),
        ("github", RefreshClass::Strict),
        ("google", RefreshClass::Stable),
        ("microsoft-entra", RefreshClass::NonRevoking),
        ("salesforce", RefreshClass::Strict),
        ("sandbox", RefreshClass::Strict),
        ("slack", RefreshClass::Strict),
    ];
    assert_eq!(entries, known);
}

#[test]
fn every_entry_of_a_real_provider_says_where_it_was_checked_and_when() {
    for (file, text) in BUILT_IN {
        let real = ["google.toml", "microsoft-entra.toml", "salesforce.toml", "slack.toml"].contains(&file);
        assert_eq!(text.contains("# Checked on 20"), real, "{file}");
    }
}

#[test]
fn a_smallest_entry_assumes_the_worst_and_asks_for_nothing() {
    let entry = provider(SMALLEST).entry;
    assert_eq!(entry.refresh.class(), RefreshClass::Strict);
    assert_eq!(entry.authorize.pkce, Pkce::Required);
    assert_eq!(entry.authorize.resource, ResourceLegs::Every);
    assert_eq!(entry.token.auth, None);
    assert_eq!(entry.account.source, AccountSource::None);
    assert_eq!(entry.revocation.kind, RevocationKind::None);
    assert_eq!(entry.limits.max_response_bytes, 65_536);
    assert_eq!(entry.lifetimes.access_token_secs, None);
}

#[test]
fn github_ends_the_old_access_token_and_tells_errors_by_its_own_codes() {
    let github = built_in("github").entry;
    assert!(github.refresh.old_at_dies);
    assert_eq!(github.failures.map["bad_refresh_token"].class(), ProviderFailure::GrantDead);
    assert_eq!(github.failures.map["incorrect_client_credentials"].class(), ProviderFailure::ClientFault);
    assert_eq!(github.account.id.as_str(), "/id");
}

#[test]
fn a_folder_replaces_and_adds_entries_and_other_files_are_passed_over() {
    let folder = folder(&[("github.toml", SMALLEST), ("acme.toml", SMALLEST), ("README.md", "not toml")]);
    let catalogue = Catalogue::load(Some(folder.path())).unwrap();
    let name = |name: &str| catalogue.get(&Name::new(name).unwrap()).unwrap().entry.display_name.clone();
    assert_eq!(name("github"), "Acme");
    assert_eq!(name("acme"), "Acme");
    assert_eq!(name("sandbox"), "Sandbox");
    assert_eq!(catalogue.iter().count(), 9);
}

#[test]
fn one_bad_file_and_nothing_is_loaded() {
    let bad = format!("{SMALLEST}\nsurprise = 1\n");
    let folder = folder(&[("acme.toml", SMALLEST), ("zeta.toml", &bad)]);
    let error = Catalogue::load(Some(folder.path())).unwrap_err();
    assert_eq!(
        error.to_string().split_once(", ").unwrap().0,
        "zeta.toml: endpoints.surprise: unknown field `surprise`"
    );
}

#[test]
fn an_unknown_field_is_named_with_its_table() {
    for (text, field) in [
        (format!("surprise = 1\n{SMALLEST}"), "surprise"),
        (format!("{SMALLEST}[refresh]\nsurprise = 1\n"), "refresh.surprise"),
        (format!("{SMALLEST}[account]\nsurprise = 1\n"), "account.surprise"),
        (
            format!("{SMALLEST}[failures.success]\nat = \"/ok\"\nequals = true\nsurprise = 1\n"),
            "failures.success.surprise",
        ),
        (
            format!("{SMALLEST}[inputs.at]\ntitle = \"At\"\nform = \"label\"\nsurprise = 1\n"),
            "inputs.at.surprise",
        ),
    ] {
        let (found, reason) = fault(&text);
        assert_eq!(found, field);
        assert!(reason.contains("surprise"), "{reason}");
    }
}

#[test]
fn a_value_of_the_wrong_type_or_name_is_named_with_its_field() {
    for (added, field) in [
        ("[refresh]\nclass = \"lenient\"\n", "refresh.class"),
        ("[limits]\nmax_response_bytes = \"1\"\n", "limits.max_response_bytes"),
        ("[account]\nid = \"sub\"\n", "account.id"),
        ("[failures.map]\nold = \"fine\"\n", "failures.map.old"),
    ] {
        assert_eq!(fault(&format!("{SMALLEST}{added}")).0, field);
    }
}

#[test]
fn fields_that_contradict_each_other_are_refused() {
    for (added, field) in [
        ("[refresh]\nclass = \"grace\"\n", "refresh.grace_secs"),
        ("[refresh]\ngrace_secs = 30\n", "refresh.grace_secs"),
        ("[account]\nsource = \"url\"\n", "account.url"),
        ("[account]\nurl = \"https://acme.example/me\"\n", "account.url"),
        ("[account]\nmethod = \"post\"\n", "account.method"),
        ("[account]\nsource = \"issuer_path\"\n", "account.path"),
        ("[account]\nsource = \"issuer_path\"\npath = \"/../me\"\n", "account.path"),
        ("[account]\nsource = \"issuer_path\"\npath = \"/me?x\"\n", "account.path"),
        ("[revocation]\nkind = \"github_token\"\n", "revocation.url"),
        ("[limits]\nmax_response_bytes = 1\n", "limits.max_response_bytes"),
        ("[limits]\nmax_response_bytes = 2000000\n", "limits.max_response_bytes"),
        ("[authorize.params]\nstate = \"mine\"\n", "authorize.params.state"),
        ("[token.params]\nclient_secret = \"mine\"\n", "token.params.client_secret"),
        ("[token.refresh_params]\ngrant_type = \"x\"\n", "token.refresh_params.grant_type"),
        ("[token]\nmetadata = [\"refresh_token\"]\n", "token.metadata"),
        ("[authorize]\nscopes = [\"a b\"]\n", "authorize.scopes"),
        ("[authorize]\nscope_param = \"state\"\n", "authorize.scope_param"),
        (
            "[authorize]\nscope_param = \"user_scope\"\n[authorize.params]\nuser_scope = \"a\"\n",
            "authorize.scope_param",
        ),
        ("[token]\nwithin_on = \"exchange\"\n", "token.within_on"),
        ("[token]\nunkept = [\"/bot\"]\n", "token.unkept"),
        ("[token.scope_aliases]\na = \"b c\"\n", "token.scope_aliases"),
        ("[token.metadata_hosts]\ninstance_url = [\"*.acme.example\"]\n", "token.metadata_hosts"),
        ("[token]\nmetadata = [\"api\"]\n[token.metadata_hosts]\napi = []\n", "token.metadata_hosts"),
        ("[revocation]\nkind = \"bearer\"\n", "revocation.url"),
        (
            "[revocation]\nkind = \"rfc7009\"\nspares_refresh_token = true\n",
            "revocation.spares_refresh_token",
        ),
        ("[revocation]\nalready = [\"gone\"]\n", "revocation.already"),
        ("[introspection]\ndecides_expiry = true\n", "introspection.decides_expiry"),
        ("[failures]\ndetail = \"/text\"\n", "failures.details"),
        ("[failures.details]\nold = \"grant_dead\"\n", "failures.details"),
    ] {
        assert_eq!(fault(&format!("{SMALLEST}{added}")).0, field, "{added}");
    }
}

#[test]
fn endpoints_must_be_one_way_or_another() {
    for (endpoints, field) in [
        ("authorize = \"https://acme.example/a\"", "endpoints.token"),
        (
            "discovery = \"oidc\"\nissuer = \"https://acme.example\"\nissuer_hosts = [\"acme.example\"]",
            "endpoints.issuer_hosts",
        ),
        (
            "discovery = \"oidc\"\nconnector_issuer = true\nshared_issuer = \"https://acme.example\"",
            "endpoints.shared_issuer",
        ),
        (
            "discovery = \"oidc\"\nconnector_issuer = true\nshared_issuer = \"https://{other}.example/{tenantid}\"",
            "endpoints.shared_issuer",
        ),
        ("discovery = \"oauth2\"", "endpoints.issuer"),
        ("connector_issuer = true", "endpoints.discovery"),
        (
            "discovery = \"oidc\"\nissuer = \"https://acme.example\"\nconnector_issuer = true",
            "endpoints.connector_issuer",
        ),
        ("authorize = \"http://acme.example/a\"\ntoken = \"https://acme.example/t\"", "endpoints.authorize"),
        ("authorize = \"https://acme.example/a\"\ntoken = \"https://{at}.example/t\"", "endpoints.token"),
    ] {
        assert_eq!(
            fault(&format!("display_name = \"Acme\"\n[endpoints]\n{endpoints}\n")).0,
            field,
            "{endpoints}"
        );
    }
}

#[test]
fn a_grace_is_the_span_that_the_entry_states() {
    let entry = provider(&format!("{SMALLEST}[refresh]\nclass = \"grace\"\ngrace_secs = 30\n")).entry;
    assert_eq!(entry.refresh.class(), RefreshClass::Grace(Span::from_secs(30)));
}

#[test]
fn a_file_that_is_not_named_as_a_provider_is_refused() {
    let folder = folder(&[("Acme Corp.toml", SMALLEST)]);
    let error = Catalogue::load(Some(folder.path())).unwrap_err();
    assert!(matches!(error, CatalogueError::FileName { file } if file == "Acme Corp.toml"));
}

#[test]
fn a_file_beyond_the_bounds_is_refused_unread() {
    let long = "#".repeat(70_000);
    let folder = folder(&[("acme.toml", &long)]);
    assert!(matches!(Catalogue::load(Some(folder.path())), Err(CatalogueError::TooLarge { .. })));
}

#[test]
fn text_that_is_no_toml_is_refused_with_its_file() {
    assert_eq!(fault("display_name = ").0, ".");
}
