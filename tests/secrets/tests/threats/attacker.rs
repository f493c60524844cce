//! The server of a provider that is an attacker: one trick for each of its connectors.
//!
//! It speaks TLS that the node trusts, at an address that the operator allowed: 127.0.0.1. What the node must not reach is inside, at 127.0.0.2, where a
//! listener counts who comes.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a trick says where it differs, and is like the others elsewhere"
)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use leasehold_secrets::{authority::Authority, canary::word, front::Front};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What a page would run, were it not escaped.
pub(crate) const SCRIPT: &str = "<script>alert(1)</script>";

/// How it behaves for one connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trick {
    MetadataRedirectsInside,
    MetadataOfAnother,
    MetadataNoJson,
    MetadataGiant,
    MetadataSlow,
    MetadataEndlessHeaders,
    TokenEndpointInside,
    TokenRedirectsInside,
    TokenGiant,
    TokenNoJson,
    TokenControlCharacters,
    TokenErrorTalks,
    IssuerChangedBetweenLegs,
    CallbackNamesAnother,
    CallbackAtAnothersAddress,
    AccountIsScript,
}

pub(crate) const TRICKS: [Trick; 16] = [
    Trick::MetadataRedirectsInside,
    Trick::MetadataOfAnother,
    Trick::MetadataNoJson,
    Trick::MetadataGiant,
    Trick::MetadataSlow,
    Trick::MetadataEndlessHeaders,
    Trick::TokenEndpointInside,
    Trick::TokenRedirectsInside,
    Trick::TokenGiant,
    Trick::TokenNoJson,
    Trick::TokenControlCharacters,
    Trick::TokenErrorTalks,
    Trick::IssuerChangedBetweenLegs,
    Trick::CallbackNamesAnother,
    Trick::CallbackAtAnothersAddress,
    Trick::AccountIsScript,
];

impl Trick {
    /// Whether it comes so far that the person is shown an account. Nothing is granted before they confirm it.
    pub(crate) fn leads_to_the_account(self) -> bool {
        matches!(self, Self::AccountIsScript | Self::IssuerChangedBetweenLegs)
    }

    pub(crate) fn name(self) -> String {
        let letters = format!("{self:?}");
        let mut name = String::new();
        for letter in letters.chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.extend(letter.to_lowercase());
        }
        name
    }
}

/// The attacker's server: behind a TLS proxy, plain HTTP by hand.
pub(crate) struct Attacker {
    /// Where it is.
    pub(crate) url: String,
    /// What it says in texts, and what must be seen nowhere.
    pub(crate) text: String,
    /// The token that it hands out.
    pub(crate) token: String,
    /// How often somebody dialled what lies inside.
    pub(crate) dialled: Arc<AtomicU64>,
    inside: String,
    /// The redirect URIs that were seen, one for each of its connectors.
    pub(crate) redirects: Mutex<Vec<String>>,
    /// How often each trick's metadata was asked for.
    asked: [AtomicU64; TRICKS.len()],
}

