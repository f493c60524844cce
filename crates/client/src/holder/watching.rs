//! The task that listens: opens the stream of pushes, feeds the table, and opens it again when it breaks.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use tokio_stream::StreamExt as _;

use super::{Shared, jitter};

/// How long opening the stream may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a stream may be silent before it is taken for broken. The table has dropped everything long before.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Waits between two tries: the first, and the longest.
const WAIT_MIN: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(5);

pub(super) async fn run(shared: Arc<Shared>) {
    let mut wait = WAIT_MIN;
    loop {
        if listen(&shared).await {
            wait = WAIT_MIN;
        }
        sleep(jitter::between(wait, 500, 1000)).await;
        wait = (wait * 2).min(WAIT_MAX);
    }
}

/// Listens until the stream ends; answers whether anything was heard.
async fn listen(shared: &Shared) -> bool {
    let resume_after = shared.table().seq();
    let Ok(Ok(mut pushes)) = timeout(OPEN_TIMEOUT, shared.client.watch(resume_after)).await else {
        return false;
    };
    let mut heard = false;
    while let Ok(Some(Ok(push))) = timeout(SILENCE_MAX, pushes.next()).await {
        heard = true;
        shared.table().heard(push, Instant::now());
        shared.changed.notify_one();
    }
    heard
}
