//! A revocation costs one event, whatever it covers.

use std::collections::BTreeSet;

use leasehold_domain::{
    command::Proposal,
    event::Event as AnyEvent,
    id::LeaseId,
    lease, machine,
    machine::Reply,
    policy::Decision,
    revocation::{Event, Selector},
};

use crate::{
    fixture::{ALICE, FILES, GATEWAY, GRANT, fingerprint, gateway, scopes},
    harness::{Case, given},
    worlds::{Setting, consented, revoke},
};

const LEASES: u32 = 100_000;

/// So many leases, each to another network address of one gateway.
fn many() -> Case {
    let mut case = given(consented(&Setting::default()));
    for n in 0..LEASES {
        let bytes = n.to_be_bytes();
        let mut id = [0; 16];
        id[..4].copy_from_slice(&bytes);
        let mut address = fingerprint(0).to_bytes();
        address[..4].copy_from_slice(&bytes);
        let mut actor = gateway();
        actor.origin.address = Some(leasehold_domain::text::Fingerprint::from_bytes(address));
        let command = lease::Command::Issue {
            lease: LeaseId::from_bytes(id),
            mcp_server: FILES,
            grant: GRANT,
            generation: 1,
            needed: scopes("files.read"),
            basis: lease::Basis::Vouched,
            ttl: lease::TTL_DEFAULT,
            vouched_max: 1,
            decision: Decision { version: 0, determining: Vec::new() },
        };
        let proposal = Proposal {
            request: None,
            actor,
            at: case.now,
            facts: Vec::new(),
            command: leasehold_domain::command::Command::Lease(command),
        };
        let (reply, _) = machine::apply(&mut case.state, proposal);
        assert!(matches!(reply, Reply::Applied { ref events, .. } if events.len() == 1));
    }
    case
}

#[test]
fn a_hundred_thousand_leases_end_by_one_event_and_each_is_judged_ended() {
    let case = many();
    let live = |case: &Case| {
        let leases = case.state.recent.leases_of(&GATEWAY);
        leases.filter(|known| known.live(&case.state, case.now).is_ok()).count()
    };
    assert_eq!(live(&case), 100_000);
    let selector = Selector::Subject(ALICE);
    let outcome = case.when(revoke(selector));
    assert_eq!(outcome.events(), [AnyEvent::Revocation(Event::Raised { selector, note: None })]);
    let case = outcome.applied();
    assert_eq!(live(&case), 0);
    let names: BTreeSet<LeaseId> = case.state.recent.leases().map(|known| known.id).collect();
    assert_eq!(names.len(), 100_000, "ended leases are remembered, so that holders can be told");
}
