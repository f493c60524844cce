//! Random operations. An operation names things by numbers, counted among what there is; what it means, the state says that it meets.

use leasehold_domain::{grant::Occasion, revocation::Selector};
use proptest::prelude::*;

use super::{
    arrange,
    run::{CONNECTORS, SERVERS, SUBJECTS, WORKLOADS},
};

/// One operation, so many seconds after the one before, perhaps under a name.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    /// In seconds.
    pub(super) after: u64,
    /// A name and what tells bodies apart.
    pub(super) request: Option<(u8, u8)>,
    pub(super) kind: Kind,
}

/// What to do.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Start {
        subject: usize,
        connector: usize,
        server: usize,
        wide: bool,
        renew: Option<usize>,
    },
    Advance {
        nth: usize,
        account: u8,
    },
    Leave {
        nth: usize,
        way: u8,
    },
    IntendRefresh {
        grant: usize,
        stale: bool,
        occasion: Occasion,
    },
    CommitRefresh {
        grant: usize,
        stale: bool,
        wide: bool,
        life: u64,
    },
    FailRefresh {
        grant: usize,
        failure: u8,
    },
    LoseRefresh {
        grant: usize,
    },
    Expire {
        grant: usize,
    },
    RevokeGrant {
        grant: usize,
    },
    CloseGrants {
        nth: usize,
    },
    Upstream {
        nth: usize,
        done: bool,
    },
    Issue {
        workload: usize,
        server: usize,
        grant: usize,
        token: bool,
        rests_on: bool,
        minutes: u64,
        cap: u64,
    },
    Renew {
        lease: usize,
    },
    Release {
        lease: usize,
        workload: usize,
    },
    Report {
        lease: usize,
    },
    End {
        lease: usize,
    },
    Revoke {
        selector: Selector,
    },
    Disable {
        selector: Selector,
    },
    Enable {
        nth: usize,
    },
    Suspend {
        connector: usize,
        off: bool,
    },
    Need {
        server: usize,
        connector: usize,
        wide: bool,
    },
    SignIn {
        subject: usize,
        value: u8,
    },
    Credential {
        workload: usize,
        id: u8,
    },
    Deny {
        workload: usize,
    },
    CountDenials {
        nth: usize,
    },
    Arrange {
        what: u8,
        id: u8,
    },
    SetPolicy,
    Checkpoint,
    Tick,
    AddKey {
        purpose: usize,
        stale: bool,
    },
    RetireKey {
        nth: usize,
    },
    ReplaceRootKey,
    Rewrap {
        grant: usize,
        stale: bool,
    },
    Erase {
        subject: usize,
    },
    Forget {
        subject: usize,
    },
    FinishErasure {
        subject: usize,
    },
}

fn selector() -> impl Strategy<Value = Selector> {
    prop_oneof![
        prop::sample::select(&SUBJECTS[..]).prop_map(Selector::Subject),
        prop::sample::select(&WORKLOADS[..]).prop_map(Selector::Workload),
        prop::sample::select(&CONNECTORS[..]).prop_map(Selector::Connector),
        prop::sample::select(&SERVERS[..]).prop_map(Selector::McpServer),
    ]
}

fn consents() -> impl Strategy<Value = Kind> {
    let renew = prop::option::weighted(0.2, any::<usize>());
    prop_oneof![
        2 => (0..2usize, 0..3usize, 0..2usize, prop::bool::weighted(0.4), renew).prop_map(
            |(subject, connector, server, wide, renew)| Kind::Start {
                subject, connector, server, wide, renew
            }
        ),
        9 => (any::<usize>(), 1u8..3).prop_map(|(nth, account)| Kind::Advance { nth, account }),
        1 => (any::<usize>(), 0u8..5).prop_map(|(nth, way)| Kind::Leave { nth, way }),
    ]
}

