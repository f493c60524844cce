//! Resources as files: shown, refused, applied, and applied again.

use std::fs;

use serde_json::Value;

use crate::site::Site;

/// The secrets of the example.
const SECRETS: [&str; 4] =
    ["s3cret-of-entra", "s3cret-of-the-crm", "s3cret-of-github", "s3cret-of-the-partners"];

const ENVIRONMENT: [(&str, &str); 2] =
    [("GITHUB_CLIENT_SECRET", SECRETS[2]), ("PARTNERS_CLIENT_SECRET", SECRETS[3])];

const POLICY: &str = "@id(\"gateways-lease\")\npermit (\n  principal == Leasehold::Workload::\"gateway\",\n  action == Leasehold::Action::\"lease\",\n  resource\n);\n";

fn write(site: &Site, name: &str, text: &str) {
    let path = site.user.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The example, with its secrets beside it.
pub(crate) async fn example(site: &Site) {
    let text = site.done("apply --example").await;
    write(site, "cluster/all.toml", &text);
    write(site, "cluster/policies.cedar", POLICY);
    site.user.write_secret("cluster/entra.secret", SECRETS[0]);
    site.user.write_secret("cluster/crm.secret", &format!("{}\n", SECRETS[1]));
}

/// Runs `apply` with the example's variables; sees that it prints no secret.
pub(crate) async fn apply(site: &Site, arguments: &str) -> crate::user::Ran {
    let ran = site.user.run_in(&ENVIRONMENT, &format!("apply {arguments}")).await;
    for secret in SECRETS {
        assert!(
            !ran.stdout.contains(secret) && !ran.stderr.contains(secret),
            "{}\n{}",
            ran.stdout,
            ran.stderr
        );
    }
    ran
}

/// The names of what there is, in their order.
async fn names(site: &Site, noun: &str) -> Vec<String> {
    let listed = site.done(&format!("{noun} list --field name")).await;
    let mut names: Vec<_> = listed.lines().map(str::to_owned).collect();
    names.sort();
    names
}

/// How many client secrets a connector has.
async fn secrets(site: &Site, connector: &str) -> usize {
    let listed = json(site, "connector list").await;
    let mut all = listed["connectors"].as_array().unwrap().iter();
    all.find(|one| one["name"] == connector).unwrap()["secrets"].as_array().unwrap().len()
}

/// Where a line stands in the example as it is now.
fn line_of(site: &Site, text: &str) -> usize {
    let whole = fs::read_to_string(site.user.path("cluster/all.toml")).unwrap();
    1 + whole.lines().position(|line| line == text).unwrap()
}

const NONE: [&str; 0] = [];

async fn json(site: &Site, arguments: &str) -> Value {
    serde_json::from_str(&site.done(&format!("{arguments} --output json")).await).unwrap()
}

/// Everything that `apply` could change, as it stands.
async fn all(site: &Site) -> String {
    let mut all = String::new();
    for command in ["idp list", "connector list", "mcp-server list", "workload list", "policy show"] {
        all += &site.done(&format!("{command} --output json")).await;
    }
    all
}

#[tokio::test]
async fn the_example_is_applied_and_then_there_is_nothing_to_do() {
    let site = Site::start().await;
    example(&site).await;
    let planned = apply(&site, "-f cluster --dry-run --exit-code").await;
    assert_eq!((planned.exit, planned.stderr.as_str()), (4, ""), "{}", planned.stdout);
    for line in [
        "+ create   connector github\n",
        "client_secret: from the variable GITHUB_CLIENT_SECRET\n",
        "client_secret: from the file cluster/crm.secret\n",
        "needs.github: read:org repo\n",
        "~ change   policies\n",
        "+ @id(\"gateways-lease\")\n",
        "8 to create, 1 to change, 0 to disable, 0 the same, 0 not in the files\n",
    ] {
        assert!(planned.stdout.contains(line), "no {line} in\n{}", planned.stdout);
    }
    assert_eq!(names(&site, "connector").await, NONE, "a dry run changes nothing");

    let applied = apply(&site, "-f cluster --yes").await;
    assert_eq!((applied.exit, applied.stderr.as_str()), (0, ""), "{}", applied.stdout);
    assert_eq!(names(&site, "connector").await, ["crm", "github", "tickets"]);
    for (name, count) in [("crm", 1), ("github", 1), ("tickets", 0)] {
        assert_eq!(secrets(&site, name).await, count, "{name}");
    }
    assert_eq!(site.done("policy show").await, POLICY);

    let before = all(&site).await;
    let again = apply(&site, "-f cluster").await;
    assert_eq!(again.exit, 0, "nothing to do needs no --yes: {}", again.stderr);
    assert!(again.stdout.contains("0 to create, 0 to change, 0 to disable, 9 the same"), "{}", again.stdout);
    assert_eq!(apply(&site, "-f cluster --dry-run --exit-code").await.exit, 0);
    assert_eq!(all(&site).await, before);
    site.stop().await;
}

#[tokio::test]
async fn the_plan_is_data_where_data_is_asked_for() {
    let site = Site::start().await;
    example(&site).await;
    let ran = apply(&site, "-f cluster --dry-run --output json").await;
    let planned: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&planned["applied"], &planned["changes"][0]["outcome"]), (&false.into(), &"planned".into()));
    let ran = apply(&site, "-f cluster --yes --output json").await;
    let applied: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(applied["applied"], true);
    let changes = applied["changes"].as_array().unwrap();
    let kinds: Vec<_> = changes.iter().map(|change| change["kind"].as_str().unwrap()).collect();
    let order = ["identity_provider", "connector", "mcp_server", "workload", "policies"];
    let ranks: Vec<_> =
        kinds.iter().map(|kind| order.iter().position(|known| known == kind).unwrap()).collect();
    assert!(ranks.is_sorted(), "{kinds:?}");
    assert!(changes.iter().all(|change| change["outcome"] == "done"), "{changes:?}");
    let ran = apply(&site, "-f cluster --dry-run --field same").await;
    assert_eq!(ran.stdout, "9\n");
    site.stop().await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once_and_nothing_is_changed() {
    let site = Site::start().await;
    example(&site).await;
    let text = fs::read_to_string(site.user.path("cluster/all.toml")).unwrap();
    // What a provider's entry takes, only the cluster knows.
    write(&site, "cluster/all.toml", &text.replace("issuer = \"https://login.crm.example\"\n", ""));
    let wrong = "[[mcp_server]]\nname = \"files\"\nresource = \"https://files.example/mcp\"\ncolour = \"red\"\n[mcp_server.needs]\nnowhere = [\"x\"]\n\n[[gadget]]\nname = \"x\"\n\n[[workload]]\nname = \"gateway\"\n";
    write(&site, "cluster/wrong.toml", wrong);
    write(&site, "cluster/zz.cedar", "permit (principal, action == Leasehold::Action::\"fly\", resource);\n");
    let ran = apply(&site, "-f cluster --yes").await;
    assert_eq!((ran.exit, ran.stdout.as_str()), (1, ""));
    for line in [
        "cluster/wrong.toml:4: MCP server files: there is no field colour",
        "cluster/wrong.toml:6: MCP server files: there is no connector nowhere",
        "cluster/wrong.toml:8: there is no kind gadget",
        "cluster/wrong.toml:11: workload gateway: it stands there twice: first at cluster/all.toml:",
        "cluster/zz.cedar:1: policies: ",
        ": connector crm: issuer or endpoints: ",
        "(FILES_REFUSED)\n  next: correct them; nothing was changed",
    ] {
        assert!(ran.stderr.contains(line), "no {line} in\n{}", ran.stderr);
    }
    assert_eq!(names(&site, "idp").await, NONE);
    let ran = apply(&site, "-f cluster --yes --output json").await;
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    let said = said["problems"].as_array().unwrap();
    assert!(said.iter().any(|one| one["file"] == "cluster/wrong.toml" && one["line"] == 4), "{said:?}");
    site.stop().await;
}

