//! A policy set ready to answer.

use std::{str::FromStr, thread};

use cedar_policy::{Authorizer, Decision as CedarDecision, PolicySet, Schema, ValidationMode, Validator};
use leasehold_domain::{
    policy::{DETERMINING_MAX, Decision, TEXT_LEN_MAX},
    text::Label,
};
use thiserror::Error;

use crate::{
    answers::Answers,
    question::{AdministerQuestion, Asked, LeaseAction, LeaseQuestion, Terms, Unaskable},
    shape,
};

/// The schema that policies are validated against.
pub const SCHEMA: &str = include_str!("leasehold.cedarschema");
const BUILTIN: &str = include_str!("builtin.cedar");
/// The most policies in a set.
pub const POLICIES_MAX: usize = 1000;
/// The stack on which policies are judged. Only what is used of it is memory.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// The most problems that one check names.
const PROBLEMS_MAX: usize = 20;

/// Why a policy set is refused. Nothing of it takes effect.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the policy set is not valid: {}", problems.join("; "))]
pub struct InvalidPolicies {
    /// What is wrong, each as a sentence with its place.
    pub problems: Vec<String>,
}

/// What was decided, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is permitted.
    pub permitted: bool,
    /// The policy set and those of its policies that decided.
    pub decision: Decision,
}

/// A policy set, the organisation's own and what every organisation has, ready to answer.
pub struct Engine {
    version: u64,
    policies: PolicySet,
    authorizer: Authorizer,
    answers: Answers,
}

impl Engine {
    /// Takes the organisation's policy set, which the event of sequence number `version` set; 0 and an empty text before there is one.
    ///
    /// # Errors
    /// [`InvalidPolicies`] where the text does not parse, breaks the schema, or exceeds a bound.
    pub fn new(version: u64, text: &str) -> Result<Self, InvalidPolicies> {
        let policies = validated(text)?;
        Ok(Self { version, policies, authorizer: Authorizer::new(), answers: Answers::default() })
    }

    /// Says what is wrong with a policy set, and takes nothing.
    ///
    /// # Errors
    /// [`InvalidPolicies`] where something is.
    pub fn check(text: &str) -> Result<(), InvalidPolicies> {
        validated(text).map(drop)
    }

    /// The sequence number of the event that set the policy set.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// May this workload have a token that can do this?
    pub fn lease(&self, question: &LeaseQuestion<'_>) -> Verdict {
        self.answer_once(&question.terms(LeaseAction::Lease))
    }

    /// May this workload vouch for this subject?
    pub fn act_as(&self, question: &LeaseQuestion<'_>) -> Verdict {
        self.answer_once(&question.terms(LeaseAction::ActAs))
    }

    /// May this administrator do this?
    pub fn administer(&self, question: &AdministerQuestion<'_>) -> Verdict {
        self.answer(question.administer())
    }

    /// The answer depends on the terms and on this policy set, which never changes, and on nothing else: so it is worked out once.
    fn answer_once(&self, terms: &Terms<'_>) -> Verdict {
        let key = terms.key();
        self.answers.known(&key).unwrap_or_else(|| {
            let (verdict, sound) = self.work_out(terms.ask());
            // What could not be evaluated is a denial, and may have failed for want of something that is there the next time.
            if sound {
                self.answers.keep(key, verdict.clone());
            }
            verdict
        })
    }

    fn answer(&self, asked: Result<Asked, Unaskable>) -> Verdict {
        self.work_out(asked).0
    }

    /// The verdict, and whether every policy could be evaluated.
    fn work_out(&self, asked: Result<Asked, Unaskable>) -> (Verdict, bool) {
        let denied = Verdict {
            permitted: false,
            decision: Decision { version: self.version, determining: Vec::new() },
        };
        let Ok(Asked { request, entities }) = asked else { return (denied, false) };
        let response = self.authorizer.is_authorized(&request, &self.policies, &entities);
        let mut determining: Vec<Label<64>> = response
            .diagnostics()
            .reason()
            .filter_map(|id| {
                self.policies
                    .annotation(id, "id")
                    .map_or_else(|| Label::new(id.as_ref()).ok(), |name| Label::new(name).ok())
            })
            .collect();
        determining.sort();
        determining.truncate(DETERMINING_MAX);
        // A policy that could not be evaluated might have been the one that forbids.
        let sound = response.diagnostics().errors().next().is_none();
        let permitted = sound && response.decision() == CedarDecision::Allow;
        (Verdict { permitted, decision: Decision { version: self.version, determining } }, sound)
    }
}

/// Judges a text on a stack of its own, on which whatever [`shape`] lets through fits many times over. Answering needs none: it stops by
/// itself where its stack ends, which denies.
fn validated(text: &str) -> Result<PolicySet, InvalidPolicies> {
    let unjudged = |why: &str| InvalidPolicies { problems: vec![format!("they could not be judged: {why}")] };
    thread::scope(|scope| {
        let judging = thread::Builder::new().name("policies".to_owned()).stack_size(STACK_BYTES);
        match judging.spawn_scoped(scope, || judged(text)) {
            Ok(judging) => judging.join().unwrap_or_else(|_| Err(unjudged("judging them failed"))),
            Err(error) => Err(unjudged(&error.to_string())),
        }
    })
}

fn judged(text: &str) -> Result<PolicySet, InvalidPolicies> {
    let invalid = |problems: Vec<String>| InvalidPolicies { problems };
    if text.len() > TEXT_LEN_MAX {
        return Err(invalid(vec![format!("it is longer than {TEXT_LEN_MAX} bytes")]));
    }
    shape::check(text).map_err(|problem| invalid(vec![problem]))?;
    let own = PolicySet::from_str(text).map_err(|error| invalid(vec![error.to_string()]))?;
    let mut problems = Vec::new();
    for policy in own.policies() {
        match policy.annotation("id") {
            None => problems.push(format!(
                "{}: every policy needs an annotation @id(\"…\") that the ledger can name",
                policy.id()
            )),
            Some(name) if Label::<64>::new(name).is_err() => {
                problems.push(format!("{}: an @id has 1 to 64 characters", policy.id()))
            }
            Some(name) if name.starts_with("builtin-") => {
                problems.push(format!("{name}: this prefix is not for policies of your own"))
            }
            Some(_) => {}
        }
    }
    if own.policies().count() > POLICIES_MAX || own.templates().next().is_some() {
        problems.push(format!("a set has at most {POLICIES_MAX} policies and no templates"));
    }
    let combined = PolicySet::from_str(&format!("{text}\n{BUILTIN}"))
        .map_err(|error| invalid(vec![error.to_string()]))?;
    let (schema, _) =
        Schema::from_cedarschema_str(SCHEMA).map_err(|error| invalid(vec![error.to_string()]))?;
    let result = Validator::new(schema).validate(&combined, ValidationMode::Strict);
    problems.extend(result.validation_errors().map(ToString::to_string));
    // A policy that can never apply, or whose text misleads the eye, is not what its author meant.
    problems.extend(result.validation_warnings().map(ToString::to_string));
    problems.truncate(PROBLEMS_MAX);
    if problems.is_empty() { Ok(combined) } else { Err(invalid(problems)) }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
