//! A whole node and its sandbox in one process, with a clock that tests move, real gRPC clients and a scripted browser ([`World`]); or the node in a
//! process of its own, which tests kill, starve and start again, beside a sandbox that outlives it ([`Apart`]).
//!
//! Nothing of ours is replaced: the node is the one that `leasehold dev` starts, on real sockets and a real disk.

pub mod apart;
pub mod budget;
pub mod calls;
pub mod clock;
pub mod logs;
pub mod people;
pub mod table;
pub mod world;

pub use apart::Apart;
pub use budget::Budget;
pub use calls::{Acquired, reason};
pub use world::World;
