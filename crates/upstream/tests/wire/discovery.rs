//! Which of an issuer's addresses are asked, in which order, and what ends the search.

use axum::response::Response;
use leasehold_domain::id::Name;
use leasehold_upstream::{
    catalogue::{Catalogue, DiscoveryKind, Provider},
    discovery::{DiscoveryError, MetadataError, discover},
    endpoints::{Endpoints, Issuer},
    transport::{NotSent, Unanswered},
};

use crate::server::{Server, Then, raw, response, transport};

const OAUTH: &str = "/.well-known/oauth-authorization-server/tenant";
const OIDC_INSERTED: &str = "/.well-known/openid-configuration/tenant";
const OIDC_APPENDED: &str = "/tenant/.well-known/openid-configuration";

fn generic() -> Provider {
    let catalogue = Catalogue::load(None).unwrap();
    Provider::clone(catalogue.get(&Name::new("generic-oauth2").unwrap()).unwrap())
}

async fn ask(server: &Server) -> Result<Endpoints, DiscoveryError> {
    let issuer = Issuer::new(server.url("/tenant").as_str()).unwrap();
    discover(&transport(), &generic(), &issuer, DiscoveryKind::Oauth2).await
}

/// A server that has metadata at `place` and gives `elsewhere` at every other path. The metadata's issuer is made of the request's
/// own host, which is where the issuer is.
async fn server(place: &'static str, elsewhere: fn() -> Response) -> Server {
    let slot = std::sync::Arc::new(std::sync::OnceLock::<std::net::SocketAddr>::new());
    let address = std::sync::Arc::clone(&slot);
    let server = Server::new(move |target| {
        if target == place {
            response(200, "application/json", metadata(*address.get().unwrap()))
        } else {
            elsewhere()
        }
    })
    .await;
    slot.set(server.address).unwrap();
    server
}

fn metadata(address: std::net::SocketAddr) -> String {
    serde_json::json!({
        "issuer": format!("http://{address}/tenant"),
        "authorization_endpoint": format!("http://{address}/authorize"),
        "token_endpoint": format!("http://{address}/token"),
        "code_challenge_methods_supported": ["S256"],
    })
    .to_string()
}

fn not_found() -> Response {
    response(404, "text/html", "<html>")
}

#[tokio::test]
async fn the_addresses_are_asked_in_order_until_one_has_metadata() {
    for (place, asked) in [
        (OAUTH, vec![OAUTH]),
        (OIDC_INSERTED, vec![OAUTH, OIDC_INSERTED]),
        (OIDC_APPENDED, vec![OAUTH, OIDC_INSERTED, OIDC_APPENDED]),
    ] {
        let server = server(place, not_found).await;
        let endpoints = ask(&server).await.unwrap();
        assert_eq!(endpoints.token.path(), "/token");
        assert_eq!(server.targets(), asked);
    }
}

#[tokio::test]
async fn metadata_nowhere_is_not_found() {
    let server = server("/nowhere", not_found).await;
    assert_eq!(ask(&server).await, Err(DiscoveryError::NotFound));
    assert_eq!(server.targets(), [OAUTH, OIDC_INSERTED, OIDC_APPENDED]);
}

#[tokio::test]
async fn a_page_in_place_of_metadata_leads_to_the_next_address() {
    let server = server(OIDC_INSERTED, || response(200, "text/html", "<html>")).await;
    assert!(ask(&server).await.is_ok());
}

#[tokio::test]
async fn a_redirect_leads_to_the_next_address_and_not_to_its_target() {
    let server = server(OIDC_INSERTED, || {
        Response::builder().status(302).header("location", "/elsewhere").body("".into()).unwrap()
    })
    .await;
    assert!(ask(&server).await.is_ok());
    assert_eq!(server.targets(), [OAUTH, OIDC_INSERTED]);
}

#[tokio::test]
async fn trouble_at_one_address_ends_the_search() {
    for status in [429, 500, 503] {
        let make: fn() -> Response = match status {
            429 => || response(429, "text/plain", ""),
            500 => || response(500, "text/plain", ""),
            _ => || response(503, "text/plain", ""),
        };
        let server = server(OIDC_INSERTED, make).await;
        assert_eq!(ask(&server).await, Err(DiscoveryError::Unavailable(status)));
        assert_eq!(server.targets(), [OAUTH]);
    }
}

#[tokio::test]
async fn metadata_of_another_issuer_ends_the_search() {
    let server =
        server(OIDC_INSERTED, || response(200, "application/json", metadata("127.0.0.1:1".parse().unwrap())))
            .await;
    assert_eq!(ask(&server).await, Err(DiscoveryError::Metadata(MetadataError::Issuer)));
    assert_eq!(server.targets(), [OAUTH]);
}

#[tokio::test]
async fn metadata_beyond_the_limit_ends_the_search() {
    let server = server(OIDC_INSERTED, || response(200, "application/json", "{".repeat(200_000))).await;
    assert_eq!(ask(&server).await, Err(DiscoveryError::Metadata(MetadataError::Unreadable)));
}

#[tokio::test]
async fn an_issuer_that_hangs_or_breaks_off_is_worth_another_try() {
    let ask = async |bytes, then| {
        let address = raw(bytes, then).await;
        let issuer = Issuer::new(&format!("http://{address}")).unwrap();
        discover(&transport(), &generic(), &issuer, DiscoveryKind::Oauth2).await
    };
    assert_eq!(ask(b"", Then::Hang).await, Err(DiscoveryError::Unanswered(Unanswered::Timeout)));
    let broken = b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{\"issuer\"";
    assert_eq!(ask(broken, Then::Close).await, Err(DiscoveryError::Unavailable(200)));
}

#[tokio::test]
async fn an_issuer_inside_the_network_is_not_asked() {
    let issuer = Issuer::new("https://10.0.0.1").unwrap();
    let found = discover(&transport(), &generic(), &issuer, DiscoveryKind::Oauth2).await;
    assert!(matches!(found, Err(DiscoveryError::NotSent(NotSent::Refused(_)))), "{found:?}");
}
