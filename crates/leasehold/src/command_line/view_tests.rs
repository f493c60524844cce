//! Every format, over the same answers.

use std::collections::BTreeMap;

use super::*;
use crate::command_line::failure::Exit;

fn view(format: Format) -> View<'static> {
    View { format, field: None, terminal: false }
}

fn field(name: &str) -> View<'_> {
    View { format: Format::Table, field: Some(name), terminal: false }
}

fn lease() -> Record {
    Record::default()
        .with("lease_id", "lse_1")
        .with("scopes", vec!["files.read".to_owned(), "files.write".to_owned()])
        .with("generation", 3u64)
        .with("shared", false)
        .with("note", "")
        .with("access_token", Value::Hidden("s3cret".into()))
}

fn connectors() -> List {
    let connector = |name: &str, provider: &str| {
        Record::default().with("name", name).with("provider", provider).with("enabled", true)
    };
    List {
        noun: "connectors",
        columns: &["name", "provider", "enabled"],
        records: vec![connector("git", "github"), connector("a-longer-name", "")],
        as_of: None,
    }
}

#[test]
fn a_table_lines_its_columns_up_and_marks_what_is_absent() {
    let expected = "NAME           PROVIDER  ENABLED\n\
                    git            github    yes\n\
                    a-longer-name  -         yes\n";
    assert_eq!(*view(Format::Table).list(&connectors()).unwrap(), expected);
}

#[test]
fn a_table_of_an_answer_about_access_says_what_it_speaks_of() {
    let mut list = connectors();
    list.as_of = Some(AsOf { size: 42, complete: true, next_page: String::new() });
    assert!(view(Format::Table).list(&list).unwrap().ends_with("\nas of 42 events, complete\n"));
    list.as_of = Some(AsOf { size: 42, complete: false, next_page: "x".to_owned() });
    assert!(
        view(Format::Table)
            .list(&list)
            .unwrap()
            .ends_with("\nas of 42 events, not complete: raise --limit\n")
    );
}

#[test]
fn json_is_one_value_under_the_noun() {
    let mut list = connectors();
    list.as_of = Some(AsOf { size: 42, complete: true, next_page: String::new() });
    let text = view(Format::Json).list(&list).unwrap();
    let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(parsed["connectors"][0]["name"], "git");
    assert_eq!(parsed["connectors"][1]["provider"], serde_json::Value::Null);
    assert_eq!(parsed["as_of"], serde_json::json!({"size": 42, "complete": true}));
}

#[test]
fn jsonl_is_one_value_a_line() {
    let text = view(Format::Jsonl).list(&connectors()).unwrap();
    let expected = "{\"name\":\"git\",\"provider\":\"github\",\"enabled\":true}\n\
                    {\"name\":\"a-longer-name\",\"provider\":null,\"enabled\":true}\n";
    assert_eq!(*text, expected);
}

#[test]
fn an_empty_list_is_a_header_an_empty_array_or_nothing() {
    let list = List { records: Vec::new(), ..connectors() };
    assert_eq!(*view(Format::Table).list(&list).unwrap(), "NAME  PROVIDER  ENABLED\n");
    assert_eq!(*view(Format::Json).list(&list).unwrap(), "{\n  \"connectors\": []\n}\n");
    assert_eq!(*view(Format::Jsonl).list(&list).unwrap(), "");
}

#[test]
fn a_token_is_hidden_in_tables_and_shown_where_it_is_asked_for() {
    let table = view(Format::Table).one(&lease()).unwrap();
    assert!(!table.contains("s3cret"), "{}", *table);
    assert!(table.contains("access_token  (hidden: name it with --field, or use --output json)\n"));
    assert!(table.contains("scopes        files.read files.write\n"));
    assert!(!table.contains("note"), "what is absent is left out");
    assert_eq!(*field("access_token").one(&lease()).unwrap(), "s3cret\n");
    assert!(view(Format::Json).one(&lease()).unwrap().contains("\"access_token\": \"s3cret\""));
    assert!(view(Format::Jsonl).one(&lease()).unwrap().contains("\"access_token\":\"s3cret\"}\n"));
}

