//! Proof that what is looked for would be found: in every form, and in every kind of place.

use std::{collections::BTreeSet, fs};

use leasehold_secrets::{
    canary::{Canary, planted, word},
    forms::{self, Form},
    front::heads_and_bodies,
    input::Input,
    place::{self, Place, by_design},
    process,
    production::Production,
    search::Search,
    tally::Tally,
};
use tokio::{io::AsyncReadExt as _, process::Command};

use crate::gather::Gathered;

/// Where the root key was found.
pub(crate) fn strays_of_root_key(production: &Production, gathered: &Gathered) -> anyhow::Result<Vec<Place>> {
    let line = fs::read_to_string(production.root_key())?;
    let search = Search::new(&[Canary::new(Input::RootKey, line.trim().as_bytes())])?;
    let found = gathered.0.iter().filter(|sample| !search.find(&sample.bytes).is_empty());
    Ok(found.map(|sample| sample.place).collect())
}

/// A secret as each form writes it, between other text.
fn written(form: Form, secret: &str) -> Vec<Vec<u8>> {
    use base64::{
        Engine as _,
        engine::general_purpose::{STANDARD, URL_SAFE},
    };
    let all = |write: &dyn Fn(u8) -> String| secret.bytes().map(write).collect::<String>();
    let around = |text: String| vec![format!("before {text} after").into_bytes()];
    // Whatever stands before it moves the encoding.
    let shifted = |encode: &dyn Fn(String) -> String| {
        ["", "x", "xy", "xyz"].map(|before| encode(format!("{before}{secret} after")).into_bytes()).to_vec()
    };
    match form {
        Form::Clear => around(secret.to_owned()),
        Form::Json => around(serde_json::to_string(&serde_json::json!({ "a": secret })).unwrap()),
        Form::JsonUnicode => around(secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()),
        Form::RustDebug => around(format!("{secret:?}")),
        Form::Html => around(
            secret
                .replace('&', "&#38;")
                .replace('"', "&#34;")
                .replace('<', "&#60;")
                .replace('>', "&#62;")
                .replace('\'', "&#39;"),
        ),
        Form::Query => {
            around(url::form_urlencoded::Serializer::new(String::new()).append_pair("a", secret).finish())
        }
        Form::PercentAll => around(all(&|byte| format!("%{byte:02X}"))),
        Form::HexLower => around(all(&|byte| format!("{byte:02x}"))),
        Form::HexUpper => around(all(&|byte| format!("{byte:02X}"))),
        Form::Base64 => shifted(&|text| STANDARD.encode(text)),
        Form::Base64Url => shifted(&|text| URL_SAFE.encode(text)),
        Form::Utf16Little => vec![secret.encode_utf16().flat_map(u16::to_le_bytes).collect()],
        Form::Utf16Big => vec![secret.encode_utf16().flat_map(u16::to_be_bytes).collect()],
        Form::Numbers => around(format!("{:?}", secret.as_bytes())),
    }
}

#[test]
fn a_secret_is_found_in_every_form_whole_and_cut_short() {
    for form in forms::ALL {
        let secret = planted();
        let search = Search::new(&[Canary::new(Input::ConnectorSecret, secret.as_bytes())]).unwrap();
        let (first, last) = (secret.get(..24).unwrap(), secret.get(secret.len() - 24..).unwrap());
        for part in [secret.as_str(), first, last] {
            for bytes in written(form, part) {
                assert!(
                    !search.find(&bytes).is_empty(),
                    "{form:?} of {part:?} is not seen in {}",
                    String::from_utf8_lossy(&bytes)
                );
                let others =
                    Search::new(&[Canary::new(Input::ConnectorSecret, planted().as_bytes())]).unwrap();
                assert!(others.find(&bytes).is_empty(), "{form:?}: another secret was seen");
            }
        }
    }
}

#[test]
fn of_a_signed_token_and_a_credential_the_secret_part_is_looked_for_and_the_public_part_is_not() {
    let signature = word();
    let token = format!("eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJzYW5kYm94LWFsaWNlIn0.{signature}");
    let search = Search::new(&[Canary::new(Input::IdToken, token.as_bytes())]).unwrap();
    assert!(search.find(b"eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJzYW5kYm94LWFsaWNlIn0").is_empty());
    assert!(!search.find(format!("...{signature}").as_bytes()).is_empty());
    let secret = word();
    let credential = format!("lh_wk_01hzxq7v9k3m5n8p2r4t6w8y0z.{secret}");
    let search = Search::new(&[Canary::new(Input::WorkloadCredential, credential.as_bytes())]).unwrap();
    assert!(search.find(b"credential lh_wk_01hzxq7v9k3m5n8p2r4t6w8y0z is unknown").is_empty());
    assert!(!search.find(secret.as_bytes()).is_empty());
}

