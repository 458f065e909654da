//! Mount options of `config.json` (`mount(8)`'s words) in the kernel's terms.

use rustix::mount::MountAttrFlags as Attr;
use sys::mount::Propagation;

use crate::StartError;

/// A mount's options, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `bind` (false) or `rbind` (true) was among them.
    pub(crate) bind: Option<bool>,
    /// Attributes of the mount itself.
    pub(crate) set: u32,
    pub(crate) clear: u32,
    /// Attributes of the mount and of those below it (`rro`, …).
    pub(crate) set_below: u32,
    pub(crate) clear_below: u32,
    /// How events travel; true: for the mounts below, too.
    pub(crate) propagation: Vec<(Propagation, bool)>,
    /// A tmpfs begins with what was there.
    pub(crate) copy_up: bool,
    /// What is mounted there already is changed.
    pub(crate) remount: bool,
    /// Ids are mapped (`idmap`); true: of the mounts below, too (`ridmap`).
    pub(crate) map_ids: Option<bool>,
    /// What is the file system's own business, in order.
    pub(crate) data: Vec<(String, Option<String>)>,
}

/// Name, attribute, whether the name takes it away.
const ATTRIBUTES: &[(&str, u32, bool)] = &[
    ("ro", Attr::MOUNT_ATTR_RDONLY.bits(), false),
    ("rw", Attr::MOUNT_ATTR_RDONLY.bits(), true),
    ("nosuid", Attr::MOUNT_ATTR_NOSUID.bits(), false),
    ("suid", Attr::MOUNT_ATTR_NOSUID.bits(), true),
    ("nodev", Attr::MOUNT_ATTR_NODEV.bits(), false),
    ("dev", Attr::MOUNT_ATTR_NODEV.bits(), true),
    ("noexec", Attr::MOUNT_ATTR_NOEXEC.bits(), false),
    ("exec", Attr::MOUNT_ATTR_NOEXEC.bits(), true),
    ("noatime", Attr::MOUNT_ATTR_NOATIME.bits(), false),
    ("atime", Attr::MOUNT_ATTR_NOATIME.bits(), true),
    ("strictatime", Attr::MOUNT_ATTR_STRICTATIME.bits(), false),
    ("nostrictatime", Attr::MOUNT_ATTR_STRICTATIME.bits(), true),
    // Relative access times are the kernel's zero value.
    ("relatime", 0, false),
    ("norelatime", 0, true),
    ("nodiratime", Attr::MOUNT_ATTR_NODIRATIME.bits(), false),
    ("diratime", Attr::MOUNT_ATTR_NODIRATIME.bits(), true),
    ("nosymfollow", Attr::MOUNT_ATTR_NOSYMFOLLOW.bits(), false),
    ("symfollow", Attr::MOUNT_ATTR_NOSYMFOLLOW.bits(), true),
];

/// What is neither an attribute nor a kind of propagation, and no file system's own either: the kernel takes `sync`,
/// `dirsync`, `lazytime` and their opposites for any.
const OTHERS: [&str; 18] = [
    "async",
    "bind",
    "defaults",
    "dirsync",
    "idmap",
    "iversion",
    "lazytime",
    "loud",
    "mand",
    "noiversion",
    "nolazytime",
    "nomand",
    "rbind",
    "remount",
    "ridmap",
    "silent",
    "sync",
    "tmpcopyup",
];

impl Options {
    pub(crate) fn parse(options: &[String]) -> Result<Self, StartError> {
        let mut read = Self::default();
        for option in options {
            read.one(option)?;
        }
        Ok(read)
    }

    fn one(&mut self, option: &str) -> Result<(), StartError> {
        if let Some((propagation, below)) = propagation(option) {
            self.propagation.push((propagation, below));
        } else if let Some((bit, takes)) = attribute(option) {
            let (set, clear) = (&mut self.set, &mut self.clear);
            apply(set, clear, bit, takes);
        } else if let Some((bit, takes)) = option.strip_prefix('r').and_then(attribute) {
            let (set, clear) = (&mut self.set_below, &mut self.clear_below);
            apply(set, clear, bit, takes);
        } else {
            match option {
                "bind" => self.bind = Some(self.bind == Some(true)),
                "rbind" => self.bind = Some(true),
                "" | "defaults" | "silent" | "loud" | "async" | "nomand" => {}
                // File systems that count versions do so always.
                "iversion" | "noiversion" => {}
                "idmap" => self.map_ids = Some(self.map_ids == Some(true)),
                "ridmap" => self.map_ids = Some(true),
                "remount" => self.remount = true,
                "tmpcopyup" => self.copy_up = true,
                "copy-symlink" | "dest-nofollow" => {
                    return Err(StartError::other(format!("mount option {option:?} is not supported")));
                }
                _ => {
                    let (key, value) = match option.split_once('=') {
                        Some((key, value)) => (key, Some(value.to_owned())),
                        None => (option, None),
                    };
                    self.data.push((key.to_owned(), value));
                }
            }
        }
        Ok(())
    }
}

