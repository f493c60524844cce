//! What is counted: calls by method and code, callers that are not known, connections. Plain atomics, for the binary to render.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use leasehold_port::Counts;
use tonic::Code;

use crate::interface::{Interface, Method};

/// Every code of gRPC, at the place of its number.
const CODES: [Code; 17] = [
    Code::Ok,
    Code::Cancelled,
    Code::Unknown,
    Code::InvalidArgument,
    Code::DeadlineExceeded,
    Code::NotFound,
    Code::AlreadyExists,
    Code::PermissionDenied,
    Code::ResourceExhausted,
    Code::FailedPrecondition,
    Code::Aborted,
    Code::OutOfRange,
    Code::Unimplemented,
    Code::Internal,
    Code::Unavailable,
    Code::DataLoss,
    Code::Unauthenticated,
];

/// Counters of the gRPC edge. All but the gauges only ever grow.
#[derive(Debug)]
pub struct Metrics {
    calls: Vec<[AtomicU64; CODES.len()]>,
    /// Calls of methods that there are not.
    pub unknown_methods: AtomicU64,
    /// Calls of callers that are not known.
    pub unauthenticated: AtomicU64,
    /// Calls refused because too many were on their way.
    pub shed: AtomicU64,
    /// Calls on their way now, streams included: a gauge.
    pub in_flight: AtomicU64,
    /// Connections and handshakes.
    pub port: Arc<Counts>,
}

/// How often a method was answered with a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallCount {
    /// The full name of the service.
    pub service: &'static str,
    /// The method.
    pub method: &'static str,
    /// The code.
    pub code: Code,
    /// How often.
    pub count: u64,
}

/// A number at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// Its name, without the product's.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// Whether it only ever grows.
    pub grows: bool,
    /// The number.
    pub value: u64,
}

impl Default for Metrics {
    fn default() -> Self {
        let zero = || std::array::from_fn(|_| AtomicU64::new(0));
        Self {
            calls: Interface::of_this_build().methods().map(|_| zero()).collect(),
            unknown_methods: AtomicU64::new(0),
            unauthenticated: AtomicU64::new(0),
            shed: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            port: Arc::default(),
        }
    }
}

impl Metrics {
    /// Counts an answered call.
    pub(crate) fn answered(&self, method: &Method, code: Code) {
        let place = usize::try_from(i32::from(code)).unwrap_or_default();
        if let Some(counter) = self.calls.get(method.index).and_then(|codes| codes.get(place)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Calls that were answered, by method and code; what never happened is left out.
    pub fn calls(&self) -> Vec<CallCount> {
        let methods = Interface::of_this_build().methods().zip(&self.calls);
        let counted = methods.flat_map(|(method, codes)| {
            CODES.iter().zip(codes).map(move |(code, count)| CallCount {
                service: &method.service,
                method: &method.name,
                code: *code,
                count: count.load(Ordering::Relaxed),
            })
        });
        counted.filter(|counted| counted.count > 0).collect()
    }

    /// What has no labels.
    pub fn measures(&self) -> [Measure; 4] {
        let of = |name, help, grows, value: &AtomicU64| Measure {
            name,
            help,
            grows,
            value: value.load(Ordering::Relaxed),
        };
        [
            of("calls_in_flight", "Calls on their way now, streams included.", false, &self.in_flight),
            of("calls_shed_total", "Calls refused because too many were on their way.", true, &self.shed),
            of(
                "calls_unauthenticated_total",
                "Calls of callers that are not known.",
                true,
                &self.unauthenticated,
            ),
            of("calls_unknown_total", "Calls of methods that there are not.", true, &self.unknown_methods),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_at_the_place_of_its_number() {
        for (place, code) in (0..).zip(CODES) {
            assert_eq!(i32::from(code), place);
        }
    }

    #[test]
    fn calls_are_counted_by_method_and_code() {
        let metrics = Metrics::default();
        let acquire = Interface::of_this_build().method("/leasehold.v1.LeaseService/Acquire").unwrap();
        metrics.answered(acquire, Code::Ok);
        metrics.answered(acquire, Code::Ok);
        metrics.answered(acquire, Code::Unauthenticated);
        let counted: Vec<_> =
            metrics.calls().iter().map(|counted| (counted.method, counted.code, counted.count)).collect();
        assert_eq!(counted, [("Acquire", Code::Ok, 2), ("Acquire", Code::Unauthenticated, 1)]);
    }
}
