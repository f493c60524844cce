//! Resource indicators (RFC 8707): for which MCP server a token is asked.

use std::fmt;

use thiserror::Error;
use url::Url;

/// A text that is no resource indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a resource is an absolute http or https url of at most 2048 bytes, without credentials and fragment"
)]
pub struct InvalidResource;

/// The canonical URI of a resource: scheme and host in lower case, no fragment, and no slash where there is no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource(String);

impl Resource {
    /// Reads a resource and brings it into its canonical form.
    ///
    /// # Errors
    /// [`InvalidResource`] for a text that is none.
    pub fn new(text: &str) -> Result<Self, InvalidResource> {
        let url = Url::parse(text).ok().filter(|_| text.len() <= 2048).ok_or(InvalidResource)?;
        let bare = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        if !bare || !matches!(url.scheme(), "https" | "http") {
            return Err(InvalidResource);
        }
        let bare_origin = url.path() == "/" && url.query().is_none();
        let canonical = url.as_str();
        Ok(Self(if bare_origin { canonical.trim_end_matches('/') } else { canonical }.to_owned()))
    }

    /// The resource as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_becomes_canonical() {
        for (text, canonical) in [
            ("HTTPS://MCP.Example/Files", "https://mcp.example/Files"),
            ("https://mcp.example/", "https://mcp.example"),
            ("https://mcp.example", "https://mcp.example"),
            ("https://mcp.example:8443/mcp/", "https://mcp.example:8443/mcp/"),
        ] {
            assert_eq!(Resource::new(text).map(|resource| resource.to_string()).as_deref(), Ok(canonical));
        }
    }

    #[test]
    fn a_fragment_credentials_or_another_scheme_make_no_resource() {
        for text in ["", "/mcp", "https://mcp.example/#a", "https://me@mcp.example/", "urn:mcp:files"] {
            assert_eq!(Resource::new(text), Err(InvalidResource), "{text}");
        }
    }
}
