//! Why a command did not do what was asked: what was attempted, why it failed with a stable code, and what to do next.

use std::{fmt, io, process::ExitCode};

use leasehold_client::{ConnectError, Error};
use tonic::{Response, Status};

use super::{next_step, view::printable};
use crate::node::fatal;

/// What a command ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked.
    Done = 0,
    /// It was refused, or it failed.
    Failed = 1,
    /// It was asked for something that cannot be meant.
    Usage = 2,
    /// No node answered.
    Unreachable = 3,
    /// There is a difference, and it was asked for by exit code.
    Different = 4,
    /// The node's disk cannot be relied on.
    Disk = 70,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command that failed. It carries no secret.
#[derive(Debug)]
pub(crate) struct Failure {
    attempted: String,
    code: String,
    why: String,
    next: Option<String>,
    exit: Exit,
}

/// The code of a failure to write to a reader that has gone away.
const READER_GONE: &str = "READER_GONE";
/// The code of what only the exit code tells.
const SILENT: &str = "SILENT";

impl Failure {
    /// Something on this machine, under a stable code.
    pub(super) fn local(attempted: impl Into<String>, code: &str, why: impl Into<String>) -> Self {
        let (attempted, why) = (attempted.into(), why.into());
        Self { attempted, code: code.to_owned(), why, next: next_step::after(code), exit: Exit::Failed }
    }

    /// Arguments that cannot be meant.
    pub(super) fn usage(attempted: impl Into<String>, why: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::local(attempted, "USAGE", why) }
    }

    /// A file or a stream.
    pub(super) fn io(attempted: impl Into<String>, error: &io::Error) -> Self {
        Self::local(attempted, "IO", error.to_string())
    }

    /// Standard output.
    pub(super) fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self {
                exit: Exit::Done,
                ..Self::local("write the answer", READER_GONE, "nobody reads it")
            };
        }
        Self::io("write the answer", error)
    }

    /// A call that the cluster refused, or that did not reach it.
    pub(super) fn call(attempted: impl Into<String>, error: &Error) -> Self {
        let exit = if error.is_unreachable() { Exit::Unreachable } else { Exit::Failed };
        let next = error
            .retry_after()
            .filter(|delay| !delay.is_zero())
            .map(|delay| format!("try again in {} s", delay.as_secs_f64().ceil()))
            .or_else(|| next_step::after(error.reason()));
        // A node says what it was asked for too; here it was said already, in the words of the command.
        let said = error.message().strip_prefix("could not ").and_then(|rest| rest.split_once(": "));
        let why = match said.map_or(error.message(), |(_, why)| why) {
            "" => "it gave no reason in words",
            why => why,
        };
        Self { attempted: attempted.into(), code: error.reason().to_owned(), why: why.to_owned(), next, exit }
    }

    /// A connection that could not be opened.
    pub(super) fn connect(error: &ConnectError) -> Self {
        let why = chain(error);
        let (code, exit) = match error {
            // Something answers, and is not believed, or does not believe us.
            ConnectError::Unreachable { .. } if why.contains("certificate") => ("TLS", Exit::Unreachable),
            ConnectError::Unreachable { .. } => ("UNREACHABLE", Exit::Unreachable),
            ConnectError::Address | ConnectError::ClearText | ConnectError::CertificateWithoutTls => {
                ("ADDRESS", Exit::Usage)
            }
            ConnectError::Credential => ("CREDENTIAL", Exit::Failed),
            ConnectError::Tls(_) => ("TLS", Exit::Failed),
            _ => ("CONNECT", Exit::Failed),
        };
        Self { exit, ..Self::local("connect to the cluster", code, why) }
    }

    /// What stopped a node, or kept it from starting.
    pub(super) fn node(attempted: &str, error: &anyhow::Error) -> Self {
        let why = format!("{error:#}");
        if fatal::is_disk(error) {
            return Self { exit: Exit::Disk, ..Self::local(attempted, "DISK", why) };
        }
        Self::local(attempted, "NODE", why)
    }

    /// Nothing to say: the answer was given, and the exit code tells the rest.
    pub(super) fn silent(exit: Exit) -> Self {
        Self { exit, ..Self::local("", SILENT, "") }
    }

    /// What to do next, in place of what the code alone suggests.
    #[must_use]
    pub(super) fn and_next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }

    /// The exit code.
    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether there is nothing to print: nobody reads on, or the answer was given.
    pub(super) fn is_silent(&self) -> bool {
        self.code == READER_GONE || self.code == SILENT
    }

    /// Whether it is not known if what was attempted was done.
    pub(super) fn is_unknown(&self) -> bool {
        self.exit == Exit::Unreachable
            || matches!(
                self.code.as_str(),
                "OUTCOME_UNKNOWN" | "DEADLINE_EXCEEDED" | "CANCELLED" | "INTERNAL" | "MALFORMED_ANSWER"
            )
    }

    /// Why, without what was attempted and what comes next.
    pub(super) fn why(&self) -> &str {
        &self.why
    }

    /// The stable code.
    #[cfg(test)]
    pub(super) fn code(&self) -> &str {
        &self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (attempted, why) = (printable(&self.attempted), printable(&self.why));
        write!(f, "leasehold: could not {attempted}: {why} ({})", printable(&self.code))?;
        self.next.as_ref().map_or(Ok(()), |next| write!(f, "\n  next: {}", printable(next)))
    }
}

