//! The composition root: from options to a running node, in an order in which every refusal comes before anything is written.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use leasehold_api::{Api, Health, NodeStatus};
use leasehold_authserver::AuthServer;
use leasehold_consensus::{Config as ReplicaConfig, Replica};
use leasehold_control::{
    Clock, Control, FormerKey, Founding, Keys, Outbox, Parts, Replacement, Settings, check_keys, found,
    replace_root_key,
};
use leasehold_ledger::{Ledger, Options as LedgerOptions};
use leasehold_port::{Counts, Door};
use leasehold_upstream::{
    catalogue::Catalogue,
    transport::{Settings as TransportSettings, Transport},
};
use leasehold_vault::{Entropy, OsEntropy, RootKey};
use leasehold_wal::DiskFs;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    certificates::Shown,
    data::{DataDir, write_private},
    fatal::Chain,
    operations, scale,
    scrub::{self, Scrubbed},
};

/// How long a node may take to catch up with itself before it serves.
const RECOVERY_MAX: Duration = Duration::from_secs(60);
/// How long a node that stops waits for what is on its way to providers.
const FLIGHTS_MAX: Duration = Duration::from_secs(5);
/// How long a node that stops waits for its ports, which cut what takes longer than 20 s.
const DRAIN_MAX: Duration = Duration::from_secs(22);

/// What a node is started with.
pub struct NodeOptions {
    /// Its data.
    pub data: DataDir,
    /// Its number.
    pub node: u64,
    /// The origin line of checkpoints.
    pub origin: String,
    /// Whether its data are for development only.
    pub development: bool,
    /// The address at which browsers reach the cluster.
    pub public_url: Url,
    /// The key that wraps every other.
    pub root_key: RootKey,
    /// What opens the keys where the root key does not yet: it is replaced then, before anything is served.
    pub former: Option<FormerKey>,
    /// Where gRPC listens, already bound.
    pub grpc: TcpListener,
    /// Where the browser pages listen, already bound.
    pub console: TcpListener,
    /// Where tokens are exchanged over HTTP, already bound, in plain HTTP on loopback.
    pub exchange: TcpListener,
    /// Where metrics and health listen, already bound.
    pub operations: TcpListener,
    /// The certificates of the ports that have some, for the metrics.
    pub certificates: Vec<Shown>,
    /// How gRPC is reached.
    pub grpc_door: Door,
    /// How the browser pages are reached.
    pub console_door: Door,
    /// A folder with provider files.
    pub providers_dir: Option<PathBuf>,
    /// The way out.
    pub transport: TransportSettings,
    /// For how many distinct subjects an hour one workload may vouch.
    pub vouched_subjects_max: usize,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// What ends the process when the disk cannot be relied on.
    pub on_fatal: Arc<dyn Fn(&str) + Send + Sync>,
}

