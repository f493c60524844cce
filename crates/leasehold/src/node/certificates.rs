//! The certificates of the ports: read from files, and read again when those change or somebody asks for it.
//!
//! The files are looked at every ten seconds, by what is in them: tools replace them in many ways, and a time stamp can stand still. What cannot be
//! used changes nothing and is said once. Where it was seen by looking, it is said only when it is still so at the next look: a certificate
//! and its key are two files, and whoever replaces them does it one after the other.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use aws_lc_rs::digest;
use leasehold_control::Clock;
use leasehold_domain::time::Timestamp;
use leasehold_port::{Door, Protocol, Tls, TlsMaterial};
use rustls::pki_types::UnixTime;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::config::TlsFiles;
use crate::private_file::{self, Audience};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long before a certificate expires that is said.
const EXPIRY_NOTICE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The longest file, in bytes.
const FILE_LEN_MAX: u64 = 1024 * 1024;

/// What is known of a port's certificates, for the metrics. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The port's name.
    pub port: &'static str,
    tls: Tls,
    reloads: Arc<Reloads>,
}

#[derive(Debug, Default)]
struct Reloads {
    taken: AtomicU64,
    refused: AtomicU64,
}

impl Shown {
    /// When the first certificate in force to expire does so, in seconds of Unix time.
    pub fn expires_at(&self) -> u64 {
        self.tls.expires_at().as_secs()
    }

    /// How often new certificates were taken.
    pub fn taken(&self) -> u64 {
        self.reloads.taken.load(Ordering::Relaxed)
    }

    /// How often new certificates were refused.
    pub fn refused(&self) -> u64 {
        self.reloads.refused.load(Ordering::Relaxed)
    }
}

/// The certificates of one port, and the files they come from.
pub struct Certificates {
    files: TlsFiles,
    shown: Shown,
    in_force: Contents,
    refused: Option<Refused>,
    expiry_said: bool,
}

/// What was refused, and whether that was said.
struct Refused {
    contents: Contents,
    said: bool,
}

/// What stands in the files, or why they cannot be read, as a digest.
type Contents = [u8; 32];

/// Why somebody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// It is time.
    Interval,
    /// An operator asked.
    Asked,
}

struct Pems {
    certificates: Zeroizing<String>,
    key: Zeroizing<String>,
    client_authorities: Option<Zeroizing<String>>,
}

impl Certificates {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// What is wrong with the files, and what to do about it.
    pub fn load(
        port: &'static str,
        protocol: Protocol,
        files: TlsFiles,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let pems = Pems::read(&files)?;
        let tls = Tls::new(protocol, &pems.material(), moment(now)).with_context(|| files.names())?;
        let shown = Shown { port, tls, reloads: Arc::default() };
        Ok(Self { in_force: pems.contents(), files, shown, refused: None, expiry_said: false })
    }

    /// The way in that shows them.
    pub fn door(&self) -> Door {
        Door::Tls(self.shown.tls.clone())
    }

    /// Whether somebody who reaches this port under a host's name would believe the certificate.
    pub fn are_for(&self, host: &str) -> bool {
        self.shown.tls.names(host)
    }

    /// What is known of them.
    pub fn shown(&self) -> Shown {
        self.shown.clone()
    }

    fn look(&mut self, occasion: Occasion, now: Timestamp) {
        let port = self.shown.port;
        let read = Pems::read(&self.files);
        let contents = match &read {
            Ok(pems) => pems.contents(),
            Err(error) => sha256(format!("{error:#}").as_bytes()),
        };
        if contents == self.in_force {
            self.refused = None;
            if occasion == Occasion::Asked {
                tracing::info!(port, "the certificates are those that are in force");
            }
            self.say_expiry(now);
            return;
        }
        let seen = self.refused.as_ref().filter(|refused| refused.contents == contents);
        if occasion == Occasion::Interval && seen.is_some_and(|refused| refused.said) {
            return;
        }
        let taken = read.and_then(|pems| {
            self.shown.tls.replace(&pems.material(), moment(now)).with_context(|| self.files.names())
        });
        match taken {
            Ok(()) => {
                self.in_force = contents;
                (self.refused, self.expiry_said) = (None, false);
                self.shown.reloads.taken.fetch_add(1, Ordering::Relaxed);
                tracing::info!(port, expires_at = %self.expires_at(), "new certificates are in force");
                self.say_expiry(now);
            }
            Err(error) => {
                let said = occasion == Occasion::Asked || seen.is_some();
                if said {
                    self.shown.reloads.refused.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(
                        port,
                        error = format!("{error:#}"),
                        "new certificates are refused, and the old ones stay in force: mend the files; they are read again when they change, and on SIGHUP"
                    );
                }
                self.refused = Some(Refused { contents, said });
            }
        }
    }

