use super::{super::schema, *};

fn file(name: &str, text: &str) -> File {
    File { name: name.into(), path: format!("cluster/{name}").into(), text: text.to_owned() }
}

fn files(tables: &[(&str, &str)], policies: &[(&str, &str)]) -> Files {
    let all = |named: &[(&str, &str)]| named.iter().map(|(name, text)| file(name, text)).collect();
    Files { tables: all(tables), policies: all(policies) }
}

fn problems(tables: &[(&str, &str)]) -> Vec<String> {
    let (_, mut problems) = read(&files(tables, &[]));
    problems.sort();
    let line = |Problem { place, text }: Problem| format!("{}:{}: {text}", place.file, place.line);
    problems.into_iter().map(line).collect()
}

#[test]
fn the_example_is_understood_and_has_every_field_of_the_schema() {
    let (wanted, problems) = read(&files(&[("example.toml", schema::EXAMPLE)], &[]));
    assert_eq!(problems, []);
    let wanted = wanted.unwrap();
    assert_eq!((wanted.identity_providers.len(), wanted.connectors.len()), (2, 3));
    assert_eq!((wanted.mcp_servers.len(), wanted.workloads.len()), (1, 2));
    let document: toml::Table = toml::from_str(schema::EXAMPLE).unwrap();
    for field in schema::FIELDS.iter().filter(|field| field.kind != Kind::Policies) {
        let all = document[field.kind.key()].as_array().unwrap();
        assert!(
            all.iter().any(|one| one.get(field.name).is_some()),
            "{} {} stands nowhere in the example",
            field.kind.key(),
            field.name
        );
    }
    // And the other way round: whatever the example has is in the schema.
    for (key, all) in &document {
        for (name, _) in all.as_array().unwrap().iter().flat_map(|one| one.as_table().unwrap()) {
            let known = |field: &schema::Described| field.kind.key() == key && field.name == name;
            assert!(schema::FIELDS.iter().any(known), "{key} {name} is not in the schema");
        }
    }
}

