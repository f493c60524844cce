//! The use cases, one function each, in the words of the domain; and the leader's worker.
//!
//! A use case reads the state linearizably, asks the policies, draws what is not deterministic, proposes, and answers. Edges translate their
//! protocol into these calls and decide nothing. Knows neither HTTP pages nor gRPC.

mod access;
mod administrators;
mod audit;
mod caller;
mod catalogue;
mod clock;
mod consent;
mod control;
mod counterpart;
mod decisions;
mod draw;
mod erasure;
mod exchange;
mod expiry;
mod founding;
mod keys;
mod leases;
mod outbox;
mod people;
mod plan;
mod policies;
mod presented;
mod problem;
mod propose;
mod refresh;
mod revoke;
mod tokens;
mod upstream_revocation;
mod watch;
mod worker;
mod workloads;

pub use access::{AccessEdge, AccessPage, GrantView, PAGE_MAX, SubjectFilter};
pub use audit::{Exported, SignedCheckpoint};
pub use caller::{Caller, Credentials};
pub use catalogue::{ClientRegistration, NewConnector};
pub use clock::{Clock, SystemClock};
pub use consent::{AccountPage, ApprovedConsent, BrowserPerson, ConsentPage, StartedAuthorization};
pub use control::{Control, Parts, Settings};
pub use erasure::ErasureOrder;
pub use exchange::CallbackEnd;
pub use founding::{Founding, found};
pub use keys::{
    KeyState, KeysState, WrappedKeys,
    live::Keys,
    rewrap::RewrapSlice,
    root::{FormerKey, Replacement, check_keys, replace_root_key},
    usage::KeyUse,
};
pub use leases::{Acquire, Acquired, ConsentReason, LeaseAnswer, LeaseView, MIN_VALIDITY_MAX, SubjectClaim};
pub use outbox::{Outbox, OutboxError};
pub use people::{NewIdentityProvider, NewSubject};
pub use problem::Problem;
pub use revoke::BlastRadius;
pub use watch::{Change, Watch};