#[tokio::test]
async fn files_are_read_for_what_is_wrong_even_where_no_cluster_answers() {
    let user = crate::user::User::of("http://127.0.0.1:1");
    fs::write(user.path("a.toml"), "[[gadget]]\nname = \"x\"\n").unwrap();
    let ran = user.run("apply -f a.toml --dry-run").await;
    assert_eq!(ran.exit, 1);
    assert!(ran.stderr.starts_with("a.toml:1: there is no kind gadget"), "{}", ran.stderr);
    fs::write(user.path("a.toml"), "[[workload]]\nname = \"x\"\n").unwrap();
    assert_eq!(user.run("apply -f a.toml --dry-run").await.exit, 3);
    fs::write(user.path("a.toml"), "# nothing\n").unwrap();
    assert_eq!(user.run("apply -f a.toml --dry-run").await.exit, 1);
    for wrong in [
        "apply",
        "apply -f a.toml --exit-code",
        "apply -f a.toml --rotate workload/x",
        "apply -f a.toml --dry-run --yes",
    ] {
        assert_eq!(user.run(wrong).await.exit, 2, "{wrong}");
    }
    fs::write(user.path("a.cedar"), "").unwrap();
    let prune = user.run("apply -f a.cedar --prune --dry-run").await;
    assert!(prune.exit == 2 && prune.stderr.contains("everything would be disabled"), "{}", prune.stderr);
    assert!(user.run("apply --schema").await.stdout.contains("client_secret_file"));
}

