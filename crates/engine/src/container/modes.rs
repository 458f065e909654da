//! Whose namespaces a container has: the small languages of `--network`, `--ipc`, `--pid`, `--uts`, `--cgroupns`.

use api::types::{ContainerConfig, HostConfig};
use values::{Error, Result};

const CONTAINER: &str = "container:";

/// What a container's network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkMode<'a> {
    /// The default bridge (`""`, `default`, `bridge`).
    Bridge,
    Host,
    /// A namespace of its own with nothing but `lo`.
    None,
    /// That of another container, by what the user wrote or its id.
    Container(&'a str),
    /// A network by name or id.
    Named(&'a str),
}

impl<'a> NetworkMode<'a> {
    /// Reads `HostConfig.NetworkMode`.
    ///
    /// # Errors
    /// `InvalidArgument` for `container:` without a name.
    pub fn parse(text: &'a str) -> Result<Self> {
        Ok(match text {
            "" | "default" | "bridge" => Self::Bridge,
            "host" => Self::Host,
            "none" => Self::None,
            _ => match text.strip_prefix("container") {
                Some("" | ":") => {
                    return Err(Error::invalid("invalid network mode: invalid container format container:<name|id>"));
                }
                Some(rest) if rest.starts_with(':') => Self::Container(&rest[1..]),
                _ => Self::Named(text),
            },
        })
    }

    /// The same, where `NetworkDisabled` counts as `none`.
    ///
    /// # Errors
    /// As [`NetworkMode::parse`].
    pub fn of(config: &ContainerConfig, host: &'a HostConfig) -> Result<Self> {
        if config.network_disabled { Ok(Self::None) } else { Self::parse(&host.network_mode) }
    }

    /// A network namespace of its own.
    pub fn is_private(self) -> bool {
        !matches!(self, Self::Host | Self::Container(_))
    }
}

/// What a container's System V IPC, POSIX queues and `/dev/shm` are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpcMode<'a> {
    /// Own, without a `/dev/shm`.
    None,
    Private,
    /// Own, and others may join.
    Shareable,
    Host,
    Container(&'a str),
}

impl<'a> IpcMode<'a> {
    /// Reads `HostConfig.IpcMode`; empty is `default` (the daemon's).
    ///
    /// # Errors
    /// `InvalidArgument` in Docker's words.
    pub fn parse(text: &'a str, default: &'a str) -> Result<Self> {
        Ok(match text {
            "" if default.is_empty() => Self::Private,
            "" => return Self::parse(default, ""),
            "none" => Self::None,
            "private" => Self::Private,
            "shareable" => Self::Shareable,
            "host" => Self::Host,
            _ => match text.strip_prefix(CONTAINER) {
                Some("") => {
                    return Err(Error::invalid("failed to join IPC namespace: invalid name or ID supplied: \"\""));
                }
                Some(name) => Self::Container(name),
                None => return Err(Error::invalid(format!("invalid IPC mode: {text}"))),
            },
        })
    }
}

/// Whose processes a container sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PidMode<'a> {
    Private,
    Host,
    Container(&'a str),
}

impl<'a> PidMode<'a> {
    /// Reads `HostConfig.PidMode`.
    ///
    /// # Errors
    /// `InvalidArgument` in Docker's words.
    pub fn parse(text: &'a str) -> Result<Self> {
        Ok(match text {
            "" | "private" => Self::Private,
            "host" => Self::Host,
            _ => match text.strip_prefix(CONTAINER) {
                Some(name) if !name.is_empty() => Self::Container(name),
                _ => return Err(Error::invalid(format!("invalid PID mode: {text}"))),
            },
        })
    }
}

/// True when the container shares the host's name (`--uts host`).
///
/// # Errors
/// `InvalidArgument` for anything but empty and `host`.
pub fn uts_is_host(text: &str) -> Result<bool> {
    match text {
        "" => Ok(false),
        "host" => Ok(true),
        _ => Err(Error::invalid(format!("invalid UTS mode: {text}"))),
    }
}

/// True when the container has a cgroup namespace of its own; empty is `default_private`.
///
/// # Errors
/// `InvalidArgument` for anything but empty, `host` and `private`.
pub fn cgroupns_is_private(text: &str, default_private: bool) -> Result<bool> {
    match text {
        "" => Ok(default_private),
        "private" => Ok(true),
        "host" => Ok(false),
        _ => Err(Error::invalid(format!("invalid cgroup namespace mode: {text}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (text, expected) in [
            ("", NetworkMode::Bridge),
            ("default", NetworkMode::Bridge),
            ("bridge", NetworkMode::Bridge),
            ("host", NetworkMode::Host),
            ("none", NetworkMode::None),
            ("container:web", NetworkMode::Container("web")),
            ("containers", NetworkMode::Named("containers")),
            ("blue", NetworkMode::Named("blue")),
        ] {
            assert_eq!(NetworkMode::parse(text), Ok(expected), "{text}");
        }
        for bad in ["container", "container:"] {
            assert_eq!(
                NetworkMode::parse(bad).unwrap_err().message,
                "invalid network mode: invalid container format container:<name|id>"
            );
        }
        assert!(NetworkMode::None.is_private() && !NetworkMode::Container("x").is_private());
    }

    #[test]
    fn disabled_is_none() {
        let host = HostConfig { network_mode: "host".into(), ..HostConfig::default() };
        let config = ContainerConfig { network_disabled: true, ..ContainerConfig::default() };
        assert_eq!(NetworkMode::of(&config, &host), Ok(NetworkMode::None));
    }

    #[test]
    fn others() {
        assert_eq!(IpcMode::parse("", "shareable"), Ok(IpcMode::Shareable));
        assert_eq!(IpcMode::parse("", ""), Ok(IpcMode::Private));
        assert_eq!(IpcMode::parse("container:a", ""), Ok(IpcMode::Container("a")));
        assert_eq!(
            IpcMode::parse("container:", "").unwrap_err().message,
            "failed to join IPC namespace: invalid name or ID supplied: \"\""
        );
        assert_eq!(PidMode::parse("host"), Ok(PidMode::Host));
        assert_eq!(PidMode::parse("x").unwrap_err().message, "invalid PID mode: x");
        assert_eq!(uts_is_host("host"), Ok(true));
        assert!(uts_is_host("private").is_err());
        assert_eq!(cgroupns_is_private("", true), Ok(true));
        assert!(cgroupns_is_private("x", true).is_err());
    }
}
