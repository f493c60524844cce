//! What would have to be done so that the cluster has what files want: a pure look at both. It changes nothing and knows no secret.

use std::collections::BTreeSet;

use super::{
    files::Problem,
    read::{SecretSource, Wanted},
    resource::{Connector, IdentityProvider, Kind, McpServer, Workload},
    standing::Standing,
};

mod change;
mod compare;

/// What would be done, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Every resource of the files, and what `--prune` would disable.
    pub(super) changes: Vec<Change>,
    /// What stands in the cluster and not in the files, and stays as it is.
    pub(super) elsewhere: Vec<(Kind, String)>,
}

/// What would be done about one resource.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) action: Action,
    pub(super) fields: Vec<FieldChange>,
    /// The calls, one after the other. Each rests on the revision that the one before left.
    pub(super) steps: Vec<Step>,
    /// The revision that was read; 0 where there is nothing yet.
    pub(super) revision: u64,
    /// The secret that a step sends.
    pub(super) secret: Option<SecretSource>,
}

/// What a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Change,
    Same,
    /// It is not in the files, and `--prune` was asked for.
    Disable,
}

/// One field that would be another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FieldChange {
    pub(super) name: String,
    /// None where there is nothing yet.
    pub(super) old: Option<String>,
    pub(super) new: String,
}

/// One call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    RegisterIdentityProvider(IdentityProvider),
    ReplaceSecret,
    /// With its client secret, where it has one.
    CreateConnector(Connector),
    AddSecret,
    RegisterMcpServer(McpServer),
    /// No scopes: it does not need the connector any more.
    SetNeed {
        connector: String,
        scopes: BTreeSet<String>,
    },
    RegisterWorkload(Workload),
    BindCertificate(String),
    UnbindCertificate(String),
    SetEnabled(bool),
    SetPolicies(String),
}

/// What was asked for besides the files.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Disable what is not in the files.
    pub(super) prune: bool,
    /// Whose client secret to send again.
    pub(super) rotate: BTreeSet<(Kind, String)>,
}

impl Plan {
    /// Compares what is wanted with what stands.
    ///
    /// # Errors
    /// Everything for which the files cannot be applied.
    pub(super) fn of(wanted: &Wanted, standing: &Standing, choice: &Choice) -> Result<Self, Vec<Problem>> {
        let mut compare = compare::Comparison::of(wanted, standing, choice);
        compare.identity_providers();
        compare.connectors();
        compare.mcp_servers();
        compare.workloads();
        compare.elsewhere();
        compare.policies();
        compare.end()
    }

    /// What would be changed.
    pub(super) fn pending(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.action != Action::Same)
    }

    /// How many changes there are of a kind.
    pub(super) fn count(&self, action: Action) -> usize {
        self.changes.iter().filter(|change| change.action == action).count()
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
