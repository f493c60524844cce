//! What follows from the tables: by name, by subject, by what is due. Rebuilt at start, never written.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
};

use super::State;
use crate::{
    authorization::{Authorization, Phase as AuthorizationPhase},
    connector::Connector,
    grant::{self, Grant, UpstreamTarget, UpstreamTask},
    id::{AuthorizationId, ConnectorId, GrantId, McpServerId, Name, SubjectId, WorkloadId},
    mcp_server::McpServer,
    revocation::Selector,
    subject::{DirectoryEntry, Identifier},
    text::AccountKey,
    time::Timestamp,
    workload::Workload,
};

/// Everything that is looked up other than by id.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Indexes {
    /// Connectors by name.
    pub connectors_by_name: BTreeMap<Name, ConnectorId>,
    /// MCP servers by name.
    pub mcp_servers_by_name: BTreeMap<Name, McpServerId>,
    /// Workloads by name.
    pub workloads_by_name: BTreeMap<Name, WorkloadId>,
    /// Subjects by user name, in lower case.
    pub subjects_by_user_name: BTreeMap<String, SubjectId>,
    /// Subjects by email, in lower case.
    pub subjects_by_email: BTreeMap<String, BTreeSet<SubjectId>>,
    /// Subjects by pinned identifier.
    pub subjects_by_identifier: BTreeMap<Identifier, SubjectId>,
    /// Authorizations that have not ended, by subject, connector and MCP server, the newest last.
    pub authorizations_open: BTreeSet<(SubjectId, ConnectorId, McpServerId, u64, AuthorizationId)>,
    /// Authorizations by the end of their present phase.
    pub authorizations_by_end: BTreeSet<(Timestamp, AuthorizationId)>,
    /// Grants not yet said to have ended, by key, the newest consent last. One of them at most is live.
    pub grants_by_key: BTreeSet<(grant::Key, u64, GrantId)>,
    /// Grants not yet said to have ended, by subject.
    pub grants_by_subject: BTreeMap<SubjectId, BTreeSet<GrantId>>,
    /// Grants not yet said to have ended, by connector.
    pub grants_by_connector: BTreeMap<ConnectorId, BTreeSet<GrantId>>,
    /// Grants not yet said to have ended that are one MCP server's alone.
    pub grants_by_mcp_server: BTreeMap<McpServerId, BTreeSet<GrantId>>,
    /// Grants not yet said to have ended, by account and subject: an account with more than one subject is worth a flag.
    pub grants_by_account: BTreeSet<(ConnectorId, AccountKey, SubjectId, GrantId)>,
    /// Grants by the moment at which work on them is due.
    pub grants_due: BTreeSet<(Timestamp, GrantId)>,
    /// Upstream revocations by the moment at which they are due.
    pub upstream_due: BTreeSet<(Timestamp, UpstreamTarget)>,
    /// Revocations whose grants are still to be said to have ended.
    pub epochs_open: BTreeSet<Selector>,
}

fn link<K: Ord, V: Ord>(index: &mut BTreeMap<K, BTreeSet<V>>, key: K, value: V) {
    index.entry(key).or_default().insert(value);
}

fn unlink<K: Ord, V: Ord>(index: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(values) = index.get_mut(key) {
        values.remove(value);
        if values.is_empty() {
            index.remove(key);
        }
    }
}

impl Indexes {
    fn connector(&mut self, connector: &Connector) {
        self.connectors_by_name.insert(connector.registration.name.clone(), connector.id);
    }

    fn mcp_server(&mut self, server: &McpServer) {
        self.mcp_servers_by_name.insert(server.name.clone(), server.id);
    }

    fn workload(&mut self, workload: &Workload) {
        self.workloads_by_name.insert(workload.name.clone(), workload.id);
    }

    fn forget_directory(&mut self, subject: SubjectId, old: &DirectoryEntry) {
        self.subjects_by_user_name.remove(&old.user_name_key());
        if let Some(email) = &old.email {
            unlink(&mut self.subjects_by_email, &email.as_str().to_lowercase(), &subject);
        }
        for identifier in &old.identifiers {
            self.subjects_by_identifier.remove(identifier);
        }
    }

