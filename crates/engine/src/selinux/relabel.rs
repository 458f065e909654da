use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, RawDir, XattrFlags};
use rustix::io::Errno;
use values::{Error, Result};

use super::context::Context;

/// Who may use what is relabelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// `:Z`: this container.
    Private,
    /// `:z`: all containers.
    Shared,
}

/// What a whole machine lives on is not given to a container.
const FORBIDDEN: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/etc/passwd",
    "/etc/pki",
    "/etc/shadow",
    "/home",
    "/lib",
    "/lib64",
    "/media",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/system",
    "/tmp",
    "/usr",
    "/var",
    "/var/lib",
    "/var/log",
];
const ATTRIBUTE: &CStr = c"security.selinux";

/// Gives a file, or a directory with all that is below it, a container's label. No link is followed: what is below may be in
/// the hands of a container. A file system without labels is left as it is.
///
/// # Errors
/// `InvalidArgument` for the machine's own directories, `Internal` with the kernel's words.
pub fn relabel(path: &Path, label: &str, reach: Reach) -> Result<()> {
    let failed =
        |what: &str| Error::internal(format!("error setting label on mount source '{}': {what}", path.display()));
    let whole = std::fs::canonicalize(path).map_err(|e| failed(&values::system_words(&e)))?;
    let top = open(rustix::fs::CWD, &whole).map_err(|errno| failed(&values::system_words(&errno)))?;
    relabel_open(&top, &path.to_string_lossy(), label, reach)
}

/// The same for what is open (`O_PATH`); errors call it `name`.
///
/// # Errors
/// `InvalidArgument` for one of the machine's own directories, whatever leads to it; `Internal` where the kernel refuses.
pub fn relabel_open(top: &OwnedFd, name: &str, label: &str, reach: Reach) -> Result<()> {
    let failed = |what: String| Error::internal(format!("error setting label on mount source '{name}': {what}"));
    let place = rustix::fs::fstat(top).map_err(|errno| failed(values::system_words(&errno)))?;
    let is_top = |path: &&&str| {
        let known = rustix::fs::stat(**path);
        known.is_ok_and(|known| (known.st_dev, known.st_ino) == (place.st_dev, place.st_ino))
    };
    if let Some(forbidden) = FORBIDDEN.iter().find(is_top) {
        let what = failed(format!("SELinux relabeling of {forbidden} is not allowed"));
        return Err(Error { kind: values::ErrorKind::InvalidArgument, ..what });
    }
    match tree(top, label_for(label, reach).as_bytes()) {
        Ok(()) | Err(Errno::NOTSUP) => Ok(()),
        Err(errno) => Err(failed(format!("relabel failed {name}: {}", values::system_words(&errno)))),
    }
}

/// What is for all has no categories.
fn label_for(label: &str, reach: Reach) -> String {
    match (reach, Context::parse(label)) {
        (Reach::Shared, Some(context)) => context.at("s0").to_string(),
        _ => label.to_owned(),
    }
}

fn open(dir: impl AsFd, name: impl rustix::path::Arg) -> std::result::Result<OwnedFd, Errno> {
    rustix::fs::openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn tree(node: &OwnedFd, label: &[u8]) -> std::result::Result<(), Errno> {
    set(node.as_fd(), label)?;
    if !FileType::from_raw_mode(rustix::fs::fstat(node)?.st_mode).is_dir() {
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(node, c".", flags, Mode::empty())?;
    let mut names = Vec::new();
    let mut buffer = Vec::with_capacity(16 << 10);
    let mut entries = RawDir::new(&directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    for name in names {
        match open(&directory, name.as_c_str()).and_then(|node| tree(&node, label)) {
            // gone meanwhile
            Err(Errno::NOENT) => {}
            other => other?,
        }
    }
    Ok(())
}

/// By the descriptor's name: one opened by `O_PATH` takes no attributes itself.
fn set(node: BorrowedFd<'_>, label: &[u8]) -> std::result::Result<(), Errno> {
    let path = format!("/proc/self/fd/{}", node.as_raw_fd());
    rustix::fs::setxattr(path, ATTRIBUTE, label, XattrFlags::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Needs root: without SELinux a label is an attribute like others.
    #[test]
    fn all_below_and_nothing_beside() {
        let root = std::env::temp_dir().join(format!("lighter-relabel-{}", std::process::id()));
        std::fs::create_dir_all(root.join("volume/deep")).unwrap();
        std::fs::write(root.join("volume/deep/file"), "").unwrap();
        std::fs::write(root.join("outside"), "").unwrap();
        symlink("../outside", root.join("volume/link")).unwrap();
        symlink("volume", root.join("way")).unwrap();
        let outcome = relabel(&root.join("way"), "u:r:t:s0:c1,c2", Reach::Private);
        let label = |name: &str| {
            let mut buffer = [0; 64];
            let length = rustix::fs::lgetxattr(root.join(name), ATTRIBUTE, &mut buffer[..]).unwrap_or(0);
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        let names = ["volume", "volume/deep", "volume/deep/file", "volume/link", "outside"];
        let private = names.map(label);
        let shared = relabel(&root.join("volume/deep/file"), "u:r:t:s0:c1,c2", Reach::Shared).map(|()| label(names[2]));
        std::fs::remove_dir_all(&root).unwrap();
        outcome.unwrap();
        let own = "u:r:t:s0:c1,c2";
        assert_eq!(private, [own, own, own, own, ""]);
        assert_eq!(shared.unwrap(), "u:r:t:s0");
        let refused = relabel(Path::new("/usr/"), own, Reach::Shared).unwrap_err();
        assert_eq!(
            refused.message,
            "error setting label on mount source '/usr/': SELinux relabeling of /usr is not allowed"
        );
        assert!(relabel(Path::new("/does/not/exist"), own, Reach::Shared).is_err());
    }
}
