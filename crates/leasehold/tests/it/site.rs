//! A node that is real and has nothing but its first administrator.

use std::{net::SocketAddr, sync::Arc};

use leasehold::node::{Node, NodeOptions, data::DataDir};
use leasehold_control::SystemClock;
use leasehold_port::Door;
use leasehold_upstream::transport::{Egress, Settings, Trust};
use leasehold_vault::{OsEntropy, RootKey};
use tempfile::TempDir;
use tokio::net::TcpListener;
use url::Url;

use crate::user::{Ran, User};

/// A node, and its first administrator at the command line.
pub(crate) struct Site {
    pub(crate) user: User,
    node: Node,
    _data: TempDir,
}

async fn listener() -> TcpListener {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap()
}

impl Site {
    pub(crate) async fn start() -> Self {
        // Another test of this process may have been first; it is the same provider.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let root_key = RootKey::create_file(&data.root_key(), &OsEntropy).unwrap();
        let (bootstrap, console) = (data.bootstrap(), listener().await);
        let node = Node::start(NodeOptions {
            data,
            node: 1,
            origin: "leasehold.local/test".to_owned(),
            development: true,
            public_url: Url::parse(&format!("http://{}", console.local_addr().unwrap())).unwrap(),
            root_key,
            former: None,
            grpc: listener().await,
            console,
            exchange: listener().await,
            operations: listener().await,
            certificates: Vec::new(),
            grpc_door: Door::Loopback,
            console_door: Door::Loopback,
            providers_dir: None,
            transport: Settings { egress: Egress::default(), trust: Trust::Nobody, ..Settings::default() },
            vouched_subjects_max: 1000,
            clock: Arc::new(SystemClock),
            on_fatal: Arc::new(|reason| panic!("{reason}")),
        })
        .await
        .unwrap();
        let user = User::of(&format!("http://{}", node.grpc));
        user.write_secret("bootstrap", &std::fs::read_to_string(bootstrap).unwrap());
        let site = Self { user, node, _data: folder };
        site.done("login --bootstrap-file bootstrap --name ada").await;
        site
    }

    /// Where its gRPC interface is.
    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.node.grpc)
    }

    /// Runs a command as the administrator.
    pub(crate) async fn run(&self, arguments: &str) -> Ran {
        self.user.run_with_profiles(arguments).await
    }

    /// Runs a command that has to do what it is asked for; answers with what it prints.
    pub(crate) async fn done(&self, arguments: &str) -> String {
        let ran = self.user.run(arguments).await;
        assert_eq!(ran.exit, 0, "{arguments}\n{}\n{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Makes an administrator of some role, and a profile for it.
    pub(crate) async fn administrator(&self, name: &str, role: &str) {
        self.done(&format!("administrator register {name} --role {role} --secret-out {name}.credential"))
            .await;
        self.done(&format!("login --as {name} --credential-file {name}.credential")).await;
    }

    pub(crate) async fn stop(self) {
        self.node.stop().await.unwrap();
    }
}
