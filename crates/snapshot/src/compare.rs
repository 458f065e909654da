//! Whether a layer is still what its tar makes: two directories, one of them made of it just now.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    ffi::OsStr,
    fs::File,
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
        unix::fs::FileExt,
    },
    path::{Path, PathBuf},
};

use archive::unpack::{OPAQUE, Unpacked, is_carried, is_whiteout};
use rustix::{
    fs::{self, AtFlags, Dir, FileType, Mode, OFlags, SeekFrom, Stat},
    io::Errno,
};

use crate::packed::Packed;

/// As deep as paths go.
const DEPTH_MAX: usize = 2048;

/// The first thing in which `found` is not as `expected`; `None`: they are the same. `any_time` says of which directories
/// the time does not count.
///
/// # Errors
/// Those of reading `expected`: what cannot be read of `found` is a difference.
pub(crate) fn difference(
    expected: &Path,
    found: &Path,
    any_time: &dyn Fn(&[u8]) -> bool,
) -> io::Result<Option<String>> {
    let wanted = open_dir(fs::CWD, expected.as_os_str().as_bytes())?;
    let found = match open_dir(fs::CWD, found.as_os_str().as_bytes()) {
        Ok(found) => found,
        Err(e) => return Ok(Some(told(b"", &words(e)))),
    };
    let stats = (fs::fstat(&wanted)?, fs::fstat(&found)?);
    let top = Pair { expected: &wanted, found: &found };
    if let Some(why) = top.of_directory(&stats.0, &stats.1, any_time(b""))? {
        return Ok(Some(told(b"", &why)));
    }
    let left = match names(&wanted, &found)? {
        Ok(left) => left,
        Err(why) => return Ok(Some(told(b"", &why))),
    };
    let mut levels = vec![(wanted, found, Vec::new(), left)];
    while let Some((wanted, found, path, left)) = levels.last_mut() {
        let Some(name) = left.pop_first() else {
            levels.pop();
            continue;
        };
        let inner = if path.is_empty() { name.clone() } else { [&path[..], b"/", &name].concat() };
        let pair = Pair { expected: wanted, found };
        if let Some(why) = pair.entry(&name, || any_time(&inner))? {
            return Ok(Some(told(&inner, &why)));
        }
        if !is_dir(&fs::statat(&*wanted, &name[..], AtFlags::SYMLINK_NOFOLLOW)?) {
            continue;
        }
        let wanted = open_dir(wanted.as_fd(), &name)?;
        let found = match open_dir(found.as_fd(), &name) {
            Ok(found) => found,
            Err(e) => return Ok(Some(told(&inner, &words(e)))),
        };
        match names(&wanted, &found)? {
            Ok(left) => levels.push((wanted, found, inner, left)),
            Err(why) => return Ok(Some(told(&inner, &why))),
        }
        if levels.len() > DEPTH_MAX {
            return Err(io::Error::other("directories lie too deep in each other"));
        }
    }
    Ok(None)
}

/// Directories that neither a layer's tar nor a layer below has: they are as old as their making. Asked before the layer is
/// settled.
pub(crate) fn any_time(unpacked: &Unpacked) -> HashSet<Vec<u8>> {
    let mut all: HashSet<Vec<u8>> = unpacked.implied.iter().cloned().collect();
    for orphan in &unpacked.orphans {
        let mut path = &orphan.target[..];
        while !path.is_empty() {
            path = archive::split(path).0;
            all.insert(path.to_vec());
        }
    }
    all
}

const IMAGE: &str = "the index of its image";
const VIEW: &str = "the index of its view";

/// [`difference`] for layers that are files.
pub(crate) fn files(expected: &Packed, found: &Packed) -> io::Result<Option<String>> {
    for (what, expected, found) in [
        ("its tar", expected.tar(), found.tar()),
        ("its index", expected.index(), found.index()),
        (IMAGE, expected.image(), found.image()),
        (VIEW, expected.view(), found.view()),
    ] {
        let found = match File::open(found) {
            Ok(found) => found,
            // made where it is needed
            Err(e) if e.kind() == io::ErrorKind::NotFound && [IMAGE, VIEW].contains(&what) => continue,
            Err(e) => return Ok(Some(format!("{what}: {}", values::system_words(&e)))),
        };
        let wanted = File::open(expected)?;
        let (size, length) = (wanted.metadata()?.len(), found.metadata()?.len());
        if size != length {
            return Ok(Some(format!("{what} has {length} bytes in place of {size}")));
        }
        if let Err(why) = same_content(&wanted, &found, size)? {
            return Ok(Some(format!("{what}: {why}")));
        }
    }
    Ok(None)
}

fn told(path: &[u8], why: &str) -> String {
    format!("/{}: {why}", String::from_utf8_lossy(path))
}

fn words(errno: Errno) -> String {
    values::system_words(&io::Error::from(errno))
}

fn is_dir(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_dir()
}

