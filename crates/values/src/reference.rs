use crate::{Digest, Error, Result};
use std::{fmt, str::FromStr};

/// An image reference in full: `docker.io/library/busybox:1.36@sha256:…`.
///
/// Parsed by Docker's rules (`[domain[:port]/]path[:tag][@digest]`): a first component with `.` or `:`, with upper
/// case or equal to `localhost` is a domain; else the domain is `docker.io`, and a single component gets `library/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    pub domain: String,
    pub path: String,
    pub tag: Option<String>,
    pub digest: Option<Digest>,
}

pub const DEFAULT_DOMAIN: &str = "docker.io";
pub const DEFAULT_TAG: &str = "latest";
const OFFICIAL: &str = "library/";
const NAME_MAX: usize = 255;

impl Reference {
    /// `latest` where neither tag nor digest is given.
    pub fn or_latest(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some(DEFAULT_TAG.into());
        }
        self
    }

    /// `docker.io/library/busybox`
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// `busybox`: the name as Docker shows it to people.
    pub fn familiar_name(&self) -> String {
        if self.domain != DEFAULT_DOMAIN {
            return self.name();
        }
        match self.path.strip_prefix(OFFICIAL) {
            Some(short) if !short.contains('/') => short.into(),
            _ => self.path.clone(),
        }
    }

    /// `busybox:1.36`, with the digest if any.
    pub fn familiar(&self) -> String {
        self.with_suffix(self.familiar_name())
    }

    fn with_suffix(&self, mut name: String) -> String {
        if let Some(tag) = &self.tag {
            name.push(':');
            name.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            name.push('@');
            name.push_str(digest.as_str());
        }
        name
    }
}

fn is_domain(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.bytes().any(|b| b.is_ascii_uppercase())
}

fn valid_domain(domain: &str) -> bool {
    let (host, port) = if let Some(rest) = domain.strip_prefix('[') {
        let Some((v6, tail)) = rest.split_once(']') else { return false };
        if v6.is_empty() || !v6.bytes().all(|b| b.is_ascii_hexdigit() || b == b':') {
            return false;
        }
        match tail {
            "" => return true,
            t => match t.strip_prefix(':') {
                Some(p) => ("v6", Some(p)),
                None => return false,
            },
        }
    } else {
        match domain.split_once(':') {
            Some((h, p)) => (h, Some(p)),
            None => (domain, None),
        }
    };
    let label = |l: &str| {
        !l.is_empty()
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    host.split('.').all(label) && port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn valid_component(c: &str) -> bool {
    let alnum = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase();
    let bytes = c.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return false };
    if !alnum(first) || !alnum(last) {
        return false;
    }
    let separators = c.split(|ch: char| ch.is_ascii_digit() || ch.is_ascii_lowercase());
    separators.into_iter().all(|s| matches!(s, "" | "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
}

/// `[\w][\w.-]{0,127}`
fn valid_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= 128 && tag.bytes().next().is_some_and(word) && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

impl FromStr for Reference {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        let bad = || Error::invalid("invalid reference format");
        if s.len() == 64 && s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(Error::invalid(format!(
                "invalid repository name ({s}), cannot specify 64-byte hexadecimal strings"
            )));
        }
        let (rest, digest) = match s.split_once('@') {
            Some((name, d)) => (name, Some(d.parse::<Digest>().map_err(|_| bad())?)),
            None => (s, None),
        };
        // a colon after the last slash begins the tag; before it, it belongs to the domain's port
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|t| !valid_tag(t)) {
            return Err(bad());
        }
        let (domain, path) = match name.split_once('/') {
            Some((first, path)) if is_domain(first) => (first.to_owned(), path.to_owned()),
            _ if name.contains('/') => (DEFAULT_DOMAIN.to_owned(), name.to_owned()),
            _ => (DEFAULT_DOMAIN.to_owned(), format!("{OFFICIAL}{name}")),
        };
        let (domain, path) = match domain.as_str() {
            "index.docker.io" | DEFAULT_DOMAIN if !path.contains('/') => {
                (DEFAULT_DOMAIN.to_owned(), format!("{OFFICIAL}{path}"))
            }
            "index.docker.io" => (DEFAULT_DOMAIN.to_owned(), path),
            _ => (domain, path),
        };
        if path.bytes().any(|b| b.is_ascii_uppercase()) && path.is_ascii() {
            return Err(Error::invalid(format!(
                "invalid reference format: repository name ({path}) must be lowercase"
            )));
        }
        if !valid_domain(&domain) || !path.split('/').all(valid_component) {
            return Err(bad());
        }
        if domain.len() + 1 + path.len() > NAME_MAX {
            return Err(Error::invalid("repository name must not be more than 255 characters"));
        }
        Ok(Self { domain, path, tag: tag.map(str::to_owned), digest })
    }
}

impl fmt::Display for Reference {
    /// The full form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_suffix(self.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_docker_names_apart() {
        for (input, full, familiar) in [
            ("busybox", "docker.io/library/busybox", "busybox"),
            ("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
            ("user/repo", "docker.io/user/repo", "user/repo"),
            ("docker.io/busybox", "docker.io/library/busybox", "busybox"),
            ("index.docker.io/library/redis:4.0", "docker.io/library/redis:4.0", "redis:4.0"),
            ("localhost:5000/my-image", "localhost:5000/my-image", "localhost:5000/my-image"),
            ("localhost/x", "localhost/x", "localhost/x"),
            ("192.168.56.100:5000/a/b:c", "192.168.56.100:5000/a/b:c", "192.168.56.100:5000/a/b:c"),
            ("[::1]:5000/a", "[::1]:5000/a", "[::1]:5000/a"),
            ("a__b/c-d--e.f", "docker.io/a__b/c-d--e.f", "a__b/c-d--e.f"),
        ] {
            let r: Reference = input.parse().unwrap_or_else(|e| panic!("{input}: {e}"));
            assert_eq!((r.to_string().as_str(), r.familiar().as_str()), (full, familiar));
        }
    }

    #[test]
    fn refuses_in_docker_words() {
        let long = "a/".repeat(130) + "a";
        for (input, message) in [
            ("Ubuntu", "invalid reference format: repository name (library/Ubuntu) must be lowercase"),
            ("", "invalid reference format"),
            (":tag", "invalid reference format"),
            ("a:", "invalid reference format"),
            ("a//b", "invalid reference format"),
            ("-a", "invalid reference format"),
            ("a___b", "invalid reference format"),
            ("–entrypoint", "invalid reference format"),
            ("a@sha256:12", "invalid reference format"),
            (&long, "repository name must not be more than 255 characters"),
        ] {
            assert_eq!(input.parse::<Reference>().unwrap_err().message, message, "{input}");
        }
        assert!("a".repeat(64).parse::<Reference>().unwrap_err().message.contains("64-byte hexadecimal"));
    }
}
