//! A node of one with real disks, an identity provider, a provider, and the console in front of them.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use leasehold_consensus::{Config, DiskFs, LogOptions, Replica};
use leasehold_control::{
    Caller, Control, Credentials, Founding, Keys, NewConnector, NewIdentityProvider, NewSubject, Outbox,
    Parts, SystemClock, found,
};
use leasehold_domain::{
    actor::{Actor, Principal},
    authorization::Phase,
    connector::{Exposure, Isolation},
    id::{AuthorizationId, IdentityProviderId, SubjectId},
    identity_provider::JoinClaim,
    scope::ScopeSet,
    subject,
};
use leasehold_identity::session::{self, Session};
use leasehold_ledger::Ledger;
use leasehold_sandbox::{
    Client, Issuer, Options, Person, Sandbox,
    browser::{Browser, Form},
};
use leasehold_upstream::{
    catalogue::Catalogue,
    transport::{Egress, Settings as TransportSettings, Transport, Trust},
};
use leasehold_vault::{CredentialSecret, OsEntropy, RootKey};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle, time::Duration};
use tower::ServiceExt as _;
use url::Url;

use crate::{Settings, router};

pub(super) const PASSWORD: &str = "correct horse";
const SECRET: &str = "a-client-secret-of-the-tests";
const NODE: u64 = 1;

pub(super) struct World {
    pub(super) control: Control,
    pub(super) sandbox: Sandbox,
    pub(super) url: String,
    pub(super) admin: Caller,
    pub(super) idp: IdentityProviderId,
    server: JoinHandle<()>,
    _dir: TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn cookies(&self) -> Vec<&str> {
        self.headers.get_all(header::SET_COOKIE).iter().map(|line| line.to_str().unwrap()).collect()
    }
}