#[test]
fn a_planted_secret_fails_the_tally_in_every_place_where_none_stands_by_design() {
    for place in place::ALL {
        for input in [Input::RefreshToken, Input::Password, Input::Misplaced] {
            assert_eq!(by_design(input, place), None);
            let secret = planted();
            let search = Search::new(&[Canary::new(input, secret.as_bytes())]).unwrap();
            let mut tally = Tally::default();
            tally.look(&search, &BTreeSet::from([input]), place, "a plant", format!("a {secret}").as_bytes());
            let told = tally.close().unwrap_err().to_string();
            assert!(told.contains(place.name()) && told.contains("a plant"), "{told}");
            assert!(!told.contains(&secret), "the failure prints the secret");
        }
    }
}

#[test]
fn a_place_that_nobody_looked_at_fails_the_tally() {
    assert!(Tally::default().close().unwrap_err().to_string().contains("was not looked for"));
}

#[test]
fn a_plant_in_a_file_of_a_folder_and_in_a_files_name_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (inside, name) = (planted(), word());
    fs::create_dir(folder.path().join("deep")).unwrap();
    fs::write(folder.path().join("deep").join(&name), format!("\0\u{1}{inside}")).unwrap();
    let mut gathered = Gathered::default();
    gathered.folder(Place::DataFolder, folder.path()).unwrap();
    for secret in [inside, name] {
        let search = Search::new(&[Canary::new(Input::RefreshToken, secret.as_bytes())]).unwrap();
        assert!(gathered.0.iter().any(|sample| !search.find(&sample.bytes).is_empty()));
    }
}

#[test]
fn a_plant_in_a_head_or_a_body_of_an_answer_is_told_apart() {
    let (head, body) = (word(), word());
    let answers =
        format!("HTTP/1.1 200 OK\r\nx: {head}\r\n\r\n{body}HTTP/1.1 303 See Other\r\nlocation: /\r\n\r\n");
    let (heads, bodies) = heads_and_bodies(answers.as_bytes());
    let finds = |secret: &str, bytes: &[u8]| {
        !Search::new(&[Canary::new(Input::State, secret.as_bytes())]).unwrap().find(bytes).is_empty()
    };
    assert!(finds(&head, &heads) && !finds(&head, &bodies));
    assert!(finds(&body, &bodies) && !finds(&body, &heads));
}

#[tokio::test]
async fn a_plant_in_the_arguments_the_environment_or_an_open_file_of_a_process_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (argument, variable, name) = (word(), word(), word());
    let file = fs::File::create(folder.path().join(&name)).unwrap();
    let mut child = Command::new("sh")
        .args(["-c", "echo ready >&2; read line", &argument])
        .env("PLANTED", &variable)
        .stdin(std::process::Stdio::piped())
        .stdout(file)
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = child.id().unwrap();
    // The system shows arguments once the program runs.
    let mut ready = [0; 6];
    child.stderr.take().unwrap().read_exact(&mut ready).await.unwrap();
    let finds = |secret: &str, bytes: Vec<u8>| {
        !Search::new(&[Canary::new(Input::RootKey, secret.as_bytes())]).unwrap().find(&bytes).is_empty()
    };
    assert!(finds(&argument, process::arguments(pid).unwrap()));
    assert!(finds(&variable, process::environment(pid).unwrap()));
    assert!(finds(&name, process::open_files(pid).unwrap()));
    child.kill().await.unwrap();
}

#[test]
fn a_plant_in_any_part_of_a_refusal_is_seen() {
    use leasehold_secrets::bad_calls::tell;
    use tonic::{Code, Status, metadata::MetadataMap};
    let [message, details, header] = [word(), word(), word()];
    let mut metadata = MetadataMap::new();
    metadata.insert("x-planted", header.parse().unwrap());
    let status = Status::with_details_and_metadata(
        Code::Internal,
        &message,
        details.clone().into_bytes().into(),
        metadata,
    );
    let mut said = Vec::new();
    tell(&mut said, &status);
    for secret in [message, details, header] {
        let search = Search::new(&[Canary::new(Input::Misplaced, secret.as_bytes())]).unwrap();
        assert!(!search.find(&said).is_empty());
    }
}

#[tokio::test]
async fn a_plant_in_an_attribute_of_a_span_is_seen() {
    use leasehold_secrets::receiver::Receiver;
    use opentelemetry_proto::tonic::{
        collector::trace::v1::{ExportTraceServiceRequest, trace_service_client::TraceServiceClient},
        common::v1::{AnyValue, KeyValue, any_value::Value},
        trace::v1::{ResourceSpans, ScopeSpans, Span},
    };
    let secret = planted();
    let (receiver, address) = Receiver::start().await.unwrap();
    let value = Some(AnyValue { value: Some(Value::StringValue(secret.clone())) });
    let attribute = KeyValue { key: "planted".to_owned(), value, ..KeyValue::default() };
    let span = Span { name: "call".to_owned(), attributes: vec![attribute], ..Span::default() };
    let scope = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() }],
    };
    TraceServiceClient::connect(format!("http://{address}")).await.unwrap().export(request).await.unwrap();
    assert_eq!(receiver.spans(), ["call"]);
    let search = Search::new(&[Canary::new(Input::Misplaced, secret.as_bytes())]).unwrap();
    assert!(!search.find(&receiver.bytes()).is_empty());
}
