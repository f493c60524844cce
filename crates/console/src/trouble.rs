//! Everything that can keep a page from being what was asked for: a stable code, a status, and words for the person who meets it.
//!
//! The words name nobody and quote nothing, so a page of trouble may be shown to anyone who holds its address.

use axum::http::StatusCode;

/// What a page of trouble says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Notice {
    /// Its heading.
    pub(crate) title: &'static str,
    /// What happened.
    pub(crate) happened: &'static str,
    /// What to do next.
    pub(crate) next: &'static str,
    /// The stable code.
    pub(crate) code: &'static str,
}

macro_rules! troubles {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $title:literal, $happened:literal, $next:literal;)+) => {
        /// What went wrong, as far as the person in front of the browser is concerned.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Trouble {
            $($(#[$doc])* $name,)+
        }

        impl Trouble {
            /// Every one.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The status of its page.
            pub(crate) const fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)+
                }
            }

            /// What its page says.
            pub(crate) const fn notice(self) -> Notice {
                match self {
                    $(Self::$name => Notice { title: $title, happened: $happened, next: $next, code: $code },)+
                }
            }
        }
    };
}

troubles! {
    /// The consent was started for another person.
    SubjectMismatch = "SUBJECT_MISMATCH", FORBIDDEN,
        "This request is for somebody else",
        "It was started for another person than the one who is signed in here. Nothing was changed.",
        "If it is yours, sign out and sign in as yourself. If somebody sent you the link, do not go on, and tell them.";
    /// Another browser session approved the consent.
    SessionMismatch = "SESSION_MISMATCH", FORBIDDEN,
        "This was begun in another browser",
        "The request was approved in another browser or in an earlier session, and can be finished only there. Nothing was changed.",
        "Finish it where you began. If that is no longer possible, ask for access again in ten minutes.";
    /// The callback does not belong to a consent that this browser approved.
    StateMismatch = "STATE_MISMATCH", BAD_REQUEST,
        "The provider's answer does not belong here",
        "It is not the answer to a request that this browser approved within the last ten minutes. It was not used.",
        "Open your link again and begin anew. If you did not begin anything, close this window.";
    /// The time for this step is over.
    AuthorizationExpired = "AUTHORIZATION_EXPIRED", GONE,
        "This request has expired",
        "It was not finished in time. No access was given.",
        "Go back to where you were asked for access, and ask for a new link.";
    /// The consent is not waiting for this step.
    AuthorizationNotOpen = "AUTHORIZATION_NOT_OPEN", CONFLICT,
        "This step is over",
        "The request is not waiting for what was sent. It is further along, or has ended. Nothing was changed.",
        "Open the request to see how far it is.";
    /// There is no such consent.
    AuthorizationUnknown = "UNKNOWN", NOT_FOUND,
        "There is no such request",
        "The link leads to no request for access. It may be incomplete, or the request ended long ago.",
        "Check that the link is complete, or ask for a new one.";
    /// What the consent rests on was revoked.
    Revoked = "GRANT_REVOKED", GONE,
        "This request was withdrawn",
        "Access that it rests on was revoked after it was started. No access was given.",
        "If you still need access, ask for a new link, or ask your administrator.";
    /// Another account than the expected one.
    AccountMismatch = "ACCOUNT_MISMATCH", CONFLICT,
        "This is another account",
        "The account at the provider is not the one whose access is renewed. Its tokens are being revoked.",
        "Sign in to the right account at the provider, then ask for a new link.";
    /// Something the step needs is disabled.
    Disabled = "DISABLED", FORBIDDEN,
        "This has been disabled",
        "An administrator has disabled something that this request needs. Nothing was changed.",
        "Ask your administrator.";
    /// A policy or a role forbids it.
    Denied = "POLICY_DENIED", FORBIDDEN,
        "This is not allowed",
        "A rule of your organisation forbids it. Nothing was changed.",
        "Ask your administrator, and give the code and the trace below.";
    /// Nobody here is the person who signed in.
    SubjectUnknown = "SUBJECT_UNKNOWN", FORBIDDEN,
        "You are not known here",
        "You signed in, but nobody is registered here under that identity, or more than one is.",
        "Ask your administrator to register you, then open your link again.";
    /// Another immutable identifier is pinned to the subject.
    IdentifierMismatch = "IDENTIFIER_MISMATCH", FORBIDDEN,
        "Your identity has changed",
        "You signed in with another identity than the one that is on record for you. Nothing was changed.",
        "Ask your administrator, and give the code and the trace below.";
    /// The identity provider's answer came to nothing.
    SignInFailed = "SIGN_IN_FAILED", FORBIDDEN,
        "You could not be signed in",
        "Your identity provider did not confirm who you are. Nothing was changed.",
        "Try again. If it happens again, ask your administrator, and give the code and the trace below.";
    /// The callback of a sign-in that this browser did not begin, or that is over.
    SignInLost = "SIGN_IN_NOT_WAITING", BAD_REQUEST,
        "This sign-in is over",
        "The browser came back from signing in, but no sign-in is waiting here: it took too long, or another one was begun meanwhile.",
        "Open your link again.";
    /// There is no identity provider.
    NoSignIn = "SIGN_IN_NOT_SET_UP", SERVICE_UNAVAILABLE,
        "Nobody can sign in yet",
        "No identity provider is registered here.",
        "Ask your administrator to register one.";
    /// No session, or one that is over.
    SessionEnded = "SESSION_ENDED", FORBIDDEN,
        "You are no longer signed in",
        "Your session ended before this was sent. Nothing was changed.",
        "Sign in again and repeat the step.";
    /// The form was not made for this session.
    FormForged = "FORM_REFUSED", FORBIDDEN,
        "This form was not accepted",
        "It does not belong to your present session. Nothing was changed.",
        "Open your link again and repeat the step. If you did not send anything, close this window.";
    /// The form comes from another site.
    CrossSite = "CROSS_SITE_REFUSED", FORBIDDEN,
        "This was sent by another site",
        "Only pages of this site may send that. Nothing was changed.",
        "If you did not expect this, close this window. Otherwise open your link again.";
    /// The page was asked for as a part of another page.
    NotAPage = "NOT_A_PAGE", FORBIDDEN,
        "This can only be opened as a page",
        "Another page tried to load this one into itself.",
        "Open the link in a window of its own.";
    /// The form is not one of ours.
    FormInvalid = "INVALID_ARGUMENT", BAD_REQUEST,
        "This form cannot be read",
        "It has other fields than the page that it belongs to. Nothing was changed.",
        "Go back, reload the page and try again.";
    /// The body is too long.
    TooLarge = "TOO_LARGE", PAYLOAD_TOO_LARGE,
        "This is too much",
        "What was sent is longer than any form here. Nothing was changed.",
        "Go back, reload the page and try again.";
    /// No such page.
    NotFound = "NOT_FOUND", NOT_FOUND,
        "There is no such page",
        "The address leads nowhere on this site.",
        "Check that the link is complete.";
    /// The page does not take this method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", METHOD_NOT_ALLOWED,
        "This cannot be done here",
        "The page does not take that kind of request.",
        "Open your link again.";
    /// The request names another host.
    WrongHost = "WRONG_HOST", MISDIRECTED_REQUEST,
        "This is not the address of this site",
        "The request names another host than the one that is served here.",
        "Use the address that you were given, exactly.";
    /// The provider does not answer now.
    ProviderUnavailable = "PROVIDER_UNAVAILABLE", SERVICE_UNAVAILABLE,
        "The provider cannot be reached",
        "The provider does not answer as it should at the moment. Nothing was changed.",
        "Try again in a moment.";
    /// The connector is suspended.
    ConnectorSuspended = "CONNECTOR_SUSPENDED", SERVICE_UNAVAILABLE,
        "The connection to the provider is suspended",
        "The provider refused our own credentials, so it is not called for now.",
        "Ask your administrator, and give the code and the trace below.";
    /// No node can decide now.
    NoLeader = "NO_LEADER", SERVICE_UNAVAILABLE,
        "We cannot decide this right now",
        "The cluster is choosing a leader, or cannot reach enough of its nodes.",
        "Try again in a moment.";
    /// Too much waits.
    Overloaded = "OVERLOADED", SERVICE_UNAVAILABLE,
        "Too much is going on",
        "More is waiting than can be served at the moment. Nothing was changed.",
        "Try again in a moment.";
    /// Nobody knows yet what became of it.
    OutcomeUnknown = "OUTCOME_UNKNOWN", SERVICE_UNAVAILABLE,
        "We do not know yet what became of this",
        "The step was taken, and its outcome is not known yet.",
        "Open the request to see how far it is.";
    /// The node is stopping.
    Stopped = "STOPPED", SERVICE_UNAVAILABLE,
        "This node is stopping",
        "It takes no new requests.",
        "Try again in a moment.";
    /// It took too long.
    TimedOut = "TIMED_OUT", SERVICE_UNAVAILABLE,
        "This took too long",
        "There was no answer in time. The step may have been taken all the same.",
        "Open the request to see how far it is.";
    /// We are broken.
    Internal = "INTERNAL", INTERNAL_SERVER_ERROR,
        "Something is wrong on our side",
        "An internal fault kept us from answering.",
        "Try again. If it happens again, tell your administrator the code and the trace below.";
}

