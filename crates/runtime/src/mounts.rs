//! Mounts of the specification, planned: what is theirs to say is said here, before the clone.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use cgroup::{Cgroup, Version};
use oci::runtime::Mount as OciMount;
use rustix::fs::CWD;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags};
use sys::mount::{Attributes, Propagation};

use crate::copy_up;
use crate::failure::text;
use crate::foreign_tree;
use crate::mount_options::Options;
use crate::process::c_string;
use crate::program::{Mount, Program, Slot, Step, What};
use crate::user_namespace::{Mapping, UserNamespace};
use crate::{Source, SourceOptions, StartError, part_refused};

/// Files in a procfs over which a mount is harmless: what lxcfs offers, and two switches.
const COVERABLE: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
];

/// What the other sections need to know of the mounts.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// The container's own devpts.
    pub(crate) devpts: Option<Slot>,
    /// `/dev` is the host's: no nodes are to be made there.
    pub(crate) dev_is_bound: bool,
    /// Steps for the very end: file systems that become read-only once everything is made in them.
    pub(crate) last: Vec<Step>,
}

/// How the control groups are to be shown.
#[derive(Debug)]
pub(crate) struct CgroupView<'a> {
    pub(crate) group: &'a Cgroup,
    pub(crate) private: bool,
}

/// What all mounts of a container have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How<'a> {
    pub(crate) cgroup: &'a CgroupView<'a>,
    /// The container's ids.
    pub(crate) user: Option<&'a UserNamespace>,
    /// The SELinux context of files in what is mounted anew; empty: none.
    pub(crate) label: &'a str,
    /// Of some of the binds, with the mounts of their lowest layers.
    pub(crate) sources: &'a [(&'a Source, Option<BorrowedFd<'a>>)],
}

/// File systems that have labels of their own, as with runc.
const UNLABELLED: [&str; 4] = ["proc", "sysfs", "mqueue", "cgroup2"];

/// Adds the steps of all mounts, opening what comes from the host.
pub(crate) fn plan(program: &mut Program, mounts: &[OciMount], how: &How<'_>) -> Result<Made, StartError> {
    let mut made = Made::default();
    for mount in mounts {
        one(program, mount, how, &mut made).map_err(|error| {
            if part_refused(&error.message).is_some() {
                return error;
            }
            let source = if mount.source.is_empty() { &mount.kind } else { &mount.source };
            let message = format!("error mounting {source:?} to rootfs at {:?}: {}", mount.destination, error.message);
            StartError { message, ..error }
        })?;
    }
    Ok(made)
}

fn one(program: &mut Program, mount: &OciMount, how: &How<'_>, made: &mut Made) -> Result<(), StartError> {
    let How { cgroup, user, label, .. } = *how;
    let mapping = user.map(|user| &user.mapping);
    let mut options = Options::parse(&mount.options)?;
    let target = destination(&mount.destination)?;
    if options.remount {
        return remount(program, options, &target);
    }
    let binds = options.bind.is_some() || mount.kind == "bind";
    if target == "/proc" && !binds && mount.kind != "proc" {
        return Err(no_procfs(&mount.kind));
    }
    if binds {
        made.dev_is_bound |= target == "/dev";
        return bind(program, mount, &options, &target, how);
    }
    if options.map_ids.is_some() || !mount.uid_mappings.is_empty() || !mount.gid_mappings.is_empty() {
        return Err(StartError::other("only bind mounts can be id-mapped"));
    }
    options.data.extend(context(&mount.kind, label, &options));
    match mount.kind.as_str() {
        "cgroup" | "cgroup2" => cgroups(program, cgroup, &options, &target),
        "devpts" => {
            let slot = devpts(program, &mount.source, &outside_ids(options, mapping)?)?;
            made.devpts = Some(slot);
            push(program, What::Tree(slot), &target, false)
        }
        "" => Err(StartError::other("mount without a type")),
        "tmpfs" if options.copy_up && mapping.is_some() => {
            Err(StartError::other("mount option \"tmpcopyup\" is not supported with a user namespace"))
        }
        "tmpfs" if options.copy_up => copied_up(program, &options, &target, made),
        kind => {
            new(program, kind, &mount.source, options, &target, made)?;
            if kind == "mqueue" && !label.is_empty() {
                program.steps.push(Step::Label { path: c_string(&target)?, label: c_string(label)? });
            }
            Ok(())
        }
    }
}

/// The mount option that labels what is in a new file system.
fn context(kind: &str, label: &str, options: &Options) -> Option<(String, Option<String>)> {
    let own = options.data.iter().any(|(key, _)| key == "context");
    (!label.is_empty() && !own && !UNLABELLED.contains(&kind)).then(|| ("context".to_owned(), Some(label.to_owned())))
}

