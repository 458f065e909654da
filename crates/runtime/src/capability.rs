//! Capabilities by name: <https://man7.org/linux/man-pages/man7/capabilities.7.html>

use oci::runtime::Capabilities;

use crate::StartError;

/// By number, without `CAP_`.
pub(crate) const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The five sets as bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sets {
    pub(crate) bounding: u64,
    pub(crate) effective: u64,
    pub(crate) inheritable: u64,
    pub(crate) permitted: u64,
    pub(crate) ambient: u64,
}

impl Sets {
    /// Reads names; what `possible` (our own permitted set) lacks is left out, because nobody can give what he does not have,
    /// and so are names that are no capability's: the specification wants a warning then (see [`unknown`] and [`lacking`]), no
    /// failure.
    pub(crate) fn new(capabilities: &Capabilities, possible: u64) -> Result<Self, StartError> {
        let set = |names: &[String]| -> Result<u64, StartError> {
            Ok(names.iter().filter_map(|name| number(name).ok()).fold(0, |bits, number| bits | 1 << number) & possible)
        };
        Ok(Self {
            bounding: set(&capabilities.bounding)?,
            effective: set(&capabilities.effective)?,
            inheritable: set(&capabilities.inheritable)?,
            permitted: set(&capabilities.permitted)?,
            ambient: set(&capabilities.ambient)?,
        })
    }
}

/// Names that are no capability's, each once.
pub(crate) fn unknown(capabilities: &Capabilities) -> Vec<String> {
    names(capabilities, |name| number(name).is_err())
}

/// Names of capabilities that are not in `possible`, and cannot be given: each once.
pub(crate) fn lacking(capabilities: &Capabilities, possible: u64) -> Vec<String> {
    names(capabilities, |name| number(name).is_ok_and(|number| possible & 1 << number == 0))
}

fn names(capabilities: &Capabilities, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let Capabilities { bounding, effective, inheritable, permitted, ambient } = capabilities;
    let all = [bounding, effective, inheritable, permitted, ambient].into_iter().flatten();
    let mut names: Vec<String> = all.filter(|name| wanted(name)).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Those which we can give: our own.
pub(crate) fn possible() -> Result<u64, StartError> {
    let own = rustix::thread::capabilities(None).map_err(|errno| StartError::other(format!("capget: {errno}")))?;
    Ok(own.permitted.bits())
}

pub(crate) fn number(name: &str) -> Result<u32, StartError> {
    let short = name.strip_prefix("CAP_").unwrap_or(name);
    NAMES
        .iter()
        .position(|known| *known == short)
        .map(|at| at as u32)
        .ok_or_else(|| StartError::other(format!("unknown capability {name:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_kernels_order() {
        for (name, expected) in [("CAP_CHOWN", 0), ("CAP_NET_RAW", 13), ("SYS_ADMIN", 21), ("CAP_BPF", 39)] {
            assert_eq!(number(name).unwrap(), expected, "{name}");
        }
        assert!(number("CAP_FLY").is_err());
    }

    #[test]
    fn nobody_gives_what_he_lacks() {
        let names = vec!["CAP_CHOWN".to_owned(), "CAP_SYS_RESOURCE".to_owned()];
        let sets = Sets::new(&Capabilities { bounding: names.clone(), ..Capabilities::default() }, 1).unwrap();
        assert_eq!(sets, Sets { bounding: 1, ..Sets::default() });
        let asked = Capabilities { bounding: names.clone(), effective: names, ..Capabilities::default() };
        assert_eq!(lacking(&asked, 1), ["CAP_SYS_RESOURCE"]);
        assert_eq!(lacking(&asked, u64::MAX), [""; 0]);
    }
}
