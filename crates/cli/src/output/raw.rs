//! Endpoints whose reply is taken as it comes: `inspect` shows a daemon's JSON in its own order, unknown keys too.

use std::marker::PhantomData;

use api::endpoint::{Decode, Method};
use api::{Endpoint, JsonStream, Version};

/// A body as bytes.
pub struct Bytes;

impl Decode for Bytes {
    type Value = Vec<u8>;

    fn decode(body: &[u8]) -> values::Result<Vec<u8>> {
        Ok(body.to_vec())
    }
}

/// The endpoint `E` with the reply `R`.
pub struct As<E, R>(PhantomData<(E, R)>);

impl<E: Endpoint, R> Endpoint for As<E, R> {
    const METHOD: Method = E::METHOD;
    const PATH: &'static str = E::PATH;
    const SINCE: Version = E::SINCE;
    type Query = E::Query;
    type Body = E::Body;
    type Reply = R;
}

/// `E` with its reply's bytes.
pub type Raw<E> = As<E, Bytes>;

/// `E` with its reply's objects as any JSON.
pub type RawStream<E> = As<E, JsonStream<serde_json::Value>>;
