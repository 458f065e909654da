//! The root file system as a detached mount: nothing of it is ever in the host's mount table.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags};
use sys::mount::{Attributes, Propagation};
use values::{Erofs, Lower, RootMount};

use crate::StartError;
use crate::failure::text;
use crate::private_mounts;
use crate::user_namespace::UserNamespace;

/// What overlayfs leaves in the work directory of a volatile mount.
const VOLATILE_MARK: &str = "work/incompat/volatile";
/// The longest string the kernel takes in one `fsconfig`.
const STRING_MAX: usize = 255;

/// Mounts it detached. The descriptor is all there is; who holds it, holds the file system.
///
/// `lowest`: a detached mount of its lowest layer, where that is an EROFS and somebody has one to be shared: files of one
/// EROFS that is mounted twice are in the page cache twice. `label`: the SELinux context of all files in an overlay;
/// empty: each its own.
pub fn mount_root(root: &RootMount, lowest: Option<BorrowedFd<'_>>, label: &str) -> Result<OwnedFd, StartError> {
    match root {
        RootMount::Directory { path } => directory(path),
        RootMount::Stack { lower } => stack(lower, lowest, label)
            .map_err(|errno| StartError::other(format!("failed to mount a read-only overlay: {}", text(errno)))),
        RootMount::Overlay { lower, upper, work, volatile } => {
            let changes = Changes { upper, work, volatile: *volatile };
            overlay(lower, lowest, changes, label).map_err(|errno| {
                let upper = upper.display();
                StartError::other(format!("failed to mount the overlay of {upper}: {}", text(errno)))
            })
        }
    }
}

/// [`mount_root`] with the ids on disk being those inside the user namespace. Nothing on disk changes: several
/// containers, with other mappings or none, can have the same layers. Needs Linux 5.19 for an overlay.
pub(crate) fn mount_mapped(
    root: &RootMount,
    lowest: Option<BorrowedFd<'_>>,
    user: &UserNamespace,
    label: &str,
) -> Result<OwnedFd, StartError> {
    let failed = |what: &Path, errno| {
        let need = "id-mapped mounts need Linux 5.19 and a file system that has them";
        let hint = if errno == Errno::INVAL { format!(" ({need})") } else { String::new() };
        StartError::other(format!("map the ids of {}: {}{hint}", what.display(), text(errno)))
    };
    match root {
        RootMount::Directory { path } => {
            private_mounts::mapped(path, user.fd.as_fd()).map_err(|errno| failed(path, errno))
        }
        RootMount::Stack { lower } => {
            let top = lower.first().map_or(Path::new(""), Lower::path);
            let over = Over { changes: None, label };
            mapped_overlay(lower, lowest, Mapped::of(user)?, None, over).map_err(|errno| failed(top, errno))
        }
        RootMount::Overlay { lower, upper, work, volatile } => {
            // overlayfs wants both of them on one mount
            let own = upper.parent().filter(|own| work.parent() == Some(own));
            let own =
                own.ok_or_else(|| StartError::other("the upper and work directories are not in one directory"))?;
            let over = Over { changes: Some(Changes { upper, work, volatile: *volatile }), label };
            let user = Mapped::of(user)?;
            mapped_overlay(lower, lowest, user, Some(own), over).map_err(|errno| failed(upper, errno))
        }
    }
}

/// A user namespace, and its root outside.
#[derive(Clone, Copy)]
struct Mapped<'a> {
    user: BorrowedFd<'a>,
    uid: u32,
    gid: u32,
}

impl<'a> Mapped<'a> {
    fn of(user: &'a UserNamespace) -> Result<Self, StartError> {
        let owner = user.mapping.uid(0).zip(user.mapping.gid(0));
        let (uid, gid) = owner.ok_or_else(|| StartError::other("root is not mapped in the user namespace"))?;
        Ok(Self { user: user.fd.as_fd(), uid, gid })
    }
}

