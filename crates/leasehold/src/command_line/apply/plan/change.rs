//! One change as it comes together: its fields and its calls.

use std::collections::BTreeSet;

use leasehold_domain::{mcp_server::NEEDS_MAX, workload::PROOFS_MAX};

use super::{
    super::resource::{Field, Kind, McpServer, enabled, field, words},
    Action, Change, FieldChange, Step,
};

/// The calls that lead from one set of needs to another. New ones come first, so that a server is not without what it needs; where
/// both together are more than it may have, what goes away does.
pub(super) fn needs(old: &McpServer, new: &McpServer) -> Vec<Step> {
    let set = |(connector, scopes): (&String, &BTreeSet<String>)| Step::SetNeed {
        connector: connector.clone(),
        scopes: scopes.clone(),
    };
    let wanted =
        new.needs.iter().filter(|(connector, scopes)| old.needs.get(*connector) != Some(*scopes)).map(set);
    let nothing = BTreeSet::new();
    let gone = old.needs.keys().filter(|connector| !new.needs.contains_key(*connector));
    let gone = gone.map(|connector| set((connector, &nothing)));
    let together: BTreeSet<&String> = old.needs.keys().chain(new.needs.keys()).collect();
    if together.len() > NEEDS_MAX { gone.chain(wanted).collect() } else { wanted.chain(gone).collect() }
}

impl Change {
    pub(super) fn of(kind: Kind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            action: Action::Change,
            fields: Vec::new(),
            steps: Vec::new(),
            revision: 0,
            secret: None,
        }
    }

    /// The same, or no change at all.
    pub(super) fn settled(mut self) -> Self {
        if self.steps.is_empty() {
            self.action = Action::Same;
        }
        self
    }

    pub(super) fn create(&mut self, fields: Vec<Field>) {
        self.action = Action::Create;
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let mut fields: Vec<FieldChange> =
            fields.map(|(name, new)| FieldChange { name, old: None, new }).collect();
        fields.append(&mut self.fields);
        self.fields = fields;
    }

    /// Whatever is new may be used; what is not to be is disabled at once.
    pub(super) fn born(&mut self, wanted: bool) {
        if !wanted {
            let (name, new) = enabled(wanted);
            self.fields.push(FieldChange { name, old: None, new });
            self.steps.push(Step::SetEnabled(false));
        }
    }

    pub(super) fn enabled(&mut self, old: bool, new: bool) {
        if old != new {
            self.differ(&[enabled(old)], &[enabled(new)]);
            self.steps.push(Step::SetEnabled(new));
        }
    }

    pub(super) fn bind(&mut self, certificates: &BTreeSet<String>) {
        self.steps.extend(certificates.iter().cloned().map(Step::BindCertificate));
    }

    /// From some certificates to others. New ones come first, so that a workload is not without one; where both together are more than it
    /// may have, what goes away does.
    pub(super) fn certificates(&mut self, old: &BTreeSet<String>, new: &BTreeSet<String>) {
        let [before, after] = [old, new].map(|set| [field("certificates", &words(set))]);
        self.differ(&before, &after);
        let gone = (old - new).into_iter().map(Step::UnbindCertificate);
        if (old | new).len() > PROOFS_MAX {
            self.steps.extend(gone);
            self.bind(&(new - old));
        } else {
            self.bind(&(new - old));
            self.steps.extend(gone);
        }
    }

    /// Notes the fields that differ.
    pub(super) fn differ(&mut self, old: &[Field], new: &[Field]) {
        let value = |fields: &[Field], name: &str| {
            fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let names: BTreeSet<&String> = old.iter().chain(new).map(|(name, _)| name).collect();
        for name in names {
            let (before, after) = (value(old, name), value(new, name));
            if before != after {
                let old = Some(if before.is_empty() { "none".to_owned() } else { before });
                let new = if after.is_empty() { "none".to_owned() } else { after };
                self.fields.push(FieldChange { name: name.clone(), old, new });
            }
        }
    }
}
