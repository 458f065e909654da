//! The user namespace of a container, and what its ids are outside.

use std::os::fd::OwnedFd;

use oci::runtime::{IdMapping, Linux};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Gid, Uid};

use crate::StartError;
use crate::failure::text;

/// Which ids outside those inside are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mapping {
    uids: Vec<IdMapping>,
    gids: Vec<IdMapping>,
}

/// A namespace to be joined.
#[derive(Debug)]
pub(crate) struct UserNamespace {
    pub(crate) fd: OwnedFd,
    pub(crate) mapping: Mapping,
}

impl UserNamespace {
    /// One that somebody made: with the specification's mappings, or those of the process whose it is.
    pub(crate) fn given(fd: OwnedFd, linux: &Linux, path: &str) -> Result<Self, StartError> {
        let mut mapping = Mapping { uids: linux.uid_mappings.clone(), gids: linux.gid_mappings.clone() };
        if mapping.uids.is_empty() || mapping.gids.is_empty() {
            let pid = path.strip_prefix("/proc/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
            mapping = Mapping::of_process(pid)?;
        }
        Ok(Self { fd, mapping })
    }

    pub(crate) fn make(uids: &[IdMapping], gids: &[IdMapping]) -> Result<Self, StartError> {
        if uids.is_empty() || gids.is_empty() {
            return Err(StartError::other("user namespaces enabled, but no uid or gid mappings found in config"));
        }
        let made = sys::user_namespace::make(&lines(uids), &lines(gids), false)
            .map_err(|errno| StartError::other(format!("make a user namespace: {}", text(errno))))?;
        Ok(Self { fd: made.user, mapping: Mapping { uids: uids.to_vec(), gids: gids.to_vec() } })
    }
}

impl Mapping {
    /// What a process lives under, by its number.
    pub(crate) fn of_process(pid: &str) -> Result<Self, StartError> {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            let table = std::fs::read_to_string(&path)
                .map_err(|error| StartError::other(format!("read {path}: {}", values::system_words(&error))))?;
            Ok::<_, StartError>(parse(&table))
        };
        Ok(Self { uids: read("uid_map")?, gids: read("gid_map")? })
    }

    /// The id outside; none for one which is not mapped.
    pub(crate) fn uid(&self, inside: u32) -> Option<u32> {
        outside(&self.uids, inside)
    }

    pub(crate) fn gid(&self, inside: u32) -> Option<u32> {
        outside(&self.gids, inside)
    }

    /// The outside owner, as calls for a change of owner take it.
    pub(crate) fn owner(&self, uid: u32, gid: u32) -> (Option<Uid>, Option<Gid>) {
        (self.uid(uid).map(Uid::from_raw), self.gid(gid).map(Gid::from_raw))
    }
}

/// Opens a namespace by its path.
pub(crate) fn open(path: &str) -> Result<OwnedFd, StartError> {
    if !path.starts_with('/') {
        return Err(StartError::other(format!("namespace path {path:?} must be absolute")));
    }
    // What is no namespace shall not keep us waiting either.
    rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| StartError::other(format!("namespace path: lstat {path}: {}", text(errno))))
}

/// As `/proc/PID/uid_map` takes them.
fn lines(ranges: &[IdMapping]) -> String {
    ranges.iter().map(|one| format!("{} {} {}\n", one.container_id, one.host_id, one.size)).collect()
}

fn parse(table: &str) -> Vec<IdMapping> {
    let range = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(IdMapping { container_id: next()?, host_id: next()?, size: next()? })
    };
    table.lines().filter_map(range).collect()
}

fn outside(ranges: &[IdMapping], inside: u32) -> Option<u32> {
    ranges.iter().find_map(|range| {
        let offset = inside.checked_sub(range.container_id)?;
        (offset < range.size).then(|| range.host_id.checked_add(offset))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let ranges = parse("         0     100000       1000\n      1000       5000          2\n");
        assert_eq!(lines(&ranges), "0 100000 1000\n1000 5000 2\n");
        for (inside, expected) in
            [(0, Some(100_000)), (999, Some(100_999)), (1000, Some(5000)), (1001, Some(5001)), (1002, None)]
        {
            assert_eq!(outside(&ranges, inside), expected, "{inside}");
        }
        assert!(UserNamespace::make(&[], &[]).is_err());
        assert_eq!(Mapping::of_process("self").unwrap().uid(7), Some(7));
    }
}
