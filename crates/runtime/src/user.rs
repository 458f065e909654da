//! Users and groups by the image's own files, with Docker's rules.

use std::io::Read;
use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, OFlags};

use crate::StartError;

/// Larger files of users or groups are not read: nobody needs them, and an image must not make us swell.
const MAX_FILE: u64 = 4 << 20;
/// The largest id which Docker takes.
const MAX_ID: u32 = i32::MAX as u32;

/// Who a process is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    pub additional_gids: Vec<u32>,
    /// Home directory by the passwd file; `/` when the user is not in it.
    pub home: String,
    /// Resolved from `USER[:GROUP]`; Docker then gives effective capabilities to root only.
    pub(crate) by_name: bool,
}

/// Resolves `USER[:GROUP]` (names or numbers; empty: root) by the `/etc/passwd` and `/etc/group` below `root`.
/// The primary group is the first of the additional ones, as in Docker.
pub fn resolve(root: BorrowedFd<'_>, user: &str) -> Result<Identity, StartError> {
    let (user, group) = user.split_once(':').unwrap_or((user, ""));
    let passwd = read(root, "etc/passwd")?;
    let groups = read(root, "etc/group")?;
    find(user, group, &passwd, &groups)
}

/// The ids of further groups, names or numbers (`--group-add`).
pub fn groups(root: BorrowedFd<'_>, names: &[String]) -> Result<Vec<u32>, StartError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let text = read(root, "etc/group")?;
    names
        .iter()
        .map(|name| {
            let found = group_entries(&text).find(|entry| entry.name == name || entry.id == *name);
            match found.map(|entry| entry.id).unwrap_or(name).parse() {
                Ok(id) if id <= MAX_ID => Ok(id),
                Ok(_) => Err(out_of_range()),
                Err(_) if name.parse::<i64>().is_ok() => Err(out_of_range()),
                Err(_) => {
                    Err(StartError::other(format!("unable to find group {name}: no matching entries in group file")))
                }
            }
        })
        .collect()
}

/// The home directory of a user by number; `/` when unknown.
pub(crate) fn home(root: BorrowedFd<'_>, uid: u32) -> String {
    let Ok(passwd) = read(root, "etc/passwd") else { return "/".to_owned() };
    let uid = uid.to_string();
    passwd_entries(&passwd).find(|entry| entry.uid == uid).map_or_else(|| "/".to_owned(), |entry| home_or_root(&entry))
}

struct User<'a> {
    name: &'a str,
    uid: &'a str,
    gid: &'a str,
    home: &'a str,
}

struct Group<'a> {
    name: &'a str,
    id: &'a str,
    members: &'a str,
}

/// Who `user` and `group` (empty: their own) are by the texts of the two files.
pub fn find(user: &str, group: &str, passwd: &str, groups: &str) -> Result<Identity, StartError> {
    let wanted = if user.is_empty() { "0" } else { user };
    let entry = passwd_entries(passwd).find(|entry| entry.name == wanted || entry.uid == wanted);
    let mut identity = Identity { home: "/".to_owned(), by_name: true, ..Identity::default() };
    let mut name = "";
    match &entry {
        Some(entry) => {
            identity.uid = id(entry.uid)?;
            identity.gid = id(entry.gid)?;
            identity.home = home_or_root(entry);
            name = entry.name;
        }
        None => match wanted.parse::<i64>() {
            Ok(_) => identity.uid = id(wanted)?,
            Err(_) => {
                return Err(StartError::other(format!(
                    "unable to find user {user}: no matching entries in passwd file"
                )));
            }
        },
    }
    if group.is_empty() {
        let member = |entry: &Group<'_>| !name.is_empty() && entry.members.split(',').any(|one| one == name);
        identity.additional_gids =
            group_entries(groups).filter(member).filter_map(|entry| entry.id.parse().ok()).collect();
    } else {
        identity.gid = find_group(group, groups)?;
    }
    identity.additional_gids.retain(|gid| *gid != identity.gid);
    identity.additional_gids.insert(0, identity.gid);
    Ok(identity)
}

fn find_group(group: &str, groups: &str) -> Result<u32, StartError> {
    let entry = group_entries(groups).find(|entry| entry.name == group || entry.id == group);
    match entry {
        Some(entry) => id(entry.id),
        None if group.parse::<i64>().is_ok() => id(group),
        None => Err(StartError::other(format!("unable to find group {group}: no matching entries in group file"))),
    }
}

