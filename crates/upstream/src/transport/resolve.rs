//! Name resolution under the egress rule.
//!
//! The addresses that pass here are the very ones that are dialled: there is no second lookup between the check and its use.
//! Where one address of a name is forbidden the whole name is, since an honest provider does not mix public and private ones.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use super::egress::Egress;

/// The most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 16;

/// A lookup under way.
pub type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Turns names into addresses, without judging them.
pub trait Lookup: Send + Sync {
    /// All addresses of `name`.
    fn lookup(&self, name: &str) -> Looking;
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: &str) -> Looking {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// A name resolved to an address that must not be dialled.
#[derive(Debug, Error)]
#[error("the name resolves to an address that is neither public nor allowed")]
pub(super) struct Forbidden;

/// Resolves, judges, and hands on what may be dialled.
pub(super) struct GuardedResolver {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) egress: Arc<Egress>,
    /// The operator's own proxy, which is inside more often than not, and is not judged.
    pub(super) proxy_host: Option<String>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let looking = self.lookup.lookup(name.as_str());
        let egress = Arc::clone(&self.egress);
        let is_proxy = self.proxy_host.as_deref() == Some(name.as_str());
        Box::pin(async move {
            let found = looking.await?;
            if !is_proxy && !found.iter().all(|address| egress.permits_named(name.as_str(), *address)) {
                return Err(Forbidden.into());
            }
            let dialled: Addrs =
                Box::new(found.into_iter().take(ADDRESSES_MAX).map(|address| SocketAddr::new(address, 0)));
            Ok(dialled)
        })
    }
}
