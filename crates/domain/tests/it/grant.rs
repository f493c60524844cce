//! Grants: refreshing them, losing answers, believing verdicts, ending them.

mod close;
mod death;
mod lost_answer;
mod overtaken;
mod refresh;
mod rest;
mod upstream;
