//! Logs as JSON on standard error, and traces over OTLP where an endpoint is configured.
//!
//! Libraries that print requests or URLs at DEBUG are capped at INFO whatever the filter says: a token endpoint's URL is harmless, a callback's is
//! not.

use std::io::IsTerminal;

use anyhow::Context;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// The share of traces that are exported.
const SAMPLED: f64 = 0.01;
/// Libraries whose DEBUG says more than may be said.
const CAPPED: [&str; 9] =
    ["hyper", "hyper_util", "h2", "reqwest", "rustls", "tower", "openidconnect", "oauth2", "sled"];

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For a person at a terminal.
    Text,
}

/// What must be flushed before the process ends.
#[derive(Default)]
pub struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Begins logging, and tracing where `otlp_endpoint` names one. `RUST_LOG` filters; INFO by default.
    ///
    /// # Errors
    /// Where the endpoint cannot be used, or something in this process logs already.
    pub fn start(format: LogFormat, otlp_endpoint: Option<&str>) -> anyhow::Result<Self> {
        let mut filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        for library in CAPPED {
            filter = filter.add_directive(format!("{library}=info").parse()?);
        }
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let lines = match format {
            LogFormat::Json => lines.json().with_current_span(true).with_span_list(false).boxed(),
            LogFormat::Text => lines.compact().with_ansi(std::io::stderr().is_terminal()).boxed(),
        };
        let provider = otlp_endpoint.map(provider).transpose()?;
        let traces = provider
            .as_ref()
            .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("leasehold")));
        tracing_subscriber::registry()
            .with(filter)
            .with(lines)
            .with(traces)
            .try_init()
            .context("cannot begin logging")?;
        Ok(Self(provider))
    }

    /// Sends what is still to be sent.
    pub fn stop(self) {
        if let Some(provider) = self.0
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

fn provider(endpoint: &str) -> anyhow::Result<SdkTracerProvider> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .context("cannot set up the OTLP exporter")?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(SAMPLED))))
        .build())
}
