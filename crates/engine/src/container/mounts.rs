//! What a container sees in its tree besides its image's files: binds and volumes (`-v SRC:DST[:OPTIONS]`), mounts (`--mount`),
//! and what it has from other containers (`--volumes-from`).
//!
//! The request's languages become one list of [`Resolved`] mounts, in the order in which they are made.
//! Errors are in Docker's words.

pub mod images;
mod inherited;
mod parts;
mod sources;

use std::collections::{BTreeMap, BTreeSet};

use api::lenient::Empty;
use api::types::{HostConfig, Mount, MountPoint, TmpfsOptions};
use values::{Error, Result, RootMount};

use crate::container::record::{MountedImage, Record};
use crate::selinux::Reach;
use crate::shared::Shared;
use crate::volumes;
pub use parts::part_error;
pub use sources::{Sources, reach};

/// What is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file or directory of the host.
    Bind,
    /// A directory that the engine keeps.
    Volume,
    /// An empty file system in memory.
    Tmpfs,
    /// The files of an image, read-only.
    Image,
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
    /// Absolute and clean; empty for a tmpfs, and for a volume until [`place`] says where it is. Of an image what the user
    /// called it, and its id once it is known.
    pub source: String,
    /// What of a volume or an image is mounted, relative to its root; empty: all.
    pub part: String,
    /// Of a volume.
    pub volume: Option<Volume>,
    /// Of an image, once it is known.
    pub image: Option<MountedImage>,
    /// Of an image, while it is about to be mounted: see [`images::open`].
    pub image_root: Option<ImageRoot>,
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

/// An image's files, ready to be mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRoot {
    pub root: RootMount,
    /// There is a mount of its lowest layer.
    pub has_lowest: bool,
}

/// What a mount says of its volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Its name is empty while it has none.
    pub request: volumes::Request,
    /// What the image has at the destination is copied to it if it is empty.
    pub copy: bool,
    /// The directory that is mounted in the place of its own.
    pub backing: Option<String>,
}

impl Resolved {
    /// What is mounted, on the host.
    pub fn host_path(&self) -> &str {
        let backing = self.volume.as_ref().and_then(|volume| volume.backing.as_deref());
        backing.unwrap_or(&self.source)
    }

    /// Files that were there before: everything but a tmpfs.
    pub fn is_tree(&self) -> bool {
        self.kind != Kind::Tmpfs
    }

    /// It is below a path of the host's.
    pub fn is_on_host(&self) -> bool {
        matches!(self.kind, Kind::Bind | Kind::Volume)
    }

    /// What the runtime needs besides a path.
    pub fn runtime_source(&self) -> Option<runtime::Source> {
        let (root, has_lowest) = match (self.kind, &self.image_root) {
            (Kind::Image, Some(image)) => (image.root.clone(), image.has_lowest),
            (Kind::Volume, _) if !self.part.is_empty() => {
                (RootMount::Directory { path: self.host_path().into() }, false)
            }
            _ => return None,
        };
        Some(runtime::Source {
            destination: self.destination.clone(),
            name: self.runtime_name().to_owned(),
            root,
            part: self.part.clone(),
            is_image: self.kind == Kind::Image,
            has_lowest,
        })
    }

    /// The source as the runtime, and its errors, call it.
    pub fn runtime_name(&self) -> &str {
        match &self.image {
            Some(image) => &image.name,
            None => self.host_path(),
        }
    }

    /// Whose it is to become for SELinux, where that was asked.
    pub fn relabel(&self) -> Option<Reach> {
        self.mode.split(',').find_map(|word| match word {
            "z" => Some(Reach::Shared),
            "Z" => Some(Reach::Private),
            _ => None,
        })
    }
}

const PROPAGATIONS: [&str; 6] = ["private", "rprivate", "slave", "rslave", "shared", "rshared"];
const DEFAULT_PROPAGATION: &str = "rprivate";