    fn directory(&mut self, subject: SubjectId, old: Option<&DirectoryEntry>, new: &DirectoryEntry) {
        if let Some(old) = old {
            self.forget_directory(subject, old);
        }
        self.subjects_by_user_name.insert(new.user_name_key(), subject);
        if let Some(email) = &new.email {
            link(&mut self.subjects_by_email, email.as_str().to_lowercase(), subject);
        }
        for identifier in &new.identifiers {
            self.subjects_by_identifier.insert(identifier.clone(), subject);
        }
    }

    fn authorization(&mut self, old: Option<&Authorization>, new: &Authorization) {
        if let Some(old) = old {
            self.authorizations_by_end.remove(&(old.expires_at, old.id));
        }
        self.authorizations_by_end.insert((new.expires_at, new.id));
        if matches!(new.phase, AuthorizationPhase::Ended(_)) {
            self.authorizations_open.remove(&slot(new));
        } else {
            self.authorizations_open.insert(slot(new));
        }
    }

    fn grant(&mut self, old: Option<&Grant>, new: &Grant) {
        if let Some(due) = old.and_then(grant::schedule::due_at) {
            self.grants_due.remove(&(due, new.id));
        }
        if let Some(due) = grant::schedule::due_at(new) {
            self.grants_due.insert((due, new.id));
        }
        // The lists follow from the row alone: a node that restarts must rebuild exactly these.
        let (before, after) = (old.and_then(listed), listed(new));
        if before != after {
            if let Some(entry) = before {
                self.unlist_grant(entry);
            }
            if let Some(entry) = after {
                self.list_grant(entry);
            }
        }
    }

    fn list_grant(&mut self, entry: (grant::Key, u64, GrantId)) {
        let (key, _, id) = entry;
        self.grants_by_key.insert(entry);
        self.grants_by_account.insert((key.connector, key.account, key.subject, id));
        link(&mut self.grants_by_subject, key.subject, id);
        link(&mut self.grants_by_connector, key.connector, id);
        if let Some(server) = key.isolation {
            link(&mut self.grants_by_mcp_server, server, id);
        }
    }

    fn unlist_grant(&mut self, entry: (grant::Key, u64, GrantId)) {
        let (key, _, id) = entry;
        self.grants_by_key.remove(&entry);
        self.grants_by_account.remove(&(key.connector, key.account, key.subject, id));
        unlink(&mut self.grants_by_subject, &key.subject, &id);
        unlink(&mut self.grants_by_connector, &key.connector, &id);
        if let Some(server) = key.isolation {
            unlink(&mut self.grants_by_mcp_server, &server, &id);
        }
    }
}

/// Under which entry a grant is listed, unless it is said to have ended.
fn listed(grant: &Grant) -> Option<(grant::Key, u64, GrantId)> {
    let ended = matches!(grant.phase, grant::Phase::Revoked { .. });
    (!ended).then_some((grant.key, grant.consented_seq, grant.id))
}

fn slot(known: &Authorization) -> (SubjectId, ConnectorId, McpServerId, u64, AuthorizationId) {
    (known.subject, known.connector, known.mcp_server, known.started_seq, known.id)
}

impl State {
    /// Puts a connector.
    pub fn put_connector(&mut self, connector: Connector) {
        self.indexes.connector(&connector);
        self.connectors.put(connector.id, connector);
    }

    /// Puts an MCP server.
    pub fn put_mcp_server(&mut self, server: McpServer) {
        self.indexes.mcp_server(&server);
        self.mcp_servers.put(server.id, server);
    }

    /// Puts a workload.
    pub fn put_workload(&mut self, workload: Workload) {
        self.indexes.workload(&workload);
        self.workloads.put(workload.id, workload);
    }

