//! What a client shows to be let in, as it comes with a request (`X-Registry-Auth`).

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

use values::{DEFAULT_DOMAIN, Error, Result};

/// All empty: anonymous.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Credentials {
    #[serde(deserialize_with = "or_empty")]
    pub username: String,
    #[serde(deserialize_with = "or_empty")]
    pub password: String,
    /// Base64 of `user:password`, for clients that keep it so.
    #[serde(deserialize_with = "or_empty")]
    pub auth: String,
    #[serde(deserialize_with = "or_empty")]
    pub serveraddress: String,
    /// A refresh token in place of a password.
    #[serde(deserialize_with = "or_empty")]
    pub identitytoken: String,
    /// A bearer token, shown as it is.
    #[serde(deserialize_with = "or_empty")]
    pub registrytoken: String,
}

/// As Go reads it: `null` is the empty text.
fn or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}

impl std::fmt::Debug for Credentials {
    /// Nothing secret gets into a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({:?} at {:?})", self.username, self.serveraddress)
    }
}

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);

impl Credentials {
    /// From the header `X-Registry-Auth`: base64url of JSON.
    ///
    /// # Errors
    /// `InvalidArgument` for what is neither.
    pub fn from_header(header: &str) -> Result<Self> {
        Ok(decode::<Self>("X-Registry-Auth", header)?.normal())
    }

    /// User and password out of `auth`, where they are only there.
    pub fn normal(mut self) -> Self {
        if self.username.is_empty()
            && !self.auth.is_empty()
            && let Ok(bytes) = STANDARD.decode(&self.auth)
            && let Ok(text) = String::from_utf8(bytes)
            && let Some((user, password)) = text.split_once(':')
        {
            (self.username, self.password) = (user.into(), password.trim_end_matches('\0').into());
        }
        self
    }

    pub fn is_anonymous(&self) -> bool {
        self.basic().is_none() && self.identitytoken.is_empty() && self.registrytoken.is_empty()
    }

    /// The value of an `Authorization` header with user and password.
    pub(crate) fn basic(&self) -> Option<String> {
        if self.username.is_empty() || self.username == "<token>" {
            return None;
        }
        Some(format!("Basic {}", STANDARD.encode(format!("{}:{}", self.username, self.password))))
    }
}

fn decode<T: Default + serde::de::DeserializeOwned>(name: &str, header: &str) -> Result<T> {
    let header = header.trim();
    if header.is_empty() {
        return Ok(T::default());
    }
    let bad = |why: String| Error::invalid(format!("invalid {name} header: {why}"));
    let json = URL.decode(header).map_err(|e| bad(e.to_string()))?;
    serde_json::from_slice(&json).map_err(|e| bad(e.to_string()))
}

/// What a client shows to several registries, by their names as in `config.json`.
#[derive(Clone, Debug, Default)]
pub struct AllCredentials(BTreeMap<String, Credentials>);

impl AllCredentials {
    /// From the header `X-Registry-Config`: base64url of JSON.
    ///
    /// # Errors
    /// `InvalidArgument` for what is neither.
    pub fn from_header(header: &str) -> Result<Self> {
        Ok(Self(decode("X-Registry-Config", header)?))
    }

    /// Those for a registry; else anonymous.
    pub fn of(&self, domain: &str) -> Credentials {
        let is_it = |name: &str| {
            let bare = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
            let host = bare.split('/').next().unwrap_or_default();
            host == domain || domain == DEFAULT_DOMAIN && matches!(host, "index.docker.io" | "registry-1.docker.io")
        };
        let found = self.0.iter().find(|(name, _)| is_it(name));
        found.map_or_else(Credentials::default, |(_, kept)| kept.clone().normal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        for (header, expected) in [
            ("", ("", "")),
            ("e30=", ("", "")),
            ("e30", ("", "")),
            (&URL.encode(r#"{"username":"u","password":"p"}"#), ("u", "p")),
            (&URL.encode(r#"{"auth":"dTpwOnE="}"#), ("u", "p:q")),
            // what bollard sends
            (&URL.encode(r#"{"username":"u","password":"p","auth":null,"identitytoken":null}"#), ("u", "p")),
            (&URL.encode(r#"{"username":null}"#), ("", "")),
        ] {
            let c = Credentials::from_header(header).unwrap();
            assert_eq!((c.username.as_str(), c.password.as_str()), expected, "{header}");
        }
        for bad in ["%%%", "AAAA", &URL.encode("3")] {
            assert!(Credentials::from_header(bad).is_err(), "{bad}");
        }
        let all = r#"{"https://index.docker.io/v1/":{"auth":"aDpw"},"h:5000":{"username":"u"},"https://x.y/v2/":{"username":"x"}}"#;
        let all = AllCredentials::from_header(&URL.encode(all)).unwrap();
        for (domain, user) in [("docker.io", "h"), ("h:5000", "u"), ("x.y", "x"), ("h", ""), ("y", "")] {
            assert_eq!(all.of(domain).username, user, "{domain}");
        }
        assert!(AllCredentials::from_header("").unwrap().of("h").is_anonymous());
        assert!(AllCredentials::from_header("%%").is_err());
        let c = Credentials { username: "u".into(), password: "secret".into(), ..Credentials::default() };
        assert!(!format!("{c:?}").contains("secret"));
        assert_eq!(c.basic().as_deref(), Some("Basic dTpzZWNyZXQ="));
    }
}
