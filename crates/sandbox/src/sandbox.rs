//! Starts the two issuers and the control port, and stops them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use crate::canary::Canaries;
use crate::clients::Clients;
use crate::clock::Clock;
use crate::control::{Control, World, http};
use crate::fault::Faults;
use crate::front::{Front, Site as _};
use crate::idp::{self, Idp, KeyError, Keys};
use crate::ledger::Ledger;
use crate::options::{Client, Options, Person};
use crate::people::{AddPersonError, People};
use crate::provider::{self, Provider};
use crate::secret;
use crate::serve::{guarded, recorded, serve};
use crate::visits::Visits;

const BODY_MAX: usize = 64 * 1024;

/// Two issuers and a control port, on loopback. Dropping it stops them.
pub struct Sandbox {
    control: Control,
    control_address: SocketAddr,
    control_secret: Arc<SecretString>,
    tasks: Vec<JoinHandle<()>>,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It serves loopback only.
    #[error("the sandbox serves loopback addresses only, not {0}")]
    NotLoopback(IpAddr),
    /// A port is taken, or there is no such address.
    #[error("could not listen on {address}")]
    Listen {
        /// The address wanted.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Two people of one issuer share a username or a subject.
    #[error("could not add {username}")]
    Person {
        /// Whom.
        username: String,
        /// Why not.
        #[source]
        source: AddPersonError,
    },
    /// A redirect URI is not absolute.
    #[error("client {client} has a redirect address that is no absolute url")]
    RedirectUri {
        /// Whose.
        client: String,
    },
    /// No signing key.
    #[error("could not make a signing key")]
    Key(#[from] KeyError),
}

impl Sandbox {
    /// Binds three loopback listeners and serves them on the caller's runtime.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        if !options.address.is_loopback() {
            return Err(StartError::NotLoopback(options.address));
        }
        let clock = Clock::start();
        let canaries = Arc::new(Canaries::default());
        let ledger = Arc::new(Ledger::default());
        let faults = Arc::new(Faults::default());
        let idp_socket = listen(options.address, options.idp_port).await?;
        let provider_socket = listen(options.address, options.provider_port).await?;
        let control_socket = listen(options.address, options.control_port).await?;

        let front = |seat: Seat, people, clients| seat.front(people, clients, &clock, &canaries);
        let at = |issuer: Option<String>, address| issuer.unwrap_or_else(|| format!("http://{address}"));
        let idp_seat = Seat {
            name: "Sandbox identity provider",
            cookie: "sandbox_idp",
            issuer: at(options.idp_issuer, idp_socket.1),
        };
        let provider_seat = Seat {
            name: "Sandbox provider",
            cookie: "sandbox_provider",
            issuer: at(options.provider_issuer, provider_socket.1),
        };
        let idp = Arc::new(Idp::new(
            front(idp_seat, options.people, options.idp_clients)?,
            Keys::draw()?,
            Arc::clone(&ledger),
            Arc::clone(&canaries),
            Arc::clone(&faults),
        ));
        let provider = Arc::new(Provider::new(
            front(provider_seat, options.accounts, options.provider_clients)?,
            options.scopes,
            Arc::clone(&ledger),
            Arc::clone(&canaries),
            Arc::clone(&faults),
        ));
        let idp_router = recorded(idp::router(Arc::clone(&idp)), Arc::clone(&ledger));
        let provider_router = recorded(provider::router(Arc::clone(&provider)), Arc::clone(&ledger));
        let world = World { clock, ledger, canaries, faults, idp, provider };
        let control = Control::new(world);
        let control_secret =
            Arc::new(options.control_secret.unwrap_or_else(|| secret::random("sbx_ctl_").into()));
        let control_router = http::router(control.clone(), Arc::clone(&control_secret));

        let stop = CancellationToken::new();
        let control_address = control_socket.1;
        let run = |socket: (TcpListener, SocketAddr), router: Router, issuer: Option<&str>| {
            let router = guarded(router.layer(DefaultBodyLimit::max(BODY_MAX)), socket.1, issuer);
            tokio::spawn(serve(socket.0, router, stop.clone()))
        };
        let world = control.world();
        let tasks = vec![
            run(idp_socket, idp_router, Some(&world.idp.front().issuer)),
            run(provider_socket, provider_router, Some(&world.provider.front().issuer)),
            run(control_socket, control_router, None),
        ];
        let _stop_on_drop = stop.clone().drop_guard();
        Ok(Self { control, control_address, control_secret, tasks, stop, _stop_on_drop })
    }

    /// Steers the sandbox from within the process.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Issuer URL of the identity provider, without a trailing slash.
    pub fn idp_issuer(&self) -> &str {
        &self.control.world().idp.front().issuer
    }

    /// Issuer URL of the provider, without a trailing slash.
    pub fn provider_issuer(&self) -> &str {
        &self.control.world().provider.front().issuer
    }

    /// Base URL of the control port; its paths begin with `/control`.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control_address)
    }

    /// Bearer secret of the control port.
    pub fn control_secret(&self) -> &str {
        self.control_secret.expose_secret()
    }

    /// Stops: no new connection, a second for the open ones, then the end.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        self.control.release_hanging();
        for task in std::mem::take(&mut self.tasks) {
            if let Err(error) = task.await {
                tracing::error!(%error, "sandbox listener failed");
            }
        }
    }
}

async fn listen(address: IpAddr, port: u16) -> Result<(TcpListener, SocketAddr), StartError> {
    let wanted = SocketAddr::new(address, port);
    let failed = |source| StartError::Listen { address: wanted, source };
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Where an issuer sits, and under which name.
struct Seat {
    name: &'static str,
    cookie: &'static str,
    issuer: String,
}

impl Seat {
    fn front(
        self,
        everyone: Vec<Person>,
        clients: Vec<Client>,
        clock: &Clock,
        canaries: &Arc<Canaries>,
    ) -> Result<Front, StartError> {
        let people = People::default();
        for person in everyone {
            let username = person.username.clone();
            people.add(person).map_err(|source| StartError::Person { username, source })?;
        }
        let stray = |client: &&Client| client.redirect_uris.iter().any(|uri| Url::parse(uri).is_err());
        if let Some(client) = clients.iter().find(stray) {
            return Err(StartError::RedirectUri { client: client.id.clone() });
        }
        Ok(Front {
            issuer: self.issuer,
            name: self.name,
            clock: clock.clone(),
            people,
            clients: Clients::new(clients, Arc::clone(canaries)),
            visits: Visits::new(self.cookie),
            issuer_parameter: Default::default(),
            metadata_edits: Default::default(),
        })
    }
}
