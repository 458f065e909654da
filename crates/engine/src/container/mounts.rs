//! What of the host a container sees in its tree: binds (`-v SRC:DST[:OPTIONS]`) and mounts (`--mount`).
//!
//! The request's two languages become one list of [`Resolved`] mounts, in the order in which they are made.
//! Errors are in Docker's words. Volumes are refused: they are not supported yet.

use std::collections::BTreeSet;
use std::path::Path;

use api::types::{HostConfig, Mount, MountPoint, TmpfsOptions};
use values::{Error, Result, system_words};

/// What is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file or directory of the host.
    Bind,
    /// An empty file system in memory.
    Tmpfs,
}

/// How mounts below a read-only bind behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubMounts {
    /// Read-only too where the kernel can (5.12).
    #[default]
    ReadOnly,
    /// As they are on the host (`bind-recursive=writable`).
    Writable,
    /// Read-only too, or the container does not start (`bind-recursive=readonly`).
    ForcedReadOnly,
}

/// One mount, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    pub kind: Kind,
    /// Absolute and clean; empty for a tmpfs.
    pub source: String,
    /// Absolute and clean.
    pub destination: String,
    /// The options as the user wrote them (`ro,z`), for `inspect`.
    pub mode: String,
    pub read_only: bool,
    /// Mounts below the source come along.
    pub recursive: bool,
    pub sub_mounts: SubMounts,
    /// `rprivate`, `rslave`, …; empty for a tmpfs.
    pub propagation: String,
    /// A missing source is made, as a directory.
    pub create_source: bool,
    /// Mount options of a tmpfs.
    pub data: String,
}

const PROPAGATIONS: [&str; 6] = ["private", "rprivate", "slave", "rslave", "shared", "rshared"];
const DEFAULT_PROPAGATION: &str = "rprivate";

/// All mounts of a request, fewest path components first, so that a mount never hides a later one.
///
/// # Errors
/// `InvalidArgument` in Docker's words; `NotImplemented` for volumes and images.
pub fn resolve(host: &HostConfig) -> Result<Vec<Resolved>> {
    let mut list = Vec::new();
    let mut taken = BTreeSet::new();
    let mut add = |mount: Resolved| {
        if !taken.insert(mount.destination.clone()) {
            return Err(Error::invalid(format!("Duplicate mount point: {}", mount.destination)));
        }
        list.push(mount);
        Ok(())
    };
    for raw in host.binds.iter().flatten() {
        add(parse_bind(raw)?)?;
    }
    for mount in &host.mounts {
        add(from_mount(mount)?)?;
    }
    for (destination, options) in &host.tmpfs {
        add(from_tmpfs(destination, options)?)?;
    }
    list.sort_by_key(|mount| mount.destination.split('/').filter(|part| !part.is_empty()).count());
    Ok(list)
}

/// Makes the missing sources of `-v` and refuses the missing ones of `--mount`; called before each start.
///
/// # Errors
/// `InvalidArgument` naming the path.
pub fn prepare_sources(mounts: &[Resolved]) -> Result<()> {
    for mount in mounts.iter().filter(|mount| mount.kind == Kind::Bind) {
        let path = Path::new(&mount.source);
        match std::fs::metadata(path) {
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && mount.create_source => {
                std::fs::create_dir_all(path).map_err(|e| {
                    let why = system_words(&e);
                    Error::invalid(format!(
                        "error while creating mount source path '{}': mkdir {}: {why}",
                        mount.source, mount.source
                    ))
                })?;
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(missing_source(&mount.source)),
            Err(e) => {
                return Err(Error::invalid(format!(
                    "invalid mount config for type \"bind\": stat {}: {}",
                    mount.source,
                    system_words(&e)
                )));
            }
        }
    }
    Ok(())
}

/// The mounts as `inspect` and `ps` show them.
pub fn to_mount_points(mounts: &[Resolved]) -> Vec<MountPoint> {
    let point = |mount: &Resolved| MountPoint {
        kind: if mount.kind == Kind::Bind { "bind" } else { "tmpfs" }.into(),
        source: mount.source.clone(),
        destination: mount.destination.clone(),
        mode: mount.mode.clone(),
        rw: !mount.read_only,
        propagation: mount.propagation.clone(),
        ..MountPoint::default()
    };
    // Docker lists `--mount type=tmpfs`, but not `--tmpfs`: that one is in HostConfig only.
    mounts.iter().filter(|mount| mount.kind == Kind::Bind || mount.mode != TMPFS_FLAG).map(point).collect()
}

/// Marks a mount that came from `--tmpfs`.
const TMPFS_FLAG: &str = "--tmpfs";

/// Parses `SRC:DST[:OPTIONS]`.
///
/// # Errors
/// `InvalidArgument` in Docker's words; `NotImplemented` when SRC is a volume's name.
pub fn parse_bind(raw: &str) -> Result<Resolved> {
    let invalid = || Error::invalid(format!("invalid volume specification: '{raw}'"));
    let parts: Vec<&str> = raw.splitn(4, ':').collect();
    let (source, target, mode) = match parts[..] {
        [""] | ["", ..] => return Err(invalid()),
        [target] => ("", target, ""),
        [_, mode] if parse_mode(mode).is_some() => return Err(invalid()),
        [source, target] => (source, target, ""),
        [source, target, mode] => (source, target, mode),
        _ => return Err(invalid()),
    };
    let options = parse_mode(mode).ok_or_else(|| Error::invalid(format!("invalid mode: {mode}")))?;
    let is_bind = source.starts_with('/');
    check_target(target).map_err(|e| {
        let kind = if is_bind { "bind" } else { "volume" };
        e.context(format!("invalid mount config for type \"{kind}\"")).context(invalid())
    })?;
    if !is_bind {
        return Err(no_volumes(if source.is_empty() { target } else { source }));
    }
    if options.no_copy {
        return Err(Error::invalid(
            "invalid mount config for type \"bind\": field VolumeOptions must not be specified",
        )
        .context(invalid()));
    }
    Ok(Resolved {
        kind: Kind::Bind,
        source: clean(source),
        destination: clean(target),
        mode: mode.to_owned(),
        read_only: options.read_only,
        recursive: true,
        sub_mounts: SubMounts::ReadOnly,
        propagation: options.propagation.unwrap_or(DEFAULT_PROPAGATION).to_owned(),
        create_source: true,
        data: String::new(),
    })
}

#[derive(Default)]
struct Mode<'a> {
    read_only: bool,
    no_copy: bool,
    propagation: Option<&'a str>,
}

