//! The one way out: a thin HTTP transport that trusts nothing.
//!
//! No redirects, no cookies, no proxy out of the environment, no retries, no decompression, no connection kept for a second
//! request unless asked for. It knows nothing of OAuth: a request goes in, and out comes what was answered, or whether the
//! request was certainly not sent, or that nobody knows.

mod egress;
mod failure;
mod proxy;
mod resolve;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use leasehold_failpoint::failpoint;
use reqwest::{Certificate, Client, redirect, retry};
use thiserror::Error;
use url::Url;
use zeroize::Zeroizing;

pub(crate) use self::egress::is_loopback;
pub use self::{
    egress::{Egress, EgressRefusal},
    failure::{NotSent, Unanswered},
    proxy::{ForwardProxy, HostPattern, ProxyCredentials},
    resolve::{Looking, Lookup, SystemLookup},
};

/// The longest `Content-Type` and `Retry-After` that are kept, in bytes; a longer one counts as absent.
const HEADER_LEN_MAX: usize = 256;
/// The most bytes of response headers over HTTP/2.
const HEADERS_LEN_MAX: u32 = 64 * 1024;

/// Which certificate authorities vouch for providers.
#[derive(Debug, Clone)]
pub enum Trust {
    /// The platform's, and those in a PEM bundle (which may be empty).
    PlatformAnd(Vec<u8>),
    /// Only those in a PEM bundle, which must not be empty.
    Only(Vec<u8>),
    /// Nobody: for a machine that reaches its providers over plain HTTP on loopback, and may have no authorities at all.
    Nobody,
}

/// How a [`Transport`] behaves.
#[derive(Clone)]
pub struct Settings {
    /// What may be dialled. Default: public addresses over https.
    pub egress: Egress,
    /// For name resolution, TCP and TLS together. Default 4 s; must be shorter than `total_timeout`, so that running out of it
    /// always means that nothing was sent.
    pub connect_timeout: Duration,
    /// Between two reads of an answer. Default 8 s.
    pub read_timeout: Duration,
    /// From the start to the answer's last byte; through a proxy, from when the destination was judged. Default 10 s.
    pub total_timeout: Duration,
    /// How long a connection may wait for another request. Default zero: every request gets its own connection, because one that
    /// the provider closes just as a refresh goes out would leave that refresh in doubt.
    pub idle: Duration,
    /// Certificate authorities. Default: the platform's.
    pub trust: Trust,
    /// A forward proxy. Default: none, whatever the environment says.
    pub proxy: Option<ForwardProxy>,
    /// The resolver. Default: the system's.
    pub lookup: Arc<dyn Lookup>,
    /// The `User-Agent` header. Default `leasehold`.
    pub user_agent: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            egress: Egress::default(),
            connect_timeout: Duration::from_secs(4),
            read_timeout: Duration::from_secs(8),
            total_timeout: Duration::from_secs(10),
            idle: Duration::ZERO,
            trust: Trust::PlatformAnd(Vec::new()),
            proxy: None,
            lookup: Arc::new(SystemLookup),
            user_agent: "leasehold".to_owned(),
        }
    }
}

/// Why a transport could not be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The process has no default rustls crypto provider. Its `main` installs one first.
    #[error("no default crypto provider is installed")]
    NoCryptoProvider,
    /// The connect timeout is zero or not shorter than the total one.
    #[error("the connect timeout must be positive and shorter than the total timeout")]
    Timeouts,
    /// The PEM bundle holds no certificate, or something else.
    #[error("the certificate bundle cannot be read, or is empty where it must not be")]
    Certificates,
    /// The proxy's URL is not usable.
    #[error("the proxy url is not usable")]
    Proxy,
    /// The HTTP client refused its configuration, for example because the platform has no certificate authorities.
    #[error("the http client cannot be built")]
    Client(#[source] reqwest::Error),
}

/// One request. Its body and its sensitive headers never print.
pub struct Request {
    /// The method.
    pub method: Method,
    /// The destination, judged by the egress rule before anything else.
    pub url: Url,
    /// The headers; values that carry secrets are marked sensitive by whoever puts them in.
    pub headers: HeaderMap,
    /// The body, wiped once it is sent or dropped.
    pub body: Zeroizing<Vec<u8>>,
    /// The most bytes of the answer's body that are read.
    pub answer_len_max: usize,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, url: Url, answer_len_max: usize) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Zeroizing::new(Vec::new()), answer_len_max }
    }

    /// Adds a header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    fn into_wire(self) -> reqwest::Request {
        let mut wire = reqwest::Request::new(self.method, self.url);
        *wire.headers_mut() = self.headers;
        if !self.body.is_empty() {
            *wire.body_mut() = Some(Bytes::from_owner(self.body).into());
        }
        wire
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).finish_non_exhaustive()
    }
}

/// How much of an answer's body arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// All of it.
    Whole,
    /// As much as was allowed; there was more.
    CutAtLimit,
    /// What came before the connection broke or the time was over.
    BrokenOff,
}

