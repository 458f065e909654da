//! What every container finds besides its image: the names things are mounted on.
//!
//! Docker makes them in a layer of each container; here they lie in one directory that all containers on the same image
//! share, so that a start writes nothing. What the image has itself stays as it is, and directories
//! in between keep the image's attributes.

use std::{
    fs::{DirBuilder, File},
    io,
    os::{
        fd::AsFd,
        unix::fs::{DirBuilderExt, symlink},
    },
    path::Path,
};

use archive::{
    Root,
    unpack::{copy_attributes, stat_times},
};

use erofs::{Content, Id, Meta, Tree};
use rustix::fs::chmod;
use values::{Result, Timestamp};

use crate::merged::{Found, Merged};

/// Whether every container is given this.
pub(crate) fn has(path: &[u8]) -> bool {
    THINGS.iter().any(|(thing, _)| thing.as_bytes() == path)
}

enum Thing {
    Dir,
    File,
    Link(&'static str),
}

/// Docker's list (spec, wire formats §11), directories before what is in them.
const THINGS: &[(&str, Thing)] = &[
    (".dockerenv", Thing::File),
    ("dev", Thing::Dir),
    ("dev/console", Thing::File),
    ("dev/pts", Thing::Dir),
    ("dev/shm", Thing::Dir),
    ("etc", Thing::Dir),
    ("etc/hostname", Thing::File),
    ("etc/hosts", Thing::File),
    ("etc/mtab", Thing::Link("/proc/mounts")),
    ("etc/resolv.conf", Thing::File),
    ("proc", Thing::Dir),
    ("sys", Thing::Dir),
];

/// Makes in `dir` what `image` lacks, as a layer on top of it.
pub(crate) fn make(dir: &Path, image: &Merged) -> io::Result<()> {
    let root = Root::open(dir)?;
    for (path, thing) in THINGS {
        if image.find(path.as_bytes())?.is_some() {
            continue;
        }
        if let Some((parent, _)) = path.split_once('/')
            && !have_parent(dir, &root, image, parent)?
        {
            continue;
        }
        make_thing(&dir.join(path), thing)?;
    }
    for parent in ["dev", "etc", ""] {
        if let Some(found) = image.find(parent.as_bytes())?.filter(Found::is_dir)
            && let Ok(ours) = root.real_dir(parent.as_bytes())
        {
            copy_attributes(found.layer.real_dir(parent.as_bytes())?.as_fd(), ours.as_fd())?;
        }
    }
    Ok(())
}

/// Adds to the tree of an image what it lacks. `made` says when each was made.
pub(crate) fn add(image: &mut Tree, made: &dyn Fn(&[u8]) -> Timestamp) -> Result<()> {
    for (path, thing) in THINGS {
        let (parent, name) = archive::split(path.as_bytes());
        if image.find(path.as_bytes()).is_some() {
            continue;
        }
        let parent = match image.find(parent) {
            Some(parent) => parent,
            // nothing of ours lies deeper than that
            None => add_thing(image, Tree::ROOT, parent, &Thing::Dir, made(parent))?,
        };
        if image.inode(parent).is_directory() {
            add_thing(image, parent, name, thing, made(path.as_bytes()))?;
        }
    }
    Ok(())
}

fn add_thing(image: &mut Tree, parent: Id, name: &[u8], thing: &Thing, mtime: Timestamp) -> Result<Id> {
    let meta = Meta { mtime, ..Meta::new(0o755) };
    let added = match thing {
        Thing::Dir => image.add_directory(parent, name, meta),
        Thing::File => image.add(parent, name, meta, Content::File(erofs::File::default())),
        Thing::Link(target) => {
            let meta = Meta { mode: 0o777, ..meta };
            image.add(parent, name, meta, Content::Symlink(target.as_bytes().into()))
        }
    };
    added.map_err(|errno| io::Error::from(errno).into())
}

/// Makes the same things in a directory which holds the whole image.
pub(crate) fn make_in_place(dir: &Path) -> io::Result<()> {
    let root = Root::open(dir)?;
    // a container did not write into these directories when we did
    let mut times = vec![];
    for parent in ["", "dev", "etc"] {
        if let Ok(open) = root.real_dir(parent.as_bytes()) {
            let stat = rustix::fs::fstat(&open)?;
            times.push((open, stat_times(&stat)));
        }
    }
    for (path, thing) in THINGS {
        let new = dir.join(path);
        // Only real directories are gone through: a symlink of the image may lead anywhere on this machine.
        let parent_is_real = match path.split_once('/') {
            Some((parent, _)) => dir.join(parent).symlink_metadata().is_ok_and(|m| m.is_dir()),
            None => true,
        };
        if !parent_is_real || new.symlink_metadata().is_ok() {
            continue;
        }
        make_thing(&new, thing)?;
    }
    times.iter().try_for_each(|(open, times)| Ok(rustix::fs::futimens(open, times)?))
}

fn make_thing(path: &Path, thing: &Thing) -> io::Result<()> {
    match thing {
        Thing::Dir => make_dir(path),
        Thing::File => {
            File::options().write(true).create_new(true).open(path)?;
            Ok(chmod(path, 0o755.into())?)
        }
        Thing::Link(target) => symlink(target, path),
    }
}

/// Whether something can be put into `parent`: it is a directory in the image, or made here.
fn have_parent(dir: &Path, ours: &Root, image: &Merged, parent: &str) -> io::Result<bool> {
    if ours.real_dir(parent.as_bytes()).is_ok() {
        return Ok(true);
    }
    match image.find(parent.as_bytes())? {
        Some(found) if !found.is_dir() => Ok(false),
        _ => make_dir(&dir.join(parent)).map(|()| true),
    }
}

fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o755).create(path)?;
    Ok(chmod(path, 0o755.into())?)
}