#[tokio::test]
async fn without_a_terminal_nobody_is_asked_and_nothing_is_done() {
    let site = Site::start().await;
    example(&site).await;
    let ran = apply(&site, "-f cluster").await;
    assert_eq!(ran.exit, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("it needs --yes, or --dry-run (USAGE)"), "{}", ran.stderr);
    assert_eq!(names(&site, "idp").await, NONE);
    site.stop().await;
}

#[tokio::test]
async fn on_a_terminal_only_yes_applies() {
    let site = Site::start().await;
    example(&site).await;
    let refused = site.user.run_on_terminal(&ENVIRONMENT, "apply -f cluster", "y\n").await;
    assert_eq!(refused.exit, 1, "{}", refused.stdout);
    assert!(
        refused.stdout.contains("Only `yes` applies it") && refused.stdout.contains("(NOT_AGREED)"),
        "{}",
        refused.stdout
    );
    assert_eq!(names(&site, "idp").await, NONE);
    let agreed = site.user.run_on_terminal(&ENVIRONMENT, "apply -f cluster --prune", "yes\n").await;
    assert_eq!(agreed.exit, 0, "{}", agreed.stdout);
    assert_eq!(names(&site, "idp").await, ["entra", "partners"]);
    site.stop().await;
}

#[tokio::test]
async fn every_secret_is_read_before_anything_is_changed() {
    let site = Site::start().await;
    example(&site).await;
    fs::remove_file(site.user.path("cluster/crm.secret")).unwrap();
    let ran = site.user.run_in(&ENVIRONMENT[..1], "apply -f cluster --yes").await;
    assert_eq!(ran.exit, 1);
    let line = line_of(&site, "client_secret_file = \"crm.secret\"");
    let missing = format!("cluster/all.toml:{line}: connector crm: No such file");
    assert!(ran.stderr.contains(&missing), "no {missing} in {}", ran.stderr);
    assert!(
        ran.stderr.contains("identity provider partners: the variable PARTNERS_CLIENT_SECRET is not set"),
        "{}",
        ran.stderr
    );
    assert_eq!(names(&site, "idp").await, NONE);
    // One that everybody can read is none.
    write(&site, "cluster/crm.secret", SECRETS[1]);
    let ran = apply(&site, "-f cluster --yes").await;
    assert!(ran.stderr.contains("connector crm: others may read or write it"), "{}", ran.stderr);
    assert_eq!(names(&site, "idp").await, NONE);
    site.stop().await;
}

