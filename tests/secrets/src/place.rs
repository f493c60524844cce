//! Where canaries are looked for, and the few that stand there by design.

use crate::input::Input;

/// A place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is described by `Place::name`")]
pub enum Place {
    DataFolder,
    Snapshot,
    Archive,
    Log,
    Output,
    Traces,
    Metrics,
    Health,
    EventLines,
    Errors,
    PageBodies,
    PageHeaders,
    Arguments,
    Environment,
    OpenFiles,
    CoreDump,
    TemporaryFolder,
    CommandLine,
    Completions,
}

/// All of them, in the order of the table.
pub const ALL: [Place; 19] = [
    Place::DataFolder,
    Place::Snapshot,
    Place::Archive,
    Place::Log,
    Place::Output,
    Place::Traces,
    Place::Metrics,
    Place::Health,
    Place::EventLines,
    Place::Errors,
    Place::PageBodies,
    Place::PageHeaders,
    Place::Arguments,
    Place::Environment,
    Place::OpenFiles,
    Place::CoreDump,
    Place::TemporaryFolder,
    Place::CommandLine,
    Place::Completions,
];

impl Place {
    /// What it is called in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::DataFolder => "data folder",
            Self::Snapshot => "snapshot",
            Self::Archive => "archive of the data folder",
            Self::Log => "log at TRACE",
            Self::Output => "standard output",
            Self::Traces => "OTLP traces",
            Self::Metrics => "metrics",
            Self::Health => "health",
            Self::EventLines => "export, tail, watch",
            Self::Errors => "answers to bad calls",
            Self::PageBodies => "pages",
            Self::PageHeaders => "headers of pages",
            Self::Arguments => "arguments of the process",
            Self::Environment => "its environment",
            Self::OpenFiles => "names of its files",
            Self::CoreDump => "core dump",
            Self::TemporaryFolder => "temporary folder",
            Self::CommandLine => "command line's answers",
            Self::Completions => "completions and manual",
        }
    }
}

/// Why a canary may stand in a place, where it may.
pub fn by_design(input: Input, place: Place) -> Option<&'static str> {
    match (input, place) {
        (Input::SessionCookie | Input::StateCookie, Place::PageHeaders) => {
            Some("set for the browser it is for")
        }
        (Input::State, Place::PageHeaders) => Some("in the URL that leads the browser to the provider"),
        (Input::FormToken, Place::PageBodies) => Some("in the forms of its own session"),
        (Input::Reason, Place::DataFolder | Place::Snapshot | Place::Archive) => {
            Some("in the note table beside the ledger")
        }
        (Input::BootstrapCredential, Place::DataFolder | Place::Archive) => {
            Some("in the file `bootstrap`, for its hour")
        }
        _ => None,
    }
}
