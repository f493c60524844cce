//! The policy set: loading, replacing, and asking it.

use std::sync::{Arc, PoisonError};

use leasehold_domain::{
    command::{Command, Entity},
    machine::Answer,
    policy,
    state::BlobKey,
};
use leasehold_ledger::Ledger;
use leasehold_policy::{AdministratorAction, Engine};

use crate::{caller::Caller, control::Control, draw, problem::Problem};

impl Control {
    pub(crate) fn load_engine(ledger: &Ledger) -> Result<Engine, Problem> {
        let (version, text) = (
            ledger
                .read(|state| state.singular.policy_version)
                .map_err(|error| Problem::fault("read the policy set", &error))?,
            ledger
                .blob(&BlobKey::PolicyText)
                .map_err(|error| Problem::fault("read the policy set", &error))?,
        );
        let text = text.map(|text| text.as_bytes().to_vec()).unwrap_or_default();
        let text = String::from_utf8(text).map_err(|error| Problem::fault("read the policy set", &error))?;
        Engine::new(version, &text).map_err(|error| Problem::fault("open the policy set", &error))
    }

    /// The policy set as this node has applied it.
    pub(crate) fn engine(&self) -> Result<Arc<Engine>, Problem> {
        let version = self.read_now(|state| state.singular.policy_version);
        {
            let engine = self.0.engine.read().unwrap_or_else(PoisonError::into_inner);
            if engine.version() == version {
                return Ok(engine.clone());
            }
        }
        let engine = Arc::new(Self::load_engine(self.ledger())?);
        *self.0.engine.write().unwrap_or_else(PoisonError::into_inner) = engine.clone();
        Ok(engine)
    }

    /// The policy set as text, with its version.
    ///
    /// # Errors
    /// [`Problem`] where the caller may not or cannot read.
    pub async fn policy_text(&self, caller: &Caller) -> Result<(u64, String), Problem> {
        self.authorize_administrator(caller, AdministratorAction::Audit).await?;
        self.replica().read().await?;
        let text = self.blob(&BlobKey::PolicyText)?.map(|text| text.as_bytes().to_vec()).unwrap_or_default();
        let text = String::from_utf8(text).map_err(|error| Problem::fault("read the policy set", &error))?;
        Ok((self.read_now(|state| state.singular.policy_version), text))
    }

    /// Replaces the policy set; where its version is not `expected` any more, it stays as it is.
    ///
    /// # Errors
    /// [`Problem::Invalid`] where it breaks the schema; nothing of it takes effect then.
    pub async fn set_policies(
        &self,
        caller: &Caller,
        expected: Option<u64>,
        text: String,
    ) -> Result<u64, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Secure).await?;
        Engine::check(&text).map_err(|error| Problem::invalid("text", error))?;
        let digest = draw::digest_of(text.as_bytes());
        let command = Command::Policy(policy::Command::Set { text, digest });
        let applied = self.propose_at(caller, Entity::Policy, expected, command).await?;
        debug_assert_eq!(applied.answer, Answer::Done, "a policy set has no id of its own");
        self.0.work.notify_one();
        Ok(applied.first_seq)
    }
}
