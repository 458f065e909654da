//! Bearer tokens (the distribution project's token specification, and OAuth 2's refresh grant, RFC 6749 §6).

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use std::sync::Arc;
use values::{Error, Result};

use crate::challenge::Challenge;
use crate::credentials::Credentials;
use crate::failure::Failure;
use crate::origin::Origin;
use crate::transport::{Ask, Transport};

/// What is assumed where the server does not say (token specification).
const LIFE: Duration = Duration::from_secs(60);
/// Not used up to its last moment: a request takes time as well.
const MARGIN: Duration = Duration::from_secs(10);
const CLIENT: &str = "lighter";

#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) bearer: String,
    /// For login: in place of a password from now on.
    pub(crate) refresh: String,
    pub(crate) until: Instant,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Answer {
    token: String,
    access_token: String,
    refresh_token: String,
    expires_in: u64,
}

/// Asks the challenge's token server. `realm` was found to be one that may see the credentials.
pub(crate) async fn fetch(
    transport: &Arc<Transport>,
    challenge: &Challenge,
    (realm, path): (&Origin, &str),
    scopes: &[String],
    credentials: &Credentials,
    for_login: bool,
) -> Result<Token, Failure> {
    let service = challenge.get("service");
    let mut parameters: Vec<(&str, &str)> = vec![("service", service)];
    parameters.retain(|(_, value)| !value.is_empty());
    let (ask, body) = if credentials.identitytoken.is_empty() {
        let basic = credentials.basic();
        if for_login {
            parameters.push(("offline_token", "true"));
        }
        parameters.extend(basic.is_some().then_some(("account", credentials.username.as_str())));
        parameters.push(("client_id", CLIENT));
        // one parameter for each scope
        parameters.extend(scopes.iter().map(|scope| ("scope", scope.as_str())));
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut ask = Ask::new(Method::GET, realm, format!("{path}{separator}{}", form(&parameters)));
        ask.authorization = basic.and_then(|basic| secret(&basic));
        (ask, Bytes::new())
    } else {
        let joined = scopes.join(" ");
        parameters.extend([("client_id", CLIENT), ("grant_type", "refresh_token"), ("scope", &joined)]);
        parameters.push(("refresh_token", &credentials.identitytoken));
        let ask = Ask::new(Method::POST, realm, path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        (ask, Bytes::from(form(&parameters)))
    };
    let reply = transport.send(ask, &body).await?;
    if !reply.status.is_success() {
        return Err(reply.failure().await.context(format!("Get \"{realm}{path}\"")));
    }
    let (_, body) = reply.whole().await?;
    let answer: Answer = serde_json::from_slice(&body).map_err(|_| garbage(realm))?;
    let bearer = if answer.token.is_empty() { answer.access_token } else { answer.token };
    if bearer.is_empty() && (answer.refresh_token.is_empty() || !for_login) {
        return Err(garbage(realm).into());
    }
    let life = if answer.expires_in == 0 { LIFE } else { Duration::from_secs(answer.expires_in.min(86400)) };
    Ok(Token { bearer, refresh: answer.refresh_token, until: Instant::now() + life.saturating_sub(MARGIN) })
}

fn garbage(realm: &Origin) -> Error {
    Error::internal(format!("authorization server {realm} did not include a token in the response"))
}

fn form(parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    pairs.join("&")
}

/// A header's value that is not shown in logs.
pub(crate) fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// All but RFC 3986's unreserved characters as `%XX`.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let parameters = [("scope", "repository:a/b:pull,push"), ("account", "ü &")];
        assert_eq!(form(&parameters), "scope=repository%3Aa%2Fb%3Apull%2Cpush&account=%C3%BC%20%26");
    }
}
