//! The first entry of a cluster: the organisation and its keys.

use leasehold_consensus::Replica;
use leasehold_domain::{
    actor::Actor,
    command::{Command, Proposal},
    id::OrganisationId,
    machine::Reply,
    organisation::{self, LEVEL, Organisation, Signer},
    text::{Label, Sealed},
};
use leasehold_ledger::Ledger;
use leasehold_vault::{CheckpointSigner, Entropy, KeyName, Keyring, RootKey};

use tokio::time::Instant;

use crate::{clock::Clock, draw, keys::wrapped_key, problem::Problem, propose::PROPOSE_WAIT};

/// The version of the checkpoint signing key with which a cluster begins.
pub(crate) const FIRST_SIGNING_KEY: u32 = 1;

/// What a new organisation begins with.
pub struct Founding<'a> {
    /// The root key that wraps every other.
    pub root_key: &'a RootKey,
    /// The origin line of its checkpoints, such as `leasehold.example/prod`.
    pub origin: &'a str,
    /// Whether its data are for development only.
    pub development: bool,
    /// This node.
    pub node: u64,
}

/// Founds the organisation, unless it exists.
///
/// # Errors
/// [`Problem::Invalid`] for an origin that cannot stand in a checkpoint, and whatever keeps the first entry from being committed.
pub async fn found(
    replica: &Replica,
    ledger: &Ledger,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    founding: &Founding<'_>,
) -> Result<(), Problem> {
    replica.read().await?;
    let exists = ledger.read(|state| state.singular.organisation.is_some());
    if exists.map_err(|error| Problem::fault("read the organisation", &error))? {
        return Ok(());
    }
    let id = OrganisationId::from_bytes(draw::sixteen(entropy));
    let (keyring, wrapped) = Keyring::generate(id, founding.root_key, entropy);
    let name = key_name(founding.origin)?;
    let (signer, sealed) = CheckpointSigner::draw(name, FIRST_SIGNING_KEY, &keyring, entropy)
        .map_err(|error| Problem::fault("draw a signing key", &error))?;
    let verifier = Label::new(&signer.verifier_key().to_string())
        .map_err(|error| Problem::fault("write a verifier key", &error))?;
    let keys = wrapped.iter().map(wrapped_key).collect::<Result<_, Problem>>()?;
    let organisation = Organisation {
        id,
        origin: Label::new(founding.origin).map_err(|error| Problem::invalid("origin", error))?,
        development: founding.development,
        level: LEVEL,
    };
    let command = organisation::Command::Found {
        organisation,
        root_check: blob(founding.root_key.check(id).to_bytes().to_vec())?,
        keys,
        signer: Signer { sealed: blob(sealed.to_bytes())?, verifier },
    };
    let proposal = Proposal {
        request: None,
        actor: Actor::cluster(founding.node),
        at: clock.now(),
        facts: Vec::new(),
        command: Command::Organisation(command),
    };
    match replica.propose(proposal, Instant::now() + PROPOSE_WAIT).await? {
        Reply::Applied { .. } => Ok(()),
        Reply::Rejected(rejection) => Err(rejection.into()),
        Reply::Repeated { .. } | Reply::Stale => {
            Err(Problem::fault("found the organisation", &"an unexpected reply"))
        }
    }
}

pub(crate) fn key_name(origin: &str) -> Result<KeyName, Problem> {
    KeyName::new(origin).map_err(|error| Problem::invalid("origin", error))
}

pub(crate) fn blob(bytes: Vec<u8>) -> Result<Sealed, Problem> {
    Sealed::new(bytes).ok_or_else(|| Problem::fault("keep a key", &"it is too long"))
}