    /// Puts a directory entry.
    pub fn put_directory(&mut self, subject: SubjectId, entry: DirectoryEntry) {
        self.indexes.directory(subject, self.directory.get(&subject), &entry);
        self.directory.put(subject, entry);
    }

    /// Removes a directory entry.
    pub fn remove_directory(&mut self, subject: SubjectId) {
        if let Some(old) = self.directory.remove(&subject) {
            self.indexes.forget_directory(subject, &old);
        }
    }

    /// Puts an authorization.
    pub fn put_authorization(&mut self, authorization: Authorization) {
        self.indexes.authorization(self.authorizations.get(&authorization.id), &authorization);
        self.authorizations.put(authorization.id, authorization);
    }

    /// Removes an authorization whose time has passed.
    pub fn remove_authorization(&mut self, id: AuthorizationId) {
        let Some(old) = self.authorizations.remove(&id) else { return };
        self.indexes.authorizations_by_end.remove(&(old.expires_at, id));
        self.indexes.authorizations_open.remove(&slot(&old));
        self.bindings.remove(&id);
    }

    /// Puts a grant.
    pub fn put_grant(&mut self, grant: Grant) {
        self.indexes.grant(self.grants.get(&grant.id), &grant);
        self.grants.put(grant.id, grant);
    }

    /// Puts an upstream revocation.
    pub fn put_upstream_task(&mut self, target: UpstreamTarget, task: UpstreamTask) {
        self.remove_upstream_task(target);
        self.indexes.upstream_due.insert((task.due_at, target));
        self.upstream_tasks.put(target, task);
    }

    /// Removes an upstream revocation that is done.
    pub fn remove_upstream_task(&mut self, target: UpstreamTarget) {
        if let Some(old) = self.upstream_tasks.remove(&target) {
            self.indexes.upstream_due.remove(&(old.due_at, target));
        }
    }

    /// Raises the epochs of a selector to `seq`: of leases always, of grants where `grants` says so.
    pub fn raise_epoch(&mut self, selector: Selector, seq: u64, grants: bool) {
        let mut epoch = self.epoch(selector);
        epoch.leases = seq;
        if grants {
            epoch.grants = seq;
            epoch.open = true;
            self.indexes.epochs_open.insert(selector);
        }
        self.epochs.put(selector, epoch);
    }

    /// Notes that every grant that the selector covers is said to have ended.
    pub fn close_epoch(&mut self, selector: Selector) {
        let mut epoch = self.epoch(selector);
        epoch.open = false;
        self.indexes.epochs_open.remove(&selector);
        self.epochs.put(selector, epoch);
    }

    /// Rebuilds every index from the tables, after the ledger restored them.
    pub fn reindex(&mut self) {
        let mut indexes = Indexes::default();
        self.connectors.iter().for_each(|(_, connector)| indexes.connector(connector));
        self.mcp_servers.iter().for_each(|(_, server)| indexes.mcp_server(server));
        self.workloads.iter().for_each(|(_, workload)| indexes.workload(workload));
        self.directory.iter().for_each(|(id, entry)| indexes.directory(*id, None, entry));
        self.authorizations.iter().for_each(|(_, authorization)| indexes.authorization(None, authorization));
        self.grants.iter().for_each(|(_, grant)| indexes.grant(None, grant));
        indexes.upstream_due.extend(self.upstream_tasks.iter().map(|(target, task)| (task.due_at, *target)));
        indexes
            .epochs_open
            .extend(self.epochs.iter().filter(|(_, epoch)| epoch.open).map(|(selector, _)| *selector));
        self.indexes = indexes;
    }
}

impl State {
    /// Whether the account of this key also belongs to another subject.
    pub fn account_has_others(&self, key: &grant::Key) -> bool {
        let first =
            (key.connector, key.account, SubjectId::from_bytes([0; 16]), GrantId::from_bytes([0; 16]));
        self.indexes
            .grants_by_account
            .range(first..)
            .take_while(|(connector, account, ..)| (*connector, *account) == (key.connector, key.account))
            .any(|(_, _, subject, _)| *subject != key.subject)
    }
}