#[tokio::test]
async fn what_differs_is_changed_and_what_is_elsewhere_stays_until_it_is_pruned() {
    let site = Site::start().await;
    example(&site).await;
    assert_eq!(apply(&site, "-f cluster --yes").await.exit, 0);
    site.done("workload register stray").await;
    let text = fs::read_to_string(site.user.path("cluster/all.toml")).unwrap();
    let text = text.replace("github = [\"repo\", \"read:org\"]\n", "github = [\"repo\"]\n");
    let text = text.replace("tickets = [\"tickets.read\"]\n", "crm = [\"crm.read\"]\n");
    let text = text.replace("\"gateway.example.com\"]", "\"gateway.example.com\", \"edge.example.com\"]");
    let text =
        text.replace("mcp_server = \"code\"\nenabled = true", "mcp_server = \"code\"\nenabled = false");
    write(&site, "cluster/all.toml", &text);
    write(
        &site,
        "cluster/policies.cedar",
        &POLICY.replace("resource\n", "resource == Leasehold::Connector::\"github\"\n"),
    );
    let ran = apply(&site, "-f cluster --yes").await;
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    for line in [
        "needs.crm: none -> crm.read\n",
        "needs.github: read:org repo -> repo\n",
        "needs.tickets: tickets.read -> none\n",
        "enabled: true -> false\n             ends its leases, API credentials and certificates",
        "             -   resource\n             +   resource == Leasehold::Connector::\"github\"\n",
        "? not in the files, stays as it is: workload stray\n",
    ] {
        assert!(ran.stdout.contains(line), "no {line} in\n{}", ran.stdout);
    }
    let servers = json(&site, "mcp-server list").await;
    assert_eq!(servers["mcp_servers"][0]["needs"].to_string(), r#"{"crm":"crm.read","github":"repo"}"#);
    let enabled = |all: &Value, name: &str| {
        let mut all = all["workloads"].as_array().unwrap().iter();
        all.find(|one| one["name"] == name).unwrap()["enabled"].as_bool().unwrap()
    };
    let workloads = json(&site, "workload list").await;
    assert_eq!((enabled(&workloads, "code-server"), enabled(&workloads, "stray")), (false, true));

    let ran = apply(&site, "-f cluster --yes --prune").await;
    assert!(ran.stdout.contains("- disable  workload stray\n"), "{}", ran.stdout);
    let workloads = json(&site, "workload list").await;
    assert_eq!((enabled(&workloads, "gateway"), enabled(&workloads, "stray")), (true, false));
    assert_eq!(apply(&site, "-f cluster --dry-run --exit-code --prune").await.exit, 0);

    // A certificate that is not in the files any more stands for nobody.
    let text = text.replace(", \"edge.example.com\"]", "]");
    write(&site, "cluster/all.toml", &text);
    let ran = apply(&site, "-f cluster --yes").await;
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let workloads = site.done("workload list --output json").await;
    assert!(
        !workloads.contains("edge.example.com") && workloads.contains("gateway.example.com"),
        "{workloads}"
    );

    // Back again: the certificates too.
    let text = text.replace(
        "mcp_server = \"code\"\nenabled = false",
        "mcp_server = \"code\"\ncertificates = [\"code.example.com\"]",
    );
    write(&site, "cluster/all.toml", &text);
    assert_eq!(apply(&site, "-f cluster --yes").await.exit, 0);
    assert_eq!(apply(&site, "-f cluster --dry-run --exit-code").await.exit, 0);
    site.stop().await;
}

#[tokio::test]
async fn what_cannot_be_changed_is_refused_with_what_to_do_instead() {
    let site = Site::start().await;
    example(&site).await;
    assert_eq!(apply(&site, "-f cluster --yes").await.exit, 0);
    let before = all(&site).await;
    let text = fs::read_to_string(site.user.path("cluster/all.toml")).unwrap();
    let text = text.replace("exposure = \"inject_only\"", "exposure = \"hand_out\"");
    let text = text.replace("https://code.example.com/mcp", "https://code.example.com/mcp2");
    let text = text.replace("\"repo\", ", "");
    write(&site, "cluster/all.toml", &text);
    let ran = apply(&site, "-f cluster --yes").await;
    assert_eq!(ran.exit, 1);
    let line = line_of(&site, "exposure = \"hand_out\"");
    let exposure = format!(
        "cluster/all.toml:{line}: connector github: exposure cannot be changed (inject_only -> hand_out): make a connector under another name"
    );
    assert!(ran.stderr.contains(&exposure), "{}", ran.stderr);
    assert!(ran.stderr.contains("MCP server code: resource cannot be changed"), "{}", ran.stderr);
    assert_eq!(all(&site).await, before);
    site.stop().await;
}

#[tokio::test]
async fn a_secret_is_rotated_where_its_owner_is_named_and_nowhere_else() {
    let site = Site::start().await;
    example(&site).await;
    assert_eq!(apply(&site, "-f cluster --yes").await.exit, 0);
    site.user.write_secret("cluster/crm.secret", "another-s3cret-of-the-crm");
    assert_eq!(apply(&site, "-f cluster --dry-run --exit-code").await.exit, 0, "a secret is not compared");
    let ran = apply(&site, "-f cluster --yes --rotate connector/crm --rotate identity_provider/entra").await;
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("client_secret: as it is -> from the file cluster/crm.secret"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("another-s3cret"), "{}", ran.stdout);
    assert!(ran.stdout.contains("0 to create, 2 to change"), "{}", ran.stdout);
    assert_eq!((secrets(&site, "crm").await, secrets(&site, "github").await), (2, 1));
    let unknown = apply(&site, "-f cluster --yes --rotate connector/crn").await;
    assert_eq!(unknown.exit, 2, "{}", unknown.stderr);
    site.stop().await;
}

#[tokio::test]
async fn an_end_in_the_middle_says_what_was_done_and_the_same_command_does_the_rest() {
    let site = Site::start().await;
    example(&site).await;
    // May do everything but the last.
    site.administrator("otto", "operator --role auditor").await;
    let ran = apply(&site, "-f cluster --as otto --yes").await;
    assert_eq!(ran.exit, 1, "{}", ran.stdout);
    for line in [
        "done       create identity provider entra\n",
        "done       create workload gateway\nnot done   change policies\n",
        "the same command looks anew, and does the rest\n",
        "leasehold: could not replace the policy set: ",
        "(ROLE_MISSING)\n  next: ask an administrator with the role",
    ] {
        assert!(ran.stderr.contains(line), "no {line} in\n{}", ran.stderr);
    }
    assert_eq!(names(&site, "workload").await, ["code-server", "gateway"]);
    let ran = apply(&site, "-f cluster --as otto --yes --output json").await;
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.exit, &said["applied"]), (1, &false.into()));
    assert_eq!(said["changes"].as_array().unwrap().last().unwrap()["outcome"], "not done");

    let ran = apply(&site, "-f cluster --yes").await;
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("= same     identity provider entra\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("0 to create, 1 to change"), "{}", ran.stdout);
    assert_eq!(apply(&site, "-f cluster --dry-run --exit-code").await.exit, 0);
    site.stop().await;
}

