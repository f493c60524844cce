//! The task that keeps time: renews what is due, drops what has run out, and everything when the pushes have gone silent.

use std::{future, sync::Arc};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    Shared,
    table::{Due, Renewed},
};
use crate::error::Error;

pub(super) async fn run(shared: Arc<Shared>, renewals_max: usize) {
    let renewals_max = renewals_max.max(1);
    let mut renewals = JoinSet::new();
    loop {
        let free = renewals_max.saturating_sub(renewals.len());
        let due = shared.table().tick(free, Instant::now());
        for due in due {
            renewals.spawn(renew(Arc::clone(&shared), due));
        }
        let wake = shared.table().next_wake(renewals.len() < renewals_max);
        let timer = async {
            match wake {
                Some(at) => sleep_until(at).await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            () = timer => {}
            () = shared.changed.notified() => {}
            Some(_) = renewals.join_next() => {}
        }
    }
}

async fn renew(shared: Arc<Shared>, due: Due) {
    let renewed = match shared.client.renew(&due.lease_id, due.ttl).await {
        Ok(until) => Renewed::Until(until),
        Err(error) => classify(&error),
    };
    shared.table().renewed(&due, renewed, Instant::now());
}

/// A refusal is the cluster's word on the lease; anything else says nothing about it.
fn classify(error: &Error) -> Renewed {
    if error.is_retryable() { Renewed::Failed } else { Renewed::Refused }
}