impl Attacker {
    /// Listens, behind a certificate of an authority that the node trusts.
    pub(crate) async fn start(authority: &Authority) -> Arc<Self> {
        let (inside, dialled) = listen_inside().await;
        let front = Front::listen(&authority.issue(&["127.0.0.1"]).unwrap()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let attacker = Arc::new(Self {
            url: front.url(),
            text: word(),
            token: word(),
            dialled,
            inside,
            redirects: Mutex::default(),
            asked: std::array::from_fn(|_| AtomicU64::new(0)),
        });
        front.lead_to(listener.local_addr().unwrap().port());
        tokio::spawn(serve(listener, attacker.clone()));
        attacker
    }

    fn trick(path: &str) -> Option<(usize, Trick)> {
        let name =
            path.trim_start_matches("/.well-known/oauth-authorization-server/").trim_start_matches('/');
        let name = name.trim_start_matches(".well-known/openid-configuration/").split(['/', '?']).next()?;
        TRICKS.into_iter().enumerate().find(|(_, trick)| trick.name() == name)
    }

    fn metadata(&self, trick: Trick) -> String {
        let issuer = format!("{}/{}", self.url, trick.name());
        let token = match trick {
            Trick::TokenEndpointInside => format!("{}/token", self.inside),
            _ => format!("{issuer}/token"),
        };
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": token,
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "jwks_uri": format!("{issuer}/keys"),
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
        .to_string()
    }

    async fn answer(&self, path: &str, stream: &mut TcpStream) -> std::io::Result<()> {
        let Some((index, trick)) = Self::trick(path) else {
            return reply(stream, "404 Not Found", "", b"{}").await;
        };
        let inside = format!("location: {}/inside\r\n", self.inside);
        if path.contains(".well-known") {
            let asked = self.asked.get(index).map_or(0, |asked| asked.fetch_add(1, Ordering::SeqCst));
            return match trick {
                Trick::MetadataRedirectsInside => reply(stream, "302 Found", &inside, b"").await,
                Trick::MetadataOfAnother => {
                    let other = self.metadata(trick).replace(&trick.name(), "another");
                    reply(stream, "200 OK", "", other.as_bytes()).await
                }
                Trick::MetadataNoJson => {
                    reply(stream, "200 OK", "", format!("{SCRIPT}{}", self.text).as_bytes()).await
                }
                Trick::MetadataGiant => reply(stream, "200 OK", "", &vec![b'['; 32 << 20]).await,
                Trick::MetadataSlow => {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n").await?;
                    loop {
                        stream.write_all(b" ").await?;
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                }
                Trick::MetadataEndlessHeaders => {
                    stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
                    loop {
                        stream
                            .write_all(format!("x-{}: {}\r\n", word(), "y".repeat(4000)).as_bytes())
                            .await?;
                    }
                }
                Trick::IssuerChangedBetweenLegs if asked > 0 => {
                    let other = self.metadata(trick).replace(&trick.name(), "another");
                    reply(stream, "200 OK", "", other.as_bytes()).await
                }
                _ => reply(stream, "200 OK", "", self.metadata(trick).as_bytes()).await,
            };
        }
        if path.contains("/token") {
            let tokens = |token: &str| {
                json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": "openid files.read", "refresh_token": token }).to_string()
            };
            return match trick {
                Trick::TokenRedirectsInside => reply(stream, "307 Temporary Redirect", &inside, b"").await,
                Trick::TokenGiant => reply(stream, "200 OK", "", &vec![b'{'; 32 << 20]).await,
                Trick::TokenNoJson => {
                    reply(stream, "200 OK", "", format!("<html>{}</html>", self.text).as_bytes()).await
                }
                Trick::TokenControlCharacters => {
                    reply(
                        stream,
                        "200 OK",
                        "",
                        tokens(&format!("{}\r\nx-injected: 1\u{0}", self.token)).as_bytes(),
                    )
                    .await
                }
                Trick::TokenErrorTalks => {
                    let error = json!({ "error": format!("{SCRIPT}{}", self.text), "error_description": self.text, "error_uri": format!("{}/", self.inside) });
                    reply(stream, "400 Bad Request", "", error.to_string().as_bytes()).await
                }
                _ => reply(stream, "200 OK", "", tokens(&self.token).as_bytes()).await,
            };
        }
        let account = json!({ "sub": "the-account-of-mallory", "name": SCRIPT, "email": SCRIPT, "preferred_username": format!("{SCRIPT}\u{202e}") });
        reply(stream, "200 OK", "", account.to_string().as_bytes()).await
    }
}

async fn reply(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await
}

async fn serve(listener: TcpListener, attacker: Arc<Attacker>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let attacker = attacker.clone();
        tokio::spawn(async move {
            let mut read = Vec::new();
            while !read.ends_with(b"\r\n\r\n") && read.len() < 65_536 {
                let Ok(byte) = stream.read_u8().await else { return };
                read.push(byte);
            }
            let text = String::from_utf8_lossy(&read).into_owned();
            let length = text.to_ascii_lowercase();
            let length = length
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.split('\r').next()?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            if stream.read_exact(&mut body).await.is_err() {
                return;
            }
            let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
            // The node breaks off what takes too long or too much.
            let _ = attacker.answer(&path, &mut stream).await;
        });
    }
}

async fn listen_inside() -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dialled = Arc::new(AtomicU64::new(0));
    let count = dialled.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    // It would be counted.
    drop(TcpStream::connect(address).await.unwrap());
    while dialled.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    dialled.store(0, Ordering::SeqCst);
    (format!("https://{address}"), dialled)
}
