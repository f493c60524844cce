//! Who is calling: workloads and administrators by API credential or certificate, people by a sign-in at the organisation's identity
//! provider, and whom a subject token speaks of.
//!
//! It answers with a domain [`Principal`](leasehold_domain::actor::Principal) and the proof, or with a subject, and never with what
//! either may do. It reads the replicated state and changes nothing; moments and random bytes come in as parameters. It knows no
//! consensus, no gRPC and no pages. The only way out to the network is the hardened transport, and only towards identity providers.
//!
//! Personal data ([`person::Person`]) and secrets have no `Debug` and no `Display`, and no error carries either.

pub mod caller;
mod http;
pub mod metadata;
mod numeric_date;
pub mod person;
pub mod resolve;
pub mod session;
pub mod sign_in;
pub mod subject_token;

pub use http::HttpError;

#[cfg(test)]
mod tests {
    /// Whether a type has a trait: an inherent constant exists only where the bound holds, and hides the blanket one where it does.
    macro_rules! has {
        ($type:ty: $trait:path) => {{
            trait Absent {
                const PRESENT: bool = false;
            }
            struct Probe<T: ?Sized>(core::marker::PhantomData<T>);
            impl<T: ?Sized> Absent for Probe<T> {}
            impl<T: ?Sized + $trait> Probe<T> {
                const PRESENT: bool = true;
            }
            assert!(Probe::<u8>::PRESENT, "the probe itself does not see {}", stringify!($trait));
            Probe::<$type>::PRESENT
        }};
    }

    #[test]
    fn nothing_that_carries_a_person_or_a_secret_can_be_printed_or_copied() {
        macro_rules! assert_mute {
            ($($type:ty),+ $(,)?) => {$(
                assert!(!has!($type: core::fmt::Debug), "{} has Debug", stringify!($type));
                assert!(!has!($type: core::fmt::Display), "{} has Display", stringify!($type));
                assert!(!has!($type: Clone), "{} has Clone", stringify!($type));
            )+};
        }
        assert_mute!(
            crate::person::Person,
            crate::session::Session,
            crate::session::Standing,
            crate::sign_in::PendingSignIn,
            crate::subject_token::SubjectToken,
            crate::subject_token::Presented<'static>,
        );
        let claims = crate::person::ExtraClaims { tid: Some("canary".to_owned()), oid: None, nbf: None };
        assert!(!format!("{claims:?}").contains("canary"));
    }

    #[test]
    fn what_a_handler_holds_across_its_waits_can_move_between_threads() {
        fn shared<T: Send + Sync>(_: &T) {}
        fn sent<T: Send>(_: &T) {}
        fn check(
            cache: &crate::metadata::MetadataCache,
            sign_in: crate::sign_in::SignIn<'_>,
            pending: crate::sign_in::PendingSignIn,
            presented: &crate::subject_token::Presented<'_>,
        ) {
            let now = leasehold_domain::time::Timestamp::from_millis(0);
            shared(cache);
            shared(presented);
            sent(&sign_in.finish(cache, pending, "", None, now));
            sent(&presented.verify(cache, &[], now));
        }
        let _ = check;
    }
}
