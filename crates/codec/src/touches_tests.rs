use leasehold_domain::{
    actor::{Origin, Proof},
    grant::{self, UpstreamTarget},
    id::{CredentialId, LeaseId},
    lease,
    policy::{self, Action, Decision, DenialReason, Resource},
    revocation::{self, Selector},
    subject::{self, Kind},
    text::Commitment,
};

use super::*;
use crate::samples::{Draw, Variants};

const GRANT: GrantId = GrantId::from_bytes([1; 16]);
const SUBJECT: SubjectId = SubjectId::from_bytes([2; 16]);
const OWNER: SubjectId = SubjectId::from_bytes([3; 16]);
const CONNECTOR: ConnectorId = ConnectorId::from_bytes([4; 16]);
const WORKLOAD: WorkloadId = WorkloadId::from_bytes([5; 16]);

fn by(principal: Principal) -> Actor {
    let proof = Proof::Credential(CredentialId::from_bytes([9; 16]));
    Actor { principal, proof, origin: Origin::default() }
}

fn topics(event: Event, actor: Actor) -> Vec<Topic> {
    touches(&event, &actor).into_iter().collect()
}

#[test]
fn a_lease_is_about_all_that_it_rests_on() {
    let event = <lease::Event as Variants>::variant("LeaseIssued", &mut Draw::new(1)).unwrap();
    let lease::Event::Issued { workload, mcp_server, connector, subject, grant, .. } = event.clone() else {
        panic!("another event")
    };
    let expected = BTreeSet::from([
        Topic::Workload(workload),
        Topic::McpServer(mcp_server),
        Topic::Connector(connector),
        Topic::Subject(subject),
        Topic::Grant(grant),
    ]);
    assert_eq!(touches(&Event::Lease(event), &by(Principal::Workload(workload))), expected);
}

#[test]
fn a_line_is_about_its_actor_unless_that_is_the_cluster() {
    let released = || Event::Lease(lease::Event::Released { lease: LeaseId::from_bytes([8; 16]) });
    let administrator = AdministratorId::from_bytes([6; 16]);
    assert_eq!(topics(released(), by(Principal::Workload(WORKLOAD))), [Topic::Workload(WORKLOAD)]);
    assert_eq!(
        topics(released(), by(Principal::Administrator(administrator))),
        [Topic::Administrator(administrator)]
    );
    assert_eq!(topics(released(), by(Principal::Person(SUBJECT))), [Topic::Subject(SUBJECT)]);
    assert_eq!(topics(released(), Actor::cluster(1)), []);
}

#[test]
fn selectors_targets_resources_and_owners_are_looked_into() {
    let raised = revocation::Event::Raised { selector: Selector::Connector(CONNECTOR), note: None };
    assert_eq!(topics(Event::Revocation(raised), Actor::cluster(1)), [Topic::Connector(CONNECTOR)]);

    let revoked = grant::Event::UpstreamRevoked { target: UpstreamTarget::Grant(GRANT) };
    assert_eq!(topics(Event::Grant(revoked), Actor::cluster(1)), [Topic::Grant(GRANT)]);

    let denied = policy::Event::Denied {
        action: Action::Lease,
        resource: Resource { mcp_server: None, connector: Some(CONNECTOR), subject: Some(SUBJECT) },
        reason: DenialReason::Policy,
        decision: Decision { version: 1, determining: Vec::new() },
        coalesced: 0,
    };
    let expected = [Topic::Subject(SUBJECT), Topic::Connector(CONNECTOR), Topic::Workload(WORKLOAD)];
    assert_eq!(topics(Event::Policy(denied), by(Principal::Workload(WORKLOAD))), expected);

    let registered = subject::Event::Registered {
        subject: SUBJECT,
        kind: Kind::Service { owner: OWNER },
        commitment: Commitment::from_bytes([7; 32]),
    };
    assert_eq!(
        topics(Event::Subject(registered), Actor::cluster(1)),
        [Topic::Subject(SUBJECT), Topic::Subject(OWNER)]
    );
}

#[test]
fn the_key_of_a_topic_reads_back_and_sorts_as_topics_do() {
    let topics = [
        Topic::Grant(GRANT),
        Topic::Subject(SUBJECT),
        Topic::Subject(OWNER),
        Topic::Connector(CONNECTOR),
        Topic::McpServer(McpServerId::from_bytes([1; 16])),
        Topic::Workload(WORKLOAD),
        Topic::Authorization(AuthorizationId::from_bytes([0; 16])),
        Topic::Administrator(AdministratorId::from_bytes([0xff; 16])),
    ];
    assert!(topics.is_sorted());
    assert!(topics.map(Topic::to_key).is_sorted());
    for topic in topics {
        assert_eq!(Topic::from_key(topic.to_key()), Some(topic));
    }
    assert_eq!(Topic::from_key([7; Topic::KEY_LEN]), None);
}