/// The options of a bind; None when one is unknown or given twice.
fn parse_mode(mode: &str) -> Option<Mode<'_>> {
    let mut options = Mode::default();
    if mode.is_empty() {
        return Some(options);
    }
    let mut groups = BTreeSet::new();
    for word in mode.split(',') {
        let group = match word {
            "ro" | "rw" => {
                options.read_only = word == "ro";
                "access"
            }
            // SELinux labels: without SELinux there is nothing to relabel, as in Docker.
            "z" | "Z" => "label",
            "nocopy" => {
                options.no_copy = true;
                "copy"
            }
            // Of Docker Desktop only; no meaning on Linux.
            "consistent" | "cached" | "delegated" | "default" => "consistency",
            _ if PROPAGATIONS.contains(&word) => {
                options.propagation = Some(word);
                "propagation"
            }
            _ => return None,
        };
        if !groups.insert(group) {
            return None;
        }
    }
    Some(options)
}

/// Checks one mount of `HostConfig.Mounts`.
///
/// # Errors
/// `InvalidArgument` in Docker's words; `NotImplemented` for volumes and images.
pub fn from_mount(mount: &Mount) -> Result<Resolved> {
    let fail = |e: Error| e.context(format!("invalid mount config for type \"{}\"", mount.kind));
    if mount.target.is_empty() {
        return Err(fail(Error::invalid("field Target must not be empty")));
    }
    check_target(&mount.target).map_err(fail)?;
    match mount.kind.as_str() {
        "bind" => bind_mount(mount).map_err(fail),
        "tmpfs" => tmpfs_mount(mount).map_err(fail),
        "volume" => Err(no_volumes(if mount.source.is_empty() { &mount.target } else { &mount.source })),
        "image" => Err(Error::not_implemented("mounts of type \"image\" are not supported yet")),
        "cluster" => Err(Error::not_implemented("mounts of type \"cluster\" are not supported yet")),
        _ => Err(fail(Error::invalid("mount type unknown"))),
    }
}

