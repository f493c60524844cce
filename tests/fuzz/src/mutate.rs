//! Seeded mutation: one input out of others, the same for the same seed.

use crate::LEN_MAX;

/// Numbers that look random and are not (SplitMix64).
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// Begins at a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 for 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let wide = self.next() % u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from(wide).unwrap_or_default()
    }
}

/// What parsers trip over.
const WORDS: [&[u8]; 40] = [
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"true",
    b"-1",
    b"0",
    b"1e999",
    b"18446744073709551616",
    b"9223372036854775808",
    b"%",
    b"%00",
    b"%zz",
    b"%2e%2e",
    b"&",
    b"=",
    b"/",
    b"//",
    b"..",
    b"@",
    b"#",
    b"?",
    b"\0",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"\x9f",
    b"\xfb\xff\xff\xff\xff\xff\xff\xff\xff",
];

/// An input made out of one of `seeds` by one to six changes, of at most [`LEN_MAX`] bytes.
pub fn mutate(seeds: &[&[u8]], draw: &mut Draw) -> Vec<u8> {
    let mut input = pick(seeds, draw).to_vec();
    for _ in 0..=draw.below(6) {
        change(&mut input, seeds, draw);
    }
    input.truncate(LEN_MAX);
    input
}

fn pick<'a>(seeds: &[&'a [u8]], draw: &mut Draw) -> &'a [u8] {
    seeds.get(draw.below(seeds.len())).copied().unwrap_or_default()
}

fn change(input: &mut Vec<u8>, seeds: &[&[u8]], draw: &mut Draw) {
    let at = draw.below(input.len() + 1);
    let len = 1 + draw.below(16);
    let end = (at + len).min(input.len());
    let random = u8::try_from(draw.next() & 0xff).unwrap_or_default();
    match draw.below(9) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << (random & 7);
            }
        }
        1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = random;
            }
        }
        2 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = byte.wrapping_add(if random & 1 == 0 { 1 } else { 0xff });
            }
        }
        3 => drop(input.drain(at..end)),
        4 => input.truncate(at),
        5 => insert(input, at, WORDS.get(draw.below(WORDS.len())).copied().unwrap_or_default()),
        6 => {
            let again = input.get(at..end).unwrap_or_default().to_vec();
            insert(input, at, &again);
        }
        7 => insert(input, at, &[random]),
        _ => {
            let other = pick(seeds, draw);
            let from = draw.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(other.get(from..).unwrap_or_default());
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    drop(input.splice(at..at, bytes.iter().copied()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_another_seed_others() {
        let seeds: [&[u8]; 2] = [b"{\"a\":1}", b"a=b&c=d"];
        let made = |seed| {
            let mut draw = Draw::new(seed);
            (0..200).map(|_| mutate(&seeds, &mut draw)).collect::<Vec<_>>()
        };
        assert_eq!(made(7), made(7));
        assert_ne!(made(7), made(8));
    }

    #[test]
    fn every_seed_is_used_and_nothing_grows_without_bound() {
        let long = vec![b'x'; LEN_MAX];
        let seeds: [&[u8]; 2] = [&long, b"y"];
        let mut draw = Draw::new(1);
        let made: Vec<_> = (0..500).map(|_| mutate(&seeds, &mut draw)).collect();
        assert!(made.iter().all(|input| input.len() <= LEN_MAX));
        assert!(
            made.iter().any(|input| input.starts_with(b"x"))
                && made.iter().any(|input| input.starts_with(b"y"))
        );
    }
}
