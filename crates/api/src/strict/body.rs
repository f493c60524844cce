//! A request's body, of which only messages get through that were checked, each whole.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes, BytesMut};
use http_body::{Body, Frame};
use tonic::Status;

use super::{MESSAGE_LEN_MAX, check};
use crate::{
    interface::{Interface, Method},
    refusal::Refusal,
};

/// Whether the message is compressed, and its length in four bytes.
const HEADER_LEN: usize = 5;

/// A body that checks each message before it gives it on. After the first refusal it gives nothing more.
pub(crate) struct Checked<B> {
    inner: B,
    method: &'static Method,
    waiting: BytesMut,
    messages: u64,
    over: bool,
}

impl<B> Checked<B> {
    /// Checks what comes in for `method`.
    pub(crate) fn new(inner: B, method: &'static Method) -> Self {
        Self { inner, method, waiting: BytesMut::new(), messages: 0, over: false }
    }

    /// The next whole message with its header, checked; `None` where more bytes are needed.
    fn message(&mut self) -> Result<Option<Bytes>, Refusal> {
        let Some((header, after)) = self.waiting.split_first_chunk::<HEADER_LEN>() else { return Ok(None) };
        let [compressed, len @ ..] = *header;
        if compressed != 0 {
            return Err(Refusal::compressed());
        }
        let len = usize::try_from(u32::from_be_bytes(len)).unwrap_or(usize::MAX);
        if len > MESSAGE_LEN_MAX {
            return Err(Refusal::too_large(MESSAGE_LEN_MAX));
        }
        let Some(message) = after.get(..len) else { return Ok(None) };
        if self.messages > 0 && !self.method.client_streams {
            return Err(Refusal::damaged("the call takes one message, and here is another"));
        }
        check(Interface::of_this_build(), self.method.input, message)
            .map_err(|flaw| Refusal::flawed(&flaw))?;
        self.messages += 1;
        Ok(Some(self.waiting.split_to(HEADER_LEN + len).freeze()))
    }

    fn refuse(&mut self, refusal: Refusal) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.over = true;
        self.waiting.clear();
        Poll::Ready(Some(Err(refusal.into_status())))
    }
}

impl<B> Body for Checked<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        while !self.over {
            match self.message() {
                Ok(Some(message)) => return Poll::Ready(Some(Ok(Frame::data(message)))),
                Ok(None) => {}
                Err(refusal) => return self.refuse(refusal),
            }
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(mut data) => self.waiting.extend_from_slice(&data.copy_to_bytes(data.remaining())),
                    // Trailers of a request mean nothing to gRPC: they are the end.
                    Err(_) => self.over = true,
                },
                Some(Err(_)) => {
                    return self.refuse(Refusal::damaged("the connection ended inside the request"));
                }
                None => self.over = true,
            }
            if self.over && !self.waiting.is_empty() {
                return self.refuse(Refusal::damaged("the request ends inside a message"));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.over
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use http_body_util::{BodyExt as _, Full, StreamBody};
    use leasehold_proto::v1::ReleaseRequest;
    use prost::Message as _;
    use tonic::Code;

    use super::*;

    fn method(name: &str) -> &'static Method {
        Interface::of_this_build().method(&format!("/leasehold.v1.{name}")).unwrap()
    }

    fn framed(message: &[u8]) -> Vec<u8> {
        let len = u32::try_from(message.len()).unwrap();
        [&[0], len.to_be_bytes().as_slice(), message].concat()
    }

    fn release() -> Vec<u8> {
        ReleaseRequest { lease_id: "lse_x".to_owned(), request_id: String::new() }.encode_to_vec()
    }

    fn passed(body: impl Into<Bytes>, name: &str) -> Result<Bytes, Status> {
        let checked = Checked::new(Full::new(body.into()), method(name));
        block_on(checked.collect()).map(http_body_util::Collected::to_bytes)
    }

    #[test]
    fn a_message_gets_through_as_it_is_however_it_is_cut() {
        let whole = framed(&release());
        for cut in 0..=whole.len() {
            let (one, other) = whole.split_at(cut);
            let frames = [one, other].map(|part| Ok::<_, Status>(Frame::data(Bytes::copy_from_slice(part))));
            let body = StreamBody::new(futures::stream::iter(frames));
            let got = block_on(Checked::new(body, method("LeaseService/Release")).collect()).unwrap();
            assert_eq!(got.to_bytes(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn an_unknown_field_never_gets_through() {
        let message = [release(), vec![0x78, 1]].concat();
        let status = passed(framed(&message), "LeaseService/Release").unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains("ReleaseRequest has no field 15"), "{}", status.message());
    }

    #[test]
    fn a_message_above_the_bound_is_refused_by_its_header_alone() {
        let header = [&[0], u32::try_from(MESSAGE_LEN_MAX + 1).unwrap().to_be_bytes().as_slice()].concat();
        let status = passed(header, "LeaseService/Release").unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains("262144 bytes"), "{}", status.message());
    }

    #[test]
    fn a_second_message_on_a_call_for_one_is_refused() {
        let status = passed([framed(&release()), framed(&release())].concat(), "LeaseService/Release");
        assert_eq!(status.unwrap_err().code(), Code::InvalidArgument);
    }

    #[test]
    fn a_stream_is_checked_message_by_message() {
        let good = framed(&[0x08, 7]);
        let whole = passed([good.clone(), good.clone()].concat(), "LeaseService/AcquireStream").unwrap();
        assert_eq!(whole.len(), 2 * good.len());
        let bad = passed([good, framed(&[0x78, 1])].concat(), "LeaseService/AcquireStream");
        assert_eq!(bad.unwrap_err().code(), Code::InvalidArgument);
    }

    #[test]
    fn a_body_that_ends_inside_a_message_or_is_compressed_is_refused() {
        let whole = framed(&release());
        let status = passed(whole[..whole.len() - 1].to_vec(), "LeaseService/Release").unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let mut compressed = whole;
        compressed[0] = 1;
        assert_eq!(passed(compressed, "LeaseService/Release").unwrap_err().code(), Code::Unimplemented);
    }
}
