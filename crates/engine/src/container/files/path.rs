//! Paths in a container, as Docker's clients give them.
//!
//! A path is relative to the root, its `..` are taken away by their letters, and a `/` or `/.` at its end means the
//! directory that is there, links followed.

use archive::Root;
use rustix::fs::{FileType, OFlags, Stat};
use rustix::io::Errno;
use std::os::fd::OwnedFd;

/// As many links as are followed.
const LINKS_MAX: u32 = 255;

/// A path, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The directory the last component is in, without slashes around it; empty for the root.
    pub parent: Vec<u8>,
    /// The last component; empty or `.`: `parent` itself is meant.
    pub last: Vec<u8>,
}

impl Place {
    pub fn parse(path: &str) -> Self {
        let mut parts = clean(path);
        let names_directory = path.is_empty() || path.ends_with('/') || path.rsplit('/').next() == Some(".");
        if names_directory || parts.is_empty() {
            let dot = path.rsplit('/').next() == Some(".");
            return Self { parent: parts.join(&b'/'), last: if dot { b".".to_vec() } else { vec![] } };
        }
        let last = parts.pop().unwrap_or_default().to_vec();
        Self { parent: parts.join(&b'/'), last }
    }

    /// Whether the last component is looked at itself, not what it leads to.
    pub fn is_entry(&self) -> bool {
        !matches!(&self.last[..], b"" | b".")
    }

    /// What it is called in an archive: Go's `filepath.Base`.
    pub fn name(&self) -> &[u8] {
        match &self.last[..] {
            b"" if self.parent.is_empty() => b"/",
            b"" => archive::split(&self.parent).1,
            last => last,
        }
    }

    /// The directory it is in.
    pub fn open_parent(&self, root: &Root) -> Result<OwnedFd, Errno> {
        sys::path::open_in_root(root, &self.parent[..], OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// The whole, without slashes around it.
    pub fn whole(&self) -> Vec<u8> {
        match (self.is_entry(), self.parent.is_empty()) {
            (false, _) => self.parent.clone(),
            (true, true) => self.last.clone(),
            (true, false) => [&self.parent[..], b"/", &self.last].concat(),
        }
    }
}

fn clean(path: &str) -> Vec<&[u8]> {
    let mut parts = vec![];
    for part in path.as_bytes().split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts
}

/// Where a path leads, all links followed, missing ends left as they are: for the caller to read, with a slash before it.
pub fn resolve(root: &Root, path: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut done: Vec<Vec<u8>> = vec![];
    let mut todo: Vec<Vec<u8>> = path.split(|b| *b == b'/').rev().map(<[u8]>::to_vec).collect();
    let mut links = 0;
    while let Some(part) = todo.pop() {
        match &part[..] {
            b"" | b"." => continue,
            b".." => {
                done.pop();
                continue;
            }
            _ => done.push(part),
        }
        let here = done.join(&b'/');
        let Ok(stat) = root.stat(&here, false) else { continue };
        if !is_link(&stat) {
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err(Errno::LOOP);
        }
        let (parent, name) = archive::split(&here);
        let target = rustix::fs::readlinkat(root.real_dir(parent)?, name, Vec::new())?.into_bytes();
        done.pop();
        if target.starts_with(b"/") {
            done.clear();
        }
        todo.extend(target.split(|b| *b == b'/').rev().map(<[u8]>::to_vec));
    }
    Ok([b"/", &done.join(&b'/')[..]].concat())
}

pub fn is_link(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let check = |path: &str, parent: &str, last: &str, name: &str| {
            let place = Place::parse(path);
            assert_eq!(place, Place { parent: parent.into(), last: last.into() }, "{path}");
            assert_eq!(place.name(), name.as_bytes(), "{path}");
        };
        check("/a/b", "a", "b", "b");
        check("a", "", "a", "a");
        check("/a/b/", "a/b", "", "b");
        check("/a/b/.", "a/b", ".", ".");
        check("/", "", "", "/");
        check(".", "", ".", ".");
        check("/a/../../b", "", "b", "b");
        check("..", "", "", "/");
        check("/a//b/./c", "a/b", "c", "c");
    }

    #[test]
    fn links_are_followed_inside() {
        let dir = std::env::temp_dir().join(format!("lighter-path-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("a/b")).unwrap();
        let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, dir.join(name)).unwrap();
        link("/a", "abs");
        link("../../../a/b", "a/up");
        link("nowhere/x", "dangling");
        link("loop", "loop");
        let root = Root::open(&dir).unwrap();
        let check = |path: &str, expected: &str| {
            assert_eq!(resolve(&root, path.as_bytes()).unwrap(), expected.as_bytes(), "{path}");
        };
        check("abs", "/a");
        check("abs/up/c", "/a/b/c");
        check("dangling", "/nowhere/x");
        check("", "/");
        assert_eq!(resolve(&root, b"loop"), Err(Errno::LOOP));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
