//! Lines out of a file, one at a time and never longer than a line may be.

use std::io::{self, BufRead, Read as _};

use super::line;

/// A line that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A line; it is in the buffer, without its newline.
    Line,
    /// The last one, which no newline ends.
    Unended,
    /// It goes on beyond what a line may have.
    TooLong,
    /// There are no more.
    End,
}

/// Reads the next line into `buffer`.
///
/// # Errors
/// What reading failed with.
pub(super) fn next(from: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<Read> {
    buffer.clear();
    let limit = line::LEN_MAX as u64 + 1;
    let read = from.by_ref().take(limit).read_until(b'\n', buffer)?;
    if buffer.pop_if(|last| *last == b'\n').is_some() {
        return Ok(Read::Line);
    }
    Ok(match read {
        0 => Read::End,
        _ if buffer.len() > line::LEN_MAX => Read::TooLong,
        _ => Read::Unended,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut bytes: &[u8]) -> Vec<(Read, usize)> {
        let mut buffer = Vec::new();
        let mut read = Vec::new();
        loop {
            let what = next(&mut bytes, &mut buffer).unwrap();
            let last = matches!(what, Read::End | Read::TooLong);
            read.push((what, buffer.len()));
            if last {
                return read;
            }
        }
    }

    #[test]
    fn lines_are_read_without_their_newlines() {
        assert_eq!(all(b"a\n\nbc\n"), [(Read::Line, 1), (Read::Line, 0), (Read::Line, 2), (Read::End, 0)]);
        assert_eq!(all(b"a\nb"), [(Read::Line, 1), (Read::Unended, 1), (Read::End, 0)]);
        assert_eq!(all(b""), [(Read::End, 0)]);
    }

    #[test]
    fn a_line_without_end_is_not_read_into_memory() {
        let longest = [vec![b'x'; line::LEN_MAX], b"\n".to_vec()].concat();
        assert_eq!(all(&longest), [(Read::Line, line::LEN_MAX), (Read::End, 0)]);
        let too_long = vec![b'x'; line::LEN_MAX * 3];
        assert_eq!(all(&too_long), [(Read::TooLong, line::LEN_MAX + 1)]);
    }
}
