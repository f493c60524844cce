//! Where randomness comes from. A trait, so that tests can fix it.

/// A source of bytes that nobody can predict.
///
/// It cannot fail: a process that cannot draw keys and nonces has nothing useful left to do, so an implementation that meets a
/// failure must end the process or unwind, and never return with the bytes as they were.
pub trait Entropy: Send + Sync {
    /// Overwrites all of `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The kernel's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes)
            .expect("the kernel's generator blocks until it is seeded and does not fail afterwards");
    }
}

/// Draws a fixed number of bytes that are not secret, such as a nonce.
pub(crate) fn draw<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_does_not_repeat_itself() {
        assert_ne!(draw::<32>(&OsEntropy), draw::<32>(&OsEntropy));
    }
}
