//! A plan as people and as programs read it. No secret stands in a plan, so none is shown.

use std::fmt::Write as _;

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use super::{
    super::{failure::Failure, record::Record, view::printable},
    carry_out::Done,
    difference::{self, Line},
    files::Problem,
    plan::{Action, Change, FieldChange, Plan, Step},
    resource::Kind,
};

/// The longest line of a policy set that is shown, in characters.
const LINE_LEN_MAX: usize = 200;

/// How far a plan was carried out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Progress<'p> {
    /// Nothing was to be done yet.
    Planned,
    /// Everything.
    Done,
    /// Not everything.
    Stopped { done: &'p Done, at: usize, unknown: bool },
}

impl Action {
    const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Same => "same",
            Self::Disable => "disable",
        }
    }

    const fn sign(self) -> char {
        match self {
            Self::Create => '+',
            Self::Change => '~',
            Self::Same => '=',
            Self::Disable => '-',
        }
    }
}

/// The plan as text.
pub(super) fn plan(plan: &Plan) -> String {
    let mut text = String::new();
    for change in &plan.changes {
        line(
            &mut text,
            format_args!("{} {:7}  {}", change.action.sign(), change.action.word(), subject(change)),
        );
        for changed in &change.fields {
            field(&mut text, change.kind, changed);
        }
        if let Some(ends) = ends(change) {
            line(&mut text, format_args!("             {ends}"));
        }
    }
    for (kind, name) in &plan.elsewhere {
        line(&mut text, format_args!("? not in the files, stays as it is: {} {name}", kind.noun()));
    }
    line(&mut text, format_args!("{}", summary(plan)));
    text
}

/// How many changes of each kind there are.
pub(super) fn summary(plan: &Plan) -> String {
    let counts = [
        (Action::Create, "to create"),
        (Action::Change, "to change"),
        (Action::Disable, "to disable"),
        (Action::Same, "the same"),
    ];
    let counts = counts.map(|(action, words)| format!("{} {words}", plan.count(action)));
    format!("{}, {} not in the files", counts.join(", "), plan.elsewhere.len())
}

/// What was done and what was not, a line for each change.
pub(super) fn outcomes(plan: &Plan, progress: Progress<'_>) -> String {
    let mut text = String::new();
    for (at, change) in plan.changes.iter().enumerate().filter(|(_, change)| change.action != Action::Same) {
        let outcome = Outcome::of(change, at, progress);
        line(&mut text, format_args!("{:9}  {} {}", outcome.word(), change.action.word(), subject(change)));
        if outcome == Outcome::Partly || outcome == Outcome::Unknown {
            let done = done_of(at, progress);
            for (number, step) in change.steps.iter().enumerate() {
                let word = match (number < done, outcome) {
                    (true, _) => Outcome::Done,
                    (false, Outcome::Unknown) if number == done => Outcome::Unknown,
                    (false, _) => Outcome::NotDone,
                };
                line(&mut text, format_args!("             {}: {}", word.word(), sentence(step)));
            }
        }
    }
    text
}

/// The plan as data, whatever the format.
pub(super) fn record(plan: &Plan, progress: Progress<'_>) -> Result<Record, Failure> {
    let count = |action| plan.count(action) as u64;
    let whole = Whole { plan, progress };
    let json = serde_json::to_string_pretty(&whole).and_then(RawValue::from_string);
    let json =
        json.map_err(|error| Failure::local("write the plan", "MALFORMED_ANSWER", error.to_string()))?;
    Ok(Record::default()
        .with("applied", matches!(progress, Progress::Done))
        .with("create", count(Action::Create))
        .with("change", count(Action::Change))
        .with("disable", count(Action::Disable))
        .with("same", count(Action::Same))
        .with("not_in_files", plan.elsewhere.len() as u64)
        .verbatim(json))
}

/// What is wrong with files, a line for each.
pub(super) fn problems(problems: &[Problem]) -> String {
    let mut text = String::new();
    for Problem { place, text: why } in problems {
        line(&mut text, format_args!("{}:{}: {why}", place.file, place.line));
    }
    text
}

/// What is wrong with files, as records.
pub(super) fn problem_record(problem: &Problem) -> Record {
    Record::default()
        .with("file", problem.place.file.to_string())
        .with("line", problem.place.line as u64)
        .with("problem", problem.text.clone())
}

fn subject(change: &Change) -> String {
    format!("{} {}", change.kind.noun(), change.name).trim_end().to_owned()
}