impl World {
    pub(super) async fn start() -> Self {
        // Whichever test comes first installs it; the others find it installed.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let control = control(&dir, url.parse().unwrap()).await;
        let person = |name: &str| Person::new(name, PASSWORD.to_owned(), format!("{name}@people.test"), name);
        let options = Options {
            people: vec![person("alice"), person("bob"), person("stranger")],
            accounts: vec![person("alice-at-files")],
            ..Options::default()
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        let admin = administrator(&control).await;
        let mut world = Self {
            idp: IdentityProviderId::from_bytes([0; 16]),
            server: tokio::spawn(async {}),
            control,
            sandbox,
            url,
            admin,
            _dir: dir,
        };
        world.register().await;
        let app = world.app(&world.url);
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        world.server = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        world
    }

    /// The console as it is served at `url`.
    pub(super) fn app(&self, url: &str) -> Router {
        router(self.control.clone(), Settings::new(&url.parse().unwrap()).unwrap())
    }

    async fn register(&mut self) {
        let new = NewIdentityProvider {
            name: "people".to_owned(),
            issuer: self.sandbox.idp_issuer().to_owned(),
            client_id: "console".to_owned(),
            client_secret: SECRET.to_owned().into(),
            join_claim: JoinClaim::Sub,
            email_domains: vec!["people.test".to_owned()],
        };
        let idp = self.control.register_identity_provider(&self.admin, new).await.unwrap();
        self.idp = idp.id;
        let client = Client::new("console", SECRET.to_owned(), self.control.sign_in_redirect_uri(&idp));
        self.sandbox.control().register_client(Issuer::Idp, client).unwrap();
        for name in ["alice", "bob"] {
            let new = NewSubject {
                user_name: name.to_owned(),
                email: Some(format!("{name}@people.test")),
                display_name: Some(format!("{name} <b>Example</b>")),
                kind: subject::Kind::Person,
            };
            self.control.register_subject(&self.admin, new).await.unwrap();
        }
        let new = NewConnector {
            name: "files".to_owned(),
            provider: "sandbox".to_owned(),
            client_id: "leasehold".to_owned(),
            issuer: Some(self.sandbox.provider_issuer().to_owned()),
            endpoints: None,
            isolation: Isolation::Shared,
            exposure: Exposure::HandOut,
            client_secret: Some(SECRET.to_owned().into()),
        };
        let connector = self.control.create_connector(&self.admin, new).await.unwrap();
        let client = Client::new("leasehold", SECRET.to_owned(), self.control.redirect_uri(&connector));
        self.sandbox.control().register_client(Issuer::Provider, client).unwrap();
        let needs = [("files".to_owned(), scopes())];
        let resource = "https://mcp.example/files";
        self.control.register_mcp_server(&self.admin, "drive", resource, &needs).await.unwrap();
    }

    /// Starts a consent of a subject.
    pub(super) async fn begin(&self, subject: &str) -> (AuthorizationId, String) {
        let started = self
            .control
            .start_authorization(&self.admin, "files", subject, "drive", Some(scopes()))
            .await
            .unwrap();
        (started.authorization, started.connect_url)
    }

    pub(super) fn subject(&self, name: &str) -> SubjectId {
        self.control.read_now(|state| state.subject_named(name).unwrap().id)
    }

    /// How far a consent is.
    pub(super) fn phase(&self, id: AuthorizationId) -> Phase {
        self.control.read_now(|state| state.authorizations.get(&id).unwrap().phase.clone())
    }

    /// The size of the ledger: whether anything was written.
    pub(super) fn events(&self) -> u64 {
        self.control.read_now(|state| state.clock.next_seq)
    }

    /// A session of somebody who is signed in: its sealed value and its token.
    pub(super) fn session(&self, name: &str) -> (String, String) {
        let session =
            Session::signed_in(self.subject(name), self.idp, u64::MAX, self.control.now(), &OsEntropy);
        let value = session::encode(&self.control.keyring(), &session, &OsEntropy).unwrap();
        (value, session.csrf_token().to_string())
    }

    /// Opens an address in a browser that is not signed in anywhere, and signs in.
    pub(super) async fn browse_as(&self, name: &str, url: &str) -> Browser {
        let mut browser = Browser::new().unwrap();
        browser.goto(url).await.unwrap();
        sign_in(&mut browser, name).await;
        browser
    }
}

/// Fills in the sign-in page that the browser is at.
pub(super) async fn sign_in(browser: &mut Browser, name: &str) {
    let form = Form::with_id("login").fill("username", name).fill("password", PASSWORD);
    browser.submit(&form).await.unwrap();
}

/// Presses a button of ours, or of the provider's.
pub(super) async fn press(browser: &mut Browser, button: &str) {
    browser.submit(&Form::with_button(button)).await.unwrap();
}

pub(super) fn scopes() -> ScopeSet {
    "files.read files.write".parse().unwrap()
}

/// Sends one request to a console, without a network.
pub(super) async fn ask(
    app: &Router,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(body.into()).unwrap();
    let from: SocketAddr = "192.0.2.7:4711".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(from));
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

async fn control(dir: &TempDir, public_url: Url) -> Control {
    let ledger =
        Ledger::open(&dir.path().join("ledger"), leasehold_ledger::Options::default(), Box::new(|_| {}))
            .unwrap();
    let config = Config {
        cluster: [1; 16],
        node: NODE,
        address: "node.test:1".to_owned(),
        log_dir: dir.path().join("log"),
        log: LogOptions::default(),
        fs: Arc::new(DiskFs),
        ledger: ledger.clone(),
        snapshot_dir: dir.path().join("snapshots"),
        snapshot_every_bytes: Config::SNAPSHOT_EVERY_BYTES,
        entries_kept: Config::ENTRIES_KEPT,
    };
    let replica = Replica::start(config, Box::new(|fault| panic!("{fault:?}"))).await.unwrap();
    replica.initialise().await.unwrap();
    replica.recovered(Duration::from_secs(30)).await.unwrap();
    let root_key = RootKey::draw(&OsEntropy);
    let founding = Founding { root_key: &root_key, origin: "ledger.test/1", development: true, node: NODE };
    found(&replica, &ledger, &SystemClock, &OsEntropy, &founding).await.unwrap();
    let (keys, signer) = Keys::open(ledger.clone(), root_key).unwrap();
    let keys = Arc::new(keys);
    let organisation = keys.current().unwrap().organisation();
    let outbox = Outbox::open(&dir.path().join("outbox"), organisation, Arc::clone(&keys)).unwrap();
    let egress = Egress { allow_loopback: true, ..Egress::default() };
    let transport = TransportSettings { egress, trust: Trust::Nobody, ..TransportSettings::default() };
    Control::new(Parts {
        replica: Arc::new(replica),
        ledger,
        keys,
        signer: Arc::new(signer),
        catalogue: Arc::new(Catalogue::load(None).unwrap()),
        transport: Transport::new(transport).unwrap(),
        outbox,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        settings: leasehold_control::Settings::new(public_url, NODE),
        on_fatal: Arc::new(|reason| panic!("{reason}")),
    })
    .unwrap()
}

async fn administrator(control: &Control) -> Caller {
    let from = "127.0.0.1".parse().unwrap();
    let identify = |text: &str| {
        let credential = Credentials::Credential(CredentialSecret::parse(text).unwrap());
        control.identify(&credential, from, None).unwrap().unwrap()
    };
    let bootstrap = control.offer_bootstrap().await.unwrap();
    let (_, text) = control.redeem_bootstrap(&identify(&bootstrap), "root").await.unwrap();
    identify(&text)
}

/// A person's actor, as the edge would have it.
pub(super) fn actor(control: &Control, subject: SubjectId) -> Actor {
    let actor = control.person(subject, "192.0.2.7".parse().unwrap(), None).unwrap();
    assert_eq!(actor.principal, Principal::Person(subject));
    actor
}
