//! Event lines as they stand in the store: several to a value, each cut out without parsing.
//!
//! ```text
//! format 0 | count | length of each | the lines, without newlines
//! ```
//!
//! A line, once rendered, is never rendered again: these bytes are the Merkle leaf and every export.

use bytes::Bytes;

use crate::{
    cursor::{Cursor, put_varint},
    error::Fault,
    keys::CONTENT_LEN_MAX,
};

pub(crate) mod stored;

/// Lines as they are.
const PLAIN: u8 = 0;
/// What the numbers before the lines of one value may take at most: each of at most three bytes.
const COUNT_LEN_MAX: usize = 3;

/// An event line and its sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its sequence number, which is also its leaf.
    pub seq: u64,
    /// The line, without a newline.
    pub bytes: Bytes,
}

/// Several lines in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) first: u64,
    pub(crate) lines: Vec<Bytes>,
}

impl Block {
    /// The sequence number after the last line.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    /// Its lines, each with its number.
    pub(crate) fn into_lines(self) -> impl Iterator<Item = Line> {
        (self.first..).zip(self.lines).map(|(seq, bytes)| Line { seq, bytes })
    }

    pub(crate) fn to_content(&self) -> Vec<u8> {
        let mut content = vec![PLAIN];
        put_varint(&mut content, self.lines.len() as u64);
        self.lines.iter().for_each(|line| put_varint(&mut content, line.len() as u64));
        self.lines.iter().for_each(|line| content.extend_from_slice(line));
        content
    }

    /// The lines of a value that begins with line `first`.
    pub(crate) fn from_content(first: u64, content: &[u8]) -> Result<Self, Fault> {
        cut(content)
            .filter(|lines| !lines.is_empty())
            .map(|lines| Self { first, lines })
            .ok_or_else(|| Fault::damaged(format!("the lines that begin with {first} are not lines")))
    }
}

fn cut(content: &[u8]) -> Option<Vec<Bytes>> {
    let mut cursor = Cursor(content);
    if cursor.u8()? != PLAIN {
        return None;
    }
    let count = usize::try_from(cursor.varint()?).ok().filter(|count| *count <= content.len())?;
    let lens = (0..count).map(|_| usize::try_from(cursor.varint()?).ok()).collect::<Option<Vec<_>>>()?;
    let mut rest = Bytes::copy_from_slice(cursor.0);
    let lines =
        lens.into_iter().map(|len| (len <= rest.len()).then(|| rest.split_to(len))).collect::<Option<_>>()?;
    rest.is_empty().then_some(lines)
}

/// Lines in a row, in as few values as they fit.
pub(crate) fn blocks(first: u64, lines: impl IntoIterator<Item = Bytes>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut room = 0;
    for (seq, line) in (first..).zip(lines) {
        let takes = COUNT_LEN_MAX + line.len();
        match blocks.last_mut() {
            Some(block) if takes <= room => {
                room -= takes;
                block.lines.push(line);
            }
            Some(_) | None => {
                room = (CONTENT_LEN_MAX - 1 - COUNT_LEN_MAX).saturating_sub(takes);
                blocks.push(Block { first: seq, lines: vec![line] });
            }
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize, len: usize) -> Vec<Bytes> {
        (0..count).map(|n| Bytes::from(vec![(n % 251) as u8; len])).collect()
    }

    #[test]
    fn lines_read_back_from_values_that_fit() {
        for (count, len) in [(1, 4096), (64, 4096), (300, 700), (70_000, 0), (5_000, 20)] {
            let lines = lines(count, len);
            let mut back = Vec::new();
            for block in blocks(7, lines.clone()) {
                let content = block.to_content();
                assert!(content.len() <= CONTENT_LEN_MAX);
                assert_eq!(block.first, 7 + back.len() as u64);
                back.extend(Block::from_content(block.first, &content).unwrap().lines);
            }
            assert_eq!(back, lines);
        }
    }

    #[test]
    fn a_value_that_is_cut_or_of_an_unknown_format_is_damage() {
        let content = Block { first: 0, lines: lines(3, 9) }.to_content();
        for len in 0..content.len() {
            assert!(Block::from_content(0, &content[..len]).is_err());
        }
        let mut unknown = content.clone();
        unknown[0] = 9;
        assert!(Block::from_content(0, &unknown).is_err());
        let longer = [&content[..], b"x"].concat();
        assert!(Block::from_content(0, &longer).is_err());
    }
}
