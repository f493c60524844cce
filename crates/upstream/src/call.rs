//! A call as a value, and its answer as it came: to be put away first and understood later.

use std::fmt;

use leasehold_domain::{
    provider::ProviderFailure,
    time::{Span, Timestamp},
};
use thiserror::Error;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::transport::{Completeness, Exchange, NotSent, Request, Transport, Unanswered};

/// What a call is for. An answer keeps it, since the same status means different things on different legs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leg {
    /// The exchange of an authorization code for tokens.
    Exchange,
    /// A refresh.
    Refresh,
    /// A revocation.
    Revoke,
    /// An introspection.
    Introspect,
    /// The account lookup.
    Account,
}

/// A request that is ready to be sent, once: sending consumes it.
pub struct Call {
    pub(crate) leg: Leg,
    pub(crate) request: Request,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("leg", &self.leg).finish_non_exhaustive()
    }
}

/// Why a call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SendError {
    /// It was certainly not sent.
    #[error("the call was not sent: {0}")]
    NotSent(NotSent),
    /// Nobody knows whether it was processed.
    #[error("the call was not answered: {0}")]
    Unanswered(Unanswered),
}

impl SendError {
    /// What it means for the grant.
    pub fn class(self) -> ProviderFailure {
        match self {
            Self::NotSent(NotSent::Refused(_) | NotSent::Unwritable) => ProviderFailure::RequestFault,
            Self::NotSent(
                NotSent::Dns | NotSent::Connect | NotSent::ConnectTimeout | NotSent::Proxy | NotSent::Tls,
            ) => ProviderFailure::Transient,
            Self::Unanswered(Unanswered::Timeout | Unanswered::Lost) => ProviderFailure::Ambiguous,
        }
    }
}

impl Call {
    /// What it is for.
    pub fn leg(&self) -> Leg {
        self.leg
    }