/// All mounts that a request names, fewest path components first, so that a mount never hides a later one. By its words
/// alone: what is at the sources is for [`reach`] to see.
///
/// # Errors
/// `InvalidArgument` in Docker's words; `NotImplemented` for volumes of a cluster.
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
        let mut mount = parse_bind(raw)?;
        if let Some(volume) = &mut mount.volume {
            volume.request.driver.clone_from(&host.volume_driver);
        }
        add(mount)?;
    }
    for mount in &host.mounts {
        add(from_mount(mount)?)?;
    }
    for (destination, options) in &host.tmpfs {
        add(from_tmpfs(destination, options)?)?;
    }
    sort(&mut list);
    Ok(list)
}

fn sort(list: &mut [Resolved]) {
    list.sort_by_key(|mount| mount.destination.split('/').filter(|part| !part.is_empty()).count());
}

/// All mounts of a container that is to be made: what the request names, what other containers have, and the volumes that
/// nobody named, which get their names here. Their places are not filled in: [`place`].
///
/// # Errors
/// As [`resolve`]; those of [`inherited::inherited`].
pub fn of_new(shared: &Shared, host: &HostConfig, anonymous: &BTreeMap<String, Empty>) -> Result<Vec<Resolved>> {
    let mut list = resolve(host)?;
    let is_taken = |list: &[Resolved], destination: &str| list.iter().any(|mount| mount.destination == destination);
    let mut theirs: Vec<Resolved> = Vec::new();
    for spec in host.volumes_from.iter().flatten() {
        for mount in inherited::inherited(shared, spec)? {
            // of two containers the later one counts
            theirs.retain(|other| other.destination != mount.destination);
            theirs.push(mount);
        }
    }
    theirs.retain(|mount| !is_taken(&list, &mount.destination));
    list.extend(theirs);
    for path in anonymous.keys() {
        // as Docker: `VOLUME data` of an image is below the root
        let path = format!("/{path}");
        check_target(&path).map_err(|e| e.context("invalid mount config for type \"volume\""))?;
        if !is_taken(&list, &clean(&path)) {
            list.push(volume(&path, "", Volume { copy: true, ..Volume::default() }));
        }
    }
    for volume in list.iter_mut().filter_map(|mount| mount.volume.as_mut()) {
        if volume.request.name.is_empty() {
            let anonymous = volumes::Request::anonymous();
            volume.request.name = anonymous.name;
            volume.request.labels.extend(anonymous.labels);
        }
    }
    sort(&mut list);
    Ok(list)
}

/// All mounts of a container as it was made, with their places.
///
/// # Errors
/// None for what was checked when it was made.
pub fn of(shared: &Shared, record: &Record) -> Result<Vec<Resolved>> {
    let mut list = resolve(&record.host)?;
    for point in &record.mounts {
        match list.iter_mut().find(|mount| mount.destination == point.destination) {
            Some(Resolved { volume: Some(volume), .. }) => volume.request.name.clone_from(&point.name),
            Some(_) => {}
            None => list.extend(inherited::from_point(point, record.part(point), false)),
        }
    }
    images::recall(record, &mut list);
    place(shared, &mut list);
    sort(&mut list);
    Ok(list)
}

/// Fills in where volumes are.
pub fn place(shared: &Shared, mounts: &mut [Resolved]) {
    for mount in mounts {
        let Some(volume) = &mut mount.volume else { continue };
        let name = &volume.request.name;
        mount.source = shared.volumes.path(name).display().to_string();
        if let Some(backing) = shared.volumes.backing(name) {
            mount.recursive = backing.recursive;
            mount.read_only |= backing.read_only;
            volume.backing = Some(backing.device);
        }
    }
}

/// What of their sources is mounted, where that is not all.
pub fn parts_of(mounts: &[Resolved]) -> BTreeMap<String, String> {
    let parts = mounts.iter().filter(|mount| !mount.part.is_empty());
    parts.map(|mount| (mount.destination.clone(), mount.part.clone())).collect()
}