/// Programs trust what is at /proc, ours do not look there: but whoever comes after may.
fn no_procfs(source: &str) -> StartError {
    StartError::other(format!("{source:?} cannot be mounted because it is not of type proc"))
}

/// An absolute, clean path other than the root.
fn destination(path: &str) -> Result<String, StartError> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err(StartError::other("mount destination with `..`"));
    }
    if parts.is_empty() {
        return Err(StartError::other("mount destination can't be '/'"));
    }
    Ok(format!("/{}", parts.join("/")))
}

fn push(program: &mut Program, what: What, target: &str, file: bool) -> Result<(), StartError> {
    let source = match &what {
        What::New { kind, .. } => kind.to_string_lossy().into_owned(),
        What::Tree(_) => "bind".to_owned(),
    };
    program.steps.push(Step::Mount(Mount {
        what,
        source,
        target: c_string(target)?,
        file,
        ordinary: false,
        in_proc: COVERABLE.contains(&target),
        keep_mode: false,
    }));
    Ok(())
}

fn bind(
    program: &mut Program,
    mount: &OciMount,
    options: &Options,
    target: &str,
    how: &How<'_>,
) -> Result<(), StartError> {
    let (source, recursive) = (&mount.source, options.bind == Some(true));
    let tree = match how.sources.iter().find(|(source, _)| source.is_of(mount)) {
        Some((source, lowest)) => {
            source.mount(SourceOptions { recursive, lowest: *lowest, label: how.label }, how.user)?
        }
        None => source_tree(source, recursive)
            .map_err(|errno| StartError::other(format!("stat {source}: {}", text(errno))))?,
    };
    let failed = |errno| StartError::other(format!("set mount options: {}", text(errno)));
    map_ids(&tree, mount, options, how.user)?;
    attributes(&tree, options).map_err(failed)?;
    let stat = rustix::fs::fstat(&tree).map_err(failed)?;
    let file = !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
    let is_proc = sys::procfs::is_procfs(&tree).is_ok();
    if target == "/proc" && !is_proc {
        return Err(no_procfs(source));
    }
    let slot = program.keep(tree);
    push(program, What::Tree(slot), target, file)?;
    if let Some(Step::Mount(step)) = program.steps.last_mut() {
        step.in_proc |= target == "/proc";
        step.source.clone_from(source);
    }
    Ok(())
}

/// By the mount's own mappings, or, where `idmap` names none, by those of the container.
fn map_ids(
    tree: &OwnedFd,
    mount: &OciMount,
    options: &Options,
    user: Option<&UserNamespace>,
) -> Result<(), StartError> {
    let source = &mount.source;
    let below = options.map_ids.unwrap_or(options.bind == Some(true));
    let map = |user: &UserNamespace| {
        sys::mount::map_ids(tree.as_fd(), user.fd.as_fd(), below)
            .map_err(|errno| StartError::other(format!("map the ids of {source}: {}", text(errno))))
    };
    match (mount.uid_mappings.is_empty() && mount.gid_mappings.is_empty(), options.map_ids, user) {
        (false, ..) => map(&UserNamespace::make(&mount.uid_mappings, &mount.gid_mappings)?),
        (true, None, _) => Ok(()),
        (true, Some(_), Some(user)) => map(user),
        (true, Some(_), None) => Err(StartError::other(
            "an id-mapped mount needs uidMappings and gidMappings, or a container with a user namespace",
        )),
    }
}

/// Changes what an earlier entry, or the image, has mounted there: the mount, and unless it is a bind the file system.
fn remount(program: &mut Program, options: Options, target: &str) -> Result<(), StartError> {
    let path = c_string(target)?;
    let change = Attributes { set: flags(options.set), clear: flags(options.clear), ..Attributes::default() };
    program.steps.push(Step::Remount { path: path.clone(), change });
    for (kind, _) in options.propagation {
        let change = Attributes { propagation: Some(kind), ..Attributes::default() };
        program.steps.push(Step::Remount { path: path.clone(), change });
    }
    if options.bind.is_none() && !options.data.is_empty() {
        let data =
            options.data.iter().map(|(key, value)| Ok((c_string(key)?, value.as_deref().map(c_string).transpose()?)));
        program.steps.push(Step::Reconfigure { path, options: data.collect::<Result<_, StartError>>()? });
    }
    Ok(())
}

/// A bind's source: a part of the host's mount tree, or of a process' own (`/proc/PID/root/…`).
fn source_tree(path: &str, recursive: bool) -> Result<OwnedFd, rustix::io::Errno> {
    match (open_tree(path, recursive), foreign_tree::split(path)) {
        (Err(rustix::io::Errno::INVAL), Some((pid, path))) => foreign_tree::clone(pid, path, clone_flags(recursive)),
        (result, _) => result,
    }
}

