//! Everything that the `leasehold` program is: a node of a cluster, and the command line that speaks to one. The program itself is a line.

pub mod command_line;
pub mod node;
mod private_file;
