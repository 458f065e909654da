//! Nodes and links in the container's `/dev`.

use oci::runtime::Device as OciDevice;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags};

use crate::failure::text;
use crate::process::c_string;
use crate::program::{Device, Mount, Program, Step, What};
use crate::user_namespace::Mapping;
use crate::{StartError, private_mounts};

/// Always there: name, major, minor; world-writable characters.
const BASIC: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Link in `/dev`, target.
const LINKS: [(&str, &str); 5] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
];

/// Adds the steps that make them. In a user namespace nobody may: there the nodes are made here and bound.
pub(crate) fn plan(program: &mut Program, devices: &[OciDevice], mapping: Option<&Mapping>) -> Result<(), StartError> {
    let mut nodes = Vec::with_capacity(BASIC.len() + devices.len());
    for (name, major, minor) in BASIC {
        nodes.push(Device {
            directory: c"/dev".to_owned(),
            name: c_string(name)?,
            kind: FileType::CharacterDevice,
            mode: Mode::from_raw_mode(0o666),
            number: rustix::fs::makedev(major, minor),
            uid: 0,
            gid: 0,
        });
    }
    // The container's own multiplexer is a link into its devpts, whatever the host's is.
    let asked = devices.iter().filter(|device| device.path != "/dev/ptmx");
    let (basic, own): (Vec<Device>, Vec<Device>) = (nodes, asked.map(one).collect::<Result<_, _>>()?);
    add(program, basic, mapping)?;
    links(&mut program.steps)?;
    add(program, own, mapping)
}

fn links(steps: &mut Vec<Step>) -> Result<(), StartError> {
    for (path, target) in LINKS {
        steps.push(Step::Symlink { path: c_string(path)?, target: c_string(target)? });
    }
    if std::path::Path::new("/proc/kcore").exists() {
        steps.push(Step::Symlink { path: c"/dev/core".to_owned(), target: c"/proc/kcore".to_owned() });
    }
    Ok(())
}

fn add(program: &mut Program, nodes: Vec<Device>, mapping: Option<&Mapping>) -> Result<(), StartError> {
    let Some(mapping) = mapping else {
        program.steps.extend(nodes.into_iter().map(Step::Device));
        return Ok(());
    };
    if nodes.is_empty() {
        return Ok(());
    }
    let trees = make_outside(&nodes, mapping)
        .map_err(|errno| StartError::other(format!("error creating device nodes: {}", text(errno))))?;
    for (node, tree) in nodes.iter().zip(trees) {
        let (directory, name) = (node.directory.to_string_lossy(), node.name.to_string_lossy());
        let target = c_string(&format!("{}/{name}", directory.trim_end_matches('/')))?;
        let what = What::Tree(program.keep(tree));
        program.steps.push(Step::Mount(Mount {
            what,
            source: "bind".to_owned(),
            target,
            file: true,
            ordinary: false,
            in_proc: false,
            keep_mode: false,
        }));
    }
    Ok(())
}

/// Nodes in a file system of their own, each as a mount to be attached.
fn make_outside(nodes: &[Device], mapping: &Mapping) -> Result<Vec<OwnedFd>, Errno> {
    private_mounts::within(|| {
        let context = rustix::mount::fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        rustix::mount::fsconfig_create(&context)?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let all = rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
        // Any directory does: we are alone here. A tree is cloned only from a place that has one.
        private_mounts::attach(&all, Path::new("/dev"))?;
        let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let one = |(number, node): (usize, &Device)| {
            let name = number.to_string();
            rustix::fs::mknodat(&all, &name, node.kind, node.mode, node.number)?;
            rustix::fs::chmodat(&all, &name, node.mode, AtFlags::empty())?;
            let (uid, gid) = mapping.owner(node.uid, node.gid);
            rustix::fs::chownat(&all, &name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
            rustix::mount::open_tree(&all, &name, clone)
        };
        nodes.iter().enumerate().map(one).collect()
    })
}

fn one(device: &OciDevice) -> Result<Device, StartError> {
    let path = &device.path;
    let bad = |what: &str| StartError::other(format!("device {path:?}: {what}"));
    let kind = match device.kind.as_str() {
        "c" | "u" => FileType::CharacterDevice,
        "b" => FileType::BlockDevice,
        "p" => FileType::Fifo,
        other => return Err(bad(&format!("unknown type {other:?}"))),
    };
    let (directory, name) = path.rsplit_once('/').ok_or_else(|| bad("not an absolute path"))?;
    if !path.starts_with('/') || name.is_empty() || path.split('/').any(|part| part == "..") {
        return Err(bad("not an absolute path"));
    }
    let number = |value: i64| u32::try_from(value).map_err(|_| bad("number out of range"));
    let number = match kind {
        FileType::Fifo => 0,
        _ => rustix::fs::makedev(number(device.major)?, number(device.minor)?),
    };
    Ok(Device {
        directory: c_string(if directory.is_empty() { "/" } else { directory })?,
        name: c_string(name)?,
        kind,
        mode: Mode::from_raw_mode(device.file_mode.unwrap_or(0o666) & 0o7777),
        number,
        uid: device.uid.unwrap_or(0),
        gid: device.gid.unwrap_or(0),
    })
}
