//! Groups proposals into entries.
//!
//! Up to [`ENTRIES_IN_FLIGHT_MAX`] entries are on their way at once; what arrives meanwhile gathers and goes into the next one,
//! so that the running fdatasync is the only thing ever waited for. There is no timer.
//!
//! A proposal has one owner at every moment: while it waits, its caller may withdraw it by going away or by its deadline;
//! once the batcher has claimed it for an entry it is proposed, whatever becomes of the caller.

mod basket;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use leasehold_codec::batch;
use leasehold_domain::command::Proposal;
use leasehold_domain::machine::Reply;
use openraft::impls::ProgressResponder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

pub use basket::{ENTRY_LEN_MAX, EVENTS_MAX, PROPOSALS_MAX};

use crate::ProposeError;
use crate::types::{Batch, Raft, WriteResult};
use basket::{Basket, Weight};

/// Most entries proposed and not yet answered.
pub const ENTRIES_IN_FLIGHT_MAX: usize = 4;
/// Most proposals waiting to be grouped.
pub const QUEUE_LEN_MAX: usize = 8192;
/// Most encoded bytes of proposals waiting to be grouped.
pub const QUEUE_BYTES_MAX: usize = 16 << 20;

type Outcome = Result<Reply, ProposeError>;

/// Who owns a proposal: whoever claims it first decides whether it is proposed.
#[derive(Clone, Default)]
struct Claim(Arc<AtomicBool>);

impl Claim {
    /// True for the first to ask.
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

struct Waiting {
    proposal: Proposal,
    weight: Weight,
    deadline: Instant,
    claim: Claim,
    caller: oneshot::Sender<Outcome>,
    _room: OwnedSemaphorePermit,
}

/// The callers' end.
pub(crate) struct Batcher {
    queue: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

impl Batcher {
    /// The callers' end, and the task that ends when `closing` turns true and all that was queued is answered.
    pub(crate) fn new(raft: Raft, closing: watch::Receiver<bool>) -> (Self, impl Future<Output = ()> + Send) {
        let (queue, queued) = mpsc::channel(QUEUE_LEN_MAX);
        let room = Arc::new(Semaphore::new(QUEUE_BYTES_MAX));
        (Self { queue, room, closing: closing.clone() }, run(raft, queued, closing))
    }

    pub(crate) async fn propose(&self, proposal: Proposal, deadline: Instant) -> Outcome {
        let weight = Weight {
            bytes: batch::encode(std::slice::from_ref(&proposal)).len(),
            events: proposal.command.events_max(),
        };
        if !weight.fits_alone() {
            return Err(ProposeError::TooLarge { bytes: weight.bytes, events: weight.events });
        }
        // The queue itself closes only when the batcher comes to it, which may be waiting for the disk.
        if *self.closing.borrow() {
            return Err(ProposeError::Stopped);
        }
        let bytes = u32::try_from(weight.bytes).map_err(|_| ProposeError::Overloaded)?;
        let room =
            Arc::clone(&self.room).try_acquire_many_owned(bytes).map_err(|_| ProposeError::Overloaded)?;
        let claim = Claim::default();
        let (caller, mut reply) = oneshot::channel();
        let waiting = Waiting { proposal, weight, deadline, claim: claim.clone(), caller, _room: room };
        self.queue.try_send(waiting).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ProposeError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => ProposeError::Stopped,
        })?;
        match timeout_at(deadline, &mut reply).await {
            Ok(Ok(outcome)) => outcome,
            // The batcher is gone: an unclaimed proposal never left the queue.
            Ok(Err(_)) if claim.take() => Err(ProposeError::Stopped),
            Err(_) if claim.take() => Err(ProposeError::Expired),
            Ok(Err(_)) | Err(_) => Err(ProposeError::OutcomeUnknown),
        }
    }
}

/// Callers of one entry, in the order of its proposals.
type Callers = Vec<oneshot::Sender<Outcome>>;

async fn run(raft: Raft, mut queue: mpsc::Receiver<Waiting>, mut closing: watch::Receiver<bool>) {
    let mut in_flight = FuturesUnordered::new();
    let mut carried = None;
    loop {
        while in_flight.len() >= ENTRIES_IN_FLIGHT_MAX
            && let Some((callers, written)) = in_flight.next().await
        {
            answer(callers, written);
        }
        let first = match carried.take() {
            Some(waiting) => Some(waiting),
            None => tokio::select! {
                biased;
                Some((callers, written)) = in_flight.next() => {
                    answer(callers, written);
                    continue;
                }
                _ = closing.wait_for(|closing| *closing), if !queue.is_closed() => {
                    queue.close();
                    continue;
                }
                waiting = queue.recv() => waiting,
            },
        };
        let Some(first) = first else { break };
        let mut basket = Basket::default();
        carried = fill(&mut basket, first, &mut queue);
        if basket.is_empty() {
            continue;
        }
        let (entry, callers) = entry(basket);
        let (responder, written) = ProgressResponder::complete_only();
        match raft.client_write_ff(entry, Some(responder)).await {
            Ok(()) => in_flight.push(async move { (callers, written.await.ok()) }),
            Err(_) => tell_all(callers, ProposeError::Stopped),
        }
    }
    while let Some((callers, written)) = in_flight.next().await {
        answer(callers, written);
    }
}

/// Fills the basket with what waits, and hands back what is left over.
fn fill(
    basket: &mut Basket<Waiting>,
    first: Waiting,
    queue: &mut mpsc::Receiver<Waiting>,
) -> Option<Waiting> {
    let now = Instant::now();
    let mut next = Some(first);
    while let Some(waiting) = next {
        if !basket.has_room(waiting.weight) {
            return Some(waiting);
        }
        if !waiting.caller.is_closed() && waiting.claim.take() {
            if waiting.deadline <= now {
                let _ = waiting.caller.send(Err(ProposeError::Expired));
            } else {
                let weight = waiting.weight;
                basket.add(waiting, weight);
            }
        }
        next = queue.try_recv().ok();
    }
    None
}

fn entry(basket: Basket<Waiting>) -> (Batch, Callers) {
    let (proposals, callers): (Vec<_>, Callers) =
        basket.into_items().into_iter().map(|waiting| (waiting.proposal, waiting.caller)).unzip();
    (Batch(batch::encode(&proposals).into()), callers)
}

/// Hands out the replies of an entry; `None` if the core went away without one.
fn answer(callers: Callers, written: Option<WriteResult>) {
    match written {
        Some(Ok(written)) if written.data.0.len() == callers.len() => {
            for (caller, reply) in callers.into_iter().zip(written.data.0) {
                // A caller that went away has no use for its reply.
                let _ = caller.send(Ok(reply));
            }
        }
        Some(Err(error)) => tell_all(callers, ProposeError::from(&error)),
        Some(Ok(_)) | None => tell_all(callers, ProposeError::OutcomeUnknown),
    }
}

fn tell_all(callers: Callers, error: ProposeError) {
    for caller in callers {
        let _ = caller.send(Err(error));
    }
}
