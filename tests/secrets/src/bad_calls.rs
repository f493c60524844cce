//! Calls that are wrong in every way that a text can be: for each call of the interface and each of its text fields, a secret where none belongs; and
//! messages that are oversized, broken, or of fields that nobody knows.
//!
//! Built from the interface's own descriptors, so that a new call is among them from the day it exists.

use std::{fmt::Write as _, time::Duration};

use anyhow::Context;
use bytes::{Buf as _, BufMut as _};
use prost::{Message as _, encoding};
use prost_types::{DescriptorProto, FileDescriptorSet, field_descriptor_proto::Type};
use tonic::{
    Request, Status, Streaming,
    client::{Grpc, GrpcService},
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::{Body, Bytes, StdError, http::uri::PathAndQuery},
};

/// How deep messages within messages are filled.
const DEPTH_MAX: usize = 3;
/// More than any message may have.
const OVERSIZED: usize = 300_000;
/// How long one call may take: some wait, and some stream.
const CALL_MAX: Duration = Duration::from_millis(1500);

/// A call of the interface.
pub struct Call {
    /// `/package.Service/Method`.
    pub path: String,
    message: DescriptorProto,
}

/// The calls of the interface.
pub struct Interface {
    /// All of them.
    pub calls: Vec<Call>,
    messages: Vec<(String, DescriptorProto)>,
}

impl Interface {
    /// Reads the descriptors of this build.
    ///
    /// # Errors
    /// Where they are none.
    pub fn read() -> anyhow::Result<Self> {
        let set = FileDescriptorSet::decode(leasehold_proto::DESCRIPTORS)?;
        let mut messages = Vec::new();
        for file in &set.file {
            for message in &file.message_type {
                messages.push((format!(".{}.{}", file.package(), message.name()), message.clone()));
            }
        }
        let find = |name: &str| {
            let found = messages.iter().find(|(known, _)| known == name);
            found.map(|(_, message)| message.clone()).with_context(|| format!("no message {name}"))
        };
        let mut calls = Vec::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    calls.push(Call {
                        path: format!("/{}.{}/{}", file.package(), service.name(), method.name()),
                        message: find(method.input_type())?,
                    });
                }
            }
        }
        Ok(Self { calls, messages })
    }

    /// Every message of the interface, by its full name.
    pub fn messages(&self) -> &[(String, DescriptorProto)] {
        &self.messages
    }

    /// Messages of a call that have this text where it does not belong, each named.
    pub fn wrong(&self, call: &Call, text: &str) -> Vec<(String, Vec<u8>)> {
        let mut wrong = self.filled(&call.message, text, 0);
        let all: Vec<u8> = wrong.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let mut oversized = Vec::new();
        put(&mut oversized, 1, text.repeat(OVERSIZED / text.len().max(1)).as_bytes());
        let mut unknown = Vec::new();
        put(&mut unknown, 1999, text.as_bytes());
        let mut broken = vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f];
        broken.extend_from_slice(text.as_bytes());
        wrong.push(("everything at once".to_owned(), all));
        wrong.push(("oversized".to_owned(), oversized));
        wrong.push(("an unknown field".to_owned(), unknown));
        wrong.push(("broken".to_owned(), broken));
        wrong
    }

    fn filled(&self, message: &DescriptorProto, text: &str, depth: usize) -> Vec<(String, Vec<u8>)> {
        let mut filled = Vec::new();
        for field in &message.field {
            let number = u32::try_from(field.number()).unwrap_or(0);
            let kind = field.r#type();
            if matches!(kind, Type::String | Type::Bytes) {
                let mut bytes = Vec::new();
                put(&mut bytes, number, text.as_bytes());
                filled.push((field.name().to_owned(), bytes));
            } else if kind == Type::Message && depth < DEPTH_MAX {
                let inner = self.messages.iter().find(|(name, _)| name == field.type_name());
                let inner = inner.map(|(_, inner)| self.filled(inner, text, depth + 1)).unwrap_or_default();
                for (name, inner) in inner {
                    let mut bytes = Vec::new();
                    put(&mut bytes, number, &inner);
                    filled.push((format!("{}.{name}", field.name()), bytes));
                }
            }
        }
        filled
    }
}

fn put(message: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    encoding::encode_key(number, encoding::WireType::LengthDelimited, message);
    encoding::encode_varint(bytes.len() as u64, message);
    message.extend_from_slice(bytes);
}

/// Sends a message as it is, and answers with all that came back for as long as it is waited for: the bytes of answers, and whatever a refusal says.
///
/// # Errors
/// Where the path is none, or there is no connection.
pub async fn send<T>(service: T, path: &str, message: Vec<u8>) -> anyhow::Result<Vec<u8>>
where
    T: GrpcService<tonic::body::Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as Body>::Error: Into<StdError> + Send,
{
    let mut grpc = Grpc::new(service);
    grpc.ready().await.map_err(|error| anyhow::anyhow!(error.into()))?;
    let mut request = Request::new(tokio_stream::once(message));
    request.set_timeout(CALL_MAX);
    let path: PathAndQuery = path.parse().context("a path that is none")?;
    let mut said = Vec::new();
    match grpc.streaming(request, path, Raw).await {
        Ok(response) => {
            let _ = write!(Text(&mut said), "{:?}", response.metadata());
            let mut stream: Streaming<Vec<u8>> = response.into_inner();
            loop {
                match tokio::time::timeout(CALL_MAX, stream.message()).await {
                    Ok(Ok(Some(bytes))) => said.extend(bytes),
                    Ok(Err(status)) => {
                        tell(&mut said, &status);
                        break;
                    }
                    Ok(Ok(None)) | Err(_) => break,
                }
            }
        }
        Err(status) => tell(&mut said, &status),
    }
    Ok(said)
}

/// All that a status says.
pub fn tell(said: &mut Vec<u8>, status: &Status) {
    said.extend_from_slice(status.message().as_bytes());
    said.extend_from_slice(status.details());
    let _ = write!(Text(said), "{status} {status:?} {:?}", status.metadata());
}

struct Text<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Messages as bytes.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut bytes = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}
