//! Which rows changed, for the ledger to write, and how it puts them back when it opens.

use super::{Clock, Credential, DenialCount, DenialKey, Epoch, Singular, State};
use crate::{
    administrator::Administrator,
    authorization::{Authorization, Binding},
    connector::Connector,
    grant::{Grant, UpstreamTarget, UpstreamTask},
    id::{
        AdministratorId, AuthorizationId, ConnectorId, CredentialId, GrantId, IdentityProviderId,
        McpServerId, SubjectId, WorkloadId,
    },
    identity_provider::IdentityProvider,
    mcp_server::McpServer,
    organisation::{KeyId, KeyVersion},
    revocation::Selector,
    subject::{DirectoryEntry, Erasure, Subject},
    workload::{CertificateName, Workload},
};

macro_rules! tables {
    ($($(#[$doc:meta])* $variant:ident($key:ty, $row:ty) = $table:ident;)+) => {
        /// A row that changed; `None` where it is gone.
        pub enum Change<'a> {
            /// What there is only one of.
            Singular(&'a Singular),
            $($(#[$doc])* $variant(&'a $key, Option<&'a $row>),)+
        }

        /// A row as the ledger has it.
        #[derive(Clone, PartialEq, Eq)]
        pub enum Row {
            /// What there is only one of.
            Singular(Singular),
            $($(#[$doc])* $variant($key, $row),)+
        }

        impl State {
            /// Hands every row that changed since the last call to `write`, in a fixed order. The clock is not among them: it moves with
            /// every entry, and belongs to the ledger's position.
            pub fn drain_changes(&mut self, mut write: impl FnMut(Change<'_>)) {
                if self.singular != self.singular_written {
                    write(Change::Singular(&self.singular));
                    self.singular_written = self.singular.clone();
                }
                $(self.$table.drain_changes(|key, row| write(Change::$variant(key, row)));)+
            }

            /// Hands every row to `write`, in a fixed order.
            pub fn each_row(&self, mut write: impl FnMut(Change<'_>)) {
                write(Change::Singular(&self.singular));
                $(self.$table.iter().for_each(|(key, row)| write(Change::$variant(key, Some(row))));)+
            }

            /// Begins a state from rows that the ledger has.
            pub fn restore(clock: Clock, rows: impl IntoIterator<Item = Row>) -> Self {
                let mut state = Self { clock, ..Self::default() };
                for row in rows {
                    match row {
                        Row::Singular(singular) => {
                            state.singular_written = singular.clone();
                            state.singular = singular;
                        }
                        $(Row::$variant(key, row) => state.$table.restore(key, row),)+
                    }
                }
                state.reindex();
                state
            }
        }
    };
}

tables! {
    /// An administrator.
    Administrator(AdministratorId, Administrator) = administrators;
    /// An API credential.
    Credential(CredentialId, Credential) = credentials;
    /// Which workload a certificate name stands for.
    Certificate(CertificateName, WorkloadId) = certificates;
    /// An identity provider.
    IdentityProvider(IdentityProviderId, IdentityProvider) = identity_providers;
    /// A connector.
    Connector(ConnectorId, Connector) = connectors;
    /// An MCP server.
    McpServer(McpServerId, McpServer) = mcp_servers;
    /// A workload.
    Workload(WorkloadId, Workload) = workloads;
    /// A subject.
    Subject(SubjectId, Subject) = subjects;
    /// Who a subject is.
    Directory(SubjectId, DirectoryEntry) = directory;
    /// An authorization.
    Authorization(AuthorizationId, Authorization) = authorizations;
    /// What ties an authorization to a browser.
    Binding(AuthorizationId, Binding) = bindings;
    /// A grant.
    Grant(GrantId, Grant) = grants;
    /// An upstream revocation still to be done.
    UpstreamTask(UpstreamTarget, UpstreamTask) = upstream_tasks;
    /// An epoch.
    Epoch(Selector, Epoch) = epochs;
    /// Identical denials.
    Denials(DenialKey, DenialCount) = denials;
    /// A key-encryption key.
    Key(KeyId, KeyVersion) = keys;
    /// A subject that was erased.
    Erasure(SubjectId, Erasure) = erasures;
}