#[test]
fn what_is_left_out_has_the_value_that_the_schema_says() {
    let text = "[[connector]]\nname = \"github\"\nprovider = \"github\"\nclient_id = \"x\"\n[[workload]]\nname = \"w\"\n";
    let (wanted, problems) = read(&files(&[("a.toml", text)], &[]));
    assert_eq!(problems, []);
    let wanted = wanted.unwrap();
    let connector = &wanted.connectors["github"].resource;
    assert_eq!((connector.isolation.as_str(), connector.exposure.as_str()), ("shared", "hand_out"));
    assert!(connector.enabled && wanted.workloads["w"].resource.enabled);
    assert_eq!(wanted.workloads["w"].resource.mcp_server, None);
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_file_and_line() {
    let a = r#"[[connector]]
name = "GitHub"
provider = "github"
client_id = "x"
colour = "red"

[[gadget]]
name = "x"

[[connector]]
name = "crm"
provider = 7
isolation = "none"
issuer = "login.example"

[[mcp_server]]
name = "files"
resource = "https://files.example/mcp#part"
needs = { "crm" = ["read", "read", "a b"], "Bad Name" = ["x"], empty = [] }

[connector.more]
"#;
    let b = r#"[[mcp_server]]
name = "files"
resource = "https://files.example/mcp"

[identity_provider]
name = "gateway"

[[workload]]
name = "off"
enabled = false
certificates = ["edge.example"]

[[workload]]
name = "edge"
certificates = ["edge.example", "not a name"]
"#;
    let expected = [
        "a.toml:2: connector: name: a name has",
        "a.toml:5: connector: there is no field colour",
        "a.toml:7: there is no kind gadget: one of identity_provider, connector, mcp_server, workload",
        "a.toml:10: connector crm: it needs client_id",
        "a.toml:12: connector crm: provider: a text in quotes",
        "a.toml:13: connector crm: isolation: one of shared, per_mcp_server",
        "a.toml:14: connector crm: issuer: ",
        "a.toml:18: MCP server files: resource: ",
        "a.toml:19: MCP server files: needs.Bad Name: a name has",
        "a.toml:19: MCP server files: needs.crm: a scope has",
        "a.toml:19: MCP server files: needs.crm: read stands there twice",
        "a.toml:19: MCP server files: needs.empty: at least one scope",
        "a.toml:21: connector crm: there is no field more",
        "b.toml:1: MCP server files: it stands there twice: first at a.toml:16",
        "b.toml:5: identity_provider: each one begins with [[identity_provider]]",
        "b.toml:11: workload off: certificates: a workload that is disabled has none",
        "b.toml:15: workload edge: certificates: spiffe://",
    ];
    let found = problems(&[("a.toml", a), ("b.toml", b)]);
    for expected in expected {
        assert!(
            found.iter().any(|line| line.starts_with(expected)),
            "no {expected} in\n{}",
            found.join("\n")
        );
    }
}

#[test]
fn a_secret_in_a_file_is_refused_without_a_word_of_it() {
    let field =
        "[[connector]]\nname = \"a\"\nprovider = \"github\"\nclient_id = \"x\"\nclient_secret = \"s3cret\"\n";
    let found = problems(&[("a.toml", field)]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("a.toml:5: connector a: a secret never stands in a file"), "{found:?}");
    // Nor is the line of a file that is no TOML shown: the secret may stand in it.
    let broken = "[[connector]]\nname = \"a\"\nclient_secret = s3cret and more\n";
    let found = problems(&[("a.toml", broken)]);
    assert!(found[0].starts_with("a.toml:3: this is not TOML"), "{found:?}");
    assert!(!found.join("\n").contains("s3cret"), "{found:?}");
}

#[test]
fn a_secret_comes_from_a_file_beside_the_table_or_from_a_variable_and_not_from_both() {
    let text = "[[connector]]\nname = \"a\"\nprovider = \"github\"\nclient_id = \"x\"\nclient_secret_file = \"a.secret\"\n";
    let (wanted, _) = read(&files(&[("a.toml", text)], &[]));
    let secret = wanted.unwrap().connectors["a"].secret.clone();
    let Some(SecretSource::File { path, place }) = secret else { panic!("{secret:?}") };
    assert_eq!((path.to_str().unwrap(), place.line), ("cluster/a.secret", 5));
    let found = problems(&[("a.toml", &format!("{text}client_secret_env = \"A\"\n"))]);
    assert!(found[0].contains("and not both"), "{found:?}");
    let found = problems(&[("a.toml", &format!("{text}public_client = true\n"))]);
    assert!(found[0].contains("a public client has no client secret"), "{found:?}");
}

#[test]
fn endpoints_by_hand_are_whole_and_exclude_an_issuer() {
    let text = "[[connector]]\nname = \"a\"\nprovider = \"generic-oauth2\"\nclient_id = \"x\"\npublic_client = true\n";
    let half = format!("{text}token_endpoint = \"https://a.example/token\"\n");
    assert!(problems(&[("a.toml", &half)])[0].contains("at least authorization_endpoint and token_endpoint"));
    let both = format!(
        "{half}authorization_endpoint = \"https://a.example/auth\"\nissuer = \"https://a.example\"\n"
    );
    assert!(problems(&[("a.toml", &both)])[0].contains("an issuer or endpoints"));
}

#[test]
fn a_certificate_stands_for_one_workload() {
    let text = "[[workload]]\nname = \"a\"\ncertificates = [\"Edge.example\"]\n[[workload]]\nname = \"b\"\ncertificates = [\n  \"edge.example\",\n]\n";
    let found = problems(&[("a.toml", text)]);
    assert_eq!(found, ["a.toml:7: workload b: the certificate edge.example stands for workload a already"]);
}

#[test]
fn policy_files_follow_one_another_in_the_order_of_their_names() {
    let two = files(&[], &[("1.cedar", "permit (a);"), ("2.cedar", "forbid (b);")]);
    let policies = read(&two).0.unwrap().policies.unwrap();
    assert_eq!(policies.text, "permit (a);\nforbid (b);");
    let names: Vec<_> = policies.files.iter().map(|(place, text)| (&*place.file, text.as_str())).collect();
    assert_eq!(names, [("1.cedar", "permit (a);"), ("2.cedar", "forbid (b);")]);
    let one = files(&[], &[("1.cedar", "permit (a);")]);
    assert_eq!(read(&one).0.unwrap().policies.unwrap().text, "permit (a);", "not a byte more");
    let long = "x".repeat(TEXT_LEN_MAX);
    let (_, problems) = read(&files(&[], &[("1.cedar", &long), ("2.cedar", "x")]));
    assert!(problems[0].text.contains("longer than"), "{problems:?}");
}