fn bind_mount(mount: &Mount) -> Result<Resolved> {
    for (given, field) in [
        (mount.volume_options.is_some(), "VolumeOptions"),
        (mount.tmpfs_options.is_some(), "TmpfsOptions"),
        (mount.image_options.is_some(), "ImageOptions"),
    ] {
        refuse_field(given, field)?;
    }
    if mount.source.is_empty() {
        return Err(Error::invalid("field Source must not be empty"));
    }
    check_absolute(&mount.source)?;
    let options = mount.bind_options.clone().unwrap_or_default();
    if !options.propagation.is_empty() && !PROPAGATIONS.contains(&options.propagation.as_str()) {
        return Err(Error::invalid(format!("invalid propagation mode: {}", options.propagation)));
    }
    let sub_mounts = match (options.read_only_non_recursive, options.read_only_force_recursive) {
        (true, true) => {
            return Err(Error::invalid("mount options conflict: ReadOnlyNonRecursive and ReadOnlyForceRecursive"));
        }
        (true, false) => SubMounts::Writable,
        (false, true) => SubMounts::ForcedReadOnly,
        (false, false) => SubMounts::ReadOnly,
    };
    if sub_mounts != SubMounts::ReadOnly && !mount.read_only {
        return Err(Error::invalid("mount options conflict: a recursive read-only option needs ReadOnly"));
    }
    if sub_mounts == SubMounts::ForcedReadOnly && options.non_recursive {
        return Err(Error::invalid("mount options conflict: NonRecursive and ReadOnlyForceRecursive"));
    }
    if !options.create_mountpoint && !Path::new(&mount.source).exists() {
        return Err(Error::invalid(format!("bind source path does not exist: {}", mount.source)));
    }
    Ok(Resolved {
        kind: Kind::Bind,
        source: clean(&mount.source),
        destination: clean(&mount.target),
        mode: String::new(),
        read_only: mount.read_only,
        recursive: !options.non_recursive,
        sub_mounts,
        propagation: if options.propagation.is_empty() { DEFAULT_PROPAGATION.into() } else { options.propagation },
        create_source: options.create_mountpoint,
        data: String::new(),
    })
}

fn tmpfs_mount(mount: &Mount) -> Result<Resolved> {
    for (given, field) in [
        (mount.bind_options.is_some(), "BindOptions"),
        (mount.volume_options.is_some(), "VolumeOptions"),
        (mount.image_options.is_some(), "ImageOptions"),
        (!mount.source.is_empty(), "Source"),
    ] {
        refuse_field(given, field)?;
    }
    let data = tmpfs_data(&mount.tmpfs_options.clone().unwrap_or_default(), mount.read_only)?;
    Ok(Resolved { read_only: mount.read_only, ..tmpfs(&mount.target, "", &data) })
}

fn from_tmpfs(destination: &str, options: &str) -> Result<Resolved> {
    check_target(destination)?;
    Ok(Resolved {
        read_only: options.split(',').any(|option| option == "ro"),
        ..tmpfs(destination, TMPFS_FLAG, options)
    })
}

fn tmpfs(destination: &str, mode: &str, data: &str) -> Resolved {
    Resolved {
        kind: Kind::Tmpfs,
        source: String::new(),
        destination: clean(destination),
        mode: mode.to_owned(),
        read_only: false,
        recursive: false,
        sub_mounts: SubMounts::ReadOnly,
        propagation: String::new(),
        create_source: false,
        data: data.to_owned(),
    }
}

/// The mount options which a tmpfs' fields mean: `ro,mode=1770,size=64m,exec`.
fn tmpfs_data(options: &TmpfsOptions, read_only: bool) -> Result<String> {
    let mut words = Vec::new();
    if read_only {
        words.push("ro".to_owned());
    }
    if options.mode != 0 {
        words.push(format!("mode={:o}", options.mode));
    }
    if options.size_bytes < 0 {
        return Err(Error::invalid("must not set a negative size for a tmpfs"));
    }
    if options.size_bytes != 0 {
        words.push(format!("size={}", options.size_bytes));
    }
    for option in &options.options {
        match &option[..] {
            [word] if word == "exec" || word == "noexec" => words.push(word.clone()),
            [word, ..] if option.len() <= 2 => return Err(Error::invalid(format!("invalid option: {word}"))),
            _ => return Err(Error::invalid("invalid option array length")),
        }
    }
    Ok(words.join(","))
}

fn refuse_field(given: bool, field: &str) -> Result<()> {
    if given { Err(Error::invalid(format!("field {field} must not be specified"))) } else { Ok(()) }
}

fn check_target(path: &str) -> Result<()> {
    if clean(path) == "/" && !path.is_empty() {
        return Err(Error::invalid("invalid specification: destination can't be '/'"));
    }
    check_absolute(path)
}

fn check_absolute(path: &str) -> Result<()> {
    if path.contains('\0') {
        return Err(Error::invalid("invalid mount path: it contains a NUL byte"));
    }
    if !path.starts_with('/') {
        return Err(Error::invalid(format!("invalid mount path: '{path}' mount path must be absolute")));
    }
    Ok(())
}

fn no_volumes(name: &str) -> Error {
    Error::not_implemented(format!("volumes are not supported yet: {name} (a bind mount needs an absolute path)"))
}

fn missing_source(path: &str) -> Error {
    Error::invalid(format!("invalid mount config for type \"bind\": bind source path does not exist: {path}"))
}

/// The shortest equivalent path by its text alone, as Go's `path.Clean` (of an absolute path).
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests;
