//! Opening what `-H` names.

use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::net::AddressFamily;
use server::Listener;
use values::{Error, Result};

use crate::group;
use crate::hosts::Host;
use crate::settings::Settings;

/// The listeners, and the files to be removed at the end.
#[derive(Debug)]
pub struct Sockets {
    pub listeners: Vec<Listener>,
    pub files: Files,
}

/// Socket files this daemon made. Dropping it removes those that are still the same.
#[derive(Debug, Default)]
pub struct Files(Vec<(PathBuf, u64)>);

impl Files {
    fn add(&mut self, path: &Path) {
        if let Some(inode) = inode(path) {
            self.0.push((path.to_owned(), inode));
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for (path, made) in &self.0 {
            if inode(path) == Some(*made) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

fn inode(path: &Path) -> Option<u64> {
    std::fs::symlink_metadata(path).ok().map(|file| file.ino())
}

/// Opens all hosts; `inherited` are systemd's. Needs a runtime.
///
/// Errors: `Conflict` if another daemon listens there, `NotFound` for a group or inherited sockets that are not there.
pub async fn open(settings: &Settings, inherited: Vec<OwnedFd>) -> Result<Sockets> {
    let gid = group::gid(&settings.group)?;
    let mut sockets = Sockets { listeners: Vec::new(), files: Files::default() };
    let mut inherited = Some(inherited);
    for host in &settings.hosts {
        match host {
            Host::Unix(path) => {
                make_parent(path)?;
                sockets.listeners.push(Listener::bind_unix(path, gid)?);
                sockets.files.add(path);
                tracing::info!("API listen on {}", path.display());
            }
            Host::Tcp(address) => {
                tracing::warn!(
                    "the API is open to everyone who reaches {address}, without encryption or authentication"
                );
                sockets.listeners.push(Listener::bind_tcp(*address).await?);
                tracing::info!("API listen on {address}");
            }
            Host::Inherited => {
                for socket in inherited.take().unwrap_or_default() {
                    sockets.listeners.push(adopt(socket)?);
                }
            }
        }
    }
    if sockets.listeners.is_empty() {
        let how = "no sockets found via socket activation: make sure the service was started by systemd";
        return Err(Error::not_found(how));
    }
    Ok(sockets)
}

fn make_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(parent).map_err(|e| Error::internal(format!("mkdir {}: {e}", parent.display())))
}

fn adopt(socket: OwnedFd) -> Result<Listener> {
    let bad = |what: String| Error::invalid(format!("inherited socket: {what}"));
    let family = rustix::net::sockopt::socket_domain(&socket).map_err(|e| bad(e.to_string()))?;
    match family {
        AddressFamily::UNIX => Listener::from_unix(socket.into()),
        AddressFamily::INET | AddressFamily::INET6 => Listener::from_tcp(socket.into()),
        other => Err(bad(format!("address family {} is not supported", other.as_raw()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_files_are_removed() {
        let path = |name: &str| std::env::temp_dir().join(format!("lighter-files-{}-{name}", std::process::id()));
        let (ours, replaced) = (path("ours"), path("replaced"));
        let mut files = Files::default();
        for path in [&ours, &replaced] {
            std::fs::write(path, "").unwrap();
            files.add(path);
        }
        std::fs::write(path("new"), "").unwrap();
        std::fs::rename(path("new"), &replaced).unwrap();
        drop(files);
        assert!(!ours.exists() && replaced.exists());
        std::fs::remove_file(replaced).unwrap();
    }
}
