//! API versions and their negotiation.

use std::fmt;
use std::str::FromStr;

use values::{Error, Result};

/// An API version such as 1.55.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub major: u16,
    pub minor: u16,
}

impl Version {
    /// The oldest version that is served.
    pub const MIN: Version = Version::new(1, 24);
    /// The newest version, and the one of a path without a version.
    pub const MAX: Version = Version::new(1, 55);

    pub const fn new(major: u16, minor: u16) -> Version {
        Version { major, minor }
    }

    /// True when this version is older than `1.minor`.
    pub fn below(self, minor: u16) -> bool {
        self < Version::new(1, minor)
    }

    /// The version which a client that speaks up to `self` uses with a server that announces `server`.
    pub fn negotiate(self, server: Version) -> Version {
        self.min(server)
    }

    /// Admits the version of a request to a server which speaks [`Version::MIN`] to [`Version::MAX`].
    ///
    /// # Errors
    /// `InvalidArgument` with Docker's text when it is out of that range.
    pub fn admit(self) -> Result<Version> {
        if self < Version::MIN {
            return Err(Error::invalid(format!(
                "client version {self} is too old. Minimum supported API version is {}, please upgrade your client to a newer version",
                Version::MIN
            )));
        }
        if self > Version::MAX {
            return Err(Error::invalid(format!(
                "client version {self} is too new. Maximum supported API version is {}",
                Version::MAX
            )));
        }
        Ok(self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = Error;

    /// Reads `1.41` (no leading `v`).
    fn from_str(text: &str) -> Result<Version> {
        let number = |s: &str| {
            let digits = !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
            if digits { s.parse::<u16>().ok() } else { None }
        };
        text.split_once('.')
            .and_then(|(major, minor)| Some(Version::new(number(major)?, number(minor)?)))
            .ok_or_else(|| Error::invalid(format!("invalid API version '{text}'")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_and_order() {
        let v = |s: &str| s.parse::<Version>().expect(s);
        assert!(v("1.9") < v("1.24"));
        assert_eq!(v("1.41").to_string(), "1.41");
        for bad in ["", "1", "1.", ".1", "v1.2", "1.2.3", "1.-2", "1.+2", "1.99999"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }

    #[test]
    fn range() {
        let message = |s: &str| s.parse::<Version>().expect(s).admit().map_err(|e| e.to_string());
        assert_eq!(message("1.24"), Ok(Version::MIN));
        assert_eq!(message("1.55"), Ok(Version::MAX));
        assert_eq!(
            message("1.23"),
            Err("client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version".into())
        );
        assert_eq!(
            message("1.99"),
            Err("client version 1.99 is too new. Maximum supported API version is 1.55".into())
        );
    }
}
