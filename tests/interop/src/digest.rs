//! Short names for contents, and random secrets.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;

/// The first 16 hexadecimal digits of the SHA-256 of `parts` put together.
pub(crate) fn short(parts: &[&str]) -> String {
    hex(digest(&SHA256, parts.concat().as_bytes()).as_ref()).chars().take(16).collect()
}

/// 64 random hexadecimal digits.
///
/// # Errors
///
/// If the system has no entropy to give.
pub(crate) fn secret() -> Result<String, Unspecified> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes)?;
    Ok(hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_the_head_of_the_sha_256() {
        assert_eq!(short(&["a", "bc"]), "ba7816bf8f01cfea");
    }

    #[test]
    fn secrets_differ() {
        assert_ne!(secret().unwrap(), secret().unwrap());
    }
}
