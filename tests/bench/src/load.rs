//! A closed loop: so many callers, each of whom calls again as soon as it was answered, for so long.

use std::{future::Future, time::Duration};

use tokio::time::Instant;

/// What a turn came to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Measured {
    /// Calls answered a second.
    pub(crate) per_second: f64,
    /// Half of the calls were answered within this time, in milliseconds.
    pub(crate) p50: f64,
    /// All but one in a hundred were.
    pub(crate) p99: f64,
}

/// Lets every caller repeat `call` for one turn. A call that was begun in the turn counts, and so does the time until it is answered.
///
/// # Errors
/// The first that a call answers with: what fails is not measured.
pub(crate) async fn closed_loop<C, F>(
    callers: Vec<C>,
    turn: Duration,
    call: impl Fn(C) -> F + Copy + Send + 'static,
) -> anyhow::Result<(Measured, Vec<C>)>
where
    C: Send + 'static,
    F: Future<Output = anyhow::Result<C>> + Send,
{
    let started = Instant::now();
    let tasks: Vec<_> = callers
        .into_iter()
        .map(|mut caller| {
            tokio::spawn(async move {
                let mut took = Vec::new();
                while started.elapsed() < turn {
                    let begun = Instant::now();
                    caller = call(caller).await?;
                    took.push(begun.elapsed());
                }
                anyhow::Ok((caller, took))
            })
        })
        .collect();
    let (mut callers, mut took) = (Vec::with_capacity(tasks.len()), Vec::new());
    for task in tasks {
        let (caller, its) = task.await??;
        callers.push(caller);
        took.extend(its);
    }
    let elapsed = started.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |share: f64| {
        let last = took.len().saturating_sub(1) as f64;
        took.get((last * share).round() as usize).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    Ok((Measured { per_second: took.len() as f64 / elapsed, p50: at(0.5), p99: at(0.99) }, callers))
}
