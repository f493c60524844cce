//! Host patterns: at which hosts something that a provider or an operator states may be.

use serde::Deserialize;

/// A host name, or `*.` and a domain of at least two labels for every name below it. Lower case.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HostPattern {
    name: String,
    below: bool,
}

impl HostPattern {
    /// Whether `host`, as a URL has it, is one of those that are meant. A name does not stand for those below it, nor `*.` for the
    /// domain itself.
    pub fn admits(&self, host: &str) -> bool {
        if self.below {
            host.strip_suffix(&self.name).is_some_and(|before| before.len() > 1 && before.ends_with('.'))
        } else {
            host == self.name
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (name, below) = text.strip_prefix("*.").map_or((text.as_str(), false), |name| (name, true));
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte);
        let plain =
            name.bytes().all(inner) && url::Host::parse(name).is_ok_and(|parsed| parsed.to_string() == name);
        let domain = matches!(url::Host::parse(name), Ok(url::Host::Domain(_))) && name.contains('.');
        if plain && (domain || !below) {
            Ok(Self { name: name.to_owned(), below })
        } else {
            Err("a host is a lower-case host name, or *. and a domain of at least two labels")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        HostPattern::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_star_stands_for_every_name_below_and_for_nothing_else() {
        let below = pattern("*.my.acme.example");
        for host in ["eu.my.acme.example", "a--b.sandbox.my.acme.example"] {
            assert!(below.admits(host), "{host}");
        }
        for host in
            ["my.acme.example", ".my.acme.example", "evilmy.acme.example", "my.acme.example.evil.example"]
        {
            assert!(!below.admits(host), "{host}");
        }
    }

    #[test]
    fn a_name_stands_for_itself() {
        assert!(pattern("login.acme.example").admits("login.acme.example"));
        assert!(!pattern("login.acme.example").admits("a.login.acme.example"));
        assert!(pattern("127.0.0.1").admits("127.0.0.1"));
    }

    #[test]
    fn a_pattern_that_could_mean_anything_is_none() {
        for text in [
            "",
            "*",
            "*.",
            "*.example",
            "*.127.0.0.1",
            "Acme.example",
            "a.*.example",
            "acme.example:1",
            "a/b",
        ] {
            assert!(HostPattern::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