fn open_dir(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    fs::openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// The names that both have, or which one only one of them has.
fn names(expected: &OwnedFd, found: &OwnedFd) -> io::Result<Result<BTreeSet<Vec<u8>>, String>> {
    let wanted = list(expected)?;
    let found = match list(found) {
        Ok(found) => found,
        Err(e) => return Ok(Err(words(e))),
    };
    let shown = |name: &Vec<u8>| String::from_utf8_lossy(name).into_owned();
    Ok(if let Some(missing) = wanted.difference(&found).next() {
        Err(format!("{:?} is missing", shown(missing)))
    } else if let Some(more) = found.difference(&wanted).next() {
        Err(format!("{:?} is none of its files", shown(more)))
    } else {
        Ok(wanted)
    })
}

fn list(dir: &OwnedFd) -> Result<BTreeSet<Vec<u8>>, Errno> {
    let all = Dir::read_from(dir)?.map(|entry| entry.map(|entry| entry.file_name().to_bytes().to_vec()));
    let all: BTreeSet<Vec<u8>> = all.collect::<Result<_, _>>()?;
    Ok(all.into_iter().filter(|name| !matches!(&name[..], b"." | b"..")).collect())
}

/// The two directories that are looked at.
struct Pair<'a> {
    expected: &'a OwnedFd,
    found: &'a OwnedFd,
}

impl Pair<'_> {
    fn entry(&self, name: &[u8], any_time: impl Fn() -> bool) -> io::Result<Option<String>> {
        let expected = fs::statat(self.expected, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let found = match fs::statat(self.found, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(e) => return Ok(Some(words(e))),
        };
        let kind = FileType::from_raw_mode(expected.st_mode);
        // a deletion's mark is as old as its making
        let time_counts = !is_whiteout(&expected) && (kind != FileType::Directory || !any_time());
        if let Some(why) = of_stats(&expected, &found, time_counts) {
            return Ok(Some(why.into()));
        }
        let same = match kind {
            FileType::Symlink => self.target(name)?,
            FileType::RegularFile => self.content(name, expected.st_size as u64)?,
            _ => Ok(()),
        };
        if let Err(why) = same {
            return Ok(Some(why));
        }
        self.attributes(&below(self.expected, name), &below(self.found, name))
    }

    /// The directories themselves.
    fn of_directory(&self, expected: &Stat, found: &Stat, any_time: bool) -> io::Result<Option<String>> {
        if let Some(why) = of_stats(expected, found, !any_time) {
            return Ok(Some(why.into()));
        }
        self.attributes(&below(self.expected, b"."), &below(self.found, b"."))
    }

    fn target(&self, name: &[u8]) -> io::Result<Result<(), String>> {
        let expected = fs::readlinkat(self.expected, name, Vec::new())?;
        Ok(match fs::readlinkat(self.found, name, Vec::new()) {
            Ok(found) if found == expected => Ok(()),
            Ok(_) => Err("the link's target is another".into()),
            Err(e) => Err(words(e)),
        })
    }

    fn content(&self, name: &[u8], size: u64) -> io::Result<Result<(), String>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let expected = File::from(fs::openat(self.expected, name, flags, Mode::empty())?);
        match fs::openat(self.found, name, flags, Mode::empty()) {
            Ok(found) => same_content(&expected, &File::from(found), size),
            Err(e) => Ok(Err(words(e))),
        }
    }

    fn attributes(&self, expected: &Path, found: &Path) -> io::Result<Option<String>> {
        let expected = attributes(expected)?;
        Ok(match attributes(found) {
            Ok(found) if found == expected => None,
            Ok(_) => Some("its extended attributes are others".into()),
            Err(e) => Some(words(e)),
        })
    }
}

/// What both have holes for is not read.
fn same_content(expected: &File, found: &File, size: u64) -> io::Result<Result<(), String>> {
    let mut buffers = (vec![0; 128 << 10], vec![0; 128 << 10]);
    let mut at = 0;
    loop {
        at = data_from(expected, at, size).min(data_from(found, at, size));
        if at >= size {
            return Ok(Ok(()));
        }
        let len = buffers.0.len().min(usize::try_from(size - at).unwrap_or(usize::MAX));
        expected.read_exact_at(&mut buffers.0[..len], at)?;
        if let Err(e) = found.read_exact_at(&mut buffers.1[..len], at) {
            return Ok(Err(values::system_words(&e)));
        }
        if buffers.0[..len] != buffers.1[..len] {
            return Ok(Err("its content has changed".into()));
        }
        at += len as u64;
    }
}

/// Where data begins behind `at`, or its end.
fn data_from(file: &File, at: u64, size: u64) -> u64 {
    match fs::seek(file, SeekFrom::Data(at)) {
        Ok(start) => start,
        Err(Errno::NXIO) => size,
        // a filesystem that knows no holes
        Err(_) => at,
    }
}

