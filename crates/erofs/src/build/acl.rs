//! POSIX access control lists as extended attributes.
//!
//! Source: acl(5); the attribute's form: the kernel's include/uapi/linux/posix_acl_xattr.h (a version, then entries of tag,
//! permissions and id).

use rustix::io::Errno;

pub(super) const PREFIX: &[u8] = b"system.posix_acl_";
pub(super) const ACCESS: &[u8] = b"system.posix_acl_access";
pub(super) const DEFAULT: &[u8] = b"system.posix_acl_default";

const VERSION: u32 = 2;
const USER_OBJ: u16 = 1;
const USER: u16 = 2;
const GROUP_OBJ: u16 = 4;
const GROUP: u16 = 8;
const MASK: u16 = 16;
const OTHER: u16 = 32;
/// The id of an entry that needs none.
const NOBODY: u32 = u32::MAX;

struct Entry {
    tag: u16,
    permissions: u16,
    id: u32,
}

pub(super) struct Acl(Vec<Entry>);

impl Acl {
    /// `None`: a list without entries.
    ///
    /// # Errors
    /// `EINVAL` for what is no list, `EOPNOTSUPP` for one of another version.
    pub(super) fn read(value: &[u8]) -> Result<Option<Self>, Errno> {
        let (version, entries) = value.split_first_chunk::<4>().ok_or(Errno::INVAL)?;
        if u32::from_le_bytes(*version) != VERSION {
            return Err(Errno::OPNOTSUPP);
        }
        let (entries, []) = entries.as_chunks::<8>() else { return Err(Errno::INVAL) };
        let entries: Vec<Entry> = entries.iter().map(Entry::read).collect::<Result<_, _>>()?;
        Ok(if entries.is_empty() { None } else { Some(Self(entries)) })
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = VERSION.to_le_bytes().to_vec();
        for entry in &self.0 {
            out.extend_from_slice(&entry.tag.to_le_bytes());
            out.extend_from_slice(&entry.permissions.to_le_bytes());
            out.extend_from_slice(&entry.id.to_le_bytes());
        }
        out
    }

    /// The entries in their order, none missing: user, named users, group, named groups, the mask if anyone is named, others.
    pub(super) fn check(&self) -> Result<(), Errno> {
        let tags = || self.0.iter().map(|entry| entry.tag);
        let count = |tag| tags().filter(|t| *t == tag).count();
        let needs_mask = count(USER) + count(GROUP) > 0;
        let is_whole = [USER_OBJ, GROUP_OBJ, OTHER].iter().all(|tag| count(*tag) == 1)
            && (count(MASK) == 1 || count(MASK) == 0 && !needs_mask);
        let is_good = is_whole && tags().is_sorted() && self.0.iter().all(|entry| entry.permissions <= 7);
        if is_good { Ok(()) } else { Err(Errno::INVAL) }
    }

    /// Whether it says more than a mode.
    pub(super) fn is_extended(&self) -> bool {
        self.0.iter().any(|entry| matches!(entry.tag, USER | GROUP | MASK))
    }

    /// The permissions of a mode which it stands for.
    pub(super) fn mode(&self) -> u16 {
        let of = |tag| self.0.iter().find(|entry| entry.tag == tag).map(|entry| entry.permissions);
        let group = of(MASK).or(of(GROUP_OBJ)).unwrap_or(0);
        of(USER_OBJ).unwrap_or(0) << 6 | group << 3 | of(OTHER).unwrap_or(0)
    }

    /// chmod(2) of a file that has it.
    pub(super) fn chmod(&mut self, mode: u16) {
        let group = if self.0.iter().any(|entry| entry.tag == MASK) { MASK } else { GROUP_OBJ };
        for entry in &mut self.0 {
            entry.permissions = match entry.tag {
                USER_OBJ => mode >> 6 & 7,
                OTHER => mode & 7,
                tag if tag == group => mode >> 3 & 7,
                _ => entry.permissions,
            };
        }
    }
}

impl Entry {
    fn read(bytes: &[u8; 8]) -> Result<Self, Errno> {
        let tag = u16::from_le_bytes([bytes[0], bytes[1]]);
        let permissions = u16::from_le_bytes([bytes[2], bytes[3]]);
        let id = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        match tag {
            USER_OBJ | GROUP_OBJ | MASK | OTHER => Ok(Self { tag, permissions, id: NOBODY }),
            USER | GROUP if id != NOBODY => Ok(Self { tag, permissions, id }),
            _ => Err(Errno::INVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(u16, u16, u32)]) -> Acl {
        Acl(entries
            .iter()
            .map(|(tag, permissions, id)| Entry { tag: *tag, permissions: *permissions, id: *id })
            .collect())
    }

    #[test]
    fn lists_are_read_as_written() {
        let acl = list(&[(1, 7, NOBODY), (2, 6, 1000), (4, 5, NOBODY), (16, 4, NOBODY), (32, 0, NOBODY)]);
        let text = acl.write();
        assert_eq!(text.len(), 44);
        assert_eq!(Acl::read(&text).unwrap().unwrap().write(), text);
        assert!(acl.is_extended() && acl.check().is_ok());
        assert_eq!(acl.mode(), 0o740);
        assert!(Acl::read(&text[..43]).is_err());
        assert!(Acl::read(b"\x02\0\0\0").unwrap().is_none());
        assert_eq!(Acl::read(b"\x01\0\0\0").err(), Some(Errno::OPNOTSUPP));
    }

    #[test]
    fn broken_lists_are_refused() {
        for (entries, good) in [
            (&[(1, 7, 0), (4, 5, 0), (32, 0, 0)][..], true),
            (&[(1, 7, 0), (4, 5, 0), (16, 5, 0), (32, 0, 0)], true),
            (&[(1, 8, 0), (4, 5, 0), (32, 0, 0)], false),
            (&[(4, 5, 0), (1, 7, 0), (32, 0, 0)], false),
            (&[(1, 7, 0), (4, 5, 0)], false),
            (&[(1, 7, 0), (1, 7, 0), (4, 5, 0), (32, 0, 0)], false),
            (&[(1, 7, 0), (2, 7, 5), (4, 5, 0), (32, 0, 0)], false),
        ] {
            assert_eq!(list(entries).check().is_ok(), good, "{entries:?}");
        }
    }

    #[test]
    fn a_mode_is_set_in_the_list() {
        let mut acl = list(&[(1, 7, 0), (2, 7, 5), (4, 7, 0), (16, 7, 0), (32, 7, 0)]);
        acl.chmod(0o640);
        assert_eq!((acl.mode(), acl.0[1].permissions, acl.0[2].permissions), (0o640, 7, 7));
    }
}
