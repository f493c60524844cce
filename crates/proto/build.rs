//! Generates the gRPC interface from `proto/`, without a system `protoc`.

use std::{env, fs, path::PathBuf};

use prost::Message;

/// One file a service, or a few that belong together.
const FILES: [&str; 8] = [
    "leasehold/v1/common.proto",
    "leasehold/v1/lease.proto",
    "leasehold/v1/grant.proto",
    "leasehold/v1/catalog.proto",
    "leasehold/v1/identity.proto",
    "leasehold/v1/audit.proto",
    "leasehold/v1/cluster.proto",
    "leasehold/v1/keys.proto",
];

/// Messages with a secret in them: their `Debug` would print it.
const SECRET: [&str; 9] = [
    ".leasehold.v1.AcquireRequest",
    ".leasehold.v1.Lease",
    ".leasehold.v1.CreateConnectorRequest",
    ".leasehold.v1.AddConnectorSecretRequest",
    ".leasehold.v1.RegisterIdentityProviderRequest",
    ".leasehold.v1.ReplaceIdentityProviderSecretRequest",
    ".leasehold.v1.AddWorkloadCredentialResponse",
    ".leasehold.v1.RedeemBootstrapResponse",
    ".leasehold.v1.RegisterAdministratorResponse",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let proto = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo:rerun-if-changed={}", proto.display());
    let descriptors = protox::compile(FILES.map(|file| proto.join(file)), [&proto])?;
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("descriptors.bin"), descriptors.encode_to_vec())?;
    let mut builder = tonic_prost_build::configure();
    builder = builder.skip_debug(SECRET);
    builder.compile_fds(descriptors)?;
    Ok(())
}