/// `own`: the directory that changes are in.
fn mapped_overlay(
    lower: &[Lower],
    lowest: Option<BorrowedFd<'_>>,
    Mapped { user, uid, gid }: Mapped<'_>,
    own: Option<&Path>,
    over: Over<'_>,
) -> Result<OwnedFd, Errno> {
    private_mounts::within(|| {
        let directories = lower.iter().filter_map(|layer| match layer {
            Lower::Directory(path) => Some(path.as_path()),
            Lower::Erofs(_) => None,
        });
        for path in directories.chain(own) {
            private_mounts::attach(&private_mounts::mapped(path, user)?, path)?;
        }
        // last, so that none of the others hides one
        let places = with_shared(lower, lowest).map(|(layer, shared)| match layer {
            Lower::Directory(path) => Ok(Layer::Path(path)),
            Lower::Erofs(erofs) => attach_mapped(erofs, shared, user).map(Layer::Path),
        });
        let places = places.collect::<Result<Vec<_>, Errno>>()?;
        // overlayfs works as who mounted it, and must be somebody in its own layers
        sys::identity::set_file_owner(uid, gid)?;
        overlay_of(&places, Several::of(lower), over)
    })
}

/// Mounts an EROFS, its ids mapped, over the directory its index is in, which is returned.
fn attach_mapped<'a>(
    erofs: &'a Erofs,
    shared: Option<BorrowedFd<'_>>,
    user: BorrowedFd<'_>,
) -> Result<&'a Path, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = match shared.map(|shared| rustix::mount::open_tree(shared, c"", flags)) {
        Some(Ok(tree)) => tree,
        // before Linux 6.15 nothing can be made of somebody else's detached mount
        Some(Err(Errno::INVAL)) | None => sys::erofs::mount(&erofs.index, &erofs.devices)?,
        Some(Err(errno)) => return Err(errno),
    };
    sys::mount::map_ids(tree.as_fd(), user, false)?;
    attach_in_place(erofs, &tree)
}

fn attach_in_place<'a>(erofs: &'a Erofs, tree: &OwnedFd) -> Result<&'a Path, Errno> {
    let place = erofs.index.parent().ok_or(Errno::NOENT)?;
    private_mounts::attach(tree, place)?;
    Ok(place)
}

fn directory(path: &Path) -> Result<OwnedFd, StartError> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let private = Attributes { propagation: Some(Propagation::Private), ..Attributes::default() };
    let tree = rustix::mount::open_tree(CWD, path, flags)
        .and_then(|tree| sys::mount::set_attributes(tree.as_fd(), c"", true, &private).map(|()| tree))
        .map_err(|errno| StartError::other(format!("invalid rootfs: stat {}: {}", path.display(), text(errno))))?;
    let is_dir = rustix::fs::fstat(&tree).is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir());
    if is_dir { Ok(tree) } else { Err(StartError::other(format!("root {:?} is not a directory", path.display()))) }
}

/// Where an overlay's changes go.
#[derive(Clone, Copy)]
struct Changes<'a> {
    upper: &'a Path,
    work: &'a Path,
    volatile: bool,
}

/// What an overlay has besides its layers; without changes it is read-only.
#[derive(Clone, Copy)]
struct Over<'a> {
    changes: Option<Changes<'a>>,
    /// The SELinux context of all files; empty: each its own.
    label: &'a str,
}

/// A layer as overlayfs is told it.
enum Layer<'a> {
    Path(&'a Path),
    Shared(BorrowedFd<'a>),
    Mount(OwnedFd),
}

/// Each layer, and the mount there is of it already.
fn with_shared<'a>(
    lower: &'a [Lower],
    lowest: Option<BorrowedFd<'a>>,
) -> impl Iterator<Item = (&'a Lower, Option<BorrowedFd<'a>>)> {
    let last = lower.len().saturating_sub(1);
    lower.iter().enumerate().map(move |(i, layer)| (layer, lowest.filter(|_| i == last)))
}

fn stack(lower: &[Lower], lowest: Option<BorrowedFd<'_>>, label: &str) -> Result<OwnedFd, Errno> {
    match lower {
        [Lower::Directory(only)] => {
            let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            let tree = rustix::mount::open_tree(CWD, only, flags)?;
            let read_only = Attributes { set: Some(MountAttrFlags::MOUNT_ATTR_RDONLY), ..Attributes::default() };
            sys::mount::set_attributes(tree.as_fd(), c"", false, &read_only).map(|()| tree)
        }
        [Lower::Erofs(only)] => sys::erofs::mount(&only.index, &only.devices),
        // overlayfs wants two layers where it is to be read-only
        _ => overlay_on(lower, lowest, Over { changes: None, label }),
    }
}