/// Names what a call was for, so that its failure can say it.
pub(super) trait During<Answer> {
    /// The answer, or a failure of what was attempted: an infinitive without "to".
    fn during(self, attempted: impl Into<String>) -> Result<Answer, Failure>;
}

impl<Answer> During<Answer> for Result<Response<Answer>, Status> {
    fn during(self, attempted: impl Into<String>) -> Result<Answer, Failure> {
        self.map(Response::into_inner).map_err(|status| Failure::call(attempted, &status.into()))
    }
}

/// The next of a stream.
impl<Answer> During<Option<Answer>> for Result<Option<Answer>, Status> {
    fn during(self, attempted: impl Into<String>) -> Result<Option<Answer>, Failure> {
        self.map_err(|status| Failure::call(attempted, &status.into()))
    }
}

impl<Answer> During<Answer> for io::Result<Answer> {
    fn during(self, attempted: impl Into<String>) -> Result<Answer, Failure> {
        self.map_err(|error| Failure::io(attempted, &error))
    }
}

/// An answer without the message that it must have.
pub(super) fn incomplete(attempted: &str, what: &str) -> Failure {
    Failure::local(attempted, "MALFORMED_ANSWER", format!("the answer has no {what}"))
}

/// An error and what caused it, without saying anything twice.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // The transport's own layer says only that it is the transport.
        if said != "transport error" && !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn status(code: Code, reason: &str) -> Status {
        use tonic_types::{ErrorDetails, StatusExt as _};
        let mut details = ErrorDetails::new();
        details.set_error_info(reason, "leasehold", []);
        Status::with_error_details(code, "the caller may not do this", details)
    }

    fn failed(status: Status) -> Failure {
        Err::<Response<()>, _>(status).during("list connectors").unwrap_err()
    }

    #[test]
    fn a_refusal_says_what_was_attempted_why_and_what_next() {
        let failure = failed(status(Code::PermissionDenied, "ROLE_MISSING"));
        assert_eq!(failure.exit(), Exit::Failed);
        let text = failure.to_string();
        let expected =
            "leasehold: could not list connectors: the caller may not do this (ROLE_MISSING)\n  next: ";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn no_answer_is_unreachable_and_a_refusal_is_not() {
        let unreachable = failed(Status::new(Code::Unavailable, "tcp connect error"));
        assert_eq!((unreachable.exit(), unreachable.code()), (Exit::Unreachable, "UNREACHABLE"));
        let leaderless = failed(status(Code::Unavailable, "NO_LEADER"));
        assert_eq!((leaderless.exit(), leaderless.code()), (Exit::Failed, "NO_LEADER"));
    }

    #[test]
    fn exit_codes_are_those_that_scripts_rely_on() {
        let exits = [Exit::Done, Exit::Failed, Exit::Usage, Exit::Unreachable, Exit::Different];
        assert_eq!(exits.map(|exit| exit as u8), [0, 1, 2, 3, 4]);
        assert_eq!(Failure::usage("list", "no such field").exit(), Exit::Usage);
        assert_eq!(Failure::io("read", &io::Error::other("broken")).exit(), Exit::Failed);
    }

    #[test]
    fn a_reader_that_has_gone_away_is_no_failure() {
        let gone = Failure::output(&io::ErrorKind::BrokenPipe.into());
        assert_eq!(gone.exit(), Exit::Done);
        assert!(gone.is_silent());
        let full = Failure::output(&io::ErrorKind::StorageFull.into());
        assert_eq!(full.exit(), Exit::Failed);
        assert!(!full.is_silent());
    }

    #[test]
    fn what_a_cluster_says_cannot_steer_the_terminal() {
        let text = failed(Status::new(Code::NotFound, "gone\u{1b}[2J")).to_string();
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn nothing_is_said_twice() {
        let failure =
            failed(Status::new(Code::NotFound, "could not list connectors: no such page; begin again"));
        assert!(
            failure
                .to_string()
                .starts_with("leasehold: could not list connectors: no such page; begin again (NOT_FOUND)")
        );
    }

    #[test]
    fn a_stated_delay_is_what_to_do_next() {
        use tonic_types::{ErrorDetails, StatusExt as _};
        let mut details = ErrorDetails::new();
        details.set_error_info("PROVIDER_UNAVAILABLE", "leasehold", []);
        details.set_retry_info(Some(std::time::Duration::from_millis(4200)));
        let failure = failed(Status::with_error_details(Code::Unavailable, "not now", details));
        assert!(failure.to_string().ends_with("next: try again in 5 s"), "{failure}");
    }
}
