//! What an endpoint is, and the kinds of bodies and replies.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use values::{Error, Result};

use crate::query::Query;
use crate::version::Version;

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
}

impl Method {
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One endpoint of the API.
///
/// `Body` is one of [`NoBody`], [`Json`], [`Upload`]; `Reply` one of [`NoContent`], [`Json`], [`JsonStream`],
/// [`LogStream`], [`Hijack`], [`Download`], [`Ping`].
pub trait Endpoint {
    const METHOD: Method;
    /// The pattern without a version, e.g. `/containers/{id}/json`; see [`crate::path`].
    const PATH: &'static str;
    /// The first version that has it.
    const SINCE: Version;
    type Query: Query;
    type Body;
    type Reply;
}

/// No request body.
#[derive(Clone, Copy, Debug)]
pub struct NoBody;

/// A JSON body or reply.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(PhantomData<T>);

/// A request body of bytes, usually a tar archive.
#[derive(Clone, Copy, Debug)]
pub struct Upload;

/// A reply without content (200, 201 or 204).
#[derive(Clone, Copy, Debug)]
pub struct NoContent;

/// A reply of JSON objects that come one after another.
#[derive(Clone, Copy, Debug)]
pub struct JsonStream<T>(PhantomData<T>);

/// A reply of output, raw or framed as its content type says (see [`crate::stream`]).
#[derive(Clone, Copy, Debug)]
pub struct LogStream;

/// The connection becomes a stream of bytes in both directions, output framed as its content type says.
#[derive(Clone, Copy, Debug)]
pub struct Hijack;

/// A reply of bytes, usually a tar archive.
#[derive(Clone, Copy, Debug)]
pub struct Download;

/// The reply of a ping: what counts is in the headers.
#[derive(Clone, Copy, Debug)]
pub struct Ping;

/// A body that is sent in one piece.
pub trait Encode {
    type Value: ?Sized;

    /// The bytes to send; `None` sends no body.
    ///
    /// # Errors
    /// `Internal` when the value cannot be written as JSON.
    fn encode(value: &Self::Value) -> Result<Option<Vec<u8>>>;
}

impl Encode for NoBody {
    type Value = ();
    fn encode(_: &()) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

impl<T: Serialize> Encode for Json<T> {
    type Value = T;
    fn encode(value: &T) -> Result<Option<Vec<u8>>> {
        serde_json::to_vec(value).map(Some).map_err(|e| Error::internal(format!("cannot encode a request: {e}")))
    }
}

/// A reply that is read in one piece.
pub trait Decode {
    type Value;

    /// Reads the reply's body.
    ///
    /// # Errors
    /// `Internal` when it is not what the endpoint promises.
    fn decode(body: &[u8]) -> Result<Self::Value>;
}

impl Decode for NoContent {
    type Value = ();
    fn decode(_: &[u8]) -> Result<()> {
        Ok(())
    }
}

impl<T: DeserializeOwned> Decode for Json<T> {
    type Value = T;
    fn decode(body: &[u8]) -> Result<T> {
        serde_json::from_slice(body).map_err(|e| Error::internal(format!("unexpected reply of the daemon: {e}")))
    }
}
