//! A bundle for a program that knows nothing of Lighter: users as numbers, descriptors as paths, the root mounted.

use oci::runtime::{Mount, NamespaceKind, Root, Spec};
use runtime::{Launch, Source, SourceOptions, StartError, mount_root};
use rustix::fs::{CWD, FileType};
use rustix::mount::MoveMountFlags;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use sys::mount::{Attributes, Propagation};
use sys::namespace::Kinds;

use super::Mounts;

/// Where our own program is in a container with `--init`.
const INIT: &str = "/sbin/docker-init";

/// What every runtime program takes: some (crun before 1.9) know 1.0 only, and newer fields they do not know they leave.
const OLD_VERSION: &str = "1.0.2";

/// Writes `config.json` and mounts the root at `rootfs`, seen by us and what we start only.
pub fn make(bundle: &Path, launch: &Launch, netns: Option<&OwnedFd>, mounts: &Mounts) -> Result<(), StartError> {
    let failed = |e: std::io::Error| StartError::other(format!("bundle {}: {e}", bundle.display()));
    let rootfs = bundle.join("rootfs");
    std::fs::create_dir_all(&rootfs).map_err(failed)?;
    let label = launch.spec.linux.as_ref().map_or("", |linux| &linux.mount_label);
    let root = mount_root(&launch.rootfs, mounts.lowest.as_ref().map(AsFd::as_fd), label)?;
    let mut spec = document(launch, &root, &rootfs, netns)?;
    attach(&root, &rootfs).map_err(|e| StartError::other(format!("mount {}: {e}", rootfs.display())))?;
    let sources = runtime::with_lowest(&launch.sources, &mounts.sources)?;
    attach_sources(&mut spec, &sources, label, &bundle.join("sources"))?;
    let text = serde_json::to_vec(&spec).map_err(|e| StartError::other(e.to_string()))?;
    std::fs::write(bundle.join("config.json"), text).map_err(failed)
}

/// A mount namespace of our own, in which what the host mounts later still appears.
fn attach(root: &OwnedFd, rootfs: &Path) -> rustix::io::Result<()> {
    sys::namespace::unshare(Kinds::MOUNT)?;
    let slave = Attributes { propagation: Some(Propagation::Slave), ..Attributes::default() };
    sys::mount::set_attributes(CWD, c"/", true, &slave)?;
    rustix::mount::move_mount(root, c"", CWD, rootfs, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Sources that are no paths get one, in our mount namespace.
fn attach_sources(
    spec: &mut Spec,
    sources: &[(&Source, Option<BorrowedFd<'_>>)],
    label: &str,
    places: &Path,
) -> Result<(), StartError> {
    for (number, (source, lowest)) in sources.iter().enumerate() {
        let Some(mount) = spec.mounts.iter_mut().find(|mount| source.is_of(mount)) else { continue };
        let recursive = mount.options.iter().any(|option| option == "rbind");
        let tree = source.open(SourceOptions { recursive, lowest: *lowest, label })?;
        let place = places.join(number.to_string());
        let failed = |e: std::io::Error| StartError::other(format!("mount {}: {e}", place.display()));
        make_place(&tree, &place).map_err(failed)?;
        rustix::mount::move_mount(&tree, c"", CWD, &place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .map_err(|errno| failed(errno.into()))?;
        mount.source = super::text(&place);
    }
    Ok(())
}

/// What `tree` can be mounted on: a directory, or a file.
fn make_place(tree: &OwnedFd, place: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(place.parent().unwrap_or(place))?;
    let is_directory = FileType::from_raw_mode(rustix::fs::fstat(tree)?.st_mode).is_dir();
    if is_directory { std::fs::create_dir_all(place) } else { std::fs::File::create(place).map(drop) }
}

fn document(launch: &Launch, root: &OwnedFd, rootfs: &Path, netns: Option<&OwnedFd>) -> Result<Spec, StartError> {
    let mut spec = launch.spec.clone();
    OLD_VERSION.clone_into(&mut spec.oci_version);
    let given = spec.process.take().ok_or_else(|| StartError::other("process property must not be empty"))?;
    let user = launch.user.as_deref();
    spec.process = Some(runtime::resolve(root.as_fd(), user, &launch.additional_groups, &given)?);
    let readonly = spec.root.as_ref().is_some_and(|root| root.readonly);
    spec.root = Some(Root { path: super::text(rootfs), readonly });
    if let Some(mount) = spec.mounts.iter().find(|mount| reaches_host(mount)) {
        return Err(StartError::other(format!(
            "mount at {:?}: propagation to the host (shared, rshared) is not supported with an external runtime",
            mount.destination
        )));
    }
    if let (Some(netns), Some(linux)) = (netns, &mut spec.linux) {
        let path = format!("/proc/{}/fd/{}", std::process::id(), netns.as_raw_fd());
        linux.namespaces.retain(|namespace| namespace.kind != NamespaceKind::Network);
        linux.namespaces.push(oci::runtime::Namespace { kind: NamespaceKind::Network, path });
    }
    if launch.init {
        add_init(&mut spec)?;
    }
    Ok(spec)
}

/// Our mount namespace is a slave of the host's: nothing travels back.
fn reaches_host(mount: &Mount) -> bool {
    mount.options.iter().any(|option| option == "shared" || option == "rshared")
}

/// The shim's program is the init, too: see [`crate::program::main`].
fn add_init(spec: &mut Spec) -> Result<(), StartError> {
    let own = std::env::args_os().next().unwrap_or_default();
    spec.mounts.push(Mount {
        destination: INIT.into(),
        kind: "bind".into(),
        source: own.to_string_lossy().into_owned(),
        options: ["bind", "ro", "nosuid", "nodev"].map(str::to_owned).into(),
        ..Mount::default()
    });
    if let Some(process) = &mut spec.process {
        process.args.splice(0..0, [INIT.to_owned(), "--".to_owned()]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn propagation_to_the_host_is_known() {
        for (option, expected) in [("rshared", true), ("shared", true), ("rslave", false), ("rbind", false)] {
            let mount = Mount { options: vec![option.to_owned()], ..Mount::default() };
            assert_eq!(reaches_host(&mount), expected, "{option}");
        }
    }
}