/// Names of the volumes that a request names.
pub fn named_volumes(host: &HostConfig) -> BTreeSet<String> {
    let list = resolve(host).unwrap_or_default();
    list.into_iter().filter_map(|mount| mount.volume).map(|volume| volume.request.name).collect()
}

/// The mounts as `inspect` and `ps` show them.
pub fn to_mount_points(mounts: &[Resolved]) -> Vec<MountPoint> {
    let point = |mount: &Resolved| MountPoint {
        kind: match mount.kind {
            Kind::Bind => "bind",
            Kind::Volume => "volume",
            Kind::Tmpfs => "tmpfs",
            Kind::Image => "image",
        }
        .into(),
        name: match (&mount.volume, &mount.image) {
            (Some(volume), _) => volume.request.name.clone(),
            (None, Some(image)) => image.name.clone(),
            (None, None) => String::new(),
        },
        driver: if mount.kind == Kind::Volume { volumes::LOCAL.into() } else { String::new() },
        source: mount.source.clone(),
        destination: mount.destination.clone(),
        mode: mount.mode.clone(),
        rw: !mount.read_only,
        propagation: mount.propagation.clone(),
    };
    // Docker lists `--mount type=tmpfs`, but not `--tmpfs`: that one is in HostConfig only.
    mounts.iter().filter(|mount| mount.is_tree() || mount.mode != TMPFS_FLAG).map(point).collect()
}

/// Marks a mount that came from `--tmpfs`.
const TMPFS_FLAG: &str = "--tmpfs";