#[test]
fn a_secret_that_is_shown_once_is_shown_in_tables_too() {
    let record = Record::default().with("secret", Value::Once("lh_wk_1.2".into()));
    assert_eq!(*view(Format::Table).one(&record).unwrap(), "secret  lh_wk_1.2\n");
}

#[test]
fn a_field_is_printed_raw_once_for_each_of_a_list() {
    assert_eq!(*field("name").list(&connectors()).unwrap(), "git\na-longer-name\n");
    assert_eq!(*field("generation").one(&lease()).unwrap(), "3\n");
    assert_eq!(*field("note").one(&lease()).unwrap(), "\n");
}

#[test]
fn a_field_that_is_not_there_is_wrong_usage_and_names_those_that_are() {
    let failure = field("token").one(&lease()).unwrap_err();
    assert_eq!(failure.exit(), Exit::Usage);
    let text = failure.to_string();
    assert!(text.contains("the answer has lease_id, scopes, generation"), "{text}");
    assert!(!text.contains("s3cret"));
}

#[test]
fn text_of_others_cannot_steer_a_terminal() {
    let record = Record::default().with("account", "eve\u{1b}[2J\u{202e}\nroot");
    let table = view(Format::Table).one(&record).unwrap();
    assert_eq!(*table, "account  eve\\u{1b}[2J\\u{202e}\\u{a}root\n");
    let terminal = View { terminal: true, ..field("account") };
    assert_eq!(*terminal.one(&record).unwrap(), "eve\\u{1b}[2J\\u{202e}\nroot\n");
    assert_eq!(*field("account").one(&record).unwrap(), "eve\u{1b}[2J\u{202e}\nroot\n", "raw in a pipe");
}

#[test]
fn a_stream_prints_each_as_it_comes() {
    let record = Record::default().with("seq", 7u64).with("change", "ended");
    assert_eq!(*view(Format::Table).streamed(&["seq", "change"], &record).unwrap(), "7  ended\n");
    assert_eq!(
        *view(Format::Json).streamed(&["seq"], &record).unwrap(),
        "{\"seq\":7,\"change\":\"ended\"}\n"
    );
}

#[test]
fn pairs_read_in_every_format() {
    let pairs = BTreeMap::from([("instance_url".to_owned(), "https://x.example".to_owned())]);
    let record = Record::default().with("metadata", Value::Pairs(pairs));
    assert_eq!(*field("metadata").one(&record).unwrap(), "instance_url=https://x.example\n");
    let json = view(Format::Jsonl).one(&record).unwrap();
    assert_eq!(*json, "{\"metadata\":{\"instance_url\":\"https://x.example\"}}\n");
}

#[test]
fn what_is_json_already_is_not_written_anew() {
    let line = r#"{"v":1,"seq":7,"data":{"z":1,"a":"\u0041"}}"#;
    let raw = serde_json::value::RawValue::from_string(line.to_owned()).unwrap();
    let record = Record::default().with("seq", 7u64).verbatim(raw);
    assert_eq!(*view(Format::Jsonl).one(&record).unwrap(), format!("{line}\n"));
    assert_eq!(*view(Format::Table).one(&record).unwrap(), "seq  7\n");
}

#[test]
fn text_of_several_lines_keeps_them_and_none_passes_for_a_field() {
    let record = Record::default().with("size", 3u64).with("note", Value::Lines("a\nsize  4\n".to_owned()));
    assert_eq!(*view(Format::Table).one(&record).unwrap(), "size  3\nnote\n  a\n  size  4\n");
    assert_eq!(*field("note").one(&record).unwrap(), "a\nsize  4\n");
    assert_eq!(*view(Format::Jsonl).one(&record).unwrap(), "{\"size\":3,\"note\":\"a\\nsize  4\\n\"}\n");
}
