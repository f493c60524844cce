//! Rows as the ledger would have them, to compare states and to restore them.

use leasehold_domain::state::{
    State,
    rows::{Change, Row},
};

macro_rules! tables {
    ($($variant:ident = $table:ident),+ $(,)?) => {
        fn row(change: &Change<'_>) -> Option<Row> {
            match change {
                Change::Singular(singular) => Some(Row::Singular((*singular).clone())),
                $(Change::$variant(key, row) => row.map(|row| Row::$variant((*key).clone(), row.clone())),)+
            }
        }

        /// Does to `mirror` what the ledger does to its rows.
        pub(crate) fn follow(mirror: &mut State, change: &Change<'_>) {
            match change {
                Change::Singular(singular) => mirror.singular = (*singular).clone(),
                $(
                    Change::$variant(key, Some(row)) => mirror.$table.restore((*key).clone(), (*row).clone()),
                    Change::$variant(key, None) => {
                        mirror.$table.remove(key);
                    }
                )+
            }
        }
    };
}

tables! {
    Administrator = administrators,
    Credential = credentials,
    Certificate = certificates,
    IdentityProvider = identity_providers,
    Connector = connectors,
    McpServer = mcp_servers,
    Workload = workloads,
    Subject = subjects,
    Directory = directory,
    Authorization = authorizations,
    Binding = bindings,
    Grant = grants,
    UpstreamTask = upstream_tasks,
    Epoch = epochs,
    Denials = denials,
    Key = keys,
    Erasure = erasures,
}

/// All rows of a state, in the fixed order.
pub(crate) fn rows(state: &State) -> Vec<Row> {
    let mut rows = Vec::new();
    state.each_row(|change| rows.extend(row(&change)));
    rows
}
