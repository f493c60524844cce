//! A thief who has a copy of the data folder, of a running or of a stopped node, and not the root key.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use leasehold_secrets::{
    canary::Canary,
    input::Input,
    process,
    production::{KeyBy, Production, private},
    search::Search,
};
use leasehold_vault::{OsEntropy, RootKey};
use secrecy::ExposeSecret as _;

use crate::scene::{self, with_a_lease};

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    process::files(folder).unwrap().into_iter().collect()
}

/// Starts `serve` on a copy, with a configuration of the thief's, and answers with how it ends and what it says.
async fn serve(production: &Production, data: &Path, key: &Path) -> (bool, String) {
    let config = fs::read_to_string(production.config()).unwrap();
    let config = config
        .replace(&production.data().display().to_string(), &data.display().to_string())
        .replace(&production.root_key().display().to_string(), &key.display().to_string());
    let file = production.folder().join("thief.toml");
    private(&file, &config).unwrap();
    let mut command = production.command(&["serve", "--config"]);
    let output = command.arg(&file).stdin(Stdio::null()).output();
    let output = tokio::time::timeout(std::time::Duration::from_secs(60), output).await.unwrap().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_root_key_a_copy_opens_nowhere_and_nothing_in_it_changes() {
    let (mut production, furnished, token) = with_a_lease().await;
    let lines = scene::lines(&production, &furnished).await;
    let (running, stopped) = (production.folder().join("running"), production.folder().join("stopped"));
    process::copy_folder(&production.data(), &running).unwrap();
    assert!(production.end_by("-TERM").await.unwrap().success());
    process::copy_folder(&production.data(), &stopped).unwrap();

    let other = production.folder().join("other.key");
    drop(RootKey::create_file(&other, &OsEntropy).unwrap());
    let secrets = [
        (Input::AccessToken, token),
        (Input::ConnectorSecret, production.secrets.provider_client.expose_secret().to_owned()),
        (Input::IdentityProviderSecret, production.secrets.idp_client.expose_secret().to_owned()),
        (Input::RootKey, fs::read_to_string(production.root_key()).unwrap().trim().to_owned()),
    ];
    let mut canaries: Vec<Canary> =
        secrets.iter().map(|(input, secret)| Canary::new(*input, secret.as_bytes())).collect();
    let all = production.sandbox.control().all_secrets();
    canaries.extend(all.iter().map(|secret| Canary::new(Input::RefreshToken, secret.as_bytes())));
    let search = Search::new(&canaries).unwrap();

    for copy in [&running, &stopped] {
        let before = files(copy);
        assert!(before.len() > 5);
        for (path, bytes) in &before {
            assert!(search.find(bytes).is_empty(), "{} holds a secret", path.display());
        }
        // Another root key, and none.
        let (started, said) = serve(&production, copy, &other).await;
        assert!(!started && said.contains("root key"), "{said}");
        assert!(search.find(said.as_bytes()).is_empty());
        let (started, said) = serve(&production, copy, &production.folder().join("no.key")).await;
        assert!(!started && said.contains("root key"), "{said}");
        let changed: Vec<PathBuf> = files(copy)
            .into_iter()
            // Opening it is what sled notes in its own files; the rows in them are looked at below.
            .filter(|(path, bytes)| before.get(path) != Some(bytes) && !path.starts_with(copy.join("ledger")))
            .map(|(path, _)| path)
            .collect();
        assert!(changed.is_empty(), "a refused start changed {changed:?}");
    }
    // With the right key, the copy that was refused twice has every line.
    fs::remove_dir_all(production.data()).unwrap();
    fs::rename(&stopped, production.data()).unwrap();
    production.start_again(KeyBy::File).await.unwrap();
    let now = scene::lines(&production, &furnished).await;
    assert!(now.starts_with(&lines), "a refused start changed the ledger");
    production.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_emails_are_readable_in_a_copy_as_the_model_says() {
    let (mut production, _, _) = with_a_lease().await;
    assert!(production.end_by("-TERM").await.unwrap().success());
    let all: Vec<u8> = files(&production.data()).into_values().flatten().collect();
    let stands = |text: &str| all.windows(text.len()).any(|window| window == text.as_bytes());
    for readable in
        ["alice@example.test", "bob@example.test", "leasehold.test/canaries", "\"subject\":\"sub_"]
    {
        assert!(stands(readable), "{readable} is not readable: the model could claim more");
    }
    production.stop().await.unwrap();
}
