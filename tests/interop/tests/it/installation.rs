//! Installing and running: once per lock file, closed to strangers, gone when dropped, plain about failures.

use std::time::Duration;

use leasehold_interop::{OidcProvider, StartError, prepare_node, require};
use reqwest::StatusCode;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::oauth::{config, start};

#[tokio::test]
async fn tests_in_parallel_share_one_installation_with_its_own_node() {
    let toolchain = require!(Node, Npm);
    let (a, b) = tokio::join!(prepare_node(&toolchain), prepare_node(&toolchain));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(a, b);
    let version = Command::new(a.node()).arg("--version").output().await.unwrap();
    assert!(version.stdout.starts_with(b"v22."), "{version:?}");
}

#[tokio::test]
async fn the_ledger_answers_only_to_its_secret() {
    let provider = start(&require!(Node, Npm)).await;
    let url = format!("{}/__ledger", provider.admin());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(http.get(&url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(http.get(&url).bearer_auth("guess").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let public = format!("{}/__ledger", provider.issuer());
    assert_eq!(http.get(public).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    assert!(provider.ledger().await.is_ok());
}

#[tokio::test]
async fn a_stopped_provider_frees_its_port() {
    let provider = start(&require!(Node, Npm)).await;
    let address = provider.issuer().trim_start_matches("http://").to_owned();
    assert!(TcpListener::bind(&address).await.is_err(), "the port is in use");
    provider.stop().await;
    TcpListener::bind(&address).await.unwrap();
}

#[tokio::test]
async fn a_dropped_provider_is_gone() {
    let provider = start(&require!(Node, Npm)).await;
    let url = format!("{}/jwks", provider.issuer());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut open = http.get(&url).send().await.unwrap();
    while open.chunk().await.unwrap().is_some() {}
    drop(provider);
    let gone = async { while http.get(&url).send().await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
}

#[tokio::test]
async fn a_provider_that_cannot_start_says_why() {
    let toolchain = require!(Node, Npm);
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config();
    config.port = taken.local_addr().unwrap().port();
    let Err(error) = OidcProvider::start(&toolchain, &config).await else { panic!("the port is taken") };
    assert!(matches!(error, StartError::Process(_)), "{error}");
    assert!(error.to_string().contains("EADDRINUSE"), "{error}");
}
