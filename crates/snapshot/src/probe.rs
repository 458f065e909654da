//! Do overlayfs and EROFS work here? Tried, not guessed: by detached mounts, which nobody else ever sees.

use std::{
    fs,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use archive::{
    remove_tree,
    tar::{Entry, Kind, Writer},
    unpack::{OPAQUE, is_whiteout},
};
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, XattrFlags},
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount,
        fsopen,
    },
};
use values::{Error, Result, ResultExt};

/// What the probe of overlayfs found is kept for this kernel.
const MARK: &str = "overlay.probed";

/// Does overlayfs work there?
///
/// # Errors
/// `NotImplemented` with the reason.
pub(crate) fn overlay(root: &Path) -> Result<()> {
    remembered(root, MARK, "overlay", try_overlay)
}

fn remembered(root: &Path, mark: &str, driver: &str, works: fn(&Path) -> io::Result<()>) -> Result<()> {
    let kernel = rustix::system::uname().release().to_bytes().to_vec();
    let mark = root.join(mark);
    if fs::read(&mark).is_ok_and(|known| known == kernel) {
        return Ok(());
    }
    let parent = fs::File::open(root).during(|| root.display())?;
    let dir = root.join("probe");
    let cleared = || remove_tree(parent.as_fd(), b"probe").map_err(io::Error::from);
    cleared().during(|| dir.display())?;
    let works = works(&dir);
    cleared().during(|| dir.display())?;
    works.map_err(|e| Error::not_implemented(format!("{driver} does not work on {}: {e}", root.display())))?;
    // without the mark the probe runs again, nothing worse
    let _ = fs::write(mark, kernel);
    Ok(())
}

/// What the probe of EROFS found is kept for this kernel.
const EROFS_MARK: &str = "erofs.probed";

/// Does the kernel mount EROFS from files, with their data in others?
///
/// # Errors
/// `NotImplemented` with the reason.
pub(crate) fn erofs(root: &Path) -> Result<()> {
    remembered(root, EROFS_MARK, "erofs", try_erofs)
}

fn try_erofs(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir)?;
    let (tar, index) = (dir.join("tar"), dir.join("index"));
    let mut layer = Writer::new(Vec::new());
    let written = layer.file(&Entry::new(Kind::File, "file"), b"x");
    let written = written.and_then(|()| layer.entry(&Entry::new(Kind::File, ".wh.deleted")));
    let bytes = written.and_then(|()| layer.finish())?;
    fs::write(&tar, &bytes)?;
    let tree = erofs::index(&bytes[..], erofs::Device::new("probe", 0).map_err(other)?).map_err(other)?.tree;
    let none = |_: &erofs::Device, _, _: &mut [u8]| Err(io::ErrorKind::NotFound.into());
    let mut bytes = Vec::new();
    erofs::write(&tree, &none, &mut bytes).map_err(other)?;
    fs::write(&index, &bytes)?;
    let mount = sys::erofs::mount(&index, &[tar])?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let mut file = fs::File::from(rustix::fs::openat(&mount, "file", flags, Mode::empty())?);
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let deleted = rustix::fs::statat(&mount, "deleted", AtFlags::SYMLINK_NOFOLLOW)?;
    if text != "x" || !is_whiteout(&deleted) {
        return Err(io::Error::other("a file is not shown as it is"));
    }
    Ok(())
}

fn other(error: Error) -> io::Error {
    io::Error::other(error.to_string())
}

fn try_overlay(dir: &Path) -> io::Result<()> {
    for part in ["top/hiding", "bottom/hiding", "upper", "work"] {
        fs::create_dir_all(dir.join(part))?;
    }
    fs::write(dir.join("bottom/deleted"), "x")?;
    fs::write(dir.join("bottom/hiding/hidden"), "x")?;
    fs::write(dir.join("bottom/kept"), "x")?;
    let whiteout = dir.join("top/deleted");
    rustix::fs::mknodat(rustix::fs::CWD, &whiteout, FileType::CharacterDevice, Mode::empty(), 0)?;
    rustix::fs::setxattr(dir.join("top/hiding"), OPAQUE, b"y", XattrFlags::empty())?;
    let mount = mount(dir)?;
    for (name, expected) in [("kept", true), ("deleted", false), ("hiding/hidden", false)] {
        let found = rustix::fs::statat(&mount, name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
        if found != expected {
            return Err(io::Error::other(format!("{name} is {}", if found { "shown" } else { "not shown" })));
        }
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
    rustix::io::write(rustix::fs::openat(&mount, "kept", flags, Mode::from(0o600))?, b"y")?;
    if fs::read(dir.join("upper/kept"))? != b"y" {
        return Err(io::Error::other("a change did not come to the upper directory"));
    }
    Ok(())
}

fn mount(dir: &Path) -> io::Result<OwnedFd> {
    let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let (top, bottom) = (dir.join("top"), dir.join("bottom"));
    match fsconfig_set_string(&overlay, "lowerdir+", &top) {
        Ok(()) => fsconfig_set_string(&overlay, "lowerdir+", &bottom)?,
        // before Linux 6.8
        Err(Errno::INVAL) => {
            fsconfig_set_string(&overlay, "lowerdir", format!("{}:{}", top.display(), bottom.display()))?;
        }
        Err(e) => return Err(e.into()),
    }
    fsconfig_set_string(&overlay, "upperdir", dir.join("upper"))?;
    fsconfig_set_string(&overlay, "workdir", dir.join("work"))?;
    // Its end then does not sync the whole filesystem. Before Linux 5.10 there is no such thing.
    let _ = fsconfig_set_flag(&overlay, "volatile");
    fsconfig_create(&overlay)?;
    Ok(fsmount(&overlay, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
}
