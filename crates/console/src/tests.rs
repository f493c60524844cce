//! Tests of the whole edge, over a node of one and a sandbox that stands for everything foreign.

mod flow;
mod forms;
mod guarding;
mod pages;
mod refusals;
mod support;
