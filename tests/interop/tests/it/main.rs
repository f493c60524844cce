//! The fixtures themselves: does the provider behave as the journeys rely on, does the auditor's check refuse what it must.

mod browser;
mod code_flow;
mod installation;
mod ledger_check;
mod merkle;
mod oauth;
mod rotation;