/// An answer, as raw as it came. Its body never prints.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The `Content-Type` header, unless it is absent, longer than 256 bytes or not visible ASCII.
    pub content_type: Option<String>,
    /// The `Retry-After` header, under the same conditions.
    pub retry_after: Option<String>,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
    /// Whether the body is whole.
    pub completeness: Completeness,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("completeness", &self.completeness)
            .finish_non_exhaustive()
    }
}

/// What became of a request.
#[derive(Debug)]
pub enum Exchange {
    /// An answer began: the provider saw the request. Even of a broken answer the part that came is kept, for it may hold the only
    /// copy of a token.
    Answered(Answer),
    /// Certainly not sent.
    NotSent(NotSent),
    /// Sent, perhaps, and not answered.
    Ambiguous(Unanswered),
}

/// The transport. Cheap to clone.
#[derive(Clone)]
pub struct Transport {
    client: Client,
    egress: Arc<Egress>,
    lookup: Arc<dyn Lookup>,
    connect_timeout: Duration,
    proxy: Option<proxy::Way>,
}

impl Transport {
    /// Builds a transport.
    ///
    /// # Errors
    /// [`TransportError`] for settings that cannot work.
    pub fn new(settings: Settings) -> Result<Self, TransportError> {
        // The HTTP client would panic on this instead.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(TransportError::NoCryptoProvider);
        }
        if settings.connect_timeout.is_zero() || settings.connect_timeout >= settings.total_timeout {
            return Err(TransportError::Timeouts);
        }
        let egress = Arc::new(settings.egress);
        let (proxy, way) = settings.proxy.map(ForwardProxy::into_client).transpose()?.unzip();
        let resolver = resolve::GuardedResolver {
            lookup: Arc::clone(&settings.lookup),
            egress: Arc::clone(&egress),
            proxy_host: way.as_ref().map(|way| way.host.clone()),
        };
        let mut builder = Client::builder()
            .user_agent(settings.user_agent)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .tls_backend_rustls()
            .http2_max_header_list_size(HEADERS_LEN_MAX)
            .connect_timeout(settings.connect_timeout)
            .read_timeout(settings.read_timeout)
            .timeout(settings.total_timeout)
            .dns_resolver(resolver);
        builder = if settings.idle.is_zero() {
            builder.pool_max_idle_per_host(0)
        } else {
            builder.pool_max_idle_per_host(4).pool_idle_timeout(settings.idle)
        };
        builder = match settings.trust {
            Trust::PlatformAnd(pem) if pem.is_empty() => builder,
            Trust::PlatformAnd(pem) => builder.tls_certs_merge(certificates(&pem)?),
            Trust::Only(pem) => builder.tls_certs_only(certificates(&pem)?),
            Trust::Nobody => builder.tls_certs_only([]),
        };
        if let Some(proxy) = proxy {
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(TransportError::Client)?;
        let (lookup, connect_timeout) = (settings.lookup, settings.connect_timeout);
        Ok(Self { client, egress, lookup, connect_timeout, proxy: way })
    }

    /// The rule that this transport keeps.
    pub fn egress(&self) -> &Egress {
        &self.egress
    }

    /// Sends `request` once and reads what comes back, up to the request's limit.
    pub async fn send(&self, request: Request) -> Exchange {
        if let Err(refusal) = self.egress.check(&request.url) {
            return Exchange::NotSent(NotSent::Refused(refusal));
        }
        if let Some(way) = &self.proxy
            && let Err(why) = way.judge(&request.url, &self.egress, &*self.lookup, self.connect_timeout).await
        {
            return Exchange::NotSent(why);
        }
        let limit = request.answer_len_max;
        match self.client.execute(request.into_wire()).await {
            Ok(response) => {
                failpoint!("upstream.answer-begins");
                Exchange::Answered(read(response, limit).await)
            }
            Err(error) => failure::sort(&error),
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("egress", &self.egress).finish_non_exhaustive()
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, TransportError> {
    let found = Certificate::from_pem_bundle(pem).map_err(|_| TransportError::Certificates)?;
    if found.is_empty() { Err(TransportError::Certificates) } else { Ok(found) }
}

async fn read(mut response: reqwest::Response, limit: usize) -> Answer {
    let status = response.status().as_u16();
    let content_type = header(response.headers(), CONTENT_TYPE);
    let retry_after = header(response.headers(), RETRY_AFTER);
    // All of it at once: growing would leave copies behind that nobody wipes.
    let mut body = Zeroizing::new(Vec::with_capacity(limit));
    let completeness = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = limit.saturating_sub(body.len());
                let Some(over) = chunk.get(..room).filter(|_| chunk.len() > room) else {
                    body.extend_from_slice(&chunk);
                    continue;
                };
                body.extend_from_slice(over);
                break Completeness::CutAtLimit;
            }
            Ok(None) => break Completeness::Whole,
            Err(_) => break Completeness::BrokenOff,
        }
    };
    Answer { status, content_type, retry_after, body, completeness }
}

/// A header that occurs once, is short and is visible ASCII.
fn header(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    let text = value.to_str().ok()?;
    (text.len() <= HEADER_LEN_MAX).then(|| text.to_owned())
}
