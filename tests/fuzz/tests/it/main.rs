//! Everything public that reads what comes from outside, against hostile input.

#[cfg(test)]
mod identity;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod node;
#[cfg(test)]
mod provider;
#[cfg(test)]
mod text;

/// What stands in every secret of the corpora, so that a message that repeats one is known by it.
#[cfg(test)]
const CANARY: &str = "c4n4ry";

/// What is said about an input tells nothing secret of it.
#[cfg(test)]
fn tells_nothing(shown: impl ToString) {
    let shown = shown.to_string();
    assert!(!shown.contains(CANARY), "a secret is told: {shown}");
    assert!(shown.len() < 4096, "a message of {} bytes", shown.len());
}
