//! Named points in the code at which a test ends the process as a power cut would: SIGKILL, no unwinding, no flush.
//!
//! A point is a line, `failpoint!("wal.group-written");`. Without the feature `failpoints` it is nothing at all; with it, a build without debug
//! assertions does not compile, so no release can have one. Points are armed by the environment, in the syntax of the library `fail`:
//! `FAILPOINTS="refresh.kept=return"` ends the process there, `FAILPOINTS="ledger.before-flush=3*off->return"` at the fourth time, and
//! `FAILPOINTS="refresh.before-intent=return(wal.group-written)"` arms another point when the first is reached, which is how a test names one
//! step of a part that many others use. Knows no point by name: `tests/crash` has a scenario for each.

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!("the feature `failpoints` is for tests: build with debug assertions, or without it");

/// Ends the process here, where a test has armed the point.
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        $crate::reach($name)
    };
}

/// Ends the process here, where a test has armed the point: never, in this build.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {};
}

/// What [`failpoint!`] calls.
///
/// # Panics
/// Where `FAILPOINTS` cannot be read as the names of points and what they do.
#[cfg(feature = "failpoints")]
pub fn reach(name: &str) {
    use std::sync::Once;

    static ARMED: Once = Once::new();
    // Its end would disarm every point.
    ARMED.call_once(|| std::mem::forget(fail::FailScenario::setup()));
    fail::eval(name, |other| match other {
        // The name of a point is no setting that could be refused.
        Some(other) => drop(fail::cfg(other, "return")),
        None => die(name),
    });
}

#[cfg(feature = "failpoints")]
fn die(name: &str) {
    use std::io::Write as _;

    // Tests read which point it was; one that cannot be told dies all the same.
    let _ = writeln!(std::io::stderr(), "ends at the failpoint {name}");
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}
