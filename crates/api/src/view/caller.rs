//! A caller, as it is told who it is.

use leasehold_domain::{
    actor::{Actor, Principal, Proof},
    state::State,
};
use leasehold_proto::v1;

use super::administrator;

/// The caller itself, by what the node knows of it.
pub(crate) fn who_am_i(state: &State, organisation: String, actor: &Actor) -> v1::WhoAmIResponse {
    let answer = |kind: &str, id: String| v1::WhoAmIResponse {
        organisation,
        kind: kind.to_owned(),
        id,
        proof: match actor.proof {
            Proof::Credential(_) => "credential",
            Proof::Certificate(_) => "certificate",
            Proof::SignIn => "sign-in",
            Proof::Cluster => "cluster",
        }
        .to_owned(),
        ..v1::WhoAmIResponse::default()
    };
    match actor.principal {
        Principal::Administrator(id) => {
            let known = state.administrators.get(&id).map(administrator).unwrap_or_default();
            let v1::Administrator { name, roles, .. } = known;
            v1::WhoAmIResponse { name, roles, ..answer("administrator", id.to_string()) }
        }
        Principal::Workload(id) => {
            let name = state.workloads.get(&id).map(|workload| workload.name.to_string()).unwrap_or_default();
            v1::WhoAmIResponse { name, ..answer("workload", id.to_string()) }
        }
        Principal::Bootstrap(id) => answer("bootstrap", id.to_string()),
        Principal::Person(id) => answer("person", id.to_string()),
        Principal::Cluster => answer("cluster", String::new()),
    }
}
