//! Secrets planted at every way in, and the places where they are looked for afterwards.
//!
//! A *canary* is a secret that a test planted or saw being made. `input` lists every way in which one enters or is made, `place` every place where
//! it is looked for, `forms` how it could look there. `production` is a node as an organisation runs it: `leasehold serve` in a process of its own, TLS
//! everywhere, traces exported, logging all that it can. What is found where it should not be is collected by `tally`, which also leaves the table
//! for the documentation.
//!
//! Secrets do not print. This compiles:
//!
//! ```
//! let secret = leasehold_vault::Secret::copy_of(b"a secret").expect("it is short");
//! assert_eq!(secret.expose(), b"a secret");
//! ```
//!
//! None of these does; `tests/it/mute.rs` asks the same of every type that holds a secret, and of the sources which these are.
//!
//! ```compile_fail,E0277
//! let secret = leasehold_vault::Secret::copy_of(b"a secret").expect("it is short");
//! println!("{secret:?}");
//! ```
//!
//! ```compile_fail,E0277
//! let secret = leasehold_vault::Secret::copy_of(b"a secret").expect("it is short");
//! println!("{secret}");
//! ```
//!
//! ```compile_fail,E0599
//! let secret = leasehold_vault::Secret::copy_of(b"a secret").expect("it is short");
//! let copy = secret.clone();
//! ```
//!
//! ```compile_fail,E0369
//! let secret = leasehold_vault::Secret::copy_of(b"a secret").expect("it is short");
//! let other = leasehold_vault::Secret::copy_of(b"another").expect("it is short");
//! assert!(secret == other);
//! ```

pub mod authority;
pub mod bad_calls;
pub mod canary;
pub mod forms;
pub mod front;
pub mod furnish;
pub mod input;
pub mod place;
pub mod process;
pub mod production;
pub mod receiver;
pub mod search;
pub mod tally;
