use super::*;

const LEAST: &str = "data_dir = \"d\"\norigin = \"o\"\npublic_url = \"https://leasehold.example\"\n[root_key]\nfile = \"k\"\n";

/// The least configuration with lines before it.
fn with(lines: &str) -> Parsed {
    parse(&format!("{lines}\n{LEAST}"))
}

fn findings(text: &str) -> Vec<String> {
    let parsed = parse(text);
    assert_eq!(parsed.config.is_none(), !parsed.findings.is_empty());
    parsed.findings.iter().map(Finding::to_string).collect()
}

/// The one finding about lines before the least configuration.
fn finding(lines: &str) -> String {
    let found = findings(&format!("{lines}\n{LEAST}"));
    assert_eq!(found.len(), 1, "{lines}: {found:?}");
    found.into_iter().next().unwrap()
}

#[test]
fn the_least_configuration_has_every_default() {
    let config = parse(LEAST).config.unwrap();
    assert_eq!(config.node, 1);
    assert!(config.options.grpc_address.ip().is_loopback());
    assert!(config.options.egress_allow.is_empty());
    assert!(config.options.tls.is_none() && config.options.egress_proxy.is_none());
}

#[test]
fn an_unknown_option_is_refused_with_the_one_that_is_meant() {
    assert_eq!(
        finding("grpc_adress = \"127.0.0.1:7400\""),
        "line 1: grpc_adress: there is no such option: is grpc_address meant?"
    );
    assert_eq!(
        finding("colour = \"red\""),
        "line 1: colour: there is no such option: `leasehold serve --example-config` prints all of them"
    );
    let tables = format!("{LEAST}[tls]\ncertificate_file = \"c\"\nkey_file = \"k\"\nclient_ca = \"x\"\n");
    assert_eq!(
        findings(&tables),
        ["line 9: tls.client_ca: there is no such option: is tls.client_ca_file meant?"]
    );
    let console =
        format!("{LEAST}[console_tls]\ncertificate_file = \"c\"\nkey_file = \"k\"\nclient_ca_file = \"x\"\n");
    assert_eq!(findings(&console).len(), 1, "browsers show no certificates");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let found = findings(
        "node = 0\ndata_dir = 7\npublic_url = \"http://leasehold.example\"\ngrpc_address = \"0.0.0.0:7400\"\nconsole_address = \"[::]:7401\"\noperations_address = \"here\"\nvouched_subjects_max = -1\negress_allow = [\"10.0.0.0/33\"]\nblue = 1\n",
    );
    let options: Vec<&str> = found
        .iter()
        .map(|finding| finding.trim_start_matches(|letter: char| !letter.is_lowercase()))
        .map(|finding| finding.strip_prefix("line ").unwrap_or(finding))
        .collect();
    for name in [
        "node",
        "data_dir",
        "origin",
        "public_url",
        "root_key",
        "grpc_address",
        "console_address",
        "operations_address",
        "vouched_subjects_max",
        "egress_allow",
        "blue",
    ] {
        let about = options.iter().filter(|finding| finding.contains(&format!("{name}: "))).count();
        assert_eq!(about, 1, "{name}: {found:#?}");
    }
    assert_eq!(found.len(), 11, "{found:#?}");
}

#[test]
fn a_file_that_is_not_toml_is_said_to_be_so_by_its_line_and_nothing_else_is() {
    let found = findings("node = 1\norigin = \"o\npublic_url =\n");
    assert!(
        found.iter().all(|finding| finding.starts_with("line 2: ") || finding.starts_with("line 3: ")),
        "{found:?}"
    );
    assert!(!found.is_empty() && found.iter().all(|finding| !finding.contains("missing")), "{found:?}");
}

#[test]
fn exactly_one_root_key_is_named() {
    for (table, fits) in [
        ("file = \"k\"", true),
        ("environment = \"KEY\"", true),
        ("command = [\"fetch\"]", true),
        ("", false),
        ("command = []", false),
        ("file = \"k\"\nenvironment = \"KEY\"", false),
        ("file = 1", false),
    ] {
        let text = LEAST.replace("file = \"k\"", table);
        assert_eq!(parse(&text).config.is_some(), fits, "{table}");
        assert!(fits || findings(&text).len() == 1, "{table}: {:?}", findings(&text));
    }
}