    /// Sends it once. `sent_at` is now, by the caller's clock.
    ///
    /// # Errors
    /// [`SendError`] when no answer began.
    pub async fn send(self, transport: &Transport, sent_at: Timestamp) -> Result<RawAnswer, SendError> {
        let begun = Instant::now();
        let exchange = transport.send(self.request).await;
        let took = Span::from_millis(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
        match exchange {
            Exchange::Answered(answer) => {
                tracing::debug!(leg = ?self.leg, status = answer.status, "a provider answered");
                Ok(RawAnswer {
                    leg: self.leg,
                    status: answer.status,
                    content_type: answer.content_type,
                    retry_after: answer.retry_after,
                    completeness: answer.completeness,
                    received: sent_at + took,
                    body: answer.body,
                })
            }
            Exchange::NotSent(reason) => {
                tracing::debug!(leg = ?self.leg, ?reason, "a call was not sent");
                Err(SendError::NotSent(reason))
            }
            Exchange::Ambiguous(reason) => {
                tracing::debug!(leg = ?self.leg, ?reason, "a call was not answered");
                Err(SendError::Unanswered(reason))
            }
        }
    }
}

/// An answer as it came, with all that is needed to understand it later, on any node. Its body never prints.
pub struct RawAnswer {
    /// What was called.
    pub leg: Leg,
    /// The HTTP status.
    pub status: u16,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
    /// The `Retry-After` header.
    pub retry_after: Option<String>,
    /// How much of the body arrived.
    pub completeness: Completeness,
    /// When the answer's last byte came, by the caller's clock.
    pub received: Timestamp,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for RawAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawAnswer")
            .field("leg", &self.leg)
            .field("status", &self.status)
            .field("completeness", &self.completeness)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

/// Bytes that are no [`RawAnswer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the bytes are no raw answer of a known version")]
pub struct UnreadableAnswer;

/// The version that the first byte names.
const VERSION: u8 = 1;

impl RawAnswer {
    /// The answer as bytes, to be sealed and put away. Version, leg, completeness (a byte each), status (2 bytes), moment (8), then
    /// content type, retry-after and body, each behind its length (4); integers are big-endian, an absent header is an empty one.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let content_type = self.content_type.as_deref().unwrap_or_default().as_bytes();
        let retry_after = self.retry_after.as_deref().unwrap_or_default().as_bytes();
        let len = 25 + content_type.len() + retry_after.len() + self.body.len();
        let mut bytes = Zeroizing::new(Vec::with_capacity(len));
        bytes.extend_from_slice(&[VERSION, leg_byte(self.leg), completeness_byte(self.completeness)]);
        bytes.extend_from_slice(&self.status.to_be_bytes());
        bytes.extend_from_slice(&self.received.as_millis().to_be_bytes());
        for part in [content_type, retry_after, &self.body] {
            let len = u32::try_from(part.len()).expect("a part of an answer is at most a mebibyte long");
            bytes.extend_from_slice(&len.to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }

    /// Reads what [`RawAnswer::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`UnreadableAnswer`] for anything else, trailing bytes included.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, UnreadableAnswer> {
        let mut rest = bytes;
        let [version, leg, completeness] = take::<3>(&mut rest)?;
        if version != VERSION {
            return Err(UnreadableAnswer);
        }
        let status = u16::from_be_bytes(take(&mut rest)?);
        let millis = u64::from_be_bytes(take(&mut rest)?);
        let received = Timestamp::from_millis(millis);
        if received.as_millis() != millis {
            return Err(UnreadableAnswer);
        }
        let content_type = header(part(&mut rest)?)?;
        let retry_after = header(part(&mut rest)?)?;
        let body = Zeroizing::new(part(&mut rest)?.to_vec());
        if !rest.is_empty() {
            return Err(UnreadableAnswer);
        }
        let leg = [Leg::Exchange, Leg::Refresh, Leg::Revoke, Leg::Introspect, Leg::Account]
            .into_iter()
            .find(|known| leg_byte(*known) == leg)
            .ok_or(UnreadableAnswer)?;
        let completeness = [Completeness::Whole, Completeness::CutAtLimit, Completeness::BrokenOff]
            .into_iter()
            .find(|known| completeness_byte(*known) == completeness)
            .ok_or(UnreadableAnswer)?;
        Ok(Self { leg, status, content_type, retry_after, completeness, received, body })
    }
}

const fn leg_byte(leg: Leg) -> u8 {
    match leg {
        Leg::Exchange => 0,
        Leg::Refresh => 1,
        Leg::Revoke => 2,
        Leg::Introspect => 3,
        Leg::Account => 4,
    }
}

const fn completeness_byte(completeness: Completeness) -> u8 {
    match completeness {
        Completeness::Whole => 0,
        Completeness::CutAtLimit => 1,
        Completeness::BrokenOff => 2,
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], UnreadableAnswer> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(UnreadableAnswer)?;
    *rest = tail;
    Ok(*head)
}

fn part<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], UnreadableAnswer> {
    let len = usize::try_from(u32::from_be_bytes(take(rest)?)).map_err(|_| UnreadableAnswer)?;
    let (head, tail) = rest.split_at_checked(len).ok_or(UnreadableAnswer)?;
    *rest = tail;
    Ok(head)
}

fn header(part: &[u8]) -> Result<Option<String>, UnreadableAnswer> {
    let text = str::from_utf8(part).map_err(|_| UnreadableAnswer)?;
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(body: &[u8]) -> RawAnswer {
        RawAnswer {
            leg: Leg::Refresh,
            status: 200,
            content_type: Some("application/json".to_owned()),
            retry_after: None,
            completeness: Completeness::BrokenOff,
            received: Timestamp::from_millis(1_700_000_000_123),
            body: Zeroizing::new(body.to_vec()),
        }
    }

    #[test]
    fn an_answer_reads_back_from_its_bytes() {
        let written = answer(b"{\"access_token\":\"canary\"}");
        let read = RawAnswer::from_bytes(&written.to_bytes()).unwrap();
        assert_eq!(read.leg, written.leg);
        assert_eq!(read.status, written.status);
        assert_eq!(read.content_type, written.content_type);
        assert_eq!(read.retry_after, written.retry_after);
        assert_eq!(read.completeness, written.completeness);
        assert_eq!(read.received, written.received);
        assert_eq!(*read.body, *written.body);
    }

    #[test]
    fn bytes_that_are_cut_or_trailed_are_refused() {
        let bytes = answer(b"{}").to_bytes();
        for len in 0..bytes.len() {
            assert!(RawAnswer::from_bytes(&bytes[..len]).is_err(), "{len}");
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert!(RawAnswer::from_bytes(&longer).is_err());
    }

    #[test]
    fn an_unknown_version_leg_or_completeness_is_refused() {
        for index in 0..3 {
            let mut bytes = answer(b"{}").to_bytes().to_vec();
            bytes[index] = 9;
            assert!(RawAnswer::from_bytes(&bytes).is_err(), "{index}");
        }
    }

    #[test]
    fn an_answer_prints_no_body() {
        let printed = format!("{:?}", answer(b"canary"));
        assert!(!printed.contains("canary") && !printed.contains("99, 97"), "{printed}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = RawAnswer::from_bytes(&bytes);
        }
    }
}