/// A running node.
pub struct Node {
    /// The use cases.
    pub control: Control,
    /// Where gRPC listens.
    pub grpc: SocketAddr,
    /// Where the browser pages listen.
    pub console: SocketAddr,
    /// Where tokens are exchanged over HTTP.
    pub exchange: SocketAddr,
    /// Where metrics and health listen.
    pub operations: SocketAddr,
    replica: Arc<Replica>,
    ledger: Ledger,
    health: Health,
    stopping: CancellationToken,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Node {
    /// Starts a node. It serves once it has caught up with all that was acknowledged before.
    ///
    /// # Errors
    /// What is refused is said with what to do about it, and nothing is overwritten: a wrong root key, damaged data, data of another node.
    pub async fn start(options: NodeOptions) -> anyhow::Result<Self> {
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        let identity = options.data.identity(options.node, options.development, &*entropy)?;
        let catalogue =
            Arc::new(Catalogue::load(options.providers_dir.as_deref()).context("cannot read the providers")?);
        let transport =
            Transport::new(options.transport).context("cannot set up the way out to providers")?;

        let fatal = options.on_fatal.clone();
        let ledger_dir = options.data.ledger();
        let place = ledger_dir.clone();
        let opened = tokio::task::spawn_blocking(move || {
            Ledger::open(
                &ledger_dir,
                LedgerOptions::default(),
                Box::new(move |fault| fatal(&format!("{fault} (in {})", place.display()))),
            )
        });
        let ledger = opened.await?.context("cannot open the ledger")?;
        let founded =
            ledger.read(|state| state.singular.organisation.is_some()).context("cannot read the ledger")?;
        if founded {
            // A wrong root key is refused before the log is even opened.
            check_keys(&ledger, &options.root_key, options.former.as_ref())
                .context("cannot open the keys of this data directory")?;
        }
        let fatal = options.on_fatal.clone();
        let config = ReplicaConfig {
            cluster: identity.cluster()?,
            node: options.node,
            address: options.grpc.local_addr()?.to_string(),
            log_dir: options.data.log(),
            log: scale::log(),
            fs: Arc::new(DiskFs),
            ledger: ledger.clone(),
            snapshot_dir: options.data.snapshots(),
            snapshot_every_bytes: scale::snapshot_every_bytes(),
            entries_kept: scale::entries_kept(),
        };
        let replica = Replica::start(config, Box::new(move |fault| fatal(&Chain(&fault).to_string())))
            .await
            .with_context(|| {
                format!("cannot start consensus as the node of {}", options.data.identity_file().display())
            })?;
        let replica = Arc::new(replica);
        replica.initialise().await.context("cannot begin the cluster")?;
        replica.recovered(RECOVERY_MAX).await.context("the node has not caught up with itself")?;
        let founding = Founding {
            root_key: &options.root_key,
            origin: &options.origin,
            development: options.development,
            node: options.node,
        };
        found(&replica, &ledger, &*options.clock, &*entropy, &founding)
            .await
            .context("cannot found the organisation")?;
        let replacement =
            Replacement { root_key: &options.root_key, former: options.former.as_ref(), node: options.node };
        let replaced = replace_root_key(&replica, &ledger, &*options.clock, &*entropy, &replacement).await;
        match (replaced.context("cannot replace the root key")?, &options.former) {
            (true, _) => tracing::warn!(
                "the root key was replaced: take the former one out of the configuration, and destroy it once no backup needs it"
            ),
            (false, Some(_)) => tracing::warn!(
                "the root key opens the keys: the former one in the configuration is not needed any more"
            ),
            (false, None) => {}
        }
        let (keys, signer) = Keys::open(ledger.clone(), options.root_key).context("cannot open the keys")?;
        let keys = Arc::new(keys);
        let organisation = keys.current().context("cannot open the keys")?.organisation();
        let outbox = Outbox::open(&options.data.outbox(), organisation, keys.clone())
            .context("cannot open the outbox")?;
        let settings = Settings {
            vouched_subjects_max: options.vouched_subjects_max,
            ..Settings::new(options.public_url.clone(), options.node)
        };
        let control = Control::new(Parts {
            replica: replica.clone(),
            ledger: ledger.clone(),
            keys,
            signer: Arc::new(signer),
            catalogue,
            transport,
            outbox,
            clock: options.clock,
            entropy,
            settings,
            on_fatal: options.on_fatal,
        })
        .context("cannot put the use cases together")?;
        let offered = offer_bootstrap(&control, &options.data).await?;
        if offered && !options.development {
            let file = options.data.bootstrap();
            tracing::info!(file = %file.display(), "no administrator yet: redeem the bootstrap credential within the hour");
        }

        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (grpc_at, console_at) = (options.grpc.local_addr()?, options.console.local_addr()?);
        let (exchange_at, operations_at) = (options.exchange.local_addr()?, options.operations.local_addr()?);
        tasks.spawn(control.clone().work(stop.clone()));
        let status = replica.clone();
        let (api, health) =
            Api::new(control.clone(), Arc::new(move || node_status(&status)), env!("CARGO_PKG_VERSION"))
                .await;
        let metrics = api.metrics();
        let grpc = api.serve(options.grpc, options.grpc_door, stop.clone());
        tasks.spawn(async move {
            if let Err(error) = grpc.await {
                tracing::error!(%error, "gRPC stopped");
            }
        });
        let pages =
            leasehold_console::Settings::new(&options.public_url).context("cannot use the public URL")?;
        let pages = leasehold_console::router(control.clone(), pages);
        let pages_counts = Arc::<Counts>::default();
        let pages = leasehold_console::serve(
            options.console,
            options.console_door,
            pages,
            pages_counts.clone(),
            stop.clone(),
        );
        tasks.spawn(async move {
            if let Err(error) = pages.await {
                tracing::error!(%error, "the browser pages stopped");
            }
        });
        let exchange = AuthServer::new(control.clone(), &leasehold_authserver::Settings::default());
        tasks.spawn(serve(options.exchange, exchange.router(), "token exchange", stop.clone()));
        let scrubbed = Arc::new(Scrubbed::default());
        let (read, counted, ended) = (ledger.clone(), scrubbed.clone(), stop.clone());
        tasks.spawn(async move { scrub::run(read, &counted, ended).await });
        let stopping = CancellationToken::new();
        let shared = operations::Shared {
            control: control.clone(),
            replica: replica.clone(),
            metrics,
            scrubbed,
            pages: pages_counts,
            certificates: options.certificates,
            stopping: stopping.clone(),
            exchange: exchange.metrics(),
        };
        tasks.spawn(operations::serve(options.operations, shared, stop.clone()));
        health.set_serving(true).await;
        Ok(Self {
            control,
            grpc: grpc_at,
            console: console_at,
            exchange: exchange_at,
            operations: operations_at,
            replica,
            ledger,
            health,
            stopping,
            stop,
            tasks,
        })
    }

    /// Says to whoever asks, and to whoever watches, that this node does not serve any more. It still does.
    pub async fn turn_away(&self) {
        self.stopping.cancel();
        self.health.set_serving(false).await;
    }

    /// Stops in order: says so, takes no more, answers what is on its way, makes everything durable.
    ///
    /// # Errors
    /// Where the disk did not take the last of it.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.turn_away().await;
        self.stop.cancel();
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN_MAX, drained).await.is_err() {
            tracing::warn!("some connections did not end in time");
            self.tasks.abort_all();
        }
        self.control.finish(FLIGHTS_MAX).await;
        self.replica.shutdown().await.context("cannot stop consensus in order")?;
        let ledger = self.ledger.clone();
        tokio::task::spawn_blocking(move || ledger.close()).await?.context("cannot close the ledger")
    }
}

/// Serves routes in plain HTTP until the node stops.
async fn serve(listener: TcpListener, routes: Router, what: &'static str, stop: CancellationToken) {
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, what, "an HTTP listener stopped");
    }
}

fn node_status(replica: &Replica) -> NodeStatus {
    let status = replica.status();
    NodeStatus {
        leader: status.leadership.leader.unwrap_or(0),
        term: status.leadership.term,
        applied_index: status.applied.unwrap_or(0),
    }
}

/// While there is no administrator, the way to the first one lies in a file that only this user may read. Answers whether it does.
async fn offer_bootstrap(control: &Control, data: &DataDir) -> anyhow::Result<bool> {
    let path = data.bootstrap();
    if control.read_now(|state| !state.administrators.is_empty()) {
        match std::fs::remove_file(&path) {
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error).with_context(|| format!("cannot remove {}", path.display())),
        }
    }
    let credential = control.offer_bootstrap().await.context("cannot offer a bootstrap credential")?;
    write_private(&path, format!("{}\n", *credential).as_bytes())?;
    Ok(true)
}
