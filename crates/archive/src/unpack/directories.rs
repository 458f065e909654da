//! The directories being written into, open, with the times they are to have in the end.

use std::{
    os::fd::{AsFd, OwnedFd},
    rc::Rc,
};

use rustix::{
    fs::{self, Timestamps},
    io::Result,
};

use super::attributes;
use crate::{root::Root, tar::Entry};

/// Archives go depth first: the ancestors of where it is, and a few neighbours.
const OPEN_MAX: usize = 16;

struct Open {
    path: Vec<u8>,
    fd: Rc<OwnedFd>,
    inode: (u64, u64),
    times: Timestamps,
}

pub(super) struct Directories<'a> {
    root: &'a Root,
    /// Most recently used last.
    open: Vec<Open>,
}

impl<'a> Directories<'a> {
    pub(super) fn new(root: &'a Root) -> Self {
        Self { root, open: Vec::new() }
    }

    /// The existing directory at `path`.
    pub(super) fn get(&mut self, path: &[u8]) -> Result<Rc<OwnedFd>> {
        if let Some(i) = self.open.iter().position(|d| d.path == path) {
            let known = self.open.remove(i);
            let fd = known.fd.clone();
            self.open.push(known);
            return Ok(fd);
        }
        let fd = Rc::new(self.root.dir(path)?);
        let stat = fs::fstat(&*fd)?;
        let inode = (stat.st_dev, stat.st_ino);
        // The same directory by another path (through a symlink): what it had before we wrote into it counts.
        let times = match self.open.iter().find(|d| d.inode == inode) {
            Some(same) => same.times.clone(),
            None => attributes::stat_times(&stat),
        };
        if self.open.len() == OPEN_MAX {
            let oldest = self.open.remove(0);
            oldest.close()?;
        }
        self.open.push(Open { path: path.into(), fd: fd.clone(), inode, times });
        Ok(fd)
    }

    /// Gives the existing directory at `path` the entry's attributes; its times come when it is closed.
    pub(super) fn set(&mut self, path: &[u8], entry: &Entry) -> Result<()> {
        let fd = self.get(path)?;
        attributes::set(fd.as_fd(), entry)?;
        let times = attributes::times(entry);
        let inode = self.open.last().map(|d| d.inode);
        for same in self.open.iter_mut().filter(|d| Some(d.inode) == inode) {
            same.times = times.clone();
        }
        Ok(())
    }

    /// Closes all: paths may lead elsewhere from now on.
    pub(super) fn flush(&mut self) -> Result<()> {
        for open in self.open.drain(..) {
            open.close()?;
        }
        Ok(())
    }
}

impl Open {
    fn close(self) -> Result<()> {
        fs::futimens(self.fd.as_fd(), &self.times)
    }
}
