//! How one text becomes another, line by line.

/// The most cells of the table of common lines. Beyond it, what lies between the common ends is shown as replaced.
const CELLS_MAX: usize = 4_000_000;

/// A line of either text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'t> {
    Gone(&'t str),
    New(&'t str),
}

/// The lines that go and those that come, in order, without those that stay: a longest common subsequence between the common ends.
pub(super) fn lines<'t>(old: &'t str, new: &'t str) -> Vec<Line<'t>> {
    let (mut old, mut new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let ahead = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    old.drain(..ahead);
    new.drain(..ahead);
    while old.last().is_some() && old.last() == new.last() {
        old.pop();
        new.pop();
    }
    if old.len().saturating_mul(new.len()) > CELLS_MAX {
        return old.into_iter().map(Line::Gone).chain(new.into_iter().map(Line::New)).collect();
    }
    between(&old, &new)
}

fn between<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Line<'t>> {
    // `rows[i][j]` is how many lines `old[i..]` and `new[j..]` have in common, in order.
    let mut rows = vec![vec![0_usize; new.len() + 1]];
    for gone in old.iter().rev() {
        let mut row = vec![0_usize; new.len() + 1];
        if let Some(below) = rows.last() {
            for (j, came) in new.iter().enumerate().rev() {
                let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(0);
                let common =
                    if gone == came { cell(below, j + 1) + 1 } else { cell(below, j).max(cell(&row, j + 1)) };
                if let Some(cell) = row.get_mut(j) {
                    *cell = common;
                }
            }
        }
        rows.push(row);
    }
    rows.reverse();
    let cell = |i: usize, j: usize| rows.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    loop {
        match (old.get(i), new.get(j)) {
            (Some(gone), Some(came)) if gone == came => (i, j) = (i + 1, j + 1),
            (Some(gone), came) if came.is_none() || cell(i + 1, j) >= cell(i, j + 1) => {
                lines.push(Line::Gone(gone));
                i += 1;
            }
            (_, Some(came)) => {
                lines.push(Line::New(came));
                j += 1;
            }
            (_, None) => return lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: &str, new: &str) -> String {
        let sign = |line: Line<'_>| match line {
            Line::Gone(text) => format!("-{text}"),
            Line::New(text) => format!("+{text}"),
        };
        lines(old, new).into_iter().map(sign).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_what_differs_is_shown() {
        assert_eq!(shown("a\nb\nc\n", "a\nb\nc\n"), "");
        assert_eq!(shown("a\nb\nc\n", "a\nx\nc\n"), "-b +x");
        assert_eq!(shown("a\nb\nc\nd\n", "b\nd\ne\n"), "-a -c +e");
        assert_eq!(shown("", "a\nb\n"), "+a +b");
        assert_eq!(shown("a\nb\n", ""), "-a -b");
    }

    #[test]
    fn texts_that_are_too_long_to_compare_are_shown_as_replaced() {
        let long = |word: &str| (0..2100).map(|n| format!("{word}{n}\n")).collect::<String>();
        assert_eq!(lines(&long("a"), &long("b")).len(), 4200);
    }
}
