//! Consents on their way, step by step.

mod account;
mod approve;
mod callback;
mod overtaken;
mod start;
