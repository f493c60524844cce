//! What becomes of a node whose disk fails, loses power or changes what was written. The node is the real one, in a process of its own
//! ([`leasehold_journey::Apart`]), with a [`layer`] between it and its files; or a stopped node's folder, damaged and [opened again](opened) as the
//! node opens it.
//!
//! Everything random comes from a seed, and every failure names it: `LEASEHOLD_SEED` repeats a run, `LEASEHOLD_DISK_LONG` makes it long.
//!
//! Linux only: the layer is loaded into the process and catches its system calls. Elsewhere this package is empty, and its tests say so.

#[cfg(target_os = "linux")]
pub mod damage;
#[cfg(target_os = "linux")]
pub mod disk;
#[cfg(target_os = "linux")]
pub mod folder;
#[cfg(target_os = "linux")]
pub mod layer;
#[cfg(target_os = "linux")]
pub mod opened;
pub mod seed;
#[cfg(target_os = "linux")]
pub mod story;
#[cfg(target_os = "linux")]
pub mod trace;