fn field(text: &mut String, kind: Kind, changed: &FieldChange) {
    let FieldChange { name, old, new } = changed;
    if kind == Kind::Policies {
        for changed in difference::lines(old.as_deref().unwrap_or_default(), new) {
            let (sign, shown) = match changed {
                Line::Gone(shown) => ('-', shown),
                Line::New(shown) => ('+', shown),
            };
            let shown: String = shown.chars().take(LINE_LEN_MAX).collect();
            line(text, format_args!("             {sign} {shown}"));
        }
        return;
    }
    match old {
        Some(old) => line(text, format_args!("             {name}: {old} -> {new}")),
        None => line(text, format_args!("             {name}: {new}")),
    }
}

/// What ends with a change, where something does.
fn ends(change: &Change) -> Option<&'static str> {
    let disabled = change.action != Action::Create && change.steps.contains(&Step::SetEnabled(false));
    disabled.then_some(match change.kind {
        Kind::Workload => "ends its leases, API credentials and certificates, which do not come back",
        Kind::Connector | Kind::McpServer | Kind::IdentityProvider | Kind::Policies => {
            "ends its leases, which do not come back"
        }
    })
}

fn sentence(step: &Step) -> String {
    match step {
        Step::RegisterIdentityProvider(_) | Step::RegisterMcpServer(_) | Step::RegisterWorkload(_) => {
            "register it".to_owned()
        }
        Step::CreateConnector(_) => "make it".to_owned(),
        Step::ReplaceSecret => "replace its client secret".to_owned(),
        Step::AddSecret => "add its client secret".to_owned(),
        Step::SetNeed { connector, scopes } if scopes.is_empty() => format!("need nothing at {connector}"),
        Step::SetNeed { connector, .. } => format!("set what it needs at {connector}"),
        Step::BindCertificate(name) => format!("let the certificate {name} stand for it"),
        Step::UnbindCertificate(name) => format!("let the certificate {name} stand for it no more"),
        Step::SetEnabled(true) => "enable it".to_owned(),
        Step::SetEnabled(false) => "disable it".to_owned(),
        Step::SetPolicies(_) => "replace the policy set".to_owned(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Planned,
    Done,
    Partly,
    /// Whether a call was carried out is not known.
    Unknown,
    NotDone,
}

fn done_of(at: usize, progress: Progress<'_>) -> usize {
    match progress {
        Progress::Stopped { done, .. } => done.0.get(at).copied().unwrap_or(0),
        Progress::Planned | Progress::Done => 0,
    }
}

impl Outcome {
    fn of(change: &Change, at: usize, progress: Progress<'_>) -> Self {
        let Progress::Stopped { at: stopped, unknown, .. } = progress else {
            return if matches!(progress, Progress::Done) { Self::Done } else { Self::Planned };
        };
        let done = done_of(at, progress);
        if done == change.steps.len() {
            Self::Done
        } else if at == stopped && unknown {
            Self::Unknown
        } else if done > 0 {
            Self::Partly
        } else {
            Self::NotDone
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Done => "done",
            Self::Partly => "partly",
            Self::Unknown => "not known",
            Self::NotDone => "not done",
        }
    }
}

fn line(text: &mut String, args: std::fmt::Arguments<'_>) {
    // What stands in files was written by others: it does not steer the terminal.
    writeln!(text, "{}", printable(&args.to_string())).expect("writing into memory does not fail");
}

struct Whole<'p> {
    plan: &'p Plan,
    progress: Progress<'p>,
}

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let changes: Vec<One<'_>> = self
            .plan
            .changes
            .iter()
            .enumerate()
            .map(|(at, change)| One { change, outcome: Outcome::of(change, at, self.progress) })
            .collect();
        let elsewhere: Vec<_> = self
            .plan
            .elsewhere
            .iter()
            .map(|(kind, name)| Record::default().with("kind", kind.key()).with("name", name.clone()))
            .collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("applied", &matches!(self.progress, Progress::Done))?;
        map.serialize_entry("changes", &changes)?;
        map.serialize_entry("not_in_files", &elsewhere)?;
        map.end()
    }
}

struct One<'p> {
    change: &'p Change,
    outcome: Outcome,
}

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields: Vec<_> = self
            .change
            .fields
            .iter()
            .map(|field| {
                Record::default()
                    .with("name", field.name.clone())
                    .with("old", field.old.clone())
                    .with("new", field.new.clone())
            })
            .collect();
        let outcome = if self.change.action == Action::Same { Outcome::Done } else { self.outcome };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("action", self.change.action.word())?;
        map.serialize_entry("kind", self.change.kind.key())?;
        map.serialize_entry("name", &self.change.name)?;
        map.serialize_entry("fields", &fields)?;
        map.serialize_entry("outcome", outcome.word())?;
        map.end()
    }
}
