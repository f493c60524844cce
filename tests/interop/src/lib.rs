//! Programs that are not ours, for tests that should not take our word for it.
//!
//! - [`OidcProvider`]: npm `oidc-provider` (OpenID certified), as identity provider and as an OAuth provider that
//!   rotates refresh tokens, with a ledger of what it saw.
//! - [`verify_ledger`]: an auditor's check of an exported ledger, in Python's standard library alone.
//! - [`python_packages`] and [`npm_packages`]: what programs need that a test brings along.
//!
//! What they need is installed from lock files below the cargo target folder, once per lock file, by the first
//! test that asks. A machine without Node, npm or Python 3 leaves those tests out, by name; see [`require!`].
//! This crate knows nothing of the product.

mod digest;
mod install;
mod packages;
mod provider;
mod requirement;
mod run;
mod target;
mod toolchain;
mod verifier;

pub use install::{InstallError, PreparedNode, prepare_node};
pub use packages::{made_once, npm_packages, python_packages};
pub use provider::{
    Account, AdminError, Client, Ledger, LiveTokens, OidcProvider, ProviderConfig, RefreshTokenUse,
    ResourceCalls, Reuse, RevokedGrant, StartError, TokenRequests,
};
pub use requirement::{not_run, short_test_name};
pub use run::RunError;
pub use toolchain::{Availability, Tool, Toolchain};
pub use verifier::{Verdict, python_folder, verify_ledger};

/// The [`Toolchain`], if it has the named [`Tool`]s; otherwise returns from the test that asked.
///
/// A test left out says so on standard error, past the test runner's capture:
/// `NOT RUN: <test name>: node is missing`. With `LEASEHOLD_INTEROP=required` in the environment it fails instead.
///
/// ```ignore
/// let toolchain = leasehold_interop::require!(Node, Npm);
/// ```
#[macro_export]
macro_rules! require {
    ($($tool:ident),+ $(,)?) => {
        match $crate::Toolchain::find().availability(&[$($crate::Tool::$tool),+]) {
            $crate::Availability::Ready(toolchain) => toolchain,
            $crate::Availability::Missing(tool) => {
                fn here() {}
                $crate::not_run($crate::short_test_name(::std::any::type_name_of_val(&here)), tool);
                return;
            }
        }
    };
}
