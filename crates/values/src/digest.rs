use crate::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// A content digest, `sha256:` and 64 lower-case hex digits
/// (OCI image-spec, descriptor.md). Other algorithms are refused.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Box<str>);

const PREFIX: &str = "sha256:";

impl Digest {
    /// From the 32 raw bytes of a SHA-256.
    pub fn from_sha256(raw: &[u8]) -> Self {
        debug_assert_eq!(raw.len(), 32);
        let mut s = String::with_capacity(71);
        s.push_str(PREFIX);
        for b in raw {
            s.push(char::from_digit(u32::from(b >> 4), 16).unwrap_or('0'));
            s.push(char::from_digit(u32::from(b & 15), 16).unwrap_or('0'));
        }
        Self(s.into_boxed_str())
    }

    /// `sha256:…`
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 64 hex digits.
    pub fn hex(&self) -> &str {
        &self.0[PREFIX.len()..]
    }

    /// The first 12 hex digits, as lists show it.
    pub fn short(&self) -> &str {
        &self.hex()[..12]
    }
}

impl FromStr for Digest {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        let hex = s.strip_prefix(PREFIX).ok_or_else(|| {
            if s.contains(':') {
                Error::invalid(format!("unsupported digest algorithm: {s}"))
            } else {
                Error::invalid(format!("invalid checksum digest format: {s}"))
            }
        })?;
        if hex.len() != 64 {
            return Err(Error::invalid(format!("invalid checksum digest length: {s}")));
        }
        if !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(Error::invalid(format!("invalid checksum digest format: {s}")));
        }
        Ok(Self(s.into()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let s = std::borrow::Cow::<'de, str>::deserialize(d)?;
        s.parse().map_err(serde::de::Error::custom)
    }
}
