//! A sandbox of foreign systems: an OpenID Connect identity provider and, beside it, a strict OAuth 2.1 provider with a
//! small API, both on loopback, both in this process.
//!
//! It serves two masters: a laptop without a network, and tests that must see what a provider sees. So it keeps its own
//! clock, which a test pushes forward, its own record of every token it issued and every one it was shown, and a queue of
//! faults. `browser` is the person at the screen, scripted.
//!
//! It knows nothing of the programs that are tested against it, and none of its secrets are worth anything elsewhere.

mod answer;
mod authorize;
mod bearer;
mod behaviour;
pub mod browser;
mod canary;
mod clients;
mod clock;
mod codes;
mod control;
mod fault;
mod front;
mod idp;
mod ledger;
mod options;
mod page;
mod params;
mod people;
mod provider;
mod sandbox;
mod secret;
mod serve;
mod visits;

pub use authorize::IssuerParameter;
pub use behaviour::{Behaviour, ExpiresIn, Replay, Rotation};
pub use clock::{Clock, Millis};
pub use control::{Control, ControlError, FamilyState, Issuer};
pub use fault::{Fault, FaultRule};
pub use idp::{IdTokenFlaw, KeyError};
pub use ledger::{Endpoint, Issued, Outcome, Presentation, TokenKind};
pub use options::{Client, Options, Person, Scope};
pub use people::AddPersonError;
pub use provider::Ended;
pub use sandbox::{Sandbox, StartError};
pub use secret::fingerprint;
