//! One running `oidc-provider`: started, watched and stopped by its own child handle.

mod config;
mod ledger;
mod process;

use std::fs;
use std::io;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

pub use self::config::{Account, Client, ProviderConfig};
pub use self::ledger::{Ledger, RefreshTokenUse, ResourceCalls, Reuse, RevokedGrant, TokenRequests};
use self::process::{Process, ProcessError};
use crate::digest::secret;
use crate::install::{InstallError, prepare_node};
use crate::toolchain::Toolchain;

const ADMIN_LIMIT: Duration = Duration::from_secs(10);

/// Why the provider did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its packages could not be installed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// Its configuration could not be written.
    #[error("writing the provider's configuration")]
    Config(#[source] io::Error),
    /// It could not be started, or did not say in time that it listens.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// There is no entropy for the admin secret.
    #[error("drawing the provider's admin secret")]
    Entropy,
    /// The client for the admin port could not be made.
    #[error("making the admin client")]
    Http(#[source] reqwest::Error),
}

/// Why the admin port gave no answer.
#[derive(Debug, thiserror::Error)]
#[error("asking the provider's admin port for {path}; its log: {log}")]
#[non_exhaustive]
pub struct AdminError {
    path: &'static str,
    log: String,
    source: reqwest::Error,
}

/// A running provider. Dropped, it is killed.
pub struct OidcProvider {
    issuer: String,
    admin: String,
    bearer: String,
    http: reqwest::Client,
    process: Process,
}

/// How many tokens of one client the provider would still honour.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct LiveTokens {
    /// Access tokens that are neither expired nor revoked.
    pub access_tokens: u64,
    /// Refresh tokens that are neither used, expired nor revoked.
    pub refresh_tokens: u64,
}

#[derive(Deserialize)]
struct Ready {
    issuer: String,
    admin: String,
}

impl OidcProvider {
    /// Installs the provider if need be, and starts it on a loopback port.
    ///
    /// # Errors
    ///
    /// If it cannot be installed, or does not listen within half a minute; the error has the end of its log.
    pub async fn start(toolchain: &Toolchain, config: &ProviderConfig) -> Result<Self, StartError> {
        let prepared = prepare_node(toolchain).await?;
        let bearer = secret().map_err(|_unspecified| StartError::Entropy)?;
        let http = loopback_client().map_err(StartError::Http)?;

        // Readable to this user alone, as temporary folders are, and gone as soon as it has been read.
        let folder = tempfile::tempdir().map_err(StartError::Config)?;
        let file = folder.path().join("config.json");
        fs::write(&file, config.document(&bearer).to_string()).map_err(StartError::Config)?;

        let (process, Ready { issuer, admin }) = Process::start(&prepared, &file).await?;
        Ok(Self { issuer, admin, bearer, http, process })
    }

    /// The issuer, `http://127.0.0.1:PORT`, without a slash at the end. Discovery is below it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The admin port's URL. It answers only to a bearer secret that this value keeps.
    #[must_use]
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// The protected resource: answers 200 and a JSON `{subject, client, scope}` to a live access token that carries
    /// `scope`, 401 to a dead one, 403 to one without the scope.
    #[must_use]
    pub fn resource(&self, scope: &str) -> String {
        format!("{}/resource/{scope}", self.issuer)
    }

    /// What the provider saw so far.
    ///
    /// # Errors
    ///
    /// If the provider does not answer.
    pub async fn ledger(&self) -> Result<Ledger, AdminError> {
        self.admin_call("/__ledger", reqwest::Method::GET, &[]).await
    }

    /// Expires every access token at once, as if its time had passed; refresh tokens live on. Returns how many.
    ///
    /// # Errors
    ///
    /// If the provider does not answer.
    pub async fn expire_access_tokens(&self) -> Result<u64, AdminError> {
        #[derive(Deserialize)]
        struct Expired {
            expired: u64,
        }
        let answer: Expired = self.admin_call("/__expire", reqwest::Method::POST, &[]).await?;
        Ok(answer.expired)
    }

    /// Lets `client` be answered at `uri` too, exactly: for clients that learn their redirect URI from whoever they
    /// are registered for, which happens after the start.
    ///
    /// # Errors
    ///
    /// If the provider does not answer, or does not know the client.
    pub async fn add_redirect_uri(&self, client: &str, uri: &str) -> Result<(), AdminError> {
        let query = [("client", client), ("uri", uri)];
        let answer = self.admin_call("/__redirect", reqwest::Method::POST, &query).await;
        answer.map(|_how_many: IgnoredAny| ())
    }

    /// How many tokens of `client` are live. A client that is not known has none.
    ///
    /// # Errors
    ///
    /// If the provider does not answer.
    pub async fn live_tokens(&self, client: &str) -> Result<LiveTokens, AdminError> {
        self.admin_call("/__live", reqwest::Method::GET, &[("client", client)]).await
    }

    /// The end of what it wrote to its log: for the message of a failed test.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Kills it and waits until it is gone. What it held in memory is lost.
    pub async fn stop(self) {
        self.process.stop().await;
    }

    async fn admin_call<T: DeserializeOwned>(
        &self,
        path: &'static str,
        method: reqwest::Method,
        query: &[(&str, &str)],
    ) -> Result<T, AdminError> {
        let url = format!("{}{path}", self.admin);
        let request = self.http.request(method, url).query(query).bearer_auth(&self.bearer);
        let answer = async { request.send().await?.error_for_status()?.json().await };
        answer.await.map_err(|source| AdminError { path, log: self.log(), source })
    }
}

fn loopback_client() -> reqwest::Result<reqwest::Client> {
    // reqwest asks for a provider even where only http is spoken; that another was installed before is fine.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ADMIN_LIMIT)
        .build()
}
