//! Random spread, so that many holders do not move in step.

use std::time::Duration;

/// A span drawn evenly from between these thousandths of `whole`.
pub(super) fn between(whole: Duration, least: u32, most: u32) -> Duration {
    // Without randomness everything still works, only in step.
    let drawn = getrandom::u32().unwrap_or(u32::MAX / 2);
    let thousandths = least + drawn % (most - least).max(1);
    whole / 1000 * thousandths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_stays_within_its_bounds_and_differs() {
        let drawn: Vec<_> = (0..200).map(|_| between(Duration::from_secs(1000), 400, 600)).collect();
        assert!(drawn.iter().all(|span| (400..600).contains(&span.as_secs())));
        assert!(drawn.iter().any(|span| *span != drawn[0]));
    }
}
