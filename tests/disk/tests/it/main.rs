//! A node whose disk fails, loses power, or gives back something else than was written.
//!
//! Linux only: a layer is loaded into the node's process and catches its system calls.

#[cfg(target_os = "linux")]
#[cfg(test)]
mod damage;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod faults;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod layer;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod lone;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod power;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod scene;

#[cfg(not(target_os = "linux"))]
#[test]
fn disk_faults_are_tried_on_linux_alone() {
    println!("nothing was tried: the layer between a node and its files needs Linux");
}
