use std::path::Path;

/// The data root of a daemon that was not told any.
const DEFAULT_DATA_ROOT: &str = "/var/lib/lighter";
const ALIAS_PREFIX: &str = "lighter";

/// The names one daemon uses in the kernel, derived from its data root alone: no two daemons can have the same one
/// (it is locked), so they never meet. The default root has plain names, others the root's hash in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// In the alias of every link of this daemon, eight hex digits; `0` for the default root.
    pub owner: String,
    /// Of the default bridge, at most 15 bytes: `lighter0` or `lt-1a2b3c4d`.
    pub bridge: String,
}

impl Names {
    /// `data_root` should be canonical: two spellings of a path are two owners.
    pub fn of_data_root(data_root: &Path) -> Self {
        if data_root == Path::new(DEFAULT_DATA_ROOT) {
            return Self { owner: "0".into(), bridge: "lighter0".into() };
        }
        let owner = format!("{:08x}", hash(data_root.as_os_str().as_encoded_bytes()));
        Self { bridge: format!("lt-{owner}"), owner }
    }
}

/// The private nftables table of `owner`.
pub(crate) fn table(owner: &str) -> String {
    if owner == "0" { "lighter".into() } else { format!("lighter_{owner}") }
}

/// Whether it is a table of a daemon of ours, whichever.
pub(crate) fn is_table(name: &str) -> bool {
    let name = name.strip_suffix("_gate").unwrap_or(name);
    let digits = |owner: &str| owner.len() == 8 && owner.bytes().all(|b| b.is_ascii_hexdigit());
    name == "lighter" || name.strip_prefix("lighter_").is_some_and(digits)
}

/// The alias by which a link says whose it is and what for: `lighter:OWNER:PURPOSE`.
pub(crate) fn alias(owner: &str, purpose: &str) -> String {
    format!("{ALIAS_PREFIX}:{owner}:{purpose}")
}

/// Whether a link with this alias belongs to `owner`.
pub(crate) fn owns(owner: &str, alias: Option<&str>) -> bool {
    purpose(owner, alias).is_some()
}

/// What `owner` has a link with this alias for.
pub(crate) fn purpose<'a>(owner: &str, alias: Option<&'a str>) -> Option<&'a str> {
    alias?.strip_prefix(ALIAS_PREFIX)?.strip_prefix(':')?.strip_prefix(owner)?.strip_prefix(':')
}

/// FNV-1a, folded to 32 bits. Stable for ever: a new release must find the old one's bridge.
fn hash(bytes: &[u8]) -> u32 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, step);
    (hash ^ (hash >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |root: &str, owner: &str, bridge: &str| {
            let names = Names::of_data_root(Path::new(root));
            assert_eq!((names.owner.as_str(), names.bridge.as_str()), (owner, bridge));
            assert!(names.bridge.len() < libc::IFNAMSIZ);
        };
        check("/var/lib/lighter", "0", "lighter0");
        check("/srv/a", "49a15bd2", "lt-49a15bd2");
        check("/srv/b", "49a1460f", "lt-49a1460f");
        assert_eq!((table("0").as_str(), table("12ab34cd").as_str()), ("lighter", "lighter_12ab34cd"));
        let own = ["lighter", "lighter_gate", "lighter_12ab34cd", "lighter_12ab34cd_gate", "lighter_rules", "filter"];
        assert_eq!(own.map(is_table), [true, true, true, true, false, false]);
    }

    #[test]
    fn ownership() {
        let check = |owner: &str, alias: Option<&str>, expected| assert_eq!(owns(owner, alias), expected, "{alias:?}");
        check("0", Some(&alias("0", "bridge")), true);
        check("0", Some("lighter:01:bridge"), false);
        check("01", Some("lighter:0:bridge"), false);
        check("0", Some("lighter:0"), false);
        check("0", Some("my own bridge"), false);
        check("0", None, false);
    }
}
