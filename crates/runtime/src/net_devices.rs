//! Links of the host that become the container's (`linux.netDevices`).
//! <https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#network-devices>

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use netlink::route::{self, LinkChange, Target};
use netlink::{Batch, Socket};
use oci::runtime::{Linux, NamespaceKind, NetDevice};
use rustix::fs::{Mode, OFlags};
use sys::namespace::Kinds;

use crate::StartError;
use crate::failure::text;
use crate::namespaces::Namespaces;

/// With its NUL byte (linux/if.h).
const NAME_MAX: usize = 16;

/// What cannot be, before anything is made.
pub(crate) fn check(linux: &Linux, namespaces: &Namespaces) -> Result<(), StartError> {
    if linux.net_devices.is_empty() {
        return Ok(());
    }
    if !namespaces.has(NamespaceKind::Network) {
        return Err(StartError::other("unable to move network devices without a private NET namespace"));
    }
    let inside = linux.net_devices.values().map(|device| &device.name).filter(|name| !name.is_empty());
    match linux.net_devices.keys().chain(inside).find(|name| !is_name(name)) {
        Some(bad) => Err(StartError::other(format!("invalid network device name {bad:?}"))),
        None => Ok(()),
    }
}

/// As the kernel sees it.
fn is_name(name: &str) -> bool {
    let odd = |c: char| c == '/' || c == ':' || c.is_whitespace();
    !name.is_empty() && name.len() < NAME_MAX && !matches!(name, "." | "..") && !name.contains(odd)
}

/// The container's network namespace: one that was joined, or its process' own.
pub(crate) fn namespace_of(pid: i32, namespaces: &Namespaces) -> Result<OwnedFd, StartError> {
    let failed = |errno| StartError::other(format!("open the container's network namespace: {}", text(errno)));
    if let Some((fd, _)) = namespaces.join.iter().find(|(_, kind)| *kind == Kinds::NETWORK) {
        return rustix::io::fcntl_dupfd_cloexec(fd, 3).map_err(failed);
    }
    rustix::fs::open(format!("/proc/{pid}/ns/net"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)
}

/// Moves each one, gives it its permanent global addresses again, and sets it up. What was moved when a later one fails
/// goes where the namespace's end takes it, as ever.
pub(crate) fn move_all(devices: &BTreeMap<String, NetDevice>, namespace: BorrowedFd<'_>) -> Result<(), StartError> {
    if devices.is_empty() {
        return Ok(());
    }
    let failed = |error: netlink::Error| StartError::other(format!("move network devices: {error}"));
    let mut host = Socket::route().map_err(failed)?;
    let mut inside = within(namespace, || Socket::route().map_err(failed))?;
    devices.iter().try_for_each(|(name, device)| {
        let to = if device.name.is_empty() { name } else { &device.name };
        move_one(&mut host, &mut inside, namespace, name, to)
            .map_err(|why| StartError::other(format!("failed to move network device {name:?} to the container: {why}")))
    })
}

fn move_one(
    host: &mut Socket,
    inside: &mut Socket,
    namespace: BorrowedFd<'_>,
    name: &str,
    to: &str,
) -> Result<(), String> {
    let said = |error: netlink::Error| error.to_string();
    let link = route::link(host, Target::Name(name)).map_err(said)?.ok_or("there is no such device")?;
    let addresses = route::kept_addresses(host, link.index).map_err(said)?;
    let before = route::links(inside).map_err(said)?;
    if before.iter().any(|link| link.name == to) {
        // the kernel would move it first, and fail to rename it there
        return Err(format!("there is a device {to:?} already"));
    }
    let mut batch = Batch::new();
    route::move_link(&mut batch, link.index, namespace, to);
    host.execute(batch).map_err(said)?;
    // The kernel may have changed its number, and picked its name.
    let after = route::links(inside).map_err(said)?;
    let moved = after
        .iter()
        .find(|link| link.name == to)
        .or(after.iter().find(|link| before.iter().all(|old| old.index != link.index)));
    let moved = moved.ok_or("it did not arrive")?.index;
    let mut batch = Batch::new();
    addresses.iter().for_each(|address| route::give_address(&mut batch, address, moved));
    route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::index(moved) });
    inside.execute(batch).map_err(said)
}

/// Does something in another network namespace, with this thread.
fn within<T>(namespace: BorrowedFd<'_>, act: impl FnOnce() -> Result<T, StartError>) -> Result<T, StartError> {
    let failed = |errno| StartError::other(format!("failed to setns into network namespace: {}", text(errno)));
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let own = rustix::fs::open(c"/proc/thread-self/ns/net", flags, Mode::empty()).map_err(failed)?;
    sys::namespace::join(namespace, Kinds::NETWORK).map_err(failed)?;
    let result = act();
    sys::namespace::join(own.as_fd(), Kinds::NETWORK).map_err(failed)?;
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, good) in [
            ("eth0", true),
            ("eth%d", true),
            ("exactly15bytes0", true),
            ("sixteen-bytes-00", false),
            ("", false),
            ("..", false),
            ("a/b", false),
            ("a:0", false),
            ("a b", false),
        ] {
            assert_eq!(is_name(name), good, "{name}");
        }
    }
}
