//! Why the scripted browser stopped. Addresses are cut to their origin: a query may carry a code.

/// Why a step of the script failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// The TLS library offers no protocol version.
    #[error("could not configure tls")]
    Tls,
    /// The HTTP client could not be built.
    #[error("could not build the http client")]
    Client(#[source] reqwest::Error),
    /// Not an absolute URL.
    #[error("not an absolute url")]
    Url(#[source] url::ParseError),
    /// Only http and https are loaded.
    #[error("the browser does not load {0} addresses")]
    Scheme(String),
    /// No answer, or a broken one.
    #[error("no usable answer from {origin}")]
    Unreachable {
        /// Scheme, host and port.
        origin: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// Twenty redirects in a row.
    #[error("too many redirects")]
    TooManyRedirects,
    /// More than 4 MiB.
    #[error("the page is too large")]
    BodyTooLarge,
    /// Nothing has been loaded yet.
    #[error("no page is loaded")]
    NoPage,
    /// No such link on the page.
    #[error("no link {0:?} on the page")]
    NoLink(String),
    /// No such form on the page, or several where one was meant.
    #[error("no form that is {wanted} on a page with {found} forms")]
    NoForm {
        /// What was looked for.
        wanted: String,
        /// How many forms there are.
        found: usize,
    },
    /// The form has no such field that a person could change.
    #[error("the form has no field {0:?} to fill in")]
    NoField(String),
    /// The form has no such button.
    #[error("the form has no button {0:?}")]
    NoButton(String),
    /// A field that must be filled in is empty.
    #[error("the form requires {0:?}")]
    Required(String),
    /// The page's `form-action` forbids where the form, or a redirect after it, leads.
    #[error("the page's form-action forbids {origin}")]
    FormActionForbids {
        /// Scheme, host and port.
        origin: String,
    },
}
