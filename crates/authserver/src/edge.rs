//! What every handler works with: the use cases, and the bounds that an operator may set.

use std::sync::Arc;

use leasehold_control::Control;
use tokio::{sync::Semaphore, time::Duration};

use crate::metrics::Metrics;

/// What an operator decides.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many requests may be in flight; one more is answered with 503. 512 by default.
    pub in_flight_max: usize,
    /// Within which time a request is answered, its body read included. An exchange may wait for a provider's refresh. 60 s by default.
    pub answer_within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { in_flight_max: 512, answer_within: Duration::from_secs(60) }
    }
}

/// This edge.
pub(crate) struct Edge {
    pub(crate) control: Control,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) in_flight: Semaphore,
    pub(crate) answer_within: Duration,
}

impl Edge {
    pub(crate) fn new(control: Control, settings: &Settings) -> Self {
        Self {
            control,
            metrics: Arc::default(),
            in_flight: Semaphore::new(settings.in_flight_max.min(Semaphore::MAX_PERMITS)),
            answer_within: settings.answer_within,
        }
    }
}
