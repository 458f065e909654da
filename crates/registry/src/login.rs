//! Whether a registry lets somebody in.

use bytes::Bytes;
use http::Method;
use values::{Error, ErrorKind, Result};

use crate::client::Client;
use crate::credentials::Credentials;
use crate::endpoint::INDEX_SERVER;
use crate::failure::Failure;
use crate::repository::Access;
use crate::transport::Ask;

impl Client {
    /// Shows the credentials to the registry they are for. An identity token comes back where the registry gives one, to be
    /// kept in place of the password.
    ///
    /// # Errors
    /// `Unauthorized` where they are not good; the registry's otherwise.
    pub async fn login(&self, credentials: &Credentials) -> Result<String> {
        let registry = registry(&credentials.serveraddress);
        let endpoint = self.own_endpoint(&registry)?;
        let repository = self.open(&endpoint, "", credentials, Access::Login).await?;
        let name = format!("Get \"{}/v2/\"", repository.origin);
        let mut identity = String::new();
        if let Some(challenge) = repository.bearer_challenge() {
            let token = repository.fetch_token(&challenge, &[], true).await.map_err(refused)?;
            identity = token.refresh;
            if token.bearer.is_empty() {
                return Ok(identity);
            }
        }
        let ask = Ask::new(Method::GET, &repository.origin, format!("{}/v2/", endpoint.prefix));
        let reply = repository.send_once(ask, None, &Bytes::new()).await.map_err(refused)?;
        if reply.status.is_success() {
            reply.finish().await;
            return Ok(identity);
        }
        let (status, basic) = (reply.status, repository.bearer_challenge().is_none());
        if basic && status == http::StatusCode::UNAUTHORIZED {
            let text = format!("login attempt to {}/v2/ failed with status: 401 Unauthorized", repository.origin);
            return Err(Error::unauthorized(text));
        }
        Err(refused(reply.failure().await.context(name)))
    }
}

fn refused(failure: Failure) -> Error {
    match failure.is_denied() {
        true => Error::new(ErrorKind::Unauthorized, failure.error.message),
        false => failure.error,
    }
}

/// The registry of a server address as clients write it: with or without scheme and path; none is Docker Hub.
fn registry(address: &str) -> String {
    if address.is_empty() || address == INDEX_SERVER {
        return values::DEFAULT_DOMAIN.into();
    }
    let bare = address.split_once("://").map_or(address, |(_, rest)| rest);
    match bare.split('/').next().unwrap_or_default() {
        "index.docker.io" | "registry-1.docker.io" | "docker.io" => values::DEFAULT_DOMAIN.into(),
        host => host.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::registry;

    #[test]
    fn addresses() {
        for (address, expected) in [
            ("", "docker.io"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("docker.io", "docker.io"),
            ("https://r.example:5000/v2/", "r.example:5000"),
            ("localhost:5000", "localhost:5000"),
        ] {
            assert_eq!(registry(address), expected);
        }
    }
}
