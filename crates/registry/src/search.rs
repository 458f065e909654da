//! Searching (Docker's registry API v1, which is where search has stayed).

use bytes::Bytes;
use http::Method;
use http::header::ACCEPT;
use serde::Deserialize;
use values::{Error, Result};

use crate::client::Client;
use crate::credentials::Credentials;
use crate::endpoint;
use crate::failure::Failure;
use crate::origin::Origin;
use crate::token::{encode, secret};
use crate::transport::{Ask, Transport};

/// Docker Hub's index.
const INDEX: &str = "index.docker.io";

/// One repository that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Found {
    pub name: String,
    pub description: Option<String>,
    pub star_count: i64,
    pub is_official: bool,
    pub is_automated: bool,
}

#[derive(Deserialize)]
struct Results {
    #[serde(default)]
    results: Vec<Found>,
}

impl Client {
    /// What the index of `registry` has for `term`.
    ///
    /// # Errors
    /// The index's, in Docker's words.
    pub async fn search(
        &self,
        registry: &str,
        term: &str,
        limit: u32,
        credentials: &Credentials,
    ) -> Result<Vec<Found>> {
        let (origins, insecure) = if registry == values::DEFAULT_DOMAIN {
            (vec![Origin::new(true, INDEX)?], false)
        } else {
            let own = endpoint::own(&self.config, registry)?;
            (own.origins, own.insecure)
        };
        let transport = Transport::new(self.config.clone(), if insecure { origins.clone() } else { Vec::new() });
        let mut last: Failure = Error::internal("no index").into();
        for origin in &origins {
            let path = format!("/v1/search?q={}&n={limit}", encode(term));
            let mut ask = Ask::new(Method::GET, origin, path).header(ACCEPT, "application/json");
            // a password goes over TLS, or to whom the administrator called insecure
            ask.authorization = credentials.basic().and_then(|basic| secret(&basic));
            let reply = match transport.send(ask, &Bytes::new()).await {
                Ok(reply) => reply,
                Err(failure) => {
                    last = failure;
                    continue;
                }
            };
            if !reply.status.is_success() {
                return Err(Error::internal(format!("Unexpected status code {}", reply.status.as_u16())));
            }
            let (_, body) = reply.whole().await?;
            let results: Results = serde_json::from_slice(&body)
                .map_err(|e| Error::internal(format!("error decoding search results: {e}")))?;
            return Ok(results.results);
        }
        Err(last.error)
    }
}