/// A detached copy of a part of the host's mount tree.
fn open_tree(path: impl rustix::path::Arg, recursive: bool) -> Result<OwnedFd, rustix::io::Errno> {
    rustix::mount::open_tree(CWD, path, clone_flags(recursive))
}

fn clone_flags(recursive: bool) -> OpenTreeFlags {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive { flags | OpenTreeFlags::AT_RECURSIVE } else { flags }
}

/// Sets a bind mount's attributes. What an option would take away (`rw`, `suid`) is left as the host has it: a container's
/// configuration does not lift the host's restrictions.
fn attributes(tree: &OwnedFd, options: &Options) -> Result<(), rustix::io::Errno> {
    let set = |change: &Attributes, below: bool| {
        if change.is_empty() { Ok(()) } else { sys::mount::set_attributes(tree.as_fd(), c"", below, change) }
    };
    set(&Attributes { set: flags(options.set_below), ..Attributes::default() }, true)?;
    set(&Attributes { set: flags(options.set), ..Attributes::default() }, false)?;
    // Without a word on it nothing travels in or out.
    let default = [(Propagation::Private, true)];
    let kinds = if options.propagation.is_empty() { &default[..] } else { &options.propagation };
    for (kind, below) in kinds {
        set(&Attributes { propagation: Some(*kind), ..Attributes::default() }, *below)?;
    }
    Ok(())
}

fn flags(bits: u32) -> Option<MountAttrFlags> {
    Some(MountAttrFlags::from_bits_retain(bits)).filter(|flags| !flags.is_empty())
}

/// A file system made outside takes ids from outside.
fn outside_ids(mut options: Options, mapping: Option<&Mapping>) -> Result<Options, StartError> {
    let Some(mapping) = mapping else { return Ok(options) };
    for (key, value) in &mut options.data {
        let Some(inside) = value.as_deref().and_then(|value| value.parse().ok()) else { continue };
        let outside = match key.as_str() {
            "uid" => mapping.uid(inside),
            "gid" => mapping.gid(inside),
            _ => continue,
        };
        let outside =
            outside.ok_or_else(|| StartError::other(format!("{key}={inside} is not mapped in the user namespace")))?;
        *value = Some(outside.to_string());
    }
    Ok(options)
}

/// A new devpts instance, made here so that its descriptor stays with the container's keeper.
fn devpts(program: &mut Program, source: &str, options: &Options) -> Result<Slot, StartError> {
    let source = if source.is_empty() { "devpts" } else { source };
    detached(c"devpts", source, options, options.set)
        .map(|fd| program.keep(fd))
        .map_err(|errno| StartError::other(text(errno)))
}

