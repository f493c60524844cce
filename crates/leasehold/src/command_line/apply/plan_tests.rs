use super::{
    super::{
        files::{File, Files},
        read,
        resource::{Connector, Endpoints, IdentityProvider, McpServer, Workload},
        standing::{PolicySet, Stands},
    },
    *,
};

const FILES: &str = r#"[[identity_provider]]
name = "idp"
issuer = "https://idp.example"
client_id = "leasehold"
client_secret_file = "idp.secret"

[[connector]]
name = "drive"
provider = "github"
client_id = "leasehold"
client_secret_env = "DRIVE"

[[mcp_server]]
name = "files"
resource = "https://files.example/mcp"
[mcp_server.needs]
drive = ["files.read"]

[[workload]]
name = "gateway"
certificates = ["edge.example"]
"#;

fn wanted(text: &str, policies: Option<&str>) -> Wanted {
    let file = |name: &str, text: &str| File { name: name.into(), path: name.into(), text: text.to_owned() };
    let policies = policies.map(|text| file("p.cedar", text)).into_iter().collect();
    let (wanted, problems) = read::read(&Files { tables: vec![file("a.toml", text)], policies });
    assert_eq!(problems, []);
    wanted.unwrap()
}

fn stands<R>(resource: R, revision: u64, secrets: usize) -> Stands<R> {
    Stands { resource, revision, secrets }
}

fn set(members: &[&str]) -> BTreeSet<String> {
    members.iter().map(|member| (*member).to_owned()).collect()
}

/// A cluster that has nothing but its catalogue.
fn empty() -> Standing {
    let policies = Some(PolicySet { text: String::new(), version: 0 });
    Standing { providers: set(&["github", "gitlab"]), policies, ..Standing::default() }
}

/// A cluster that has what `FILES` want.
fn same() -> Standing {
    let mut standing = empty();
    let idp = IdentityProvider {
        issuer: "https://idp.example".to_owned(),
        client_id: "leasehold".to_owned(),
        join_claim: "sub".to_owned(),
        email_domains: BTreeSet::new(),
    };
    standing.identity_providers.insert("idp".to_owned(), stands(idp, 0, 1));
    let drive = Connector {
        provider: "github".to_owned(),
        client_id: "leasehold".to_owned(),
        issuer: String::new(),
        endpoints: Endpoints::default(),
        isolation: "shared".to_owned(),
        exposure: "hand_out".to_owned(),
        enabled: true,
    };
    standing.connectors.insert("drive".to_owned(), stands(drive, 2, 1));
    let needs = [("drive".to_owned(), set(&["files.read"]))].into();
    let files = McpServer { resource: "https://files.example/mcp".to_owned(), needs, enabled: true };
    standing.mcp_servers.insert("files".to_owned(), stands(files, 4, 0));
    let gateway = Workload { mcp_server: None, certificates: set(&["edge.example"]), enabled: true };
    standing.workloads.insert("gateway".to_owned(), stands(gateway, 5, 0));
    standing
}

fn plan(text: &str, standing: &Standing, choice: &Choice) -> Plan {
    Plan::of(&wanted(text, None), standing, choice).unwrap()
}

fn refused(text: &str, standing: &Standing, choice: &Choice) -> Vec<String> {
    let problems = Plan::of(&wanted(text, None), standing, choice).unwrap_err();
    problems.into_iter().map(|problem| format!("{}: {}", problem.place.line, problem.text)).collect()
}

fn changed(plan: &Plan) -> &Change {
    let pending: Vec<_> = plan.pending().collect();
    assert_eq!(pending.len(), 1, "{pending:?}");
    pending[0]
}

fn shown(change: &Change) -> Vec<String> {
    let show = |FieldChange { name, old, new }: &FieldChange| match old {
        Some(old) => format!("{name}: {old} -> {new}"),
        None => format!("{name}: {new}"),
    };
    change.fields.iter().map(show).collect()
}

fn rotate(kind: Kind, name: &str) -> Choice {
    Choice { rotate: [(kind, name.to_owned())].into(), ..Choice::default() }
}

