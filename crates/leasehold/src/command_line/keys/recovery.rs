//! Recovery copies: made where the root key is, and checked against the cluster. The cluster itself never sees a recovery key.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use leasehold_client::v1::{GetWrappedKeysRequest, KeyStatusResponse};
use leasehold_vault::{Keyring, OsEntropy, Purpose, RecoveryCopy, RootKey, RootKeySource, WrappedKey};

use super::state;
use crate::{
    command_line::{
        context::{Context, ask},
        failure::{During as _, Failure},
        record::Record,
    },
    node::config,
    private_file::{self, Audience},
};

/// What a data directory of a node is known by.
const NODE_FILE: &str = "node.toml";

/// Write the keyring wrapped by a recovery key, for the day on which the root key is lost
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold keys recovery-copy --root-key-file root.key \\\n      --out copy/keys.recovery --key-out /media/usb/recovery.key\n\nRun it where the root key is: the cluster gives out wrapped keys alone, which are opened and\nwrapped anew here. Whoever has the copy, its key and the data opens everything: keep the three\napart. Make a new copy after every rotation; `keys recovery-check` says whether one is needed. To\nrecover, name both files under [recovery] in the configuration of the node, beside a new\n[root_key]."
)]
pub(crate) struct CopyArgs {
    /// The file with the root key
    #[arg(long, value_name = "FILE", required_unless_present = "config", conflicts_with = "config")]
    root_key_file: Option<PathBuf>,
    /// The configuration of the node, which says where the root key comes from
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to write the copy
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where to write its key: a new file in another folder, and not in a data directory
    #[arg(long, value_name = "FILE")]
    key_out: PathBuf,
}

/// Open a recovery copy, and say whether it would open what is sealed today
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold keys recovery-check copy/keys.recovery --key-file /media/usb/recovery.key"
)]
pub(crate) struct CheckArgs {
    /// The copy
    file: PathBuf,
    /// Its key
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
}

impl CopyArgs {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let attempted = "make a recovery copy";
        apart(attempted, &self.out, &self.key_out)?;
        let root_key = self.root_key(attempted)?;
        let client = context.client().await?;
        let answer = client.keys().get_wrapped(ask(GetWrappedKeysRequest {})).await.during(attempted)?;
        let malformed =
            || Failure::local(attempted, "MALFORMED", "the cluster gave something that is no wrapped key");
        let organisation = answer.organisation.parse().map_err(|_| malformed())?;
        let wrapped = answer.keys.iter().map(|key| WrappedKey::from_bytes(key));
        let wrapped: Vec<WrappedKey> = wrapped.collect::<Result<_, _>>().map_err(|_| malformed())?;
        let keyring = Keyring::open(organisation, &root_key, &wrapped)
            .map_err(|error| Failure::local(attempted, "ROOT_KEY", error.to_string()))?;
        let recovery_key = RootKey::create_file(&self.key_out, &OsEntropy)
            .map_err(|error| Failure::local(attempted, "RECOVERY_KEY", error.to_string()))?;
        let copy = RecoveryCopy::make(&keyring, &recovery_key, &OsEntropy);
        let attempted = format!("write {}", self.out.display());
        private_file::replace(&self.out, &copy.to_text()).map_err(|error| Failure::io(attempted, &error))?;
        context.output.one(
            &Record::default()
                .with("copy", self.out.display().to_string())
                .with("key", self.key_out.display().to_string())
                .with("keys", wrapped.len() as u64),
        )
    }

    fn root_key(&self, attempted: &str) -> Result<RootKey, Failure> {
        let source = match (&self.root_key_file, &self.config) {
            (Some(file), _) => RootKeySource::File(file.clone()),
            (None, Some(path)) => {
                let text = fs::read_to_string(path)
                    .map_err(|error| Failure::io(format!("read {}", path.display()), &error))?;
                let parsed = config::parse(&text);
                let said = parsed.findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                let refused = || Failure::local(attempted, "CONFIG", format!("{}: {said}", path.display()));
                parsed.config.ok_or_else(refused)?.root_key
            }
            (None, None) => return Err(Failure::usage(attempted, "it needs --root-key-file or --config")),
        };
        source.load().map_err(|error| Failure::local(attempted, "ROOT_KEY", error.to_string()))
    }
}

impl CheckArgs {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let attempted = "check the recovery copy";
        let refused = |why: String| Failure::local(attempted, "RECOVERY_COPY", why);
        let limit = RecoveryCopy::LEN_MAX as u64;
        let text = private_file::read(&self.file, Audience::Owner, limit)
            .map_err(|error| refused(format!("{}: {error}", self.file.display())))?;
        let copy = RecoveryCopy::parse(&text).map_err(|error| refused(error.to_string()))?;
        let key = RootKeySource::File(self.key_file).load().map_err(|error| refused(error.to_string()))?;
        let keyring = copy.open(&key).map_err(|error| refused(error.to_string()))?;
        let state = state(context).await?;
        if state.organisation != copy.organisation().to_string() {
            return Err(refused(format!(
                "it is a copy of another organisation's keys: {}",
                copy.organisation()
            )));
        }
        let today =
            checks(&state).ok_or_else(|| refused("the cluster gave something that is no key".to_owned()))?;
        let lacks = keyring.lacks(&today);
        if !lacks.is_empty() {
            let lacks: Vec<String> =
                lacks.iter().map(|(purpose, version)| format!("{purpose} version {version}")).collect();
            let why = format!("it would not open what is sealed today: it lacks {}", lacks.join(", "));
            return Err(Failure::local(attempted, "RECOVERY_COPY_OLD", why));
        }
        context.output.one(&Record::default().with("opens_today", true).with("keys", today.len() as u64))
    }
}

/// The check value of each key of today.
fn checks(state: &KeyStatusResponse) -> Option<BTreeMap<(Purpose, u32), [u8; 16]>> {
    let one = |key: &leasehold_client::v1::KeyVersion| {
        let code = u8::try_from(key.purpose).ok()?;
        let check = key.check.as_slice().try_into().ok()?;
        Some(((Purpose::from_code(code)?, key.version), check))
    };
    state.keys.iter().map(one).collect()
}

/// A copy beside its key is the keyring in clear, and a key beside the data opens the copy that is found there too.
fn apart(attempted: &str, out: &Path, key_out: &Path) -> Result<(), Failure> {
    let folder = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::canonicalize(folder).map_err(|error| Failure::io(format!("look at {}", folder.display()), &error))
    };
    let (copy, key) = (folder(out)?, folder(key_out)?);
    if copy == key {
        return Err(Failure::usage(
            attempted,
            "--out and --key-out are in one folder: keep the copy and its key apart",
        ));
    }
    if let Some(data) = key.ancestors().find(|folder| folder.join(NODE_FILE).exists()) {
        let why =
            format!("{} is the data directory of a node: write the recovery key elsewhere", data.display());
        return Err(Failure::usage(attempted, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_key_is_written_neither_beside_its_copy_nor_into_a_data_directory() {
        let (copies, keys, data) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(data.path().join(NODE_FILE), "").unwrap();
        fs::create_dir(data.path().join("deep")).unwrap();
        let out = copies.path().join("copy");
        assert!(apart("test", &out, &keys.path().join("key")).is_ok());
        for bad in [copies.path().join("key"), data.path().join("key"), data.path().join("deep/key")] {
            assert!(apart("test", &out, &bad).is_err(), "{}", bad.display());
        }
        assert!(apart("test", &out, &keys.path().join("none/key")).is_err());
    }
}