fn refreshes() -> impl Strategy<Value = Kind> {
    let stale = || prop::bool::weighted(0.1);
    let occasion = prop_oneof![
        4 => Just(Occasion::Due),
        1 => Just(Occasion::Demand),
        1 => Just(Occasion::Recheck),
        1 => Just(Occasion::Ordered),
    ];
    prop_oneof![
        4 => (any::<usize>(), stale(), occasion).prop_map(
            |(grant, stale, occasion)| Kind::IntendRefresh { grant, stale, occasion }
        ),
        3 => (any::<usize>(), stale(), any::<bool>(), 0u64..90).prop_map(
            |(grant, stale, wide, life)| Kind::CommitRefresh { grant, stale, wide, life }
        ),
        2 => (any::<usize>(), 0u8..8).prop_map(|(grant, failure)| Kind::FailRefresh { grant, failure }),
        1 => any::<usize>().prop_map(|grant| Kind::LoseRefresh { grant }),
        1 => any::<usize>().prop_map(|grant| Kind::Expire { grant }),
        1 => any::<usize>().prop_map(|grant| Kind::RevokeGrant { grant }),
        2 => any::<usize>().prop_map(|nth| Kind::CloseGrants { nth }),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(nth, done)| Kind::Upstream { nth, done }),
    ]
}

fn leases() -> impl Strategy<Value = Kind> {
    let workload = prop::bool::weighted(0.2).prop_map(usize::from);
    let issue = (workload, 0..2usize, any::<usize>(), any::<bool>(), any::<bool>(), 1u64..40, 1u64..4);
    prop_oneof![
        8 => issue.prop_map(|(workload, server, grant, token, rests_on, minutes, cap)| Kind::Issue {
            workload, server, grant, token, rests_on, minutes, cap
        }),
        4 => any::<usize>().prop_map(|lease| Kind::Renew { lease }),
        1 => (any::<usize>(), 0..2usize).prop_map(|(lease, workload)| Kind::Release { lease, workload }),
        1 => any::<usize>().prop_map(|lease| Kind::Report { lease }),
        1 => any::<usize>().prop_map(|lease| Kind::End { lease }),
    ]
}

fn administration() -> impl Strategy<Value = Kind> {
    prop_oneof![
        1 => selector().prop_map(|selector| Kind::Revoke { selector }),
        1 => selector().prop_map(|selector| Kind::Disable { selector }),
        8 => any::<usize>().prop_map(|nth| Kind::Enable { nth }),
        1 => (0..3usize, any::<bool>()).prop_map(|(connector, off)| Kind::Suspend { connector, off }),
        1 => (0..2usize, 0..3usize, any::<bool>()).prop_map(
            |(server, connector, wide)| Kind::Need { server, connector, wide }
        ),
        1 => (0..2usize, 0u8..3).prop_map(|(subject, value)| Kind::SignIn { subject, value }),
        1 => (0..2usize, 0u8..4).prop_map(|(workload, id)| Kind::Credential { workload, id }),
        1 => (0..2usize).prop_map(|workload| Kind::Deny { workload }),
        1 => any::<usize>().prop_map(|nth| Kind::CountDenials { nth }),
        2 => (0..arrange::KINDS, 0u8..3).prop_map(|(what, id)| Kind::Arrange { what, id }),
        1 => Just(Kind::SetPolicy),
        1 => Just(Kind::Checkpoint),
        3 => Just(Kind::Tick),
    ]
}

fn keys() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => (0..4usize, prop::bool::weighted(0.1)).prop_map(|(purpose, stale)| Kind::AddKey { purpose, stale }),
        3 => any::<usize>().prop_map(|nth| Kind::RetireKey { nth }),
        1 => Just(Kind::ReplaceRootKey),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(grant, stale)| Kind::Rewrap { grant, stale }),
    ]
}

fn erasures() -> impl Strategy<Value = Kind> {
    prop_oneof![
        1 => (0..2usize).prop_map(|subject| Kind::Erase { subject }),
        6 => (0..2usize).prop_map(|subject| Kind::Forget { subject }),
        4 => (0..2usize).prop_map(|subject| Kind::FinishErasure { subject }),
    ]
}

/// So many operations at most.
pub(super) fn operations(count: usize) -> impl Strategy<Value = Vec<Operation>> {
    let after = prop_oneof![40 => Just(0), 40 => 1u64..10, 6 => 10u64..200, 1 => 200u64..8000];
    let kind = prop_oneof![
        16 => consents(), 12 => refreshes(), 12 => leases(), 6 => administration(), 2 => keys(), 1 => erasures(),
    ];
    let request = prop::option::weighted(0.1, (0u8..12, prop::bool::weighted(0.1).prop_map(u8::from)));
    let one = (after, request, kind).prop_map(|(after, request, kind)| Operation { after, request, kind });
    prop::collection::vec(one, 1..count)
}
