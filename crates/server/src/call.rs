//! A request on its way to a handler.

use std::marker::PhantomData;
use std::sync::Arc;

use api::versions::Lower;
use api::{Endpoint, Json, Query, Upload, Version};
use http::{HeaderMap, StatusCode};
use hyper::body::Incoming;
use serde::Serialize;
use serde::de::DeserializeOwned;
use values::Result;

use crate::answer::Answer;
use crate::json_list::JsonList;
use crate::{request_body, upload};

/// A request that the router has matched.
pub(crate) struct RawCall<S> {
    /// Whom the handler asks.
    pub(crate) state: Arc<S>,
    /// The version the client speaks.
    pub(crate) version: Version,
    /// What stands for the `{..}` of the path; empty when it has none.
    pub(crate) name: String,
    /// The query as it came.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    /// `None` once it was taken.
    pub(crate) body: Option<Incoming>,
}

/// A request to the endpoint `E`, which says what may be read from it and replied.
pub(crate) struct Call<S, E> {
    pub(crate) raw: RawCall<S>,
    endpoint: PhantomData<E>,
}

impl<S, E: Endpoint> Call<S, E> {
    pub(crate) fn new(raw: RawCall<S>) -> Call<S, E> {
        Call { raw, endpoint: PhantomData }
    }

    pub(crate) fn state(&self) -> &S {
        &self.raw.state
    }

    /// The id or name in the path.
    pub(crate) fn name(&self) -> &str {
        &self.raw.name
    }

    pub(crate) fn version(&self) -> Version {
        self.raw.version
    }

    /// The parsed query.
    ///
    /// # Errors
    /// `InvalidArgument` for a malformed one.
    pub(crate) fn query(&self) -> Result<E::Query> {
        E::Query::decode(&self.raw.query)
    }

    /// True when the client asked to leave HTTP.
    pub(crate) fn wants_upgrade(&self) -> bool {
        self.raw.headers.contains_key(http::header::UPGRADE)
    }
}

impl<S, E: Endpoint<Body = Json<B>>, B: DeserializeOwned> Call<S, E> {
    /// Takes the JSON body.
    ///
    /// # Errors
    /// `InvalidArgument` for a malformed one, or none.
    pub(crate) async fn body(&mut self) -> Result<B> {
        request_body::read_json(&self.raw.headers, self.raw.body.take()).await
    }
}

impl<S, E: Endpoint<Body = Json<B>>, B: DeserializeOwned> Call<S, E> {
    /// Takes the JSON body, where there is one.
    ///
    /// # Errors
    /// `InvalidArgument` for a malformed one.
    pub(crate) async fn optional_body(&mut self) -> Result<Option<B>> {
        use hyper::body::Body as _;
        match self.raw.body.as_ref().is_none_or(hyper::body::Incoming::is_end_stream) {
            true => Ok(None),
            false => self.body().await.map(Some),
        }
    }
}

impl<S, E: Endpoint<Body = Upload>> Call<S, E> {
    /// Takes the body as a blocking reader.
    pub(crate) fn upload(&mut self) -> upload::Upload {
        upload::receive(self.raw.body.take())
    }
}

impl<S, E: Endpoint<Reply = Json<T>>, T: Serialize + Lower> Call<S, E> {
    /// The reply in the shape of the client's version.
    pub(crate) fn reply(&self, value: T) -> Answer {
        self.reply_with(StatusCode::OK, value)
    }

    /// The same with another status.
    pub(crate) fn reply_with(&self, status: StatusCode, mut value: T) -> Answer {
        value.lower(self.raw.version);
        Answer::json(status, &value)
    }
}

impl<S, E: Endpoint<Reply = Json<Vec<T>>>, T: Serialize + Lower> Call<S, E> {
    /// A reply that is written entry by entry, in the shape of the client's version.
    pub(crate) fn list(&self) -> JsonList<T> {
        JsonList::new(self.raw.version)
    }
}
