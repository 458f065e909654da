//! `userns-remap`: which ids on the machine stand for those in containers.
//!
//! Sources: subuid(5), <https://docs.docker.com/engine/security/userns-remap/>. How files keep their owners: docs/adr.

use oci::runtime::IdMapping;
use values::{Error, Result, ResultExt};

/// The name whose ranges `default` takes.
const DEFAULT_NAME: &str = "dockremap";
/// As many ids as a new range has, and the least first one: useradd(8)'s.
const RANGE: u32 = 65_536;
const FIRST: u32 = 100_000;

/// The mappings of every container that does not ask for the host's ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remap {
    pub uids: Vec<IdMapping>,
    pub gids: Vec<IdMapping>,
}

/// The four files which say who is who.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    pub passwd: String,
    pub group: String,
    pub subuid: String,
    pub subgid: String,
}

impl Tables {
    /// Reads them from `/etc`; one that is missing is empty.
    pub fn read() -> Self {
        let text = |name: &str| std::fs::read_to_string(format!("/etc/{name}")).unwrap_or_default();
        Self { passwd: text("passwd"), group: text("group"), subuid: text("subuid"), subgid: text("subgid") }
    }
}

impl Remap {
    /// By the daemon's option: `default`, `USER`, `USER:GROUP`, names or numbers. `default` gets itself free ranges in
    /// `/etc/subuid` and `/etc/subgid` where it has none yet.
    ///
    /// # Errors
    /// `InvalidArgument` in Docker's words.
    pub fn of_option(option: &str) -> Result<Self> {
        if option == "default" {
            for name in ["subuid", "subgid"] {
                let path = format!("/etc/{name}");
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                if let Some(more) = with_default_range(&text) {
                    std::fs::write(&path, more).during(|| format!("give {DEFAULT_NAME} a range in {path}"))?;
                }
            }
        }
        Self::parse(option, &Tables::read())
    }

    /// [`Remap::of_option`] by tables already read; changes nothing.
    ///
    /// # Errors
    /// `InvalidArgument` in Docker's words.
    pub fn parse(option: &str, tables: &Tables) -> Result<Self> {
        let option = if option == "default" { DEFAULT_NAME } else { option };
        let (user, group) = option.split_once(':').unwrap_or((option, option));
        if user.is_empty() || group.is_empty() {
            return Err(Error::invalid(format!("invalid user/group specification in userns-remap: {option:?}")));
        }
        let known_by_ranges = option == DEFAULT_NAME;
        let users = identity(user, &tables.passwd);
        let groups = identity(group, &tables.group);
        if users.is_none() && !known_by_ranges {
            return Err(Error::invalid(format!("error during user lookup: no such user {user:?}")));
        }
        if groups.is_none() && !known_by_ranges && group != user {
            return Err(Error::invalid(format!("error during group lookup: no such group {group:?}")));
        }
        let uids = ranges(&tables.subuid, &names(user, users));
        let gids = ranges(&tables.subgid, &names(group, groups));
        for (found, what, kind, name) in [(&uids, "subuid", "user", user), (&gids, "subgid", "group", group)] {
            if found.is_empty() {
                return Err(Error::invalid(format!("no {what} ranges found for {kind} {name:?}")));
            }
        }
        Ok(Self { uids, gids })
    }

    /// Root of the containers, outside: user and group.
    pub fn root(&self) -> (u32, u32) {
        let first = |ranges: &[IdMapping]| ranges.first().map_or(0, |range| range.host_id);
        (first(&self.uids), first(&self.gids))
    }

    /// The highest group there is inside; the ranges lie one behind the other.
    pub fn last_gid(&self) -> u32 {
        self.gids.last().map_or(0, |range| range.container_id + (range.size - 1))
    }

    /// For `/proc/PID/uid_map` and `gid_map`.
    pub fn lines(&self) -> (String, String) {
        let text = |ranges: &[IdMapping]| {
            ranges.iter().map(|r| format!("{} {} {}\n", r.container_id, r.host_id, r.size)).collect()
        };
        (text(&self.uids), text(&self.gids))
    }
}

/// Name and number of a user or group, whichever was given; passwd(5) and group(5) have both in the same columns.
fn identity<'a>(wanted: &str, table: &'a str) -> Option<(&'a str, &'a str)> {
    table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (name == wanted || number == wanted).then_some((name, number))
    })
}

fn names<'a>(given: &'a str, found: Option<(&'a str, &'a str)>) -> Vec<&'a str> {
    found.map_or_else(|| vec![given], |(name, number)| vec![name, number])
}

/// All ranges of these names, one behind the other from 0 inside.
fn ranges(table: &str, names: &[&str]) -> Vec<IdMapping> {
    let mut next = 0;
    let mut list = Vec::new();
    for (name, first, size) in entries(table) {
        if names.contains(&name) && size > 0 {
            list.push(IdMapping { container_id: next, host_id: first, size });
            let Some(after) = next.checked_add(size) else { break };
            next = after;
        }
    }
    list
}

/// `NAME:FIRST:COUNT` each; others are no entries.
fn entries(table: &str) -> impl Iterator<Item = (&str, u32, u32)> {
    table.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        Some((fields.next()?, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

/// The table with a range for the default name; None where it has one.
fn with_default_range(table: &str) -> Option<String> {
    if entries(table).any(|(name, ..)| name == DEFAULT_NAME) {
        return None;
    }
    let free = entries(table).filter_map(|(_, first, size)| first.checked_add(size)).max().unwrap_or(FIRST).max(FIRST);
    let gap = if table.is_empty() || table.ends_with('\n') { "" } else { "\n" };
    Some(format!("{table}{gap}{DEFAULT_NAME}:{free}:{RANGE}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> Tables {
        Tables {
            passwd: "root:x:0:0::/:/bin/sh\nann:x:1000:1000::/:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n".into(),
            group: "root:x:0:\nann:x:1000:\nteam:x:50:\n".into(),
            subuid: "ann:100000:65536\n1000:400000:10\nbroken\n".into(),
            subgid: "ann:200000:1000\nteam:300000:5\n".into(),
        }
    }

    fn range(container_id: u32, host_id: u32, size: u32) -> IdMapping {
        IdMapping { container_id, host_id, size }
    }

    #[test]
    fn options() {
        let ann = vec![range(0, 100_000, 65_536), range(65_536, 400_000, 10)];
        for option in ["ann", "1000", "ann:ann", "1000:1000"] {
            let got = Remap::parse(option, &tables()).unwrap();
            assert_eq!((&got.uids, &got.gids[..]), (&ann, &[range(0, 200_000, 1000)][..]), "{option}");
            assert_eq!((got.root(), got.last_gid()), ((100_000, 200_000), 999));
        }
        assert_eq!(Remap::parse("ann:team", &tables()).unwrap().lines().1, "0 300000 5\n");
        for (option, message) in [
            ("bob", "no subuid ranges found for user \"bob\""),
            ("carl", "error during user lookup: no such user \"carl\""),
            ("ann:nobody", "error during group lookup: no such group \"nobody\""),
            (":x", "invalid user/group specification in userns-remap: \":x\""),
            ("default", "no subuid ranges found for user \"dockremap\""),
        ] {
            assert_eq!(Remap::parse(option, &tables()).unwrap_err().message, message);
        }
    }

    #[test]
    fn a_range_of_its_own() {
        assert_eq!(with_default_range("").unwrap(), "dockremap:100000:65536\n");
        assert_eq!(with_default_range("a:100000:65536").unwrap(), "a:100000:65536\ndockremap:165536:65536\n");
        assert_eq!(with_default_range("dockremap:5:6\n"), None);
    }
}