impl Trouble {
    /// The trouble of a code.
    pub(crate) fn of_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.notice().code == code)
    }

    /// Whether signing in as somebody else may help.
    pub(crate) fn offers_sign_out(self) -> bool {
        matches!(self, Self::SubjectMismatch | Self::IdentifierMismatch)
    }

    /// Whether going back to the consent may help, or at least show how far it is.
    pub(crate) fn offers_return(self) -> bool {
        !matches!(
            self,
            Self::SubjectMismatch
                | Self::SessionMismatch
                | Self::AuthorizationExpired
                | Self::AuthorizationUnknown
                | Self::Revoked
                | Self::AccountMismatch
                | Self::Disabled
                | Self::Denied
                | Self::IdentifierMismatch
                | Self::WrongHost
        )
    }

    /// After how many seconds another try may help.
    pub(crate) fn retry_after(self) -> Option<u32> {
        (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(5)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_trouble_has_a_code_of_its_own_by_which_it_is_found() {
        let codes: BTreeSet<_> = Trouble::ALL.iter().map(|trouble| trouble.notice().code).collect();
        assert_eq!(codes.len(), Trouble::ALL.len());
        for trouble in Trouble::ALL {
            assert_eq!(Trouble::of_code(trouble.notice().code), Some(*trouble));
            let plain = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
            assert!(trouble.notice().code.bytes().all(plain), "{trouble:?}");
        }
        assert_eq!(Trouble::of_code("no_leader"), None);
    }

    #[test]
    fn every_trouble_says_what_happened_and_what_to_do() {
        for trouble in Trouble::ALL {
            let Notice { title, happened, next, .. } = trouble.notice();
            assert!(!title.ends_with('.') && happened.ends_with('.') && next.ends_with('.'), "{trouble:?}");
            assert!(trouble.status().is_client_error() || trouble.status().is_server_error(), "{trouble:?}");
        }
    }
}