#[test]
fn a_former_root_key_has_one_source_and_no_recovery_copy_beside_it() {
    let former = "[previous_root_key]\nfile = \"before\"\n";
    let options = parse(&format!("{LEAST}{former}")).config.unwrap().options;
    assert_eq!(options.previous_root_key, Some(RootKeySource::File("before".into())));
    for (table, about) in [
        ("", "line 6: previous_root_key: it needs exactly one of file, environment and command"),
        (
            "file = \"a\"\nenvironment = \"B\"\n",
            "line 6: previous_root_key: it needs exactly one of file, environment and command",
        ),
        ("command = []\n", "line 6: previous_root_key.command: it is empty: it needs a program"),
        (
            "flie = \"k\"\nfile = \"k\"\n",
            "line 7: previous_root_key.flie: there is no such option: is previous_root_key.file meant?",
        ),
    ] {
        assert_eq!(findings(&format!("{LEAST}[previous_root_key]\n{table}")), [about]);
    }
    let copy = "[recovery]\ncopy_file = \"c\"\nkey_file = \"k\"\n";
    let options = parse(&format!("{LEAST}{copy}")).config.unwrap().options;
    assert_eq!(options.recovery, Some(RecoveryFiles { copy_file: "c".into(), key_file: "k".into() }));
    assert_eq!(
        findings(&format!("{LEAST}{former}{copy}")),
        ["line 8: recovery: previous_root_key says already what opens the keys: leave one of them out"]
    );
    assert_eq!(
        findings(&format!("{LEAST}[recovery]\ncopy_file = \"c\"\n")),
        ["recovery.key_file: is missing: it needs a path in quotes"]
    );
}

#[test]
fn ports_that_others_reach_need_certificates_or_a_word_about_a_proxy() {
    let found = finding("grpc_address = \"0.0.0.0:7400\"");
    assert!(found.starts_with("line 1: grpc_address: ") && found.ends_with("set tls"), "{found}");
    let found = finding("console_address = \"0.0.0.0:7401\"");
    assert!(found.contains("console_behind_tls_proxy = true"), "{found}");
    assert!(with("console_address = \"0.0.0.0:7401\"\nconsole_behind_tls_proxy = true").config.is_some());
    let pair = "certificate_file = \"c\"\nkey_file = \"k\"\n";
    let both = format!("{LEAST}[tls]\n{pair}[console_tls]\n{pair}");
    let wide = format!("grpc_address = \"0.0.0.0:7400\"\nconsole_address = \"0.0.0.0:7401\"\n{both}");
    assert!(parse(&wide).config.is_some(), "{:?}", findings(&wide));
    let found = findings(&format!("console_behind_tls_proxy = true\n{both}"));
    assert_eq!(found.len(), 1, "{found:?}");
    let clear = both.replace("https://leasehold.example", "http://127.0.0.1:7401");
    assert_eq!(findings(&clear).len(), 1, "{:?}", findings(&clear));
    let found = finding("exchange_address = \"0.0.0.0:7403\"");
    assert!(found.contains("a TLS proxy in front"), "{found}");
    assert!(with("exchange_address = \"[::1]:7403\"").config.is_some());
    let found = finding("operations_address = \"127.0.0.1:7401\"");
    assert!(found.contains("console_address already"), "{found}");
}

#[test]
fn a_public_url_in_the_clear_is_refused_except_on_this_machine() {
    let config = |url: &str| parse(&LEAST.replace("https://leasehold.example", url)).config;
    for bad in [
        "http://leasehold.example",
        "https://leasehold.example/path",
        "https://u@leasehold.example",
        "https://leasehold.example/?q",
        "ftp://127.0.0.1",
        "leasehold.example",
    ] {
        assert!(config(bad).is_none(), "{bad}");
    }
    assert!(config("http://127.0.0.1:7401").is_some());
}

#[test]
fn a_proxy_is_named_without_credentials_and_what_belongs_to_it_not_without_it() {
    assert!(
        with("egress_proxy = \"http://proxy.example:3128\"\negress_proxy_hosts = [\"*.login.example\"]")
            .config
            .is_some()
    );
    for (lines, about) in [
        ("egress_proxy = \"http://user:secret@proxy.example:3128\"", "egress_proxy_credentials_file"),
        ("egress_proxy = \"http://user:secret@:3128\"", "cannot be read"),
        ("egress_proxy = \"socks5://proxy.example:1080\"", "http://proxy.example:3128"),
        ("egress_proxy = \"http://proxy.example:3128/x\"", "nothing after them"),
        ("egress_proxy_credentials_file = \"f\"", "without egress_proxy"),
        ("egress_proxy_hosts = [\"login.example\"]", "without egress_proxy"),
        (
            "egress_proxy = \"http://proxy.example:3128\"\negress_proxy_hosts = [\"10.0.0.1\"]",
            "a host in quotes",
        ),
    ] {
        let found = finding(lines);
        assert!(found.contains(about), "{lines}: {found}");
        assert!(!found.contains("secret"), "{found}");
    }
}

#[test]
fn an_origin_has_neither_spaces_nor_pluses_and_an_end() {
    for bad in ["a b", "a+b", &"o".repeat(129)] {
        let text = LEAST.replace("\"o\"", &format!("\"{bad}\""));
        assert_eq!(findings(&text).len(), 1, "{bad}");
    }
}

mod example {
    use std::collections::BTreeSet;

    use super::*;

