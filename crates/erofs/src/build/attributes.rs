//! An entry's attributes, as a filesystem would have them after they were set.

use archive::{
    tar::{Entry, Kind},
    unpack::is_carried,
};
use rustix::io::Errno;

use super::acl::{self, Acl};
use crate::tree::{Meta, NAME_MAX, Xattrs};

/// An attribute's length is kept in 16 bits.
const VALUE_MAX: usize = u16::MAX as usize;
const CAPABILITY: &[u8] = b"security.capability";

/// Those of a new file.
pub(super) fn of(entry: &Entry) -> Result<Meta, Errno> {
    let mode = if entry.kind == Kind::Symlink { 0o777 } else { entry.mode as u16 & 0o7777 };
    let mut meta = Meta { mode, uid: entry.uid, gid: entry.gid, mtime: entry.mtime, xattrs: Xattrs::new() };
    set_xattrs(&mut meta, entry)?;
    Ok(meta)
}

/// Those of a directory that may have some already.
pub(super) fn set_directory(meta: &mut Meta, entry: &Entry) -> Result<(), Errno> {
    (meta.uid, meta.gid, meta.mtime) = (entry.uid, entry.gid, entry.mtime);
    meta.mode = entry.mode as u16 & 0o7777;
    if let Some(value) = meta.xattrs.get_mut(acl::ACCESS)
        && let Some(mut acl) = Acl::read(value)?
    {
        acl.chmod(meta.mode);
        *value = acl.write().into();
    }
    set_xattrs(meta, entry)
}

fn set_xattrs(meta: &mut Meta, entry: &Entry) -> Result<(), Errno> {
    for (name, value) in entry.xattrs.iter().filter(|(name, _)| is_carried(name)) {
        match set(meta, entry.kind, name, value) {
            // What a kind of file cannot have is left out, as where the archive is unpacked.
            Err(Errno::NOTSUP | Errno::PERM) => {}
            other => other?,
        }
    }
    Ok(())
}

/// setxattr(2)
fn set(meta: &mut Meta, kind: Kind, name: &[u8], value: &[u8]) -> Result<(), Errno> {
    if name.contains(&0) {
        return Err(Errno::INVAL);
    }
    if name.len() > NAME_MAX {
        return Err(Errno::RANGE);
    }
    if value.len() > VALUE_MAX {
        return Err(Errno::TOOBIG);
    }
    if name.starts_with(acl::PREFIX) {
        return set_acl(meta, kind, name, value);
    }
    if name.starts_with(b"user.") && !matches!(kind, Kind::File | Kind::Directory) {
        return Err(Errno::PERM);
    }
    let value = match name {
        b"user." | b"trusted." => return Err(Errno::INVAL),
        CAPABILITY => capability(value)?,
        _ => value.into(),
    };
    meta.xattrs.insert(name.into(), value);
    Ok(())
}

/// An access list also says the mode, and one that says no more than a mode is none (acl(5)).
fn set_acl(meta: &mut Meta, kind: Kind, name: &[u8], value: &[u8]) -> Result<(), Errno> {
    if !matches!(name, acl::ACCESS | acl::DEFAULT) {
        return Err(Errno::NOTSUP);
    }
    let acl = if value.is_empty() { None } else { Acl::read(value)? };
    if kind == Kind::Symlink {
        return Err(Errno::NOTSUP);
    }
    if name == acl::DEFAULT && kind != Kind::Directory {
        return if acl.is_some() { Err(Errno::ACCESS) } else { Ok(()) };
    }
    if let Some(acl) = &acl {
        acl.check()?;
    }
    match acl {
        Some(acl) if name == acl::DEFAULT || acl.is_extended() => {
            if name == acl::ACCESS {
                meta.mode = meta.mode & !0o777 | acl.mode();
            }
            meta.xattrs.insert(name.into(), acl.write().into());
        }
        Some(acl) => {
            meta.mode = meta.mode & !0o777 | acl.mode();
            meta.xattrs.remove(name);
        }
        None => {
            meta.xattrs.remove(name);
        }
    }
    Ok(())
}

/// File capabilities of versions 2 and 3 (capabilities(7)); others the kernel refuses.
fn capability(value: &[u8]) -> Result<Box<[u8]>, Errno> {
    const VERSION: u32 = 0xff00_0000;
    const EFFECTIVE: u32 = 1;
    if value.is_empty() {
        return Ok(value.into());
    }
    let word = |at: usize| value.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let magic = word(0).ok_or(Errno::INVAL)?;
    let has_root = |root: Option<u32>| root.is_some_and(|root| root != u32::MAX);
    match (value.len(), (magic & !EFFECTIVE) >> 24) {
        (20, 2) if magic & !EFFECTIVE & !VERSION == 0 => Ok(value.into()),
        (24, 3) if magic & !EFFECTIVE & !VERSION == 0 && has_root(word(20)) => Ok(value.into()),
        _ => Err(Errno::INVAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(kind: Kind, xattrs: &[(&[u8], &[u8])]) -> Result<Meta, Errno> {
        let xattrs = xattrs.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        of(&Entry { xattrs, ..Entry::new(kind, *b"x") })
    }

    #[test]
    fn which_attributes_stay() {
        let capability = &b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"[..];
        let v3 = [b"\x01\0\0\x03", &capability[4..], b"\x05\0\0\0"].concat();
        let no_root = [b"\x01\0\0\x03", &capability[4..], b"\xff\xff\xff\xff"].concat();
        let long = [&b"user."[..], &[b'x'; 251]].concat();
        type Case<'a> = (Kind, &'a [u8], &'a [u8], Result<usize, Errno>);
        let cases: [Case<'_>; 17] = [
            (Kind::File, b"user.a", b"", Ok(1)),
            (Kind::Directory, b"user.a", b"v", Ok(1)),
            (Kind::Symlink, b"user.a", b"v", Ok(0)),
            (Kind::Fifo, b"user.a", b"v", Ok(0)),
            (Kind::Fifo, b"trusted.a", b"v", Ok(1)),
            (Kind::File, b"trusted.overlay.redirect", b"v", Ok(0)),
            (Kind::File, b"security.selinux", b"v", Ok(0)),
            (Kind::File, b"security.capability", capability, Ok(1)),
            (Kind::File, b"security.capability", &v3, Ok(1)),
            (Kind::File, b"security.capability", &no_root, Err(Errno::INVAL)),
            (Kind::File, b"security.capability", b"short", Err(Errno::INVAL)),
            (Kind::File, b"user.", b"v", Err(Errno::INVAL)),
            (Kind::Symlink, b"trusted.", b"v", Err(Errno::INVAL)),
            (Kind::File, &long, b"v", Err(Errno::RANGE)),
            (Kind::File, b"user.a\0b", b"v", Err(Errno::INVAL)),
            (Kind::File, b"system.posix_acl_other", b"v", Ok(0)),
            (Kind::File, b"system.posix_acl_access", b"v", Err(Errno::INVAL)),
        ];
        for (kind, name, value, expected) in cases {
            let found = meta(kind, &[(name, value)]).map(|meta| meta.xattrs.len());
            assert_eq!(found, expected, "{kind:?} {}", String::from_utf8_lossy(name));
        }
        let last = meta(Kind::File, &[(b"user.a", b"1"), (b"user.a", b"2")]).unwrap();
        assert_eq!(**last.xattrs.get(&b"user.a"[..]).unwrap(), *b"2");
    }
}
