use std::collections::BTreeMap;

use super::{super::super::apply::resource::Endpoints, *};
use crate::command_line::apply::standing::PolicySet;

fn set(members: &[&str]) -> BTreeSet<String> {
    members.iter().map(|member| (*member).to_owned()).collect()
}

fn connector(client_id: &str, secrets: usize) -> Stands<Connector> {
    let resource = Connector {
        provider: "github".to_owned(),
        client_id: client_id.to_owned(),
        issuer: String::new(),
        endpoints: Endpoints::default(),
        isolation: "shared".to_owned(),
        exposure: "hand_out".to_owned(),
        enabled: false,
    };
    Stands { resource, revision: 1, secrets }
}

#[test]
fn the_same_cluster_gives_the_same_text_in_the_order_of_names() {
    let known = BTreeMap::from([("b".to_owned(), connector("x", 1)), ("a".to_owned(), connector("y", 0))]);
    let standing = Standing { connectors: known, ..Standing::default() };
    let (count, text) = connectors(&standing);
    let expected = "[[connector]]\nname = \"a\"\nprovider = \"github\"\nclient_id = \"y\"\npublic_client = true\n\
                    isolation = \"shared\"\nexposure = \"hand_out\"\nenabled = false\n\n\
                    [[connector]]\nname = \"b\"\nprovider = \"github\"\nclient_id = \"x\"\n\
                    # client_secret_file = \"b.secret\"\nisolation = \"shared\"\nexposure = \"hand_out\"\nenabled = false\n";
    assert_eq!((count, text.split_once("\n\n").unwrap().1), (2, expected));
}

#[test]
fn whatever_stands_in_a_value_is_read_back_as_it_was() {
    for nasty in ["a\"b", "a'b\"c'''", "back\\slash", "é漢🗝", "# not a comment", "\"\"\"", " ", "a = \"b\""]
    {
        let known = BTreeMap::from([("a".to_owned(), connector(nasty, 1))]);
        let (_, text) = connectors(&Standing { connectors: known, ..Standing::default() });
        let read: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(read["connector"][0]["client_id"].as_str(), Some(nasty), "{text}");
    }
}

#[test]
fn needs_stand_under_their_own_mcp_server() {
    let server = |connector: &str| {
        let needs = [(connector.to_owned(), set(&["b", "a"]))].into();
        let resource = McpServer { resource: "https://x.example".to_owned(), needs, enabled: true };
        Stands { resource, revision: 1, secrets: 0 }
    };
    let known = [("one".to_owned(), server("drive")), ("two".to_owned(), server("mail"))].into();
    let (_, text) = mcp_servers(&Standing { mcp_servers: known, ..Standing::default() });
    let read: toml::Table = toml::from_str(&text).unwrap();
    let scopes =
        |at: usize, connector: &str| read["mcp_server"][at]["needs"][connector].as_array().unwrap().len();
    assert_eq!((scopes(0, "drive"), scopes(1, "mail")), (2, 2));
    assert!(text.contains("drive = [\"a\", \"b\"]"), "{text}");
}

#[test]
fn the_policy_set_is_written_byte_for_byte_and_only_where_there_is_one() {
    let of = |text: &str, version| {
        let known = Some(PolicySet { text: text.to_owned(), version });
        policies(&Standing { policies: known, ..Standing::default() })
    };
    assert_eq!(of("permit (a);", 3), (1, "permit (a);".to_owned()));
    assert_eq!(of("", 0), (0, String::new()));
}
