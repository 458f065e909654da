use serde::{Deserialize, Serialize};
use std::fmt;

/// A container's, exec's or network's identifier: 64 lower-case hex digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(Box<str>);

impl Id {
    /// A fresh random id. Its first 12 digits are never all decimal, so that
    /// a hostname made of them is not taken for a number.
    pub fn random() -> Self {
        loop {
            let mut raw = [0u8; 32];
            // Only fails before the kernel's pool is seeded or under a broken seccomp profile: nothing to go on with.
            getrandom::fill(&mut raw).expect("the kernel's random number source");
            let hex: String = raw.iter().map(|b| format!("{b:02x}")).collect();
            if !hex[..12].bytes().all(|b| b.is_ascii_digit()) {
                return Self(hex.into_boxed_str());
            }
        }
    }

    /// Takes a full id as stored or received; `None` unless it is 64 lower-case hex digits.
    pub fn parse(s: &str) -> Option<Self> {
        (s.len() == 64 && s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))).then(|| Self(s.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 digits, as lists and default hostnames show it.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

impl std::borrow::Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}
