//! Which addresses this process may dial on behalf of a connector: public ones, and what an operator lists.
//!
//! Provider URLs come from catalogue entries, connectors and fetched metadata, so all of them are hostile input (SSRF). The
//! rule is judged twice: on the URL before anything happens, for addresses written as literals, and in the resolver on the
//! addresses that are then dialled, so that no name can be checked as one address and used as another.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use thiserror::Error;
use url::{Host, Url};

/// Blocks of IPv4 that are no public destination: the special-purpose registry (RFC 6890 and its updates), multicast, class E,
/// and Azure's host endpoint, which is routable from inside that cloud alone.
const SPECIAL_V4: [Ipv4Net; 17] = [
    Ipv4Net::new_assert(Ipv4Addr::new(0, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
    Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(168, 63, 129, 16), 32),
    Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 0, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 88, 99, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 175, 48, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 51, 100, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4),
    Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The only block of IPv6 that holds public unicast addresses.
const GLOBAL_V6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Blocks inside [`GLOBAL_V6`] that are not: protocol assignments (Teredo among them), documentation, and 6to4, which carries
/// an IPv4 address of the writer's choice.
const SPECIAL_V6: [Ipv6Net; 4] = [
    Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    Ipv6Net::new_assert(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    Ipv6Net::new_assert(Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// The well-known prefix of NAT64 (RFC 6052 section 2.1): its last 32 bits are the IPv4 address that is reached.
const NAT64: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Why a URL or an address may not be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EgressRefusal {
    /// Not https, and not http to this very machine where that is allowed.
    #[error("only https is allowed")]
    Scheme,
    /// The URL carries a user name or a password.
    #[error("a URL must not carry credentials")]
    Credentials,
    /// The URL has no host.
    #[error("a URL must name a host")]
    Host,
    /// The host is, or resolves to, an address that is neither public nor listed.
    #[error("the address is neither public nor allowed")]
    Address,
}

/// What may be dialled. The default allows public addresses over https, and nothing else.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    /// Development only: loopback addresses, written as literals or as the name `localhost`, also over plain http.
    pub allow_loopback: bool,
    /// Blocks that are allowed although they are not public, for a provider inside the organisation's own network. Names that
    /// resolve into them are allowed too. Default: none.
    pub allowed: Vec<IpNet>,
}

impl Egress {
    /// Judges a URL by what can be seen without resolving its host.
    ///
    /// # Errors
    /// [`EgressRefusal`], by the first rule that the URL breaks.
    pub fn check(&self, url: &Url) -> Result<(), EgressRefusal> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressRefusal::Credentials);
        }
        let host = url.host().ok_or(EgressRefusal::Host)?;
        let plain_allowed = self.allow_loopback && is_loopback(&host);
        match url.scheme() {
            "https" => {}
            "http" if plain_allowed => {}
            _ => return Err(EgressRefusal::Scheme),
        }
        let permitted = match host {
            Host::Ipv4(address) => self.permits(IpAddr::V4(address)),
            Host::Ipv6(address) => self.permits(IpAddr::V6(address)),
            // A name is judged when it is resolved; this one is judged here as well, since nothing public bears it.
            Host::Domain(name) => !is_localhost(name) || self.allow_loopback || self.lists_loopback(),
        };
        if permitted { Ok(()) } else { Err(EgressRefusal::Address) }
    }

    /// Whether an address that stands in a URL as a literal may be dialled.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match address {
            IpAddr::V4(v4) => {
                self.lists(address)
                    || (self.allow_loopback && v4.is_loopback())
                    || !SPECIAL_V4.iter().any(|block| block.contains(&v4))
            }
            // Listing the prefix says that a NAT64 gateway is there, not that all of IPv4 may be reached through it.
            IpAddr::V6(v6) if NAT64.contains(&v6) => self.lists(address) && self.permits(embedded_v4(v6)),
            IpAddr::V6(v6) => {
                self.lists(address)
                    || (self.allow_loopback && v6.is_loopback())
                    || (GLOBAL_V6.contains(&v6) && !SPECIAL_V6.iter().any(|block| block.contains(&v6)))
            }
        }
    }

    /// Whether an address that `name` resolved to may be dialled. Stricter than for literals: only `localhost` may mean
    /// loopback, and it may mean nothing else.
    pub fn permits_named(&self, name: &str, address: IpAddr) -> bool {
        let loopback = address.to_canonical().is_loopback();
        match (is_localhost(name), loopback) {
            (true, true) => self.permits(address),
            (true, false) => false,
            (false, true) => self.lists(address.to_canonical()),
            (false, false) => self.permits(address),
        }
    }

    fn lists(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|block| block.contains(&address))
    }

    fn lists_loopback(&self) -> bool {
        self.lists(IpAddr::V4(Ipv4Addr::LOCALHOST)) || self.lists(IpAddr::V6(Ipv6Addr::LOCALHOST))
    }
}

/// Whether a host is this machine by its spelling alone: a loopback literal or `localhost`.
pub(crate) fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.to_canonical().is_loopback(),
        Host::Domain(name) => is_localhost(name),
    }
}

/// `localhost` and what ends in it (RFC 6761 section 6.3), with or without the root's dot.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

fn embedded_v4(address: Ipv6Addr) -> IpAddr {
    let [.., a, b, c, d] = address.octets();
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
#[path = "egress_tests.rs"]
mod tests;