    fn say_expiry(&mut self, now: Timestamp) {
        let left = self.shown.tls.expires_at().as_secs().saturating_sub(moment(now).as_secs());
        if left < EXPIRY_NOTICE.as_secs() && !self.expiry_said {
            self.expiry_said = true;
            let (port, expires_at) = (self.shown.port, self.expires_at());
            tracing::warn!(port, %expires_at, "the certificates expire soon: renew them");
        }
    }

    /// When they expire, as RFC 3339.
    pub fn expires_at(&self) -> String {
        let seconds = i64::try_from(self.shown.expires_at()).unwrap_or(i64::MAX);
        let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
        moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_else(|| format!("{seconds} s"))
    }
}

impl TlsFiles {
    fn names(&self) -> String {
        let mut names = format!("{} and {}", self.certificate_file.display(), self.key_file.display());
        if let Some(authorities) = &self.client_ca_file {
            names.push_str(&format!(" with {}", authorities.display()));
        }
        names
    }
}

impl Pems {
    fn read(files: &TlsFiles) -> anyhow::Result<Self> {
        // The key first: others must not be able to read it, whatever else is wrong.
        let key = private_file::read(&files.key_file, Audience::OwnerAndGroup, FILE_LEN_MAX)
            .with_context(|| format!("cannot read {}", files.key_file.display()))?;
        let certificates = read_pem(&files.certificate_file)?;
        let client_authorities = files.client_ca_file.as_deref().map(read_pem).transpose()?;
        Ok(Self { certificates, key, client_authorities })
    }

    fn material(&self) -> TlsMaterial<'_> {
        TlsMaterial {
            certificates: self.certificates.as_bytes(),
            key: self.key.as_bytes(),
            client_authorities: self.client_authorities.as_ref().map(|pem| pem.as_bytes()),
        }
    }

    fn contents(&self) -> Contents {
        let authorities = self.client_authorities.as_ref().map(|pem| sha256(pem.as_bytes()));
        let parts = [sha256(self.certificates.as_bytes()), sha256(self.key.as_bytes())];
        sha256(parts.into_iter().chain(authorities).collect::<Vec<_>>().as_flattened())
    }
}

/// Reads certificates, which are nobody's secret.
pub(super) fn read_pem(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let unreadable = || format!("cannot read {}", path.display());
    let file = std::fs::File::open(path).with_context(unreadable)?;
    private_file::read_text(file, FILE_LEN_MAX).with_context(unreadable)
}

fn sha256(bytes: &[u8]) -> Contents {
    let mut digested = [0; 32];
    let digest = digest::digest(&digest::SHA256, bytes);
    digested.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    digested
}

fn moment(now: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_millis(now.as_millis()))
}

/// Hears SIGHUP from now on, which would end the process otherwise.
///
/// # Errors
/// Where signals cannot be heard.
pub fn hangups() -> anyhow::Result<Signal> {
    signal(SignalKind::hangup()).context("cannot listen for SIGHUP")
}

/// Looks at the files until the node stops: every ten seconds, and when it is asked to.
pub async fn follow(
    mut all: Vec<Certificates>,
    clock: Arc<dyn Clock>,
    mut hangups: Signal,
    stop: CancellationToken,
) {
    let mut interval = tokio::time::interval(LOOK_EVERY);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let occasion = tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => Occasion::Interval,
            asked = hangups.recv() => match asked {
                Some(()) => Occasion::Asked,
                None => return,
            },
        };
        if occasion == Occasion::Asked && all.is_empty() {
            tracing::info!(
                "SIGHUP: there are no certificates to read again, and everything else needs a restart"
            );
        }
        let now = clock.now();
        let looked = tokio::task::spawn_blocking(move || {
            all.iter_mut().for_each(|one| one.look(occasion, now));
            all
        });
        match looked.await {
            Ok(looked) => all = looked,
            Err(error) => {
                tracing::error!(%error, "the certificates are not looked at any more: restart the node");
                return;
            }
        }
    }
}

#[cfg(test)]
#[path = "certificates_tests.rs"]
mod tests;