/// A new file system that is mounted nowhere yet.
fn detached(
    kind: &std::ffi::CStr,
    source: &str,
    options: &Options,
    attributes: u32,
) -> Result<OwnedFd, rustix::io::Errno> {
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(&context, c"source", source)?;
    for (key, value) in &options.data {
        match value {
            Some(value) => rustix::mount::fsconfig_set_string(&context, key.as_str(), value.as_str())?,
            None => rustix::mount::fsconfig_set_flag(&context, key.as_str())?,
        }
    }
    rustix::mount::fsconfig_create(&context)?;
    let attributes = MountAttrFlags::from_bits_retain(attributes);
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// A tmpfs that begins with what the image has in its place.
fn copied_up(program: &mut Program, options: &Options, target: &str, made: &mut Made) -> Result<(), StartError> {
    let read_only = MountAttrFlags::MOUNT_ATTR_RDONLY.bits();
    let failed = |errno| StartError::other(format!("tmpcopyup: {}", text(errno)));
    let tree = detached(c"tmpfs", "tmpfs", options, options.set & !read_only).map_err(failed)?;
    let root = program.root.and_then(|slot| program.fds.get(slot)).ok_or_else(|| StartError::other("no root"))?;
    copy_up::copy(root.as_fd(), target, &tree).map_err(failed)?;
    if options.set & read_only != 0 {
        made.last.push(remount_read_only(target)?);
    }
    let slot = program.keep(tree);
    push(program, What::Tree(slot), target, false)
}

fn new(
    program: &mut Program,
    kind: &str,
    source: &str,
    options: Options,
    target: &str,
    made: &mut Made,
) -> Result<(), StartError> {
    let mut attributes = options.set;
    let read_only = MountAttrFlags::MOUNT_ATTR_RDONLY.bits();
    let tmpfs = kind == "tmpfs";
    let own_mode = options.data.iter().any(|(key, _)| key == "mode");
    if tmpfs && attributes & read_only != 0 {
        // Further mounts may need their targets made in it.
        attributes &= !read_only;
        made.last.push(remount_read_only(target)?);
    }
    let mut data = Vec::with_capacity(options.data.len() + 1);
    if !source.is_empty() {
        data.push((c"source".to_owned(), Some(c_string(source)?)));
    }
    for (key, value) in options.data {
        data.push((c_string(&key)?, value.as_deref().map(c_string).transpose()?));
    }
    program.steps.push(Step::Mount(Mount {
        what: What::New { kind: c_string(kind)?, options: data, attributes },
        source: kind.to_owned(),
        target: c_string(target)?,
        file: false,
        ordinary: matches!(kind, "proc" | "sysfs"),
        in_proc: COVERABLE.contains(&target),
        keep_mode: tmpfs && !own_mode,
    }));
    if !options.propagation.is_empty() {
        for (kind, _) in options.propagation {
            let change = Attributes { propagation: Some(kind), ..Attributes::default() };
            program.steps.push(Step::Remount { path: c_string(target)?, change });
        }
    }
    Ok(())
}

fn remount_read_only(target: &str) -> Result<Step, StartError> {
    let change = Attributes { set: Some(MountAttrFlags::MOUNT_ATTR_RDONLY), ..Attributes::default() };
    Ok(Step::Remount { path: c_string(target)?, change })
}

fn cgroups(program: &mut Program, view: &CgroupView<'_>, options: &Options, target: &str) -> Result<(), StartError> {
    match view.group.version() {
        Version::V2 => unified(program, view, options, target),
        Version::V1 => hierarchies(program, view, options, target),
    }
}

fn unified(program: &mut Program, view: &CgroupView<'_>, options: &Options, target: &str) -> Result<(), StartError> {
    if view.private {
        let what = What::New { kind: c"cgroup2".to_owned(), options: Vec::new(), attributes: options.set };
        return push(program, what, target, false);
    }
    let tree = open_tree("/sys/fs/cgroup", false)
        .and_then(|tree| attributes(&tree, options).map(|()| tree))
        .map_err(|errno| StartError::other(text(errno)))?;
    let slot = program.keep(tree);
    push(program, What::Tree(slot), target, false)
}

/// v1: a tmpfs with the container's own group of each hierarchy.
fn hierarchies(
    program: &mut Program,
    view: &CgroupView<'_>,
    options: &Options,
    target: &str,
) -> Result<(), StartError> {
    let read_only = MountAttrFlags::MOUNT_ATTR_RDONLY.bits();
    let mut data =
        vec![(c"source".to_owned(), Some(c"cgroup".to_owned())), (c"mode".to_owned(), Some(c"755".to_owned()))];
    if let Some((_, Some(label))) = options.data.iter().find(|(key, _)| key == "context") {
        data.push((c"context".to_owned(), Some(c_string(label)?)));
    }
    let what = What::New { kind: c"tmpfs".to_owned(), options: data, attributes: options.set & !read_only };
    push(program, what, target, false)?;
    for hierarchy in view.group.views() {
        let name = &hierarchy.name;
        let tree = open_tree(&hierarchy.path, false)
            .and_then(|tree| attributes(&tree, options).map(|()| tree))
            .map_err(|errno| StartError::other(format!("{}: {}", hierarchy.path.display(), text(errno))))?;
        let slot = program.keep(tree);
        push(program, What::Tree(slot), &format!("{target}/{name}"), false)?;
        for alias in &hierarchy.aliases {
            let path: CString = c_string(&format!("{target}/{alias}"))?;
            program.steps.push(Step::Symlink { path, target: c_string(name)? });
        }
    }
    if options.set & read_only != 0 {
        program.steps.push(remount_read_only(target)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        let label = "system_u:object_r:container_file_t:s0:c1,c2";
        for (kind, given, expected) in [
            ("tmpfs", "mode=755", true),
            ("devpts", "", true),
            ("cgroup", "ro", true),
            ("tmpfs", "context=own", false),
            ("proc", "", false),
            ("sysfs", "ro", false),
            ("mqueue", "", false),
            ("cgroup2", "", false),
        ] {
            let options = Options::parse(&[given.to_owned()]).unwrap();
            let wanted = expected.then(|| ("context".to_owned(), Some(label.to_owned())));
            assert_eq!(context(kind, label, &options), wanted, "{kind}");
            assert_eq!(context(kind, "", &options), None);
        }
    }

    #[test]
    fn destinations() {
        for (path, expected) in
            [("/a//b/./c/", Some("/a/b/c")), ("data", Some("/data")), ("/", None), ("", None), ("/a/../b", None)]
        {
            assert_eq!(destination(path).ok().as_deref(), expected, "{path}");
        }
    }
}