/// Every option that is ours and not a file system's.
pub(crate) fn known() -> Vec<String> {
    let attributes = ATTRIBUTES.iter().flat_map(|(name, ..)| [(*name).to_owned(), format!("r{name}")]);
    let kinds =
        ["private", "slave", "shared", "unbindable"].iter().flat_map(|kind| [(*kind).to_owned(), format!("r{kind}")]);
    let others = OTHERS.iter().map(|name| (*name).to_owned());
    let mut names: Vec<String> = attributes.chain(kinds).chain(others).collect();
    names.sort_unstable();
    names
}

fn attribute(name: &str) -> Option<(u32, bool)> {
    ATTRIBUTES.iter().find(|(known, ..)| *known == name).map(|(_, bit, takes)| (*bit, *takes))
}

fn apply(set: &mut u32, clear: &mut u32, bit: u32, takes: bool) {
    let (to, from) = if takes { (clear, set) } else { (set, clear) };
    *to |= bit;
    *from &= !bit;
}

/// `private`, `rslave`, …
pub(crate) fn propagation(name: &str) -> Option<(Propagation, bool)> {
    let kind = |name| match name {
        "private" => Some(Propagation::Private),
        "slave" => Some(Propagation::Slave),
        "shared" => Some(Propagation::Shared),
        "unbindable" => Some(Propagation::Unbindable),
        _ => None,
    };
    kind(name).map(|kind| (kind, false)).or_else(|| kind(name.strip_prefix('r')?).map(|kind| (kind, true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(options: &str, expected: Options) {
        let words: Vec<String> = options.split(',').map(str::to_owned).collect();
        assert_eq!(Options::parse(&words).unwrap(), expected, "{options}");
    }

    #[test]
    fn tables() {
        let ro = Attr::MOUNT_ATTR_RDONLY.bits();
        let nosuid = Attr::MOUNT_ATTR_NOSUID.bits();
        check("ro,nosuid", Options { set: ro | nosuid, ..Options::default() });
        check("ro,rw", Options { clear: ro, ..Options::default() });
        check(
            "rbind,rprivate",
            Options { bind: Some(true), propagation: vec![(Propagation::Private, true)], ..Options::default() },
        );
        check("rbind,bind,rro", Options { bind: Some(true), set_below: ro, ..Options::default() });
        check(
            "mode=755,size=65536k,quiet",
            Options {
                data: vec![
                    ("mode".to_owned(), Some("755".to_owned())),
                    ("size".to_owned(), Some("65536k".to_owned())),
                    ("quiet".to_owned(), None),
                ],
                ..Options::default()
            },
        );
        check("relatime,defaults,iversion,async,loud", Options::default());
        check("remount,ro", Options { remount: true, set: ro, ..Options::default() });
        check("idmap", Options { map_ids: Some(false), ..Options::default() });
        check("ridmap,idmap", Options { map_ids: Some(true), ..Options::default() });
        check("lazytime", Options { data: vec![("lazytime".to_owned(), None)], ..Options::default() });
        assert!(Options::parse(&["dest-nofollow".to_owned()]).is_err());
    }

    /// config.md, Linux mount options: those with MUST, and those with SHOULD.
    #[test]
    fn what_the_specification_lists_is_known() {
        const MUST: &str = "async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime \
            noexec noiversion nolazytime norelatime nostrictatime nosuid private rbind relatime remount ro rprivate rshared \
            rslave runbindable rw shared silent slave strictatime suid sync unbindable";
        const SHOULD: &str = "nosymfollow ratime rdev rdiratime rexec rnoatime rnodiratime rnoexec rnorelatime rnostrictatime \
            rnosuid rnosymfollow rrelatime rro rrw rstrictatime rsuid rsymfollow symfollow idmap ridmap";
        let known = known();
        for name in MUST.split_whitespace().chain(SHOULD.split_whitespace()) {
            assert!(known.iter().any(|one| one == name), "{name}");
        }
        for name in known {
            let read = Options::parse(std::slice::from_ref(&name)).unwrap();
            let kernels = ["sync", "dirsync", "lazytime", "nolazytime", "mand"].contains(&name.as_str());
            assert_eq!(read.data.is_empty(), !kernels, "{name} is no file system's");
        }
    }
}
