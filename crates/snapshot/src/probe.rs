//! Does overlayfs work here? Tried, not guessed: a detached mount, which nobody else ever sees.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use archive::{remove_tree, unpack::OPAQUE};
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, XattrFlags},
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount,
        fsopen,
    },
};
use values::{Error, Result, ResultExt};

/// What the probe found is kept for this kernel.
const MARK: &str = "overlay.probed";

/// # Errors
/// `NotImplemented` with the reason.
pub(crate) fn overlay(root: &Path) -> Result<()> {
    let kernel = rustix::system::uname().release().to_bytes().to_vec();
    let mark = root.join(MARK);
    if fs::read(&mark).is_ok_and(|known| known == kernel) {
        return Ok(());
    }
    let parent = fs::File::open(root).during(|| root.display())?;
    let dir = root.join("probe");
    let cleared = || remove_tree(parent.as_fd(), b"probe").map_err(io::Error::from);
    cleared().during(|| dir.display())?;
    let works = try_overlay(&dir);
    cleared().during(|| dir.display())?;
    works.map_err(|e| Error::not_implemented(format!("overlay does not work on {}: {e}", root.display())))?;
    // without the mark the probe runs again, nothing worse
    let _ = fs::write(mark, kernel);
    Ok(())
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