#[test]
fn what_is_new_is_made_in_the_order_in_which_things_rest_on_one_another() {
    let wanted = wanted(FILES, Some("permit (principal, action, resource);"));
    let plan = Plan::of(&wanted, &empty(), &Choice::default()).unwrap();
    let kinds: Vec<_> = plan.changes.iter().map(|change| (change.kind, change.action)).collect();
    let create = |kind| (kind, Action::Create);
    assert_eq!(
        kinds,
        [
            create(Kind::IdentityProvider),
            create(Kind::Connector),
            create(Kind::McpServer),
            create(Kind::Workload),
            (Kind::Policies, Action::Change),
        ]
    );
    assert_eq!(shown(&plan.changes[1]).last().unwrap(), "client_secret: from the variable DRIVE");
    let bind = Step::BindCertificate("edge.example".to_owned());
    assert!(matches!(&plan.changes[3].steps[..], [Step::RegisterWorkload(_), last] if *last == bind));
}

#[test]
fn what_stands_already_is_the_same_and_its_secret_is_not_sent() {
    let plan = plan(FILES, &same(), &Choice::default());
    assert_eq!((plan.count(Action::Same), plan.pending().count()), (4, 0));
    assert!(plan.changes.iter().all(|change| change.secret.is_none()));
    assert_eq!(plan.elsewhere, []);
}

#[test]
fn a_change_rests_on_the_revision_that_was_read() {
    let text = FILES.replace("[\"files.read\"]", "[\"files.read\", \"files.write\"]");
    let plan = plan(&text, &same(), &Choice::default());
    let change = changed(&plan);
    assert_eq!((change.action, change.revision), (Action::Change, 4));
    assert_eq!(shown(change), ["needs.drive: files.read -> files.read files.write"]);
    let scopes = set(&["files.read", "files.write"]);
    assert_eq!(change.steps, [Step::SetNeed { connector: "drive".to_owned(), scopes }]);
}

#[test]
fn a_need_that_is_not_in_the_files_goes_after_what_replaces_it_has_come() {
    let text = FILES.replace("[[mcp_server]]", "[[connector]]\nname = \"mail\"\nprovider = \"github\"\nclient_id = \"x\"\npublic_client = true\n\n[[mcp_server]]");
    let text = text.replace("drive = [\"files.read\"]", "mail = [\"read\"]");
    let plan = plan(&text, &same(), &Choice::default());
    let change = plan.pending().find(|change| change.kind == Kind::McpServer).unwrap();
    assert_eq!(shown(change), ["needs.drive: files.read -> none", "needs.mail: none -> read"]);
    let need = |connector: &str, scopes: &[&str]| Step::SetNeed {
        connector: connector.to_owned(),
        scopes: set(scopes),
    };
    assert_eq!(change.steps, [need("mail", &["read"]), need("drive", &[])]);
}

