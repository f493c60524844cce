//! Who acts, in one flat object:
//! `{"kind":"workload","id":"wkl_…","proof":"credential","credential":"crd_…"}`.

use leasehold_domain::{
    actor::{Actor, Principal, Proof},
    text::Fingerprint,
};

use super::{
    LineProblem, ParseError, Reader, Writer,
    values::{Json, unhex},
};

/// A principal and how it proved who it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    pub(super) principal: Principal,
    pub(super) proof: Proof,
}

impl Identity {
    pub(super) fn of(actor: &Actor) -> Self {
        Self { principal: actor.principal, proof: actor.proof }
    }
}

/// A certificate's fingerprint: no keyed digest, but 20 bytes of a plain one.
#[derive(Debug, Clone, Copy)]
struct CertificateDigest(Fingerprint);

impl Json for CertificateDigest {
    fn render(&self, writer: &mut Writer) {
        writer.print(format_args!("\"sha256-160:{}\"", self.0));
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        reader.text("certificate digest", |text| {
            text.strip_prefix("sha256-160:").and_then(unhex).map(Fingerprint::from_bytes).map(Self)
        })
    }

    #[cfg(test)]
    fn longest() -> Self {
        Self(Json::longest())
    }
}

impl Json for Identity {
    fn render(&self, writer: &mut Writer) {
        writer.open();
        match &self.principal {
            Principal::Cluster => writer.word("kind", "cluster"),
            Principal::Bootstrap(id) => {
                writer.word("kind", "bootstrap");
                writer.member("id", id);
            }
            Principal::Administrator(id) => {
                writer.word("kind", "administrator");
                writer.member("id", id);
            }
            Principal::Workload(id) => {
                writer.word("kind", "workload");
                writer.member("id", id);
            }
            Principal::Person(id) => {
                writer.word("kind", "person");
                writer.member("id", id);
            }
        }
        match &self.proof {
            Proof::Credential(id) => {
                writer.word("proof", "credential");
                writer.member("credential", id);
            }
            Proof::Certificate(fingerprint) => {
                writer.word("proof", "certificate");
                writer.member("certificate", &CertificateDigest(*fingerprint));
            }
            Proof::SignIn => writer.word("proof", "sign_in"),
            Proof::Cluster => writer.word("proof", "cluster"),
        }
        writer.close();
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        reader.open()?;
        reader.name("kind")?;
        let principal = match &*reader.string()? {
            "cluster" => Principal::Cluster,
            "bootstrap" => Principal::Bootstrap(reader.member("id")?),
            "administrator" => Principal::Administrator(reader.member("id")?),
            "workload" => Principal::Workload(reader.member("id")?),
            "person" => Principal::Person(reader.member("id")?),
            _ => return Err(reader.problem(LineProblem::Invalid("kind"))),
        };
        reader.name("proof")?;
        let proof = match &*reader.string()? {
            "credential" => Proof::Credential(reader.member("credential")?),
            "certificate" => {
                let CertificateDigest(fingerprint) = reader.member("certificate")?;
                Proof::Certificate(fingerprint)
            }
            "sign_in" => Proof::SignIn,
            "cluster" => Proof::Cluster,
            _ => return Err(reader.problem(LineProblem::Invalid("proof"))),
        };
        reader.close()?;
        Ok(Self { principal, proof })
    }

    #[cfg(test)]
    fn longest() -> Self {
        Self {
            principal: Principal::Administrator(Json::longest()),
            proof: Proof::Certificate(Json::longest()),
        }
    }
}