    /// A commented-out line of the example, or one that is in force.
    fn setting(line: &str) -> Option<&str> {
        let line = line.strip_prefix("# ").unwrap_or(line);
        let name_ends = line.find(|letter: char| !letter.is_ascii_lowercase() && letter != '_')?;
        let is_table = line.starts_with('[') && line.ends_with(']');
        (is_table || (name_ends > 0 && line.get(name_ends..)?.starts_with(" = "))).then_some(line)
    }

    /// The example with the lines in force that stand after one of these marks.
    fn with_marked(marks: &[&str]) -> String {
        let mut text = String::new();
        let mut before = "";
        for line in EXAMPLE.lines() {
            let in_force = if marks.contains(&before) { setting(line).unwrap() } else { line };
            text.push_str(in_force);
            text.push('\n');
            before = line;
        }
        text
    }

    fn config(text: &str) -> Config {
        let parsed = parse(text);
        assert!(parsed.findings.is_empty(), "{:?}", parsed.findings);
        parsed.config.unwrap()
    }

    #[test]
    fn as_it_stands_it_is_a_configuration_with_every_default() {
        assert_eq!(config(EXAMPLE).options, config(LEAST).options);
    }

    #[test]
    fn what_it_calls_a_default_is_one() {
        let commented = config(&with_marked(&["# Default:"]));
        assert_eq!(commented, config(EXAMPLE));
    }

    #[test]
    fn its_examples_can_be_put_into_force_and_each_changes_something() {
        let options = config(&with_marked(&["# Default:", "# Example:"])).options;
        let Optional {
            tls: Some(TlsFiles { client_ca_file: Some(_), .. }),
            console_tls: Some(_),
            providers_dir: Some(_),
            egress_ca_file: Some(_),
            egress_proxy: Some(_),
            egress_proxy_credentials_file: Some(_),
            otlp_endpoint: Some(_),
            previous_root_key: Some(_),
            ..
        } = options
        else {
            panic!("{options:?}")
        };
    }

    #[test]
    fn it_has_every_option_and_no_other() {
        let mut table = String::new();
        let mut shown = BTreeSet::new();
        for line in EXAMPLE.lines().filter_map(setting) {
            match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                Some(name) => {
                    assert!(shown.insert(name.to_owned()), "{name} twice");
                    table = format!("{name}.");
                }
                None => {
                    let name = line.split(" = ").next().unwrap();
                    assert!(shown.insert(format!("{table}{name}")), "{table}{name} twice");
                }
            }
        }
        let mut read = Read::default();
        parse_into(&with_marked(&["# Default:", "# Example:", "# Instead of it:"]), &mut read);
        let known: BTreeSet<String> = read.known.into_iter().collect();
        assert_eq!(shown, known);
    }

    #[test]
    fn every_other_root_key_can_take_the_place_of_the_first() {
        let marked = with_marked(&["# Instead:"]);
        let lines: Vec<&str> = marked.lines().collect();
        for name in ["environment = ", "command = "] {
            let others = ["file = ", "environment = ", "command = "].map(|other| (other, other == name));
            let keep = |line: &&&str| others.iter().all(|(other, kept)| *kept || !line.starts_with(other));
            let text: Vec<&str> = lines.iter().filter(keep).copied().collect();
            config(&text.join("\n"));
        }
    }

    #[test]
    fn every_other_former_root_key_and_a_recovery_copy_can_take_the_place_of_the_first() {
        let marked = with_marked(&["# Example:", "# Or:"]);
        let (before, former) = marked.split_once("[previous_root_key]\n").unwrap();
        for name in ["environment = ", "command = "] {
            let others = ["file = ", "environment = ", "command = "];
            let keep = |line: &&str| !others.iter().any(|other| *other != name && line.starts_with(other));
            let former: Vec<&str> = former.lines().filter(keep).collect();
            let text = format!("{before}[previous_root_key]\n{}", former.join("\n"));
            assert!(config(&text).options.previous_root_key.is_some());
        }
        assert!(config(&with_marked(&["# Instead of it:"])).options.recovery.is_some());
    }

    #[test]
    fn the_bounds_that_it_states_are_those_that_hold() {
        for (name, bounds) in
            [("vouched_subjects_max", VOUCHED_SUBJECTS), ("drain_delay_seconds", DRAIN_DELAY_SECONDS)]
        {
            let at = EXAMPLE.find(&format!("# {name} = ")).unwrap();
            let about = EXAMPLE[..at].rsplit("\n\n").next().unwrap();
            let (least, most) = bounds.into_inner();
            assert!(about.contains(&format!(": {least} to {most}")), "{name}: {about}");
            for (value, fits) in [(least, true), (most, true), (most + 1, false)] {
                assert_eq!(with(&format!("{name} = {value}")).config.is_some(), fits, "{name} = {value}");
            }
            if let Some(less) = least.checked_sub(1) {
                assert!(with(&format!("{name} = {less}")).config.is_none());
            }
        }
        assert!(EXAMPLE.contains(&format!("1 to {ORIGIN_LEN_MAX} bytes")));
    }
}
