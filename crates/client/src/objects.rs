//! JSON objects that arrive one after another.

use std::io::BufReader;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde_json::de::IoRead;
use serde_json::{Deserializer, StreamDeserializer};

use crate::Error;
use crate::reply::Reply;

/// An iterator over the objects of an answer; each is given as soon as its closing brace has come.
pub struct Objects<T: DeserializeOwned> {
    stream: StreamDeserializer<'static, IoRead<BufReader<Reply>>, T>,
    /// Set by the first error: there is no way to find the next object after it.
    broken: bool,
    object: PhantomData<T>,
}

impl<T: DeserializeOwned> Objects<T> {
    pub(crate) fn new(reply: Reply) -> Self {
        let stream = Deserializer::from_reader(BufReader::new(reply)).into_iter();
        Self { stream, broken: false, object: PhantomData }
    }
}

impl<T: DeserializeOwned> Iterator for Objects<T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        let object = self.stream.next()?.map_err(|error| Error::Broken(error.to_string()));
        self.broken = object.is_err();
        Some(object)
    }
}
