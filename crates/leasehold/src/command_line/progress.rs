//! How far long work has come: on a terminal, and not at all anywhere else.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use tokio::time::Instant;

/// How often a line is drawn again at most.
const EVERY: Duration = Duration::from_millis(100);

/// A line on standard error that is drawn over itself, if that is a terminal.
pub(super) struct Progress {
    terminal: bool,
    drawn_at: Option<Instant>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), drawn_at: None }
    }

    /// Draws how far the work has come. Nobody fails for want of it.
    pub(super) fn show(&mut self, line: impl FnOnce() -> String) {
        let due = self.drawn_at.is_none_or(|at| at.elapsed() >= EVERY);
        if self.terminal && due {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[K{}", line());
            self.drawn_at = Some(Instant::now());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn_at.is_some() {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}

/// Says on a terminal that something was done, where the answer itself has nothing to say.
pub(super) fn say(line: &str) {
    let stderr = io::stderr();
    if stderr.is_terminal() {
        let _ = writeln!(stderr.lock(), "{line}");
    }
}

/// Says what nobody should overlook, wherever standard error goes.
pub(super) fn tell(line: &str) {
    let _ = writeln!(io::stderr().lock(), "leasehold: {line}");
}

/// `done` of `total`, as a share.
pub(super) fn share(done: u64, total: u64) -> String {
    let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
    format!("{done} of {total} ({percent} %)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_nothing_is_all_of_it() {
        assert_eq!(share(1, 4), "1 of 4 (25 %)");
        assert_eq!(share(0, 0), "0 of 0 (100 %)");
    }
}
