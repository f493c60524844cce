//! A TLS proxy in front of something on loopback, as an organisation has one. It keeps what the thing behind it answers.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::authority::Issued;

/// What one connection's answers may come to, in bytes, before no more is kept.
const KEPT_MAX: usize = 64 * 1024 * 1024;

/// A proxy that listens and does not know yet what stands behind it.
pub struct Front {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    address: SocketAddr,
    answers: Answers,
}

/// Everything that was answered through a proxy, in the clear.
#[derive(Clone, Default)]
pub struct Answers(Arc<Mutex<Vec<u8>>>);

impl Answers {
    /// A copy of it.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() + bytes.len() <= KEPT_MAX {
            kept.extend_from_slice(bytes);
        }
    }
}

impl Front {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    /// Where it cannot, or the certificate is none.
    pub async fn listen(issued: &Issued) -> anyhow::Result<Self> {
        let chain: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_slice_iter(issued.chain.as_bytes()).collect();
        let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes())?;
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain?, key)?;
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            address,
            answers: Answers::default(),
        })
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// What is answered through it.
    pub fn answers(&self) -> Answers {
        self.answers.clone()
    }

    /// Leads to what listens on a port of loopback, from now on and until the runtime ends.
    pub fn lead_to(self, port: u16) {
        tokio::spawn(async move {
            while let Ok((outside, _)) = self.listener.accept().await {
                let (acceptor, answers) = (self.acceptor.clone(), self.answers.clone());
                tokio::spawn(async move {
                    // Whoever breaks a connection off has nothing to be told.
                    let _ = pass(acceptor, outside, port, &answers).await;
                });
            }
        });
    }
}

async fn pass(
    acceptor: TlsAcceptor,
    outside: TcpStream,
    port: u16,
    answers: &Answers,
) -> std::io::Result<()> {
    let outside = acceptor.accept(outside).await?;
    let inside = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut from_outside, mut to_outside) = tokio::io::split(outside);
    let (mut from_inside, mut to_inside) = inside.into_split();
    let asked = async {
        tokio::io::copy(&mut from_outside, &mut to_inside).await?;
        to_inside.shutdown().await
    };
    let answered = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = from_inside.read(&mut buffer).await?;
            let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            answers.keep(bytes);
            to_outside.write_all(bytes).await?;
            to_outside.flush().await?;
        }
        to_outside.shutdown().await
    };
    tokio::try_join!(asked, answered).map(drop)
}

/// The heads and the bodies of HTTP/1.1 answers that follow one another.
pub fn heads_and_bodies(answers: &[u8]) -> (Vec<u8>, Vec<u8>) {
    const BEGIN: &[u8] = b"HTTP/1.1 ";
    let (mut heads, mut bodies) = (Vec::new(), Vec::new());
    let begins: Vec<usize> = (0..answers.len())
        .filter(|at| answers.get(*at..).is_some_and(|rest| rest.starts_with(BEGIN)))
        .collect();
    for (index, begin) in begins.iter().enumerate() {
        let end = begins.get(index + 1).copied().unwrap_or(answers.len());
        let answer = answers.get(*begin..end).unwrap_or_default();
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
        let (head, body) = answer.split_at(head);
        heads.extend_from_slice(head);
        bodies.extend_from_slice(body);
    }
    (heads, bodies)
}
