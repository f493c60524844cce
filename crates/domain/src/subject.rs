//! Subjects: whose access it is. Events name them by id alone; who they are stands in the directory beside the ledger.

use alloc::{string::String, vec::Vec};

use crate::{
    grant::UpstreamTarget,
    id::{AuthorizationId, GrantId, IdentityProviderId, NoteId, SubjectId},
    text::{Commitment, Label, Uri},
    time::{Span, Timestamp},
};

pub mod decide;
pub mod erase;

/// The most things that one continuation of an erasure forgets, of each kind.
pub const FORGET_BATCH_MAX: usize = 32;
/// How long an erased subject's sealed tokens are kept for their provider to revoke them. Then they go, revoked or not.
pub const TOKENS_KEPT: Span = Span::from_mins(72 * 60);

/// The most verified identifiers that a subject may have.
pub const IDENTIFIERS_MAX: usize = 8;

/// Which kind of subject it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A person.
    Person,
    /// A service, owned by a person.
    Service {
        /// Its owner.
        owner: SubjectId,
    },
    /// A team's account, owned by a person.
    Shared {
        /// Its owner.
        owner: SubjectId,
    },
}

/// A verified identifier at an identity provider. Personal data: never in an event.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identifier {
    /// The issuer.
    pub issuer: Uri,
    /// The value of its join claim.
    pub value: Label<255>,
}

/// Who a subject is. Personal data: never in an event, a log or an error.
#[derive(Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The name people type: unique, without regard to case.
    pub user_name: Label<128>,
    /// An email address in lower case, which may resolve the subject before the first sign-in.
    pub email: Option<Label<254>>,
    /// What to call the subject on a page.
    pub display_name: Option<Label<128>>,
    /// The pinned identifiers.
    pub identifiers: Vec<Identifier>,
    /// The salt of the commitments that events carry.
    pub salt: [u8; 16],
}

impl DirectoryEntry {
    /// The domain of the email, in lower case.
    pub fn email_domain(&self) -> Option<&str> {
        self.email.as_ref().and_then(|email| email.as_str().rsplit_once('@')).map(|(_, domain)| domain)
    }

    /// The user name as it is compared.
    pub fn user_name_key(&self) -> String {
        self.user_name.as_str().to_lowercase()
    }
}

/// A subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its id.
    pub id: SubjectId,
    /// Which kind of subject it is.
    pub kind: Kind,
    /// Whether anything may be done for it.
    pub enabled: bool,
    /// Whether an immutable claim is pinned. From then on an email resolves nothing.
    pub pinned: bool,
    /// The sequence number of its last change.
    pub revision: u64,
}

/// The erasure of a subject. It is kept for ever, so that nothing of the subject comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    /// When it was ordered.
    pub erased_at: Timestamp,
    /// By when its sealed tokens are gone, whether their provider revoked them or not.
    pub tokens_until: Timestamp,
    /// When everything of it was gone from live state.
    pub finished_at: Option<Timestamp>,
}

/// Orders.
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    /// Register a subject.
    Register {
        /// Its id.
        subject: SubjectId,
        /// Which kind of subject it is.
        kind: Kind,
        /// Who it is.
        entry: DirectoryEntry,
        /// The commitment to `entry` with its salt.
        commitment: Commitment,
    },
    /// A person signed in. Pins the identifier the first time.
    SignIn {
        /// The subject that the identifier, or before the first sign-in the email, resolved to.
        subject: SubjectId,
        /// At which identity provider.
        identity_provider: IdentityProviderId,
        /// The verified identifier.
        identifier: Identifier,
        /// The commitment to the identifier with the entry's salt.
        commitment: Commitment,
    },
    /// End everything of the subject, until it is enabled.
    Disable {
        /// The subject.
        subject: SubjectId,
        /// Why, as a note beside the ledger.
        note: Option<Note>,
    },
    /// Let things be done for the subject again. Nothing that ended comes back.
    Enable {
        /// The subject.
        subject: SubjectId,
    },
    /// Forget who the subject is, and end everything of it for ever.
    Erase {
        /// The subject.
        subject: SubjectId,
    },
    /// Continue an erasure. At most [`FORGET_BATCH_MAX`] of each kind.
    Forget {
        /// The subject.
        subject: SubjectId,
        /// Notes about it.
        notes: Vec<NoteId>,
        /// Grants of it: the names of their accounts go at once, their tokens when their provider has revoked them, or after
        /// [`TOKENS_KEPT`].
        grants: Vec<GrantId>,
        /// Consents of it that never became a grant.
        authorizations: Vec<AuthorizationId>,
    },
    /// Say that nothing of the subject is left in live state.
    FinishErasure {
        /// The subject.
        subject: SubjectId,
    },
}

/// A free text and the commitment that stands for it in the ledger.
#[derive(Clone, PartialEq, Eq)]
pub struct Note {
    /// Its id.
    pub id: NoteId,
    /// The text, at most 1,000 bytes.
    pub text: Label<1000>,
    /// The salt of the commitment.
    pub salt: [u8; 16],
    /// SHA-256 over the length-framed text and the salt.
    pub commitment: Commitment,
}

/// Facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A subject exists.
    Registered {
        /// Its id.
        subject: SubjectId,
        /// Which kind of subject it is.
        kind: Kind,
        /// What proves the directory entry.
        commitment: Commitment,
    },
    /// An immutable claim is pinned to the subject.
    Pinned {
        /// The subject.
        subject: SubjectId,
        /// At which identity provider.
        identity_provider: IdentityProviderId,
        /// What proves the identifier.
        commitment: Commitment,
    },
    /// The person signed in.
    SignedIn {
        /// The subject.
        subject: SubjectId,
        /// At which identity provider.
        identity_provider: IdentityProviderId,
    },
    /// Everything of the subject ended, and nothing may be done for it.
    Disabled {
        /// The subject.
        subject: SubjectId,
        /// What proves the note, if there is one.
        note: Option<Commitment>,
    },
    /// Things may be done for the subject again.
    Enabled {
        /// The subject.
        subject: SubjectId,
    },
    /// Nobody knows any more who the subject was, and everything of it ended for ever.
    Erased {
        /// The subject.
        subject: SubjectId,
        /// By when its sealed tokens are gone.
        tokens_until: Timestamp,
    },
    /// Sealed tokens of an erased subject went before their provider revoked them.
    TokensAbandoned {
        /// The subject.
        subject: SubjectId,
        /// Whose tokens they were.
        target: UpstreamTarget,
    },
    /// Nothing of the subject is left in live state but its id.
    ErasureFinished {
        /// The subject.
        subject: SubjectId,
    },
}
