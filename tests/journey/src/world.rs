//! The node and the sandbox.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Once},
};

use anyhow::{Context, ensure};
use leasehold::node::{Dev, DevOptions};
use leasehold_domain::time::Span;
use leasehold_sandbox::Control as SandboxControl;
use tempfile::TempDir;
use tonic::{metadata::MetadataValue, service::Interceptor, transport::Channel};

use crate::{budget::Budget, clock::MovedClock, logs};

/// Puts an API credential on every call.
#[derive(Clone)]
pub struct Bearer(String);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
        let mut value: MetadataValue<_> = format!("Bearer {}", self.0)
            .parse()
            .map_err(|_| tonic::Status::internal("a credential that is no header"))?;
        value.set_sensitive(true);
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

impl Bearer {
    /// One for this credential.
    pub fn new(credential: &str) -> Self {
        Self(credential.to_owned())
    }
}

/// A channel that speaks for somebody.
pub type Speaking = tonic::service::interceptor::InterceptedService<Channel, Bearer>;

/// A data directory. Where a test fails before it has stopped its node, it stays: were it removed under the running node, the node would end the
/// process, as it must, and the failure's own words with it.
pub struct DataFolder(Option<TempDir>);

impl DataFolder {
    /// A new one.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(Some(tempfile::tempdir().context("cannot make a directory")?)))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new(""), TempDir::path)
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.0.take()
        {
            drop(folder.keep());
        }
    }
}

/// A node, its sandbox and a clock.
pub struct World {
    /// The node and its sandbox.
    pub dev: Dev,
    /// Its sandbox's script.
    sandbox: SandboxControl,
    /// The node's clock.
    pub clock: MovedClock,
    /// The administrator's credential.
    pub admin_credential: String,
    /// The gateway's credential.
    pub gateway_credential: String,
    channel: Channel,
    data: Arc<DataFolder>,
    _budget: Budget,
}

/// Installs the process's crypto provider, once.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Another library of the test may have been first; it is the same provider.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}

impl World {
    /// Starts a fresh one.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn start() -> anyhow::Result<Self> {
        install_crypto();
        logs::keep();
        let data = DataFolder::new()?;
        let clock = MovedClock::default();
        let options = DevOptions { data_dir: Some(data.path().to_owned()), ..DevOptions::default() };
        let dev = Dev::start_at(&options, Arc::new(clock.clone())).await?;
        let furnished = dev.furnished.as_ref().context("a fresh node was not furnished")?;
        let (admin_credential, gateway_credential) =
            (furnished.admin.to_string(), furnished.gateway.to_string());
        let channel = Channel::from_shared(format!("http://{}", dev.node.grpc))?.connect().await?;
        let sandbox = dev.sandbox.as_ref().context("a node without its sandbox")?.control().clone();
        let _budget = Budget::of_this_suite();
        Ok(Self {
            dev,
            sandbox,
            clock,
            admin_credential,
            gateway_credential,
            channel,
            data: Arc::new(data),
            _budget,
        })
    }

    /// A channel for a credential.
    pub fn speaking(&self, credential: &str) -> Speaking {
        tonic::service::interceptor::InterceptedService::new(self.channel.clone(), Bearer::new(credential))
    }

    /// A channel for the administrator.
    pub fn admin(&self) -> Speaking {
        self.speaking(&self.admin_credential)
    }

    /// A channel for the gateway.
    pub fn gateway(&self) -> Speaking {
        self.speaking(&self.gateway_credential)
    }

    /// A channel for nobody.
    pub fn nobody(&self) -> Channel {
        self.channel.clone()
    }

    /// The sandbox's script.
    pub fn sandbox(&self) -> &SandboxControl {
        &self.sandbox
    }

    /// Moves both clocks forward: the node's and the sandbox's.
    pub fn advance(&self, span: Span) {
        self.clock.advance(span);
        self.sandbox().advance(std::time::Duration::from_millis(span.as_millis()));
    }

    /// Where the node keeps its data.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Keeps the data directory beyond the end of the world, for another start.
    pub fn keep_data(&self) -> Arc<DataFolder> {
        self.data.clone()
    }

    /// Every secret that must not be found anywhere in clear: whatever the sandbox issued or saw, and our own credentials.
    pub fn canaries(&self) -> Vec<String> {
        let mut all = self.sandbox().all_secrets();
        all.push(self.admin_credential.clone());
        all.push(self.gateway_credential.clone());
        all
    }

    /// Looks for every canary in all the node's files and in everything that was logged. The files in which `dev` keeps what it drew for itself
    /// are left out: they are made to hold it.
    ///
    /// # Errors
    /// Where one is found: in which file, and the first characters of which.
    pub fn look_for_canaries(&self) -> anyhow::Result<usize> {
        let canaries = self.canaries();
        let mut files = Vec::new();
        collect(self.data.path(), &mut files)?;
        let own = ["sandbox.toml", "profiles.toml", "root.key"];
        files.retain(|path| !own.iter().any(|name| path.ends_with(name)));
        ensure!(files.len() > 5, "only {} files were found", files.len());
        for path in &files {
            let Ok(bytes) = fs::read(path) else { continue };
            none_in(&canaries, &bytes).with_context(|| format!("in {}", path.display()))?;
        }
        none_in(&canaries, &logs::kept()).context("in the log")?;
        Ok(canaries.len())
    }

    /// Stops everything in order.
    ///
    /// # Errors
    /// Where something did not.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.dev.stop().await
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

/// Says which of the canaries stands in `bytes`, if one does.
///
/// # Errors
/// Where one does.
pub fn none_in(canaries: &[String], bytes: &[u8]) -> anyhow::Result<()> {
    for canary in canaries {
        let mut rest = bytes;
        let first = canary.as_bytes().first().copied().unwrap_or_default();
        while let Some(at) = rest.iter().position(|byte| *byte == first) {
            let (_, from) = rest.split_at(at);
            ensure!(
                !from.starts_with(canary.as_bytes()),
                "a secret that begins with {:.6} stands in clear",
                canary
            );
            rest = from.get(1..).unwrap_or_default();
        }
    }
    Ok(())
}

/// The binary that cargo built beside this test: the `leasehold` of the same target folder.
///
/// # Panics
/// Where there is none: `cargo test --workspace` builds it.
#[expect(clippy::panic, reason = "a test without the binary cannot run")]
pub fn binary() -> leasehold::node::Binary {
    let test = std::env::current_exe().unwrap_or_default();
    let built = test.ancestors().nth(2).map(|profile| profile.join("leasehold"));
    match built.filter(|path| path.is_file()) {
        Some(path) => leasehold::node::Binary::at(path),
        None => panic!(
            "the binary `leasehold` is not built: run `cargo test --workspace`, or `cargo build` first"
        ),
    }
}