fn id(text: &str) -> Result<u32, StartError> {
    text.parse().ok().filter(|id| *id <= MAX_ID).ok_or_else(out_of_range)
}

fn out_of_range() -> StartError {
    StartError::other("uids and gids must be in range 0-2147483647")
}

fn home_or_root(entry: &User<'_>) -> String {
    if entry.home.is_empty() { "/".to_owned() } else { entry.home.to_owned() }
}

/// `name:password:uid:gid:comment:home:shell`
fn passwd_entries(text: &str) -> impl Iterator<Item = User<'_>> {
    lines(text).filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let (uid, gid) = (fields.nth(1)?, fields.next()?);
        Some(User { name, uid, gid, home: fields.nth(1).unwrap_or_default() })
    })
}

/// `name:password:gid:members`
fn group_entries(text: &str) -> impl Iterator<Item = Group<'_>> {
    lines(text).filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let id = fields.nth(1)?;
        Some(Group { name, id, members: fields.next().unwrap_or_default() })
    })
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The file's text; empty when there is none. Only regular files, and not for longer than it takes to look: a
/// FIFO in an image would keep us waiting for ever.
fn read(root: BorrowedFd<'_>, path: &str) -> Result<String, StartError> {
    let failed = |what: String| StartError::other(format!("can't read /{path} of the container: {what}"));
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let fd = match sys::path::open_in_root(root, path, flags) {
        Err(sys::Errno::NOENT | sys::Errno::NOTDIR) => return Ok(String::new()),
        other => other.map_err(|errno| failed(crate::failure::text(errno)))?,
    };
    let stat = rustix::fs::fstat(&fd).map_err(|errno| failed(crate::failure::text(errno)))?;
    if !FileType::from_raw_mode(stat.st_mode).is_file() {
        return Err(failed("not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    std::fs::File::from(fd).take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(failed("too large".to_owned()));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
# comment
bin:x:1:1:bin:/bin:/sbin/nologin

app:x:1000:1001:App:/home/app:/bin/sh
nohome:x:1002:1002::
big:x:4294967295:0::/:/bin/sh
broken line
";
    const GROUP: &str = "\
root:x:0:root
wheel:x:10:root,app
video:x:44:app
staff:x:50:
";

    fn check(user: &str, expected: Result<(u32, u32, &[u32], &str), &str>) {
        let (name, group) = user.split_once(':').unwrap_or((user, ""));
        let found = find(name, group, PASSWD, GROUP);
        match (found, expected) {
            (Ok(found), Ok((uid, gid, gids, home))) => {
                assert_eq!(
                    (found.uid, found.gid, &found.additional_gids[..], &found.home[..]),
                    (uid, gid, gids, home),
                    "{user}"
                );
            }
            (Err(found), Err(message)) => assert_eq!(found.message, message, "{user}"),
            (found, expected) => panic!("{user}: {found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn tables() {
        check("", Ok((0, 0, &[0, 10], "/root")));
        check("root", Ok((0, 0, &[0, 10], "/root")));
        check("0", Ok((0, 0, &[0, 10], "/root")));
        check("app", Ok((1000, 1001, &[1001, 10, 44], "/home/app")));
        check("1000", Ok((1000, 1001, &[1001, 10, 44], "/home/app")));
        check("app:staff", Ok((1000, 50, &[50], "/home/app")));
        check("app:7", Ok((1000, 7, &[7], "/home/app")));
        check(":staff", Ok((0, 50, &[50], "/root")));
        check("5000", Ok((5000, 0, &[0], "/")));
        check("5000:44", Ok((5000, 44, &[44], "/")));
        check("nohome", Ok((1002, 1002, &[1002], "/")));
        check("nobody", Err("unable to find user nobody: no matching entries in passwd file"));
        check("app:nogroup", Err("unable to find group nogroup: no matching entries in group file"));
        check("-1", Err("uids and gids must be in range 0-2147483647"));
        check("2147483648", Err("uids and gids must be in range 0-2147483647"));
        check("big", Err("uids and gids must be in range 0-2147483647"));
    }
}
