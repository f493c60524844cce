//! The services, one file each: they read fields, call one use case, and write its answer.

pub(crate) mod access;
pub(crate) mod administrator;
pub(crate) mod audit;
pub(crate) mod catalog;
pub(crate) mod cluster;
pub(crate) mod grant;
pub(crate) mod keys;
pub(crate) mod lease;
pub(crate) mod policy;
pub(crate) mod subject;
pub(crate) mod workload;

use std::pin::Pin;

use futures::Stream;
use tonic::{Response, Status};

/// An answer of one message.
pub(crate) type Answer<T> = Result<Response<T>, Status>;
/// An answer of many.
pub(crate) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
