//! The gRPC interface, generated from `proto/`. Edges speak it; the domain does not know it.

/// Version 1 of the interface.
pub mod v1 {
    #![expect(
        clippy::all,
        missing_docs,
        reason = "generated; its documentation is the comments of the .proto files"
    )]

    use std::fmt;

    tonic::include_proto!("leasehold.v1");

    macro_rules! redacted {
        ($($name:ident),+) => {$(
            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(concat!(stringify!($name), "(redacted)"))
                }
            }
        )+};
    }

    redacted!(
        AcquireRequest,
        Lease,
        CreateConnectorRequest,
        AddConnectorSecretRequest,
        RegisterIdentityProviderRequest,
        ReplaceIdentityProviderSecretRequest,
        AddWorkloadCredentialResponse,
        RedeemBootstrapResponse,
        RegisterAdministratorResponse
    );
}

/// The descriptors of the interface, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