#[test]
fn what_cannot_be_changed_in_place_is_said_to_be_so_with_what_to_do() {
    let text = FILES
        .replace("https://idp.example", "https://other.example")
        .replace("provider = \"github\"", "provider = \"gitlab\"\nexposure = \"inject_only\"")
        .replace("https://files.example", "https://other.example")
        .replace("name = \"gateway\"", "name = \"gateway\"\nmcp_server = \"files\"");
    let found = refused(&text, &same(), &Choice::default());
    let expected = [
        "3: identity provider idp: issuer cannot be changed (https://idp.example -> https://other.example): ",
        "9: connector drive: provider cannot be changed (github -> gitlab): make a connector under another name",
        "10: connector drive: exposure cannot be changed (hand_out -> inject_only): ",
        "16: MCP server files: resource cannot be changed (",
        "22: workload gateway: mcp_server cannot be changed (none -> files): ",
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn a_reference_that_leads_nowhere_is_refused_where_it_stands() {
    let text = "[[mcp_server]]\nname = \"m\"\nresource = \"https://m.example\"\n[mcp_server.needs]\nnowhere = [\"x\"]\n\n[[workload]]\nname = \"w\"\nmcp_server = \"nobody\"\n\n[[connector]]\nname = \"c\"\nprovider = \"nothing\"\nclient_id = \"x\"\npublic_client = true\n";
    let found = refused(text, &empty(), &Choice::default());
    assert_eq!(
        found,
        [
            "5: MCP server m: there is no connector nowhere, neither in the cluster nor in the files",
            "9: workload w: there is no MCP server nobody, neither in the cluster nor in the files",
            "13: connector c: the catalogue has no provider nothing: one of github, gitlab",
        ]
    );
    // What stands in the cluster may be named without being in the files.
    let text = "[[workload]]\nname = \"w\"\nmcp_server = \"files\"\n";
    assert_eq!(plan(text, &same(), &Choice::default()).count(Action::Create), 1);
}

#[test]
fn what_is_new_has_a_secret_or_says_that_it_has_none() {
    let text = FILES
        .replace("client_secret_file = \"idp.secret\"\n", "")
        .replace("client_secret_env = \"DRIVE\"\n", "");
    let found = refused(&text, &empty(), &Choice::default());
    assert!(
        found[0].contains("a new identity provider needs client_secret_file or client_secret_env"),
        "{found:?}"
    );
    assert!(found[1].contains("client_secret_env, or public_client = true"), "{found:?}");
    // What stands needs none: it has its secret.
    assert_eq!(plan(&text, &same(), &Choice::default()).pending().count(), 0);
}

#[test]
fn a_secret_is_sent_where_there_is_none_and_where_it_is_rotated() {
    let mut standing = same();
    standing.connectors.get_mut("drive").unwrap().secrets = 0;
    let added = plan(FILES, &standing, &Choice::default());
    assert_eq!(changed(&added).steps, [Step::AddSecret]);
    assert_eq!(shown(changed(&added)), ["client_secret: none -> from the variable DRIVE"]);

    let rotated = plan(FILES, &same(), &rotate(Kind::IdentityProvider, "idp"));
    assert_eq!((&changed(&rotated).steps[..], changed(&rotated).revision), (&[Step::ReplaceSecret][..], 0));
    let rotated = plan(FILES, &same(), &rotate(Kind::Connector, "drive"));
    assert_eq!(changed(&rotated).steps, [Step::AddSecret]);

    standing.connectors.get_mut("drive").unwrap().secrets = 4;
    let full = refused(FILES, &standing, &rotate(Kind::Connector, "drive"));
    assert!(full[0].contains("retire one first"), "{full:?}");
    let bare = FILES.replace("client_secret_env = \"DRIVE\"\n", "");
    let nothing = refused(&bare, &same(), &rotate(Kind::Connector, "drive"));
    assert!(nothing[0].contains("its secret cannot be rotated"), "{nothing:?}");
}

#[test]
fn a_public_client_that_has_secrets_is_none() {
    let text = FILES.replace("client_secret_env = \"DRIVE\"", "public_client = true");
    assert!(refused(&text, &same(), &Choice::default())[0].contains("retire them with"));
}

#[test]
fn what_is_not_in_the_files_is_told_and_stays() {
    let plan = plan("[[workload]]\nname = \"other\"\n", &same(), &Choice::default());
    let told: Vec<_> = plan.elsewhere.iter().map(|(kind, name)| (*kind, name.as_str())).collect();
    assert_eq!(
        told,
        [
            (Kind::Workload, "gateway"),
            (Kind::McpServer, "files"),
            (Kind::Connector, "drive"),
            (Kind::IdentityProvider, "idp"),
        ]
    );
    assert_eq!(changed(&plan).name, "other");
}

#[test]
fn pruning_disables_what_is_not_in_the_files_unless_they_rest_on_it() {
    let choice = Choice { prune: true, ..Choice::default() };
    let pruned = plan("[[workload]]\nname = \"other\"\n", &same(), &choice);
    let disabled = |plan: &Plan| -> Vec<(Kind, u64)> {
        let all = plan.changes.iter().filter(|change| change.action == Action::Disable);
        all.inspect(|change| assert_eq!(change.steps, [Step::SetEnabled(false)]))
            .map(|change| (change.kind, change.revision))
            .collect()
    };
    assert_eq!(disabled(&pruned), [(Kind::Workload, 5), (Kind::McpServer, 4), (Kind::Connector, 2)]);
    assert_eq!(pruned.elsewhere, [(Kind::IdentityProvider, "idp".to_owned())]);

    let text = "[[mcp_server]]\nname = \"files\"\nresource = \"https://files.example/mcp\"\nneeds.drive = [\"files.read\"]\n";
    assert_eq!(disabled(&plan(text, &same(), &choice)), [(Kind::Workload, 5)]);
    let text = "[[workload]]\nname = \"w\"\nmcp_server = \"files\"\n";
    assert_eq!(disabled(&plan(text, &same(), &choice)), [(Kind::Workload, 5), (Kind::Connector, 2)]);

    let mut standing = same();
    standing.workloads.get_mut("gateway").unwrap().resource.enabled = false;
    assert!(
        !disabled(&plan("[[workload]]\nname = \"other\"\n", &standing, &choice))
            .contains(&(Kind::Workload, 5))
    );
}

#[test]
fn what_is_enabled_again_gets_its_certificates_after_that() {
    let mut standing = same();
    let gateway = &mut standing.workloads.get_mut("gateway").unwrap().resource;
    (gateway.enabled, gateway.certificates) = (false, BTreeSet::new());
    let plan = plan(FILES, &standing, &Choice::default());
    let bind = Step::BindCertificate("edge.example".to_owned());
    assert_eq!(changed(&plan).steps, [Step::SetEnabled(true), bind]);
    assert_eq!(shown(changed(&plan)), ["enabled: false -> true", "certificates: none -> edge.example"]);
}

#[test]
fn what_is_new_and_not_to_be_used_is_disabled_at_once() {
    let text = "[[connector]]\nname = \"c\"\nprovider = \"github\"\nclient_id = \"x\"\npublic_client = true\nenabled = false\n";
    let plan = plan(text, &empty(), &Choice::default());
    assert!(matches!(changed(&plan).steps[..], [Step::CreateConnector(_), Step::SetEnabled(false)]));
}

#[test]
fn a_certificate_that_stands_for_another_is_refused() {
    let text = "[[workload]]\nname = \"w\"\ncertificates = [\n \"edge.example\"]\n";
    let found = refused(text, &same(), &Choice::default());
    let expected = "4: workload w: the certificate edge.example stands for workload gateway already: take it away there first";
    assert_eq!(found, [expected]);
}

#[test]
fn certificates_come_before_those_that_go_and_go_with_what_is_disabled() {
    let text = FILES.replace("edge.example", "other.example");
    let bind = |name: &str| Step::BindCertificate(name.to_owned());
    let unbind = |name: &str| Step::UnbindCertificate(name.to_owned());
    let changes = plan(&text, &same(), &Choice::default());
    assert_eq!(changed(&changes).steps, [bind("other.example"), unbind("edge.example")]);
    assert_eq!(shown(changed(&changes)), ["certificates: edge.example -> other.example"]);

    // Sixteen are the most: one has to go first.
    let mut standing = same();
    let many = (0..16).map(|n| format!("edge-{n}.example")).collect();
    standing.workloads.get_mut("gateway").unwrap().resource.certificates = many;
    let changes = plan(&text, &standing, &Choice::default());
    assert_eq!(changed(&changes).steps.len(), 17);
    assert_eq!(changed(&changes).steps.last(), Some(&bind("other.example")));

    let text = "[[workload]]\nname = \"gateway\"\nenabled = false\n";
    assert_eq!(changed(&plan(text, &same(), &Choice::default())).steps, [Step::SetEnabled(false)]);
}

#[test]
fn two_identity_providers_do_not_share_an_issuer() {
    let text = FILES.replace("name = \"idp\"", "name = \"other\"");
    assert!(refused(&text, &same(), &Choice::default())[0].contains("identity provider idp has this issuer"));
}

#[test]
fn the_policy_set_is_compared_byte_by_byte_and_rests_on_its_version() {
    let mut standing = same();
    standing.policies = Some(PolicySet { text: "permit (a);\n".to_owned(), version: 9 });
    let same = Plan::of(&wanted("", Some("permit (a);\n")), &standing, &Choice::default()).unwrap();
    assert_eq!(same.pending().count(), 0);
    let other = Plan::of(&wanted("", Some("permit (b);\n")), &standing, &Choice::default()).unwrap();
    let change = changed(&other);
    assert_eq!((change.kind, change.revision), (Kind::Policies, 9));
    assert_eq!(change.steps, [Step::SetPolicies("permit (b);\n".to_owned())]);
}