#[tokio::test]
async fn what_somebody_changed_meanwhile_is_not_overwritten() {
    let site = Site::start().await;
    example(&site).await;
    assert_eq!(apply(&site, "-f cluster --yes").await.exit, 0);
    let text = fs::read_to_string(site.user.path("cluster/all.toml")).unwrap();
    write(&site, "cluster/all.toml", &text.replace("\"repo\", ", ""));
    // `apply` reads secrets after it has read the cluster: this one comes through a pipe, and it waits there.
    let pipe = site.user.path("cluster/crm.secret");
    fs::remove_file(&pipe).unwrap();
    let made = tokio::process::Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status().await.unwrap();
    assert!(made.success());
    let applying = apply(&site, "-f cluster --yes --rotate connector/crm");
    let meanwhile = async {
        let opened = tokio::task::spawn_blocking(move || fs::OpenOptions::new().write(true).open(pipe));
        let mut opened = opened.await.unwrap().unwrap();
        site.done("mcp-server update code --need github=read:org").await;
        site.done("mcp-server update code --need github=gist").await;
        std::io::Write::write_all(&mut opened, b"another-s3cret").unwrap();
    };
    let (ran, ()) = tokio::join!(applying, meanwhile);
    assert_eq!(ran.exit, 1, "{}", ran.stdout);
    assert!(ran.stderr.contains("it was changed since it was read"), "{}", ran.stderr);
    assert!(ran.stderr.contains("(CHANGED_SINCE_READ)"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("done       change connector crm\nnot done   change MCP server code\n"),
        "{}",
        ran.stderr
    );
    let servers = json(&site, "mcp-server list").await;
    assert_eq!(servers["mcp_servers"][0]["needs"]["github"], "gist", "theirs stands");
    site.stop().await;
}

#[tokio::test]
async fn a_caller_without_the_role_changes_nothing() {
    let site = Site::start().await;
    example(&site).await;
    site.administrator("olga", "auditor").await;
    site.administrator("otto", "operator").await;
    let as_admin = all(&site).await;
    // An auditor sees the plan, and may not carry it out.
    assert_eq!(apply(&site, "-f cluster --as olga --dry-run --exit-code").await.exit, 4);
    let auditor = apply(&site, "-f cluster --as olga --yes").await;
    assert_eq!(auditor.exit, 1);
    assert!(
        auditor.stderr.contains("(ROLE_MISSING)")
            && auditor.stderr.contains("not done   create identity provider entra\n"),
        "{}",
        auditor.stderr
    );
    assert!(!auditor.stderr.contains("\ndone "), "{}", auditor.stderr);
    // An operator may not even read the policy set, and applies everything else.
    let operator = apply(&site, "-f cluster --as otto --yes").await;
    assert_eq!((operator.exit, operator.stdout.as_str()), (1, ""));
    assert!(
        operator.stderr.contains("could not read the policy set")
            && operator.stderr.contains("(ROLE_MISSING)"),
        "{}",
        operator.stderr
    );
    assert_eq!(all(&site).await, as_admin);
    assert_eq!(apply(&site, "-f cluster/all.toml --as otto --yes").await.exit, 0);
    site.done("workload add-credential gateway --secret-out gateway.credential").await;
    let workload = apply(&site, "-f cluster --dry-run --credential-file gateway.credential").await;
    assert_eq!(workload.exit, 1);
    assert!(workload.stderr.contains("(WRONG_CALLER)"), "{}", workload.stderr);
    site.stop().await;
}
