//! Bounds on the shape of a policy text, judged before anything parses it.
//!
//! Parsing, checking and answering go down as deep as a policy is nested, and a stack that overflows ends the node: every one that has the
//! text, again and again. So what is nested deeper than anybody writes is refused as text; what is left is judged with room to spare.
//! Knows strings and comments, and nothing else of the language.

/// How deep brackets may stand in one another, and how many conditions in one policy may follow upon conditions.
const DEPTH_MAX: usize = 24;
/// How many opening brackets and signs and words of operators one policy may have: each may be one level more.
const OPERATORS_MAX: usize = 400;

/// Says what is nested too deeply.
///
/// # Errors
/// A sentence for whoever wrote the text.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let mut depth: usize = 0;
    let (mut operators, mut conditions) = (0, 0);
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => rest = after_string(after),
            b'/' if after.first() == Some(&b'/') => {
                let end = after.iter().position(|byte| *byte == b'\n');
                rest = end.and_then(|end| after.get(end..)).unwrap_or_default();
            }
            b'(' | b'[' | b'{' => {
                depth += 1;
                operators += 1;
            }
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b';' => (depth, operators, conditions) = (0, 0, 0),
            b'&' | b'|' | b'!' | b'=' | b'<' | b'>' | b'+' | b'-' | b'*' | b'.' => operators += 1,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let inner = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
                let len = after.iter().position(|byte| !inner(byte)).unwrap_or(after.len());
                let (word, beyond) = after.split_at(len);
                rest = beyond;
                match (byte, word) {
                    (b'i', b"f") => conditions += 1,
                    (b'i', b"n" | b"s") | (b'h', b"as") | (b'l', b"ike") => operators += 1,
                    _ => {}
                }
            }
            _ => {}
        }
        if depth > DEPTH_MAX || conditions > DEPTH_MAX {
            return Err(format!("a policy is nested more than {DEPTH_MAX} levels deep"));
        }
        if operators > OPERATORS_MAX {
            return Err(format!(
                "a policy has more than {OPERATORS_MAX} operators: name many things in a set"
            ));
        }
    }
    Ok(())
}

/// What comes after a string of which the opening quote is read.
fn after_string(text: &[u8]) -> &[u8] {
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.and_then(|end| text.get(end + 1..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn when(condition: &str) -> String {
        format!("@id(\"a\") permit (principal, action, resource) when {{ {condition} }};")
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused_in_every_form() {
        for condition in [
            format!("{}true{}", "(".repeat(30), ")".repeat(30)),
            format!("{}1{}", "[".repeat(30), "]".repeat(30)),
            format!("true{}", " && true".repeat(400)),
            format!("1{} == 2", " + 1".repeat(700)),
            format!("resource{}", ".a".repeat(700)),
            format!("{}true", "if true then true else ".repeat(30)),
            "!".repeat(700),
        ] {
            assert!(check(&when(&condition)).is_err(), "{condition}");
        }
    }

    #[test]
    fn brackets_and_signs_in_strings_and_comments_count_for_nothing() {
        let text = format!(
            "// {}\n{}",
            "(".repeat(99),
            when(&format!("\"{}\\\"{}\" == \"\"", "(".repeat(99), "&".repeat(999)))
        );
        assert_eq!(check(&text), Ok(()));
    }

    #[test]
    fn each_policy_has_its_own_count() {
        let one = when(&format!("true{}", " && true".repeat(150)));
        assert_eq!(check(&one.repeat(20)), Ok(()));
    }

    #[test]
    fn what_is_in_bounds_is_parsed_checked_and_refused_or_taken_without_an_overflow() {
        for condition in [
            format!("{}true{}", "(".repeat(22), ")".repeat(22)),
            format!("true{}", " && true".repeat(190)),
            format!("1{} == 2", " + 1".repeat(390)),
            format!("{}true", "if true then true else ".repeat(24)),
            format!("!{}", "!".repeat(390)),
            format!("context{}", ".a".repeat(390)),
            format!("context{}", "[\"a\"]".repeat(390)),
        ] {
            let text = when(&condition);
            if check(&text).is_ok() {
                drop(crate::Engine::new(1, &text));
            }
        }
    }
}
