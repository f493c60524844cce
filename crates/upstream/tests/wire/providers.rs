//! The entries of real providers, each against a server that answers in that provider's documented shapes.
//!
//! An entry is used as it is compiled in. Only where it is differs: its hosts are this machine's loopback.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    sync::{Arc, Mutex},
};

use leasehold_domain::{id::Name, provider::ProviderFailure, time::Timestamp};
use leasehold_upstream::{
    account::{Account, AccountLookup, parse_account},
    authorize::AuthorizeRequest,
    call::{Call, RawAnswer},
    catalogue::{Catalogue, Provider},
    client::{Client, Counterpart},
    discovery::discover,
    endpoints::{ConnectorSettings, EndpointPlan, Endpoints},
    failure::Failure,
    introspect::{Introspected, Introspection, parse_introspection},
    proof::Verifier,
    revoke::{Revocation, RevokeError, Revoked, TokenKind, parse_revocation},
    token::{CodeExchange, Refresh, TokenSet, parse_token_answer},
};
use secrecy::{ExposeSecret, SecretString};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::server::{Seen, Server, response, transport};

mod entra;
mod google;
mod salesforce;
mod slack;

const SENT_AT: Timestamp = Timestamp::from_millis(1_795_000_000_000);

type Answers = Arc<Mutex<BTreeMap<String, VecDeque<(u16, String)>>>>;

/// A provider's entry, and a server in its place.
struct Play {
    provider: Provider,
    endpoints: Option<Endpoints>,
    client: Client,
    server: Server,
    answers: Answers,
}

impl Play {
    /// The entry `text`, with `hosts` moved to a server that has nothing to say yet.
    async fn begin(name: &str, text: &str, hosts: &[&str]) -> Self {
        let answers = Answers::default();
        let script = Arc::clone(&answers);
        let server = Server::new(move |target| {
            let path = target.split('?').next().unwrap();
            let next = script.lock().unwrap().get_mut(path).and_then(VecDeque::pop_front);
            match next {
                Some((status, body)) => response(status, "application/json; charset=utf-8", body),
                None => response(404, "text/html", "<html>"),
            }
        })
        .await;
        let mut moved = text.replace("issuer_hosts = [", "issuer_hosts = [\"127.0.0.1\", ");
        for host in hosts {
            moved = moved.replace(&format!("\"https://{host}"), &format!("\"http://{}", server.address));
        }
        let folder = tempfile::TempDir::new().unwrap();
        fs::write(folder.path().join(format!("{name}.toml")), moved).unwrap();
        let catalogue = Catalogue::load(Some(folder.path())).unwrap();
        let provider = Provider::clone(catalogue.get(&Name::new(name).unwrap()).unwrap());
        let client = Client::new("client-1", vec![SecretString::from("s3cret")]).unwrap();
        Self { provider, endpoints: None, client, server, answers }
    }

    /// Where the server is.
    fn base(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Scripts the next answer at a path.
    fn says(&self, path: &str, status: u16, body: impl ToString) {
        let body = body.to_string();
        self.answers.lock().unwrap().entry(path.to_owned()).or_default().push_back((status, body));
    }

    /// Finds the endpoints, with this issuer stated by the connector if there is one.
    async fn find(&mut self, issuer: Option<String>) {
        let stated = ConnectorSettings { issuer, ..ConnectorSettings::default() };
        self.endpoints = Some(match self.provider.plan(&stated).unwrap() {
            EndpointPlan::Known(endpoints) => *endpoints,
            EndpointPlan::Discover { issuer, kind } => {
                discover(&transport(), &self.provider, &issuer, kind).await.unwrap()
            }
        });
    }

    fn endpoints(&self) -> &Endpoints {
        self.endpoints.as_ref().unwrap()
    }

    fn counterpart(&self) -> Counterpart<'_> {
        Counterpart { provider: &self.provider, endpoints: self.endpoints(), client: &self.client, secret: 0 }
    }

    /// The parameters of an authorization request for these scopes.
    fn authorize(&self, scopes: &str) -> BTreeMap<String, String> {
        let url = AuthorizeRequest {
            provider: &self.provider,
            endpoints: self.endpoints(),
            client_id: self.client.id(),
            redirect_uri: "https://leasehold.example/cb",
            scopes: &scopes.parse().unwrap(),
            state: &SecretString::from("state-1"),
            verifier: &verifier(),
            nonce: None,
            resource: None,
        }
        .url()
        .unwrap();
        Url::parse(url.expose_secret()).unwrap().query_pairs().into_owned().collect()
    }

    async fn exchange(&self, asked: &str) -> Result<TokenSet, Failure> {
        let call = CodeExchange {
            counterpart: self.counterpart(),
            code: &SecretString::from("code-1"),
            verifier: &verifier(),
            redirect_uri: "https://leasehold.example/cb",
            resource: None,
        }
        .call()
        .unwrap();
        parse_token_answer(&self.provider, &send(call).await, &asked.parse().unwrap(), SENT_AT)
    }

    async fn refresh(&self, refresh_token: &str, granted: &str) -> Result<TokenSet, Failure> {
        let call = Refresh {
            counterpart: self.counterpart(),
            refresh_token: &SecretString::from(refresh_token),
            resource: None,
            narrow_to: None,
        }
        .call()
        .unwrap();
        parse_token_answer(&self.provider, &send(call).await, &granted.parse().unwrap(), SENT_AT)
    }

    async fn refused(&self, refresh_token: &str) -> (ProviderFailure, String) {
        let failure = self.refresh(refresh_token, "a").await.unwrap_err();
        (failure.class, failure.code.to_string())
    }

    async fn revoke(&self, token: &str, kind: TokenKind) -> Result<Result<Revoked, Failure>, RevokeError> {
        let token = SecretString::from(token);
        let inputs = BTreeMap::new();
        let revocation = Revocation { counterpart: self.counterpart(), inputs: &inputs, token: &token, kind };
        Ok(parse_revocation(&self.provider, &send(revocation.call()?).await))
    }

    async fn introspect(&self, token: &str) -> Introspected {
        let token = SecretString::from(token);
        let call = Introspection { counterpart: self.counterpart(), token: &token, kind: TokenKind::Access };
        parse_introspection(&self.provider, &send(call.call().unwrap()).await).unwrap()
    }

    async fn account(&self, access_token: &str) -> Account {
        let call = AccountLookup {
            provider: &self.provider,
            endpoints: self.endpoints(),
            inputs: &BTreeMap::new(),
            access_token: &SecretString::from(access_token),
        }
        .call()
        .unwrap();
        parse_account(&self.provider, &send(call).await).unwrap()
    }

    /// The last request, and its form.
    fn last(&self) -> (Seen, BTreeMap<String, String>) {
        let seen = self.server.seen().pop().unwrap();
        let form = form_urlencoded::parse(&seen.body).into_owned().collect();
        (seen, form)
    }
}

fn verifier() -> Verifier {
    Verifier::from_random(&Zeroizing::new([7; 32]))
}

/// Sends a call and passes its answer through the bytes in which it would be put away.
async fn send(call: Call) -> RawAnswer {
    let answer = call.send(&transport(), SENT_AT).await.unwrap();
    RawAnswer::from_bytes(&answer.to_bytes()).unwrap()
}

/// The refresh token of a set.
fn refresh_token(set: &TokenSet) -> Option<&str> {
    set.refresh_token.as_ref().map(ExposeSecret::expose_secret)
}
