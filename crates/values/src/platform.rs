use crate::{Error, Result};
use std::{fmt, str::FromStr};

/// `os/architecture[/variant]`, in Go's names (`linux/amd64`, `linux/arm/v7`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
    pub variant: String,
}

impl Platform {
    /// The platform this program runs on.
    pub fn host() -> Self {
        Self { os: "linux".into(), architecture: go_arch(std::env::consts::ARCH).into(), variant: String::new() }
    }

    /// Whether it is what was asked for; no variant means any.
    pub fn is(&self, wanted: &Self) -> bool {
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (wanted.variant.is_empty() || wanted.variant == self.variant)
    }
}

fn go_arch(arch: &str) -> &str {
    match arch {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        "x86" | "i386" | "i686" => "386",
        "powerpc64" => "ppc64le",
        "loongarch64" => "loong64",
        other => other,
    }
}

impl FromStr for Platform {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        let bad = || Error::invalid(format!("\"{s}\": unknown operating system or architecture: invalid argument"));
        if s.split('/').count() > 3 {
            return Err(Error::invalid(format!("\"{s}\": cannot parse platform specifier: invalid argument")));
        }
        let mut parts = s.split('/');
        let first = parts.next().filter(|p| !p.is_empty()).ok_or_else(bad)?.to_ascii_lowercase();
        let Some(second) = parts.next() else {
            // One word: an operating system or an architecture of ours.
            return match first.as_str() {
                "linux" => Ok(Self::host()),
                arch if is_known_arch(go_arch(arch)) => Ok(normal("linux", arch, "")),
                _ => Err(bad()),
            };
        };
        let variant = parts.next().unwrap_or("");
        if second.is_empty() || s.contains(char::is_whitespace) {
            return Err(bad());
        }
        Ok(normal(&first, &second.to_ascii_lowercase(), &variant.to_ascii_lowercase()))
    }
}

fn is_known_arch(arch: &str) -> bool {
    matches!(arch, "amd64" | "arm64" | "arm" | "386" | "ppc64le" | "s390x" | "riscv64" | "loong64" | "mips64le")
}

fn normal(os: &str, arch: &str, variant: &str) -> Platform {
    let (architecture, variant) = match (go_arch(arch), variant) {
        ("arm64", "v8" | "8") => ("arm64", ""),
        ("armhf", _) => ("arm", "v7"),
        ("armel", _) => ("arm", "v6"),
        ("arm", "") => ("arm", "v7"),
        ("arm", v) if !v.starts_with('v') => {
            return Platform { os: os.into(), architecture: "arm".into(), variant: format!("v{v}") };
        }
        ("amd64", "v1") => ("amd64", ""),
        (a, v) => (a, v),
    };
    Platform { os: os.into(), architecture: architecture.into(), variant: variant.into() }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_normalises() {
        for (input, expected) in [
            ("linux/amd64", "linux/amd64"),
            ("linux/x86_64", "linux/amd64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/6", "linux/arm/v6"),
            ("arm64", "linux/arm64"),
            ("windows/amd64", "windows/amd64"),
        ] {
            assert_eq!(input.parse::<Platform>().unwrap().to_string(), expected, "{input}");
        }
        for bad in ["", "/", "linux/", "a/b/c/d", "nonsense"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }
}
