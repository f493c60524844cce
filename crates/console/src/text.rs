//! Text from outside, made fit to be looked at. Escaping is the templates'; this is about characters that deceive the eye.

/// The most characters shown of one text.
const SHOWN_MAX: usize = 256;

/// A text as a page shows it: bounded, and without characters that are invisible or reorder their surroundings.
pub(crate) fn shown(text: &str) -> String {
    let mut characters =
        text.chars().map(|character| if deceives(character) { '\u{fffd}' } else { character });
    let mut shown: String = characters.by_ref().take(SHOWN_MAX).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Controls, zero-width characters, and the marks, embeddings and isolates of the bidirectional algorithm (Unicode TR 36, section 2.5).
fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// The same for many.
pub(crate) fn all_shown(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| shown(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn honest_text_stays_as_it_is() {
        for honest in ["alice@example.com", "Zoë Müller", "山田 太郎", "files.read", ""] {
            assert_eq!(shown(honest), honest);
        }
    }

    #[test]
    fn what_reorders_or_hides_is_made_visible() {
        assert_eq!(shown("gro.live\u{202e}@alice"), "gro.live\u{fffd}@alice");
        assert_eq!(shown("a\u{200b}b\r\nc"), "a\u{fffd}b\u{fffd}\u{fffd}c");
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let cut = shown(&"ä".repeat(10_000));
        assert_eq!(cut.chars().count(), SHOWN_MAX + 1);
        assert!(cut.ends_with('…'));
        assert_eq!(shown(&"ä".repeat(SHOWN_MAX)).chars().count(), SHOWN_MAX);
    }
}