/// Parses `SRC:DST[:OPTIONS]`.
///
/// # Errors
/// `InvalidArgument` in Docker's words.
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
        if options.propagation.is_some() {
            let refusal = "invalid mount config for type \"volume\": field BindOptions must not be specified";
            return Err(Error::invalid(refusal).context(invalid()));
        }
        let request = volumes::Request { name: source.to_owned(), ..volumes::Request::default() };
        // as Docker shows it
        let mode = if mode.is_empty() { "z" } else { mode };
        let wanted = Volume { request, copy: !options.no_copy, backing: None };
        return Ok(Resolved { read_only: options.read_only, ..volume(target, mode, wanted) });
    }
    if options.no_copy {
        return Err(Error::invalid(
            "invalid mount config for type \"bind\": field VolumeOptions must not be specified",
        )
        .context(invalid()));
    }
    Ok(Resolved {
        source: clean(source),
        read_only: options.read_only,
        recursive: true,
        propagation: options.propagation.unwrap_or(DEFAULT_PROPAGATION).to_owned(),
        create_source: true,
        ..bare(Kind::Bind, target, mode)
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
            // Without SELinux there is nothing to relabel, as in Docker.
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
/// `InvalidArgument` in Docker's words; `NotImplemented` for volumes of a cluster.
pub fn from_mount(mount: &Mount) -> Result<Resolved> {
    let fail = |e: Error| e.context(format!("invalid mount config for type \"{}\"", mount.kind));
    if mount.target.is_empty() {
        return Err(fail(Error::invalid("field Target must not be empty")));
    }
    check_target(&mount.target).map_err(fail)?;
    match mount.kind.as_str() {
        "bind" => bind_mount(mount).map_err(fail),
        "tmpfs" => tmpfs_mount(mount).map_err(fail),
        "volume" => volume_mount(mount).map_err(fail),
        "image" => image_mount(mount).map_err(fail),
        "cluster" => Err(Error::not_implemented("mounts of type \"cluster\" are not supported yet")),
        _ => Err(fail(Error::invalid("mount type unknown"))),
    }
}

fn bind_mount(mount: &Mount) -> Result<Resolved> {
    refuse_options_but(mount, "BindOptions")?;
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
    Ok(Resolved {
        source: clean(&mount.source),
        read_only: mount.read_only,
        recursive: !options.non_recursive,
        sub_mounts,
        propagation: if options.propagation.is_empty() { DEFAULT_PROPAGATION.into() } else { options.propagation },
        create_source: options.create_mountpoint,
        ..bare(Kind::Bind, &mount.target, "")
    })
}

fn volume_mount(mount: &Mount) -> Result<Resolved> {
    refuse_options_but(mount, "VolumeOptions")?;
    if mount.source.is_empty() && mount.read_only {
        return Err(Error::invalid("must not set ReadOnly mode when using anonymous volumes"));
    }
    let options = mount.volume_options.clone().unwrap_or_default();
    if !options.subpath.is_empty() && mount.source.is_empty() {
        return Err(Error::invalid("must not set Subpath when using anonymous volumes"));
    }
    let part = part(&options.subpath)?;
    let driver = options.driver_config.unwrap_or_default();
    let request = volumes::Request {
        name: mount.source.clone(),
        driver: driver.name,
        options: driver.options,
        labels: options.labels,
    };
    let wanted = Volume { request, copy: !options.no_copy, backing: None };
    Ok(Resolved { read_only: mount.read_only, part, ..volume(&mount.target, "z", wanted) })
}

fn image_mount(mount: &Mount) -> Result<Resolved> {
    refuse_options_but(mount, "ImageOptions")?;
    if mount.source.is_empty() {
        return Err(Error::invalid("field Source must not be empty"));
    }
    let part = part(&mount.image_options.clone().unwrap_or_default().subpath)?;
    Ok(image(&mount.source, &mount.target, part))
}

/// Nobody writes there, whatever the request says.
fn image(source: &str, destination: &str, part: String) -> Resolved {
    Resolved {
        source: source.to_owned(),
        part,
        read_only: true,
        propagation: DEFAULT_PROPAGATION.into(),
        ..bare(Kind::Image, destination, "")
    }
}

fn volume(destination: &str, mode: &str, volume: Volume) -> Resolved {
    Resolved { volume: Some(volume), ..bare(Kind::Volume, destination, mode) }
}

/// The shortest path with the same words' meaning, empty for all; Docker calls an image a volume here, too.
fn part(path: &str) -> Result<String> {
    let mut depth = 0_i32;
    let stays = path.split('/').filter(|name| !name.is_empty() && *name != ".").all(|name| {
        depth += if name == ".." { -1 } else { 1 };
        depth >= 0
    });
    match stays && !path.starts_with('/') && !path.contains('\0') {
        true => Ok(clean(path)[1..].to_owned()),
        false => Err(Error::invalid("subpath must be a relative path within the volume")),
    }
}

fn tmpfs_mount(mount: &Mount) -> Result<Resolved> {
    refuse_options_but(mount, "TmpfsOptions")?;
    refuse_field(!mount.source.is_empty(), "Source")?;
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
    Resolved { data: data.to_owned(), ..bare(Kind::Tmpfs, destination, mode) }
}

fn bare(kind: Kind, destination: &str, mode: &str) -> Resolved {
    Resolved {
        kind,
        source: String::new(),
        part: String::new(),
        volume: None,
        image: None,
        image_root: None,
        destination: clean(destination),
        mode: mode.to_owned(),
        read_only: false,
        recursive: false,
        sub_mounts: SubMounts::ReadOnly,
        propagation: String::new(),
        create_source: false,
        data: String::new(),
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

/// The options of other kinds of mount.
fn refuse_options_but(mount: &Mount, own: &str) -> Result<()> {
    let fields = [
        (mount.bind_options.is_some(), "BindOptions"),
        (mount.volume_options.is_some(), "VolumeOptions"),
        (mount.tmpfs_options.is_some(), "TmpfsOptions"),
        (mount.image_options.is_some(), "ImageOptions"),
    ];
    fields.into_iter().filter(|(_, field)| *field != own).try_for_each(|(given, field)| refuse_field(given, field))
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
