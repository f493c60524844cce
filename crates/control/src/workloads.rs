//! Workloads and their proofs of who they are.

use leasehold_domain::{
    command::{Command, Entity},
    id::{CredentialId, Name, WorkloadId},
    rejection::Kind as Thing,
    text::Digest,
    time::Span,
    workload::{self, CertificateName, Kind, Workload},
};
use leasehold_policy::AdministratorAction;
use leasehold_vault::{CredentialKind, CredentialSecret};
use zeroize::Zeroizing;

use crate::{
    caller::Caller, control::Control, draw, leases::mcp_server_by, problem::Problem, revoke::workload_by,
};

impl Control {
    /// Registers a workload: a gateway, or the MCP server that `mcp_server` names.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn register_workload(
        &self,
        caller: &Caller,
        name: &str,
        mcp_server: Option<&str>,
    ) -> Result<Workload, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Operate).await?;
        let name: Name = name.parse().map_err(|error| Problem::invalid("name", error))?;
        let kind = match mcp_server {
            Some(server) => {
                Kind::McpServer(self.read(|state| mcp_server_by(state, server).map(|known| known.id)).await??)
            }
            None => Kind::Gateway,
        };
        let workload = WorkloadId::from_bytes(draw::sixteen(self.entropy()));
        let command = workload::Command::Register { workload, name: name.clone(), kind };
        self.propose(caller, Command::Workload(command)).await?;
        self.read_now(|state| state.workload_named(&name).cloned()).ok_or(Problem::Unknown(Thing::Workload))
    }

    /// The workloads, each with its API credentials and certificate names.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn workloads(
        &self,
        caller: &Caller,
    ) -> Result<Vec<(Workload, Vec<CredentialId>, Vec<CertificateName>)>, Problem> {
        self.authorize_any(caller, &[AdministratorAction::Operate, AdministratorAction::Audit]).await?;
        self.read(|state| {
            let all = state.workloads.iter().map(|(id, workload)| {
                let owner = leasehold_domain::actor::Principal::Workload(*id);
                let credentials = state
                    .credentials
                    .iter()
                    .filter(|(_, known)| known.owner == owner)
                    .map(|(id, _)| *id)
                    .collect();
                let certificates = state
                    .certificates
                    .iter()
                    .filter(|(_, known)| *known == id)
                    .map(|(name, _)| name.clone())
                    .collect();
                (workload.clone(), credentials, certificates)
            });
            all.collect()
        })
        .await
    }

    /// Gives a workload one more API credential. Its text is in the answer, and nowhere else.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn add_credential(
        &self,
        caller: &Caller,
        workload: &str,
        ttl: Option<Span>,
    ) -> Result<(CredentialId, Zeroizing<String>), Problem> {
        self.authorize_administrator(caller, AdministratorAction::Operate).await?;
        let workload = self.read(|state| workload_by(state, workload)).await??;
        let credential = CredentialId::from_bytes(draw::sixteen(self.entropy()));
        let drawn = CredentialSecret::draw(CredentialKind::Workload, credential, self.entropy());
        let secret = Digest::from_bytes(drawn.hash().to_bytes());
        let expires_at = ttl.map(|ttl| self.now() + ttl);
        let command = workload::Command::AddCredential { workload, credential, secret, expires_at };
        self.propose(caller, Command::Workload(command)).await?;
        Ok((credential, drawn.reveal()))
    }

    /// Ends one of a workload's API credentials.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn retire_credential(
        &self,
        caller: &Caller,
        workload: &str,
        credential: CredentialId,
    ) -> Result<(), Problem> {
        self.authorize_administrator(caller, AdministratorAction::Operate).await?;
        let workload = self.read(|state| workload_by(state, workload)).await??;
        let command = workload::Command::RetireCredential { workload, credential };
        self.propose(caller, Command::Workload(command)).await.map(drop)
    }

    /// Lets certificates with this name stand for a workload.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn bind_certificate(
        &self,
        caller: &Caller,
        workload: &str,
        expected: Option<u64>,
        name: &str,
    ) -> Result<(), Problem> {
        self.of_certificate(caller, workload, expected, name, |workload, certificate| {
            workload::Command::BindCertificate { workload, certificate }
        })
        .await
    }

    /// Lets certificates with this name stand for a workload no more. What it holds stays its own until it ends.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn unbind_certificate(
        &self,
        caller: &Caller,
        workload: &str,
        expected: Option<u64>,
        name: &str,
    ) -> Result<(), Problem> {
        self.of_certificate(caller, workload, expected, name, |workload, certificate| {
            workload::Command::UnbindCertificate { workload, certificate }
        })
        .await
    }

    async fn of_certificate(
        &self,
        caller: &Caller,
        workload: &str,
        expected: Option<u64>,
        name: &str,
        command: impl FnOnce(WorkloadId, CertificateName) -> workload::Command,
    ) -> Result<(), Problem> {
        self.authorize_administrator(caller, AdministratorAction::Operate).await?;
        let workload = self.read(|state| workload_by(state, workload)).await??;
        let certificate = name.parse::<CertificateName>().map_err(|error| Problem::invalid("name", error))?;
        let command = Command::Workload(command(workload, certificate));
        self.propose_at(caller, Entity::Workload(workload), expected, command).await.map(drop)
    }

    /// Lets a workload ask, or ends what it may ask. Answers with its revision.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn set_workload_enabled(
        &self,
        caller: &Caller,
        workload: &str,
        expected: Option<u64>,
        enabled: bool,
    ) -> Result<u64, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Operate).await?;
        let workload = self.read(|state| workload_by(state, workload)).await??;
        let command = if enabled {
            workload::Command::Enable { workload }
        } else {
            workload::Command::Disable { workload }
        };
        let entity = Entity::Workload(workload);
        let applied = self.propose_at(caller, entity, expected, Command::Workload(command)).await?;
        Ok(applied.first_seq)
    }
}
