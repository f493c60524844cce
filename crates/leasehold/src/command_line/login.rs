//! `leasehold login`: stores a profile, from the bootstrap credential or from one that exists.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{ArgGroup, Args};
use leasehold_client::{
    Client,
    v1::{RedeemBootstrapRequest, WhoAmIRequest, WhoAmIResponse},
};
use secrecy::SecretString;

use super::{
    context::{self, Context, ask, endpoint},
    failure::{During as _, Failure},
    profiles::{self, Profile},
    record::{Record, Value},
    secret,
};

/// Store a profile: redeem the bootstrap credential, or keep one that exists
///
/// With --bootstrap-file it makes the first administrator, once, and stores its new credential. With --credential-file, or a client
/// certificate and its key, it asks the cluster who that is, and stores them if the cluster knows. The profile's name is --as, or
/// `admin`. Nothing is sent in clear to any other machine.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("kind").args(["bootstrap_file", "certificate_file"]),
    after_help = "Example:\n  leasehold login --bootstrap-file bootstrap.credential --name ada \\\n      --address https://node-1.example:7400 --ca-file ca.pem\n  \
                  leasehold login --as gateway --credential-file gateway.credential \\\n      --address https://node-1.example:7400\n  \
                  leasehold login --as gateway --certificate-file gateway.pem --key-file gateway.key \\\n      --address https://node-1.example:7400"
)]
pub(crate) struct LoginArgs {
    /// A file with the bootstrap credential; `-` is standard input
    #[arg(long, value_name = "FILE", requires = "name")]
    bootstrap_file: Option<PathBuf>,
    /// The name of the first administrator
    #[arg(long, requires = "bootstrap_file")]
    name: Option<String>,
    /// A client certificate, as PEM
    #[arg(long, value_name = "FILE", requires = "key_file")]
    certificate_file: Option<PathBuf>,
    /// The client certificate's private key, as PEM
    #[arg(long, value_name = "FILE", requires = "certificate_file")]
    key_file: Option<PathBuf>,
    /// Replace the profile if there is one of this name
    #[arg(long)]
    replace: bool,
}

impl LoginArgs {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let name = context.profile_name().to_owned();
        let stored = profiles::read(&name).map_err(|error| context::unusable(&error))?;
        if stored.is_some() && !self.replace {
            let why = format!("there is a profile {name} already");
            return Err(Failure::local("store the profile", "PROFILE_EXISTS", why));
        }
        if !profiles::is_name(&name) {
            return Err(Failure::usage(
                "store the profile",
                "its name may have letters, digits, dashes and underscores",
            ));
        }
        let address = context.global.address.clone();
        let address = address.ok_or_else(|| Failure::usage("store the profile", "it needs --address"))?;
        let ca_file = context.global.ca_file.as_deref().map(absolute).transpose()?;
        let mut profile = Profile { address, ca_file, ..Profile::default() };
        let record = Record::default().with("profile", name.clone()).with("address", profile.address.clone());
        let record = match &self.bootstrap_file {
            Some(file) => self.redeem(profile, &name, file, record, context).await?,
            None => {
                let record = self.keep(&mut profile, record, context).await?;
                store(&name, profile)?;
                record
            }
        };
        context.output.one(&record)
    }

    /// Exchanges the bootstrap credential. What it answers with is shown once, so it is stored before anything else happens.
    async fn redeem(
        &self,
        mut profile: Profile,
        name: &str,
        file: &Path,
        record: Record,
        context: &Context,
    ) -> Result<Record, Failure> {
        profile.credential = Some(secret::from_file("the bootstrap credential", file)?);
        profiles::check_writable().map_err(|error| context::unusable(&error))?;
        let client = connect(&profile).await?;
        let request = RedeemBootstrapRequest { name: self.name.clone().unwrap_or_default() };
        let redeemed = client
            .administrators()
            .redeem_bootstrap(ask(request))
            .await
            .during("redeem the bootstrap credential")?;
        let record = record.with("kind", "administrator").with("id", redeemed.administrator);
        let record = record.with("name", self.name.clone());
        let credential = SecretString::from(redeemed.secret);
        profile.credential = Some(credential.clone());
        if let Err(failure) = store(name, profile) {
            context.output.one(&record.with("secret", Value::Once(credential)))?;
            return Err(failure.and_next("keep the credential that was printed: it is not shown again"));
        }
        Ok(record)
    }

    /// Takes the credential or the certificate, and sees whom the cluster takes it for.
    async fn keep(
        &self,
        profile: &mut Profile,
        record: Record,
        context: &Context,
    ) -> Result<Record, Failure> {
        match (&self.certificate_file, &context.global.credential_file) {
            (Some(_), Some(_)) => {
                let why =
                    "it takes a credential or a certificate, and not both (LEASEHOLD_CREDENTIAL_FILE counts)";
                return Err(Failure::usage("store the profile", why));
            }
            (Some(certificate), None) => {
                profile.certificate_file = Some(absolute(certificate)?);
                profile.key_file = self.key_file.as_deref().map(absolute).transpose()?;
            }
            (None, Some(file)) => profile.credential = Some(secret::from_file("the credential", file)?),
            (None, None) => {
                let why =
                    "it needs --bootstrap-file, --credential-file, or --certificate-file and --key-file";
                return Err(Failure::usage("store the profile", why));
            }
        }
        let client = connect(profile).await?;
        let caller = client
            .cluster()
            .who_am_i(ask(WhoAmIRequest {}))
            .await
            .during("see whether the cluster knows the caller")?;
        let WhoAmIResponse { organisation, kind, id, name, proof, roles } = caller;
        Ok(record
            .with("organisation", organisation)
            .with("kind", kind)
            .with("id", id)
            .with("name", name)
            .with("proof", proof)
            .with("roles", roles))
    }
}

async fn connect(profile: &Profile) -> Result<Client, Failure> {
    Client::connect(endpoint(profile)?).await.map_err(|error| Failure::connect(&error))
}

fn store(name: &str, profile: Profile) -> Result<(), Failure> {
    profiles::write(name, profile).map_err(|error| context::unusable(&error))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    fs::canonicalize(path).during(format!("find {}", path.display()))
}
