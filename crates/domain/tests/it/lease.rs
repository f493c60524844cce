//! Leases: who gets one, how long it lives, and what ends it.

mod end;
mod hold;
mod issue;
mod many;
mod repeat;
mod vouched;
