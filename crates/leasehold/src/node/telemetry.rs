//! Logs as JSON on standard error, and traces over OTLP where an endpoint is configured.
//!
//! Libraries that print requests or URLs at DEBUG are capped at INFO whatever the filter says, a filter that names one of their modules included: a
//! token endpoint's URL is harmless, a callback's is not.

use std::io::IsTerminal;

use anyhow::Context;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt,
};

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

/// Where traces go, and how many.
#[derive(Debug, Clone, Copy)]
pub struct Traces<'a> {
    /// The OTLP endpoint (gRPC).
    pub endpoint: &'a str,
    /// The share that is sent: 0 to 1.
    pub share: f64,
}

/// What must be flushed before the process ends.
#[derive(Default)]
pub struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Begins logging, and tracing where there is somewhere to send traces. `RUST_LOG` filters; INFO by default.
    ///
    /// # Errors
    /// Where the endpoint cannot be used, or something in this process logs already.
    pub fn start(format: LogFormat, traces: Option<&Traces<'_>>) -> anyhow::Result<Self> {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let lines = match format {
            LogFormat::Json => lines.json().with_current_span(true).with_span_list(false).boxed(),
            LogFormat::Text => lines.compact().with_ansi(std::io::stderr().is_terminal()).boxed(),
        };
        let provider = traces.map(provider).transpose()?;
        let traces = provider
            .as_ref()
            .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("leasehold")));
        tracing_subscriber::registry()
            .with(filter)
            .with(filter_fn(may_be_said))
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

/// Whether no cap forbids it.
fn may_be_said(metadata: &Metadata<'_>) -> bool {
    let of = |library: &str| {
        metadata.target().strip_prefix(library).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    *metadata.level() <= Level::INFO || !CAPPED.iter().any(|library| of(library))
}

fn provider(traces: &Traces<'_>) -> anyhow::Result<SdkTracerProvider> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(traces.endpoint)
        .build()
        .context("cannot set up the OTLP exporter")?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(traces.share))))
        .build())
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex, PoisonError},
    };

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn a_filter_that_names_a_module_of_a_capped_library_does_not_lift_its_cap() {
        let kept = Kept::default();
        let subscriber = tracing_subscriber::registry()
            .with(EnvFilter::new("trace,hyper::proto=trace,h2::codec=trace"))
            .with(filter_fn(may_be_said))
            .with(tracing_subscriber::fmt::layer().with_writer(kept.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::trace!(target: "hyper::proto::h1", "the first");
            tracing::debug!(target: "h2", "the second");
            tracing::info!(target: "hyper::proto::h1", "the third");
            tracing::trace!(target: "hyperbole", "the fourth");
        });
        let kept = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(!kept.contains("first") && !kept.contains("second"), "{kept}");
        assert!(kept.contains("third") && kept.contains("fourth"), "{kept}");
    }
}