fn of_stats(expected: &Stat, found: &Stat, time_counts: bool) -> Option<&'static str> {
    let kind = |stat: &Stat| FileType::from_raw_mode(stat.st_mode);
    let time = |stat: &Stat| (stat.st_mtime, stat.st_mtime_nsec);
    if kind(expected) != kind(found) {
        return Some("it is of another kind");
    }
    if expected.st_mode != found.st_mode {
        return Some("its mode is another");
    }
    if (expected.st_uid, expected.st_gid) != (found.st_uid, found.st_gid) {
        return Some("its owner is another");
    }
    if !is_dir(expected) {
        if expected.st_size != found.st_size {
            return Some("its length is another");
        }
        if expected.st_rdev != found.st_rdev {
            return Some("its device is another");
        }
        if expected.st_nlink != found.st_nlink {
            return Some("it has other names");
        }
    }
    (time_counts && time(expected) != time(found)).then_some("its time is another")
}

/// A path for calls that take no descriptor and a name.
fn below(dir: &OwnedFd, name: &[u8]) -> PathBuf {
    Path::new(&format!("/proc/self/fd/{}", dir.as_raw_fd())).join(OsStr::from_bytes(name))
}

fn attributes(path: &Path) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Errno> {
    let len = match fs::llistxattr_query(path) {
        Err(Errno::NOTSUP) | Ok(0) => return Ok(BTreeMap::new()),
        other => other?,
    };
    let mut names = vec![0; len];
    let len = fs::llistxattr(path, &mut names[..])?;
    let mut all = BTreeMap::new();
    for name in names[..len].split(|b| *b == 0).filter(|name| is_carried(name) || *name == OPAQUE.as_bytes()) {
        let mut value = vec![0; fs::lgetxattr_query(path, name)?];
        let len = fs::lgetxattr(path, name, &mut value[..])?;
        value.truncate(len);
        all.insert(name.to_vec(), value);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::{CWD, Timespec, Timestamps};

    use super::*;
    use crate::suite::Scratch;

    fn make(root: &Path) {
        for dir in ["bin", "etc/sub"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        fs::write(root.join("bin/tool"), vec![7; 300_000]).unwrap();
        fs::hard_link(root.join("bin/tool"), root.join("bin/same")).unwrap();
        symlink("tool", root.join("bin/link")).unwrap();
        let sparse = fs::File::create(root.join("etc/sparse")).unwrap();
        sparse.set_len(1 << 40).unwrap();
        sparse.write_all_at(b"x", 1 << 39).unwrap();
        for path in ["bin/tool", "bin/link", "etc/sparse", "etc/sub", "bin", "etc", "."] {
            let time = Timespec { tv_sec: 1000, tv_nsec: 0 };
            let times = Timestamps { last_access: time, last_modification: time };
            rustix::fs::utimensat(CWD, root.join(path), &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
        }
    }

    #[test]
    fn what_differs_is_named() {
        type Harm = fn(&Path);
        let flip: Harm = |root| {
            let file = fs::OpenOptions::new().write(true).open(root.join("bin/tool")).unwrap();
            let times = fs::FileTimes::new().set_modified(file.metadata().unwrap().modified().unwrap());
            file.write_all_at(b"!", 299_999).unwrap();
            file.set_times(times).unwrap();
        };
        let harms: [(&str, Harm); 9] = [
            ("/bin/same: its content has changed", flip),
            ("/bin/same: its length is another", |root| {
                fs::OpenOptions::new().write(true).open(root.join("bin/tool")).unwrap().set_len(5).unwrap();
            }),
            ("/etc: \"sub\" is missing", |root| fs::remove_dir(root.join("etc/sub")).unwrap()),
            ("/etc/sub: \"more\" is none of its files", |root| fs::write(root.join("etc/sub/more"), "").unwrap()),
            ("/bin/link: its time is another", |root| {
                fs::remove_file(root.join("bin/link")).unwrap();
                symlink("same", root.join("bin/link")).unwrap();
            }),
            ("/bin/same: its mode is another", |root| {
                fs::set_permissions(root.join("bin/tool"), fs::Permissions::from_mode(0o4755)).unwrap();
            }),
            ("/etc/sparse: its owner is another", |root| {
                std::os::unix::fs::chown(root.join("etc/sparse"), Some(3), None).unwrap()
            }),
            ("/etc/sub: its extended attributes are others", |root| {
                rustix::fs::setxattr(root.join("etc/sub"), OPAQUE, b"y", rustix::fs::XattrFlags::empty()).unwrap();
            }),
            ("/: no such file or directory", |root| fs::remove_dir_all(root).unwrap()),
        ];
        for (expected, harm) in harms {
            let scratch = Scratch::new();
            let (a, b) = (scratch.path().join("a"), scratch.path().join("b"));
            make(&a);
            make(&b);
            // directories' times are not what is looked at
            let compare = || difference(&a, &b, &|_| true).unwrap();
            assert_eq!(difference(&a, &b, &|_| false).unwrap(), None);
            harm(&b);
            assert_eq!(compare().as_deref(), Some(expected));
        }
    }
}
