//! For operators: `/metrics` in Prometheus' text form, `/healthz` (the process runs) and `/readyz` (it can answer from the cluster's state).

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use leasehold_api::Metrics;
use leasehold_consensus::Replica;
use leasehold_control::Control;
use leasehold_port::Counts;
use prometheus::{Encoder, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};
use tokio::{net::TcpListener, time::Duration};
use tokio_util::sync::CancellationToken;

use super::{certificates::Shown, scrub::Scrubbed};

/// How long a node may take to show that it is current.
const READY_WAIT: Duration = Duration::from_secs(2);

/// What is looked at.
#[derive(Clone)]
pub struct Shared {
    /// The use cases.
    pub control: Control,
    /// Consensus.
    pub replica: Arc<Replica>,
    /// The counters of gRPC.
    pub metrics: Arc<Metrics>,
    /// The counters of the browser pages' port.
    pub pages: Arc<Counts>,
    /// The certificates of the ports that have some.
    pub certificates: Vec<Shown>,
    /// Cancelled when the node begins to stop.
    pub stopping: CancellationToken,
    /// How far the ledger was read through.
    pub scrubbed: Arc<Scrubbed>,
    /// The counters of token exchange over HTTP.
    pub exchange: Arc<leasehold_authserver::Metrics>,
}

/// Serves until it is told to stop.
pub async fn serve(listener: TcpListener, shared: Shared, stop: CancellationToken) {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
        .with_state(shared);
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "metrics and health stopped");
    }
}

async fn ready(State(shared): State<Shared>) -> impl IntoResponse {
    if shared.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: the node stops\n".to_owned());
    }
    match tokio::time::timeout(READY_WAIT, shared.replica.read()).await {
        Ok(Ok(point)) => (StatusCode::OK, format!("ready at entry {}\n", point.index)),
        Ok(Err(error)) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {error}\n")),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "not ready: no majority answered in time\n".to_owned()),
    }
}

async fn render(State(shared): State<Shared>) -> Result<String, StatusCode> {
    text(&shared).map_err(|error| {
        tracing::error!(%error, "metrics cannot be rendered");
        StatusCode::INTERNAL_SERVER_ERROR
    })
}

fn text(shared: &Shared) -> Result<String, prometheus::Error> {
    let registry = Registry::new();
    let gauge = |name: &str, help: &str, value: u64| -> Result<(), prometheus::Error> {
        let gauge = IntGauge::with_opts(Opts::new(name, help))?;
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(Box::new(gauge))
    };
    let counter = |name: &str, help: &str, value: u64| -> Result<(), prometheus::Error> {
        let counter = IntCounter::with_opts(Opts::new(name, help))?;
        counter.inc_by(value);
        registry.register(Box::new(counter))
    };
    let status = shared.replica.status();
    gauge("leasehold_raft_term", "The term that this node is in.", status.leadership.term)?;
    gauge("leasehold_raft_leader", "Whether this node leads.", u64::from(status.leadership.leads))?;
    gauge("leasehold_raft_applied_index", "The last entry applied.", status.applied.unwrap_or(0))?;
    let (next_seq, grants, leases, tasks, due, unsigned) = shared.control.read_now(|state| {
        let signed = state.singular.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
        (
            state.clock.next_seq,
            state.grants.len() as u64,
            state.recent.leases().count() as u64,
            state.upstream_tasks.len() as u64,
            state.indexes.epochs_open.len() as u64,
            state.clock.next_seq.saturating_sub(signed),
        )
    });
    gauge("leasehold_ledger_events", "Event lines in the ledger.", next_seq)?;
    gauge("leasehold_ledger_events_unsigned", "Event lines that no signed checkpoint covers yet.", unsigned)?;
    gauge("leasehold_grants", "Grants, ended ones included.", grants)?;
    gauge("leasehold_leases_recent", "Leases that are live or ended a short time ago.", leases)?;
    gauge(
        "leasehold_upstream_revocations_pending",
        "Revocations that a provider has not confirmed yet.",
        tasks,
    )?;
    gauge("leasehold_revocations_open", "Revocations whose grants are still being closed.", due)?;
    let scrubbed = &shared.scrubbed;
    counter(
        "leasehold_ledger_scrub_steps_total",
        "Steps of reading the ledger through in the background, none of which found damage.",
        scrubbed.steps(),
    )?;
    counter(
        "leasehold_ledger_scrub_passes_total",
        "Times that the whole ledger was read through since the start.",
        scrubbed.passes(),
    )?;
    let labels = ["service", "method", "code"];
    let calls = IntCounterVec::new(
        Opts::new("leasehold_grpc_calls_total", "gRPC calls by method and status code."),
        &labels,
    )?;
    for counted in shared.metrics.calls() {
        let code = format!("{:?}", counted.code);
        calls.with_label_values(&[counted.service, counted.method, code.as_str()]).inc_by(counted.count);
    }
    registry.register(Box::new(calls))?;
    let exchanges = IntCounterVec::new(
        Opts::new(
            "leasehold_exchange_requests_total",
            "Requests for token exchange over HTTP, by endpoint and outcome: ok, or the error code of the answer.",
        ),
        &["endpoint", "outcome"],
    )?;
    for counted in shared.exchange.counted() {
        exchanges.with_label_values(&[counted.endpoint, counted.outcome]).inc_by(counted.count);
    }
    registry.register(Box::new(exchanges))?;
    for measure in shared.metrics.measures() {
        let name = format!("leasehold_grpc_{}", measure.name);
        if measure.grows {
            counter(&name, measure.help, measure.value)?;
        } else {
            gauge(&name, measure.help, measure.value)?;
        }
    }
    for (port, counts) in [("grpc", &shared.metrics.port), ("console", &shared.pages)] {
        let number = |counted: &AtomicU64| counted.load(Ordering::Relaxed);
        let name = |what: &str| format!("leasehold_{port}_{what}");
        gauge(&name("connections"), "Connections open now.", number(&counts.connections))?;
        counter(&name("connections_accepted_total"), "Connections accepted.", number(&counts.accepted))?;
        counter(
            &name("handshakes_failed_total"),
            "TLS handshakes that failed or took too long.",
            number(&counts.handshakes_failed),
        )?;
        counter(
            &name("connections_withdrawn_total"),
            "Connections ended because no authority vouches for their client certificate any more.",
            number(&counts.withdrawn),
        )?;
    }
    for shown in &shared.certificates {
        let name = |what: &str| format!("leasehold_{}_certificates_{what}", shown.port);
        gauge(
            &name("expire_at_seconds"),
            "When the first certificate in force expires, in Unix time.",
            shown.expires_at(),
        )?;
        counter(&name("taken_total"), "New certificates that were taken.", shown.taken())?;
        counter(&name("refused_total"), "New certificates that were refused.", shown.refused())?;
    }
    let mut out = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}
