//! The first entry of a cluster: the organisation and its keys. And how the keys are opened again at each later start.

use leasehold_consensus::Replica;
use leasehold_domain::{
    actor::Actor,
    command::{Command, Proposal},
    id::OrganisationId,
    machine::Reply,
    organisation::{self, KeyPurpose, LEVEL, Organisation, Signer},
    state::BlobKey,
    text::{Label, Sealed},
};
use leasehold_ledger::Ledger;
use leasehold_vault::{
    CheckpointSigner, Entropy, KeyName, Keyring, OpenKeyringError, Purpose, RootKey, RootKeyCheck, WrappedKey,
};

use tokio::time::Instant;

use crate::{clock::Clock, draw, problem::Problem, propose::PROPOSE_WAIT};

/// The version of the checkpoint signing key with which a cluster begins.
const FIRST_SIGNING_KEY: u32 = 1;

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
    let keys = wrapped
        .iter()
        .map(|key| {
            let wrapped = blob(key.to_bytes().to_vec())?;
            Ok(organisation::WrappedKey {
                purpose: purpose_of(key.purpose()),
                version: key.version(),
                wrapped,
            })
        })
        .collect::<Result<_, Problem>>()?;
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

/// Opens the keys of an organisation that exists. Nothing is written, whatever comes of it.
///
/// # Errors
/// [`OpenKeyringError::WrongRootKey`] for another root key than the one it was founded with, as text that says so; [`Problem::Fault`] where the
/// stored keys are damaged.
pub fn open_keyring(ledger: &Ledger, root_key: &RootKey) -> Result<(Keyring, CheckpointSigner), Problem> {
    let (organisation, versions) = ledger
        .read(|state| (state.singular.organisation.clone(), state.singular.key_versions.clone()))
        .map_err(|error| Problem::fault("read the organisation", &error))?;
    let organisation = organisation.ok_or(leasehold_domain::rejection::Rejection::NotFounded)?;
    let read = |key: BlobKey| -> Result<Sealed, Problem> {
        ledger
            .blob(&key)
            .map_err(|error| Problem::fault("read a wrapped key", &error))?
            .ok_or_else(|| Problem::fault("read a wrapped key", &"it is gone"))
    };
    let wrong = || {
        Problem::invalid(
            "root key",
            "the one with which this data directory was founded: it does not open its keys, and nothing was changed",
        )
    };
    let check: [u8; 16] = read(BlobKey::RootCheck)?
        .as_bytes()
        .try_into()
        .map_err(|_| Problem::fault("read the root key's check", &"it has another length"))?;
    if RootKeyCheck::from_bytes(check) != root_key.check(organisation.id) {
        return Err(wrong());
    }
    let mut wrapped = Vec::new();
    for (purpose, current) in versions {
        for version in 1..=current {
            let bytes = read(BlobKey::WrappedKey(purpose, version))?;
            let key = WrappedKey::from_bytes(bytes.as_bytes())
                .map_err(|error| Problem::fault("read a wrapped key", &error))?;
            wrapped.push(key);
        }
    }
    let keyring = Keyring::open(organisation.id, root_key, &wrapped).map_err(|error| {
        if error == OpenKeyringError::WrongRootKey {
            wrong()
        } else {
            Problem::fault("open the keyring", &error)
        }
    })?;
    let sealed = leasehold_vault::Sealed::from_bytes(read(BlobKey::SigningKey)?.as_bytes())
        .map_err(|error| Problem::fault("read the signing key", &error))?;
    let name = key_name(organisation.origin.as_str())?;
    let signer = CheckpointSigner::open(name, FIRST_SIGNING_KEY, &keyring, &sealed)
        .map_err(|error| Problem::fault("open the signing key", &error))?;
    Ok((keyring, signer))
}

fn key_name(origin: &str) -> Result<KeyName, Problem> {
    KeyName::new(origin).map_err(|error| Problem::invalid("origin", error))
}

fn blob(bytes: Vec<u8>) -> Result<Sealed, Problem> {
    Sealed::new(bytes).ok_or_else(|| Problem::fault("keep a key", &"it is too long"))
}

fn purpose_of(purpose: Purpose) -> KeyPurpose {
    match purpose {
        Purpose::AccessTokens => KeyPurpose::AccessTokens,
        Purpose::RefreshTokens => KeyPurpose::RefreshTokens,
        Purpose::Signing => KeyPurpose::Signing,
        Purpose::Pseudonyms => KeyPurpose::Pseudonyms,
    }
}