fn overlay(
    lower: &[Lower],
    lowest: Option<BorrowedFd<'_>>,
    changes: Changes<'_>,
    label: &str,
) -> Result<OwnedFd, Errno> {
    let over = Over { changes: Some(changes), label };
    match overlay_on(lower, lowest, over) {
        // A volatile overlay leaves a mark, so that nobody takes it for whole after a crash of the machine. Ours was
        // mounted before (a restart), and what it holds was to be thrown away anyway.
        Err(Errno::INVAL) if changes.volatile && std::fs::remove_dir_all(changes.work.join(VOLATILE_MARK)).is_ok() => {
            overlay_on(lower, lowest, over)
        }
        other => other,
    }
}

fn overlay_on(lower: &[Lower], lowest: Option<BorrowedFd<'_>>, over: Over<'_>) -> Result<OwnedFd, Errno> {
    let mut layers = Vec::with_capacity(lower.len());
    let mut has_mounts = false;
    for (layer, shared) in with_shared(lower, lowest) {
        layers.push(match (layer, shared) {
            (Lower::Directory(path), _) => Layer::Path(path),
            (Lower::Erofs(_), Some(shared)) => Layer::Shared(shared),
            (Lower::Erofs(erofs), None) => Layer::Mount(sys::erofs::mount(&erofs.index, &erofs.devices)?),
        });
        has_mounts |= matches!(layer, Lower::Erofs(_));
    }
    match overlay_of(&layers, Several::of(lower), over) {
        Err(Errno::INVAL | Errno::BADF) if has_mounts => overlay_in_places(lower, over),
        other => other,
    }
}

/// Before Linux 6.15 overlayfs takes no detached mounts (EINVAL), and before 6.13 no descriptor like theirs, `O_PATH` (EBADF): they
/// are attached where only this thread sees it.
fn overlay_in_places(lower: &[Lower], over: Over<'_>) -> Result<OwnedFd, Errno> {
    private_mounts::within(|| {
        let layers = lower.iter().map(|layer| match layer {
            Lower::Directory(path) => Ok(Layer::Path(path)),
            Lower::Erofs(erofs) => {
                attach_in_place(erofs, &sys::erofs::mount(&erofs.index, &erofs.devices)?).map(Layer::Path)
            }
        });
        let layers = layers.collect::<Result<Vec<_>, Errno>>()?;
        overlay_of(&layers, Several::of(lower), over)
    })
}

