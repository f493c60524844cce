//! The client of a cluster: what gateways, MCP servers and the command line speak to it with.
//!
//! [`Client::connect`] opens one HTTP/2 connection and proves who calls on every call, by credential or by client certificate. Each
//! service of the interface has an accessor that gives its generated client ([`v1`] has the messages); what a workload needs most,
//! leases, has methods of its own. Failures are [`Error`]s with the cluster's stable reason.
//!
//! A gateway that serves many people wants a [`LeaseHolder`]: it keeps leases, renews the ones in use, follows the cluster's pushes,
//! and gives no token out of its memory after a revocation was pushed or when pushes may have been missed.
//!
//! ```no_run
//! use leasehold_client::{Client, Endpoint, Held, LeaseHolder, Options, Proof, Want, Whose};
//!
//! # async fn example(credential: secrecy::SecretString, ca_pem: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(Endpoint {
//!     address: "https://leasehold.example:7400".to_owned(),
//!     ca_pem: Some(ca_pem),
//!     proof: Proof::Credential(credential),
//! })
//! .await?;
//! let holder = LeaseHolder::start(client, Options::default());
//! let want = Want::new("files", "sandbox", Whose::Vouched("alice".to_owned())).scope("files.read");
//! match holder.lease(&want).await? {
//!     Held::Lease(lease) => drop(lease.access_token()),
//!     Held::ConsentRequired(consent) => drop(consent.connect_url),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Knows the interface and nothing behind it: no ledger, no providers, no policy.

mod client;
mod endpoint;
mod error;
mod holder;
mod lease;

pub use client::{Client, Transport};
pub use endpoint::{ConnectError, Endpoint, Proof};
pub use error::Error;
pub use holder::{Held, HeldLease, LeaseHolder, Options, Want, Whose};
pub use lease::{Lease, Outcome};
/// The messages and the generated clients of version 1 of the interface.
pub use leasehold_proto::v1;
