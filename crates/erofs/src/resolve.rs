//! Paths in a tree, as the kernel resolves them with the tree's root as root (`RESOLVE_IN_ROOT`, openat2(2)).

use rustix::io::{Errno, Result};

use crate::tree::{Content, Id, NAME_MAX, Tree};

/// A path of this length has no room for its zero byte.
pub(crate) const PATH_MAX: usize = 4096;
/// Symlinks in one path (path_resolution(7)).
const LINKS_MAX: u32 = 40;

/// What following a path has taken so far.
#[derive(Default)]
pub(crate) struct Way {
    links: u32,
    /// Names looked up.
    pub(crate) names: u64,
}

impl Tree {
    /// The directory at `path`, symlinks followed.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `ELOOP`, `ENAMETOOLONG`.
    pub fn resolve(&self, path: &[u8]) -> Result<Id> {
        check_length(path)?;
        self.follow(Self::ROOT, path, &mut Way::default())
    }

    /// The directory at `path`; symlinks are an error (`ELOOP`).
    ///
    /// # Errors
    /// As [`Tree::resolve`].
    pub fn real_directory(&self, path: &[u8]) -> Result<Id> {
        check_length(path)?;
        path.split(|b| *b == b'/').filter(|part| !part.is_empty()).try_fold(Self::ROOT, |dir, name| {
            let id = self.visible(dir, name)?.ok_or(Errno::NOENT)?;
            match self.inode(id).content() {
                Content::Directory(_) => Ok(id),
                Content::Symlink(_) => Err(Errno::LOOP),
                _ => Err(Errno::NOTDIR),
            }
        })
    }

    /// From the directory `dir` on along `path`.
    pub(crate) fn follow(&self, mut dir: Id, path: &[u8], way: &mut Way) -> Result<Id> {
        // what is still to be followed, the next last
        let mut rest = vec![path];
        while let Some(path) = rest.pop() {
            let Some(start) = path.iter().position(|b| *b != b'/') else { continue };
            let path = &path[start..];
            let end = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
            let (name, more) = path.split_at(end);
            if !more.is_empty() {
                rest.push(more);
            }
            way.names += 1;
            match name {
                b"." => continue,
                b".." => {
                    dir = self.parent(dir);
                    continue;
                }
                _ => {}
            }
            let id = self.visible(dir, name)?.ok_or(Errno::NOENT)?;
            match self.inode(id).content() {
                Content::Directory(_) => dir = id,
                Content::Symlink(target) => {
                    way.links += 1;
                    if way.links > LINKS_MAX {
                        return Err(Errno::LOOP);
                    }
                    if target.starts_with(b"/") {
                        dir = Self::ROOT;
                    }
                    rest.push(target);
                }
                _ => return Err(Errno::NOTDIR),
            }
        }
        Ok(dir)
    }

    /// What is under `name` in the directory `dir`; an orphan is not there.
    pub(crate) fn visible(&self, dir: Id, name: &[u8]) -> Result<Option<Id>> {
        if name.len() > NAME_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        Ok(self.child(dir, name).filter(|id| !self.inode(*id).is_orphan()))
    }

    pub(crate) fn parent(&self, dir: Id) -> Id {
        self.inode(dir).as_directory().map_or(Self::ROOT, |directory| directory.parent)
    }
}

pub(crate) fn check_length(path: &[u8]) -> Result<()> {
    if path.len() < PATH_MAX { Ok(()) } else { Err(Errno::NAMETOOLONG) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{File, Meta};

    #[test]
    fn paths_stay_inside() {
        let mut tree = Tree::new(Meta::new(0o755));
        let meta = || Meta::new(0o755);
        let a = tree.add_directory(Tree::ROOT, b"a", meta()).unwrap();
        let b = tree.add_directory(a, b"b", meta()).unwrap();
        for (name, target) in [
            (&b"up"[..], &b"../../.."[..]),
            (b"abs", b"/a/b"),
            (b"chain", b"/x/../a/chain2"),
            (b"chain2", b"./b/"),
            (b"self", b"self"),
            (b"gone", b"nothing"),
            (b"via", b"../a/b/../b"),
        ] {
            tree.add(a, name, meta(), Content::Symlink(target.into())).unwrap();
        }
        tree.add_directory(Tree::ROOT, b"x", meta()).unwrap();
        tree.add(Tree::ROOT, b"f", meta(), Content::File(File::default())).unwrap();
        for (path, expected) in [
            ("", Ok(Tree::ROOT)),
            ("a/b", Ok(b)),
            ("a/up", Ok(Tree::ROOT)),
            ("a/up/a", Ok(a)),
            ("a/abs", Ok(b)),
            ("a/chain", Ok(b)),
            ("a/via", Ok(b)),
            ("a/self", Err(Errno::LOOP)),
            ("a/gone", Err(Errno::NOENT)),
            ("a/gone/x", Err(Errno::NOENT)),
            ("f", Err(Errno::NOTDIR)),
            ("f/x", Err(Errno::NOTDIR)),
        ] {
            assert_eq!(tree.resolve(path.as_bytes()), expected, "{path}");
        }
        assert_eq!(tree.resolve(&[b'x'; 300]), Err(Errno::NAMETOOLONG));
        assert_eq!(tree.resolve(&b"./".repeat(2048)), Err(Errno::NAMETOOLONG));
        assert_eq!(tree.real_directory(b"a/b"), Ok(b));
        assert_eq!(tree.real_directory(b"a/abs"), Err(Errno::LOOP));
        assert_eq!(tree.real_directory(b"f"), Err(Errno::NOTDIR));
    }
}