fn overlay_of(layers: &[Layer<'_>], several: Several, over: Over<'_>) -> Result<OwnedFd, Errno> {
    match overlay_with(over, several, |context| append_lower(context, layers)) {
        Err(Errno::NOSYS) => overlay_short(layers, several, over),
        other => other,
    }
}

/// Layers on several file systems: files then have one device number all the same, that of their directories, and inode
/// numbers that stay. Without it `tar --one-file-system` leaves out all that is the image's.
#[derive(Clone, Copy)]
struct Several(bool);

impl Several {
    fn of(lower: &[Lower]) -> Self {
        Self(lower.iter().any(|layer| matches!(layer, Lower::Erofs(_))))
    }
}

fn overlay_with(
    Over { changes, label }: Over<'_>,
    several: Several,
    lower: impl FnOnce(&OwnedFd) -> Result<(), Errno>,
) -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(&context, c"source", c"overlay")?;
    lower(&context)?;
    if several.0 {
        rustix::mount::fsconfig_set_string(&context, c"xino", c"on")?;
    }
    let mut attributes = MountAttrFlags::MOUNT_ATTR_RDONLY;
    if !label.is_empty() {
        rustix::mount::fsconfig_set_string(&context, c"context", label)?;
    }
    if let Some(Changes { upper, work, volatile }) = changes {
        set_path(&context, "upperdir", upper)?;
        set_path(&context, "workdir", work)?;
        if volatile {
            rustix::mount::fsconfig_set_flag(&context, c"volatile")?;
        }
        attributes = MountAttrFlags::empty();
    }
    rustix::mount::fsconfig_create(&context)?;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// ENOSYS before Linux 6.7, which has no `lowerdir+`.
fn append_lower(context: &OwnedFd, layers: &[Layer<'_>]) -> Result<(), Errno> {
    layers.iter().try_for_each(|layer| match layer {
        Layer::Shared(mount) => rustix::mount::fsconfig_set_fd(context, "lowerdir+", mount),
        Layer::Mount(mount) => rustix::mount::fsconfig_set_fd(context, "lowerdir+", mount),
        Layer::Path(path) => match set_path(context, "lowerdir+", path) {
            Err(Errno::INVAL | Errno::BADF) => Err(Errno::NOSYS),
            other => other,
        },
    })
}

/// A long path goes as a descriptor, which Linux 6.13 takes.
fn set_path(context: &OwnedFd, key: &str, path: &Path) -> Result<(), Errno> {
    if path.as_os_str().len() <= STRING_MAX {
        return rustix::mount::fsconfig_set_string(context, key, path);
    }
    let fd = rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::mount::fsconfig_set_fd(context, key, fd)
}

/// For older kernels: all layers in one string, made short by links with names of one or two letters in a tmpfs that is
/// attached nowhere and is our working directory for the moment.
fn overlay_short(layers: &[Layer<'_>], several: Several, over: Over<'_>) -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_create(&context)?;
    let links = rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    let mut names = Vec::with_capacity(layers.len());
    for (number, layer) in layers.iter().enumerate() {
        let name = short_name(number);
        let Layer::Path(path) = layer else { return Err(Errno::INVAL) };
        rustix::fs::symlinkat(*path, &links, name.as_str())?;
        names.push(name);
    }
    let list = names.join(":");
    if list.len() > STRING_MAX {
        return Err(Errno::NAMETOOLONG);
    }
    let here = rustix::fs::open(c".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::process::fchdir(&links)?;
    let set = |context: &OwnedFd| rustix::mount::fsconfig_set_string(context, c"lowerdir", OsStr::new(&list));
    let result = overlay_with(over, several, set);
    rustix::process::fchdir(&here)?;
    result
}

fn short_name(mut number: usize) -> String {
    const LETTERS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut name = String::new();
    loop {
        name.push(char::from(LETTERS[number % LETTERS.len()]));
        number /= LETTERS.len();
        if number == 0 {
            return name;
        }
        number -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What older kernels need works on newer ones too.
    #[test]
    fn an_erofs_is_attached_where_nobody_sees_it() {
        let dir = std::env::temp_dir().join(format!("lighter-rootfs-{}", std::process::id()));
        let [layer, upper, work] = ["layer", "upper", "work"].map(|name| dir.join(name));
        for path in [&layer, &upper, &work] {
            std::fs::create_dir_all(path).unwrap();
        }
        let mut tar = archive::tar::Writer::new(Vec::new());
        tar.file(&archive::tar::Entry::new(archive::tar::Kind::File, "file"), b"text").unwrap();
        let tar = tar.finish().unwrap();
        let tree = erofs::index(&tar[..], erofs::Device::new("layer", 0).unwrap()).unwrap().tree;
        let mut index = Vec::new();
        erofs::write(&tree, &|_: &erofs::Device, _, _: &mut [u8]| Ok(()), &mut index).unwrap();
        let erofs = Erofs { index: layer.join("index"), devices: vec![layer.join("tar")] };
        std::fs::write(&erofs.index, index).unwrap();
        std::fs::write(&erofs.devices[0], tar).unwrap();
        let changes = Changes { upper: &upper, work: &work, volatile: true };
        let over = Over { changes: Some(changes), label: "" };
        let root = overlay_in_places(&[Lower::Erofs(erofs)], over);
        let text = root.map(|root| {
            let file = rustix::fs::openat(root, c"file", OFlags::RDONLY, Mode::empty()).unwrap();
            std::io::read_to_string(std::fs::File::from(file)).unwrap()
        });
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(text.as_deref(), Ok("text"));
        assert!(!mounts.contains(dir.to_str().unwrap()), "{mounts}");
    }

    #[test]
    fn names_are_short_and_different() {
        let names: std::collections::BTreeSet<String> = (0..4000).map(short_name).collect();
        assert_eq!(names.len(), 4000);
        assert_eq!(short_name(61), "Z");
        assert_eq!(short_name(62).len(), 2);
    }
}
