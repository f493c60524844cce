//! Administrators, from the bootstrap credential on.

use std::collections::BTreeSet;

use leasehold_domain::{
    actor::{Principal, Role},
    administrator::{self, Administrator},
    command::Command,
    id::{AdministratorId, CredentialId, Name},
    rejection::Kind,
    text::Digest,
};
use leasehold_policy::AdministratorAction;
use leasehold_vault::{CredentialKind, CredentialSecret};
use zeroize::Zeroizing;

use crate::{caller::Caller, control::Control, draw, problem::Problem};

impl Control {
    /// Offers a bootstrap credential, unless an administrator exists. Its text is in the answer, and nowhere else.
    ///
    /// # Errors
    /// [`Problem::Rejected`] once bootstrap is over.
    pub async fn offer_bootstrap(&self) -> Result<Zeroizing<String>, Problem> {
        let credential = CredentialId::from_bytes(draw::sixteen(self.entropy()));
        let drawn = CredentialSecret::draw(CredentialKind::Bootstrap, credential, self.entropy());
        let secret = Digest::from_bytes(drawn.hash().to_bytes());
        let command = administrator::Command::OfferBootstrap { credential, secret };
        self.propose_as_cluster(Command::Administrator(command)).await?;
        Ok(drawn.reveal())
    }

    /// Exchanges the bootstrap credential, by which the caller proved itself, for the first administrator.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn redeem_bootstrap(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<(AdministratorId, Zeroizing<String>), Problem> {
        let Principal::Bootstrap(bootstrap) = caller.actor.principal else {
            return Err(Problem::WrongCaller);
        };
        let name: Name = name.parse().map_err(|error| Problem::invalid("name", error))?;
        let (administrator, credential, drawn) = self.draw_administrator();
        let secret = Digest::from_bytes(drawn.hash().to_bytes());
        let command =
            administrator::Command::RedeemBootstrap { bootstrap, administrator, name, credential, secret };
        self.propose(caller, Command::Administrator(command)).await?;
        Ok((administrator, drawn.reveal()))
    }

    /// Registers a further administrator. Its credential's text is in the answer, and nowhere else.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn register_administrator(
        &self,
        caller: &Caller,
        name: &str,
        roles: BTreeSet<Role>,
    ) -> Result<(AdministratorId, Zeroizing<String>), Problem> {
        self.authorize_administrator(caller, AdministratorAction::Secure).await?;
        if roles.is_empty() {
            return Err(Problem::invalid("roles", "at least one of operator, security, auditor"));
        }
        let name: Name = name.parse().map_err(|error| Problem::invalid("name", error))?;
        let (administrator, credential, drawn) = self.draw_administrator();
        let secret = Digest::from_bytes(drawn.hash().to_bytes());
        let command = administrator::Command::Register { administrator, name, roles, credential, secret };
        self.propose(caller, Command::Administrator(command)).await?;
        Ok((administrator, drawn.reveal()))
    }

    fn draw_administrator(&self) -> (AdministratorId, CredentialId, CredentialSecret) {
        let administrator = AdministratorId::from_bytes(draw::sixteen(self.entropy()));
        let credential = CredentialId::from_bytes(draw::sixteen(self.entropy()));
        let drawn = CredentialSecret::draw(CredentialKind::Administrator, credential, self.entropy());
        (administrator, credential, drawn)
    }

    /// The administrators.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn administrators(&self, caller: &Caller) -> Result<Vec<Administrator>, Problem> {
        self.authorize_any(caller, &[AdministratorAction::Secure, AdministratorAction::Audit]).await?;
        self.read(|state| state.administrators.iter().map(|(_, known)| known.clone()).collect()).await
    }

    /// Ends what an administrator may do.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn disable_administrator(&self, caller: &Caller, text: &str) -> Result<(), Problem> {
        self.authorize_administrator(caller, AdministratorAction::Secure).await?;
        let named = self
            .read(|state| {
                let fits =
                    |known: &Administrator| known.id.to_string() == text || known.name.as_str() == text;
                state
                    .administrators
                    .iter()
                    .map(|(_, known)| known)
                    .find(|known| fits(known))
                    .map(|known| known.id)
            })
            .await?;
        let administrator = named.ok_or(Problem::Unknown(Kind::Administrator))?;
        self.propose(caller, Command::Administrator(administrator::Command::Disable { administrator }))
            .await
            .map(drop)
    }
}
