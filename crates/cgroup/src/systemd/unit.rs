//! Names and properties of scopes, as pure functions.
//! systemd.slice(5), systemd.scope(5), systemd.resource-control(5), org.freedesktop.systemd1(5)

use oci::runtime::Resources;
use values::{Error, Result};

use super::message::Value;
use crate::Version;
use crate::plan::most_tasks;

/// Where a container's scope is: `SLICE:PREFIX:NAME` as in OCI's `cgroupsPath`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub slice: String,
    /// `PREFIX-NAME.scope`.
    pub unit: String,
    /// Its control group below the root of each hierarchy.
    pub path: String,
}

const DEFAULT_SLICE: &str = "system.slice";

impl Scope {
    /// Reads `SLICE:PREFIX:NAME`; an empty slice is `system.slice`.
    ///
    /// # Errors
    /// `InvalidArgument` for what is not of that form, and slices that are none.
    pub fn parse(text: &str) -> Result<Self> {
        let [slice, prefix, name] = text.split(':').collect::<Vec<_>>()[..] else {
            return Err(Error::invalid(format!(
                "expected cgroupsPath to be of format \"slice:prefix:name\": {text:?}"
            )));
        };
        let slice = if slice.is_empty() { DEFAULT_SLICE } else { slice };
        let plain =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@".contains(&b));
        if !plain(name) || !(prefix.is_empty() || plain(prefix)) {
            return Err(Error::invalid(format!("invalid scope name in cgroupsPath {text:?}")));
        }
        let unit = if prefix.is_empty() { format!("{name}.scope") } else { format!("{prefix}-{name}.scope") };
        let path = format!("{}/{unit}", slice_path(slice)?);
        Ok(Self { slice: slice.to_owned(), unit, path })
    }
}

/// The control group of a slice: dashes in its name are levels, so `a-b.slice` is `/a.slice/a-b.slice`; the root
/// (`-.slice`) is empty.
///
/// # Errors
/// `InvalidArgument` in Docker's words.
pub fn slice_path(slice: &str) -> Result<String> {
    let bad = || Error::invalid("cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\"");
    let name = slice.strip_suffix(".slice").filter(|name| !name.is_empty() && !name.contains('/')).ok_or_else(bad)?;
    if name == "-" {
        return Ok(String::new());
    }
    let mut path = String::new();
    let mut whole = String::new();
    for part in name.split('-') {
        if part.is_empty() {
            return Err(bad());
        }
        whole.push_str(part);
        path.push_str(&format!("/{whole}.slice"));
        whole.push('-');
    }
    Ok(path)
}

const PERIOD: u64 = 100_000;

/// What the scope of a container is told: itself, and the limits, which systemd would otherwise undo at its next
/// `daemon-reload`. What systemd has no property for is only written to the files.
pub fn properties(
    version: Version,
    description: &str,
    slice: &str,
    pid: u32,
    resources: &Resources,
) -> Vec<(String, Value)> {
    let mut list = vec![
        ("Description".to_owned(), Value::Text(description.to_owned())),
        ("Slice".to_owned(), Value::Text(slice.to_owned())),
        ("Delegate".to_owned(), Value::Bool(true)),
        ("PIDs".to_owned(), Value::U32s(vec![pid])),
        ("DefaultDependencies".to_owned(), Value::Bool(false)),
        ("CollectMode".to_owned(), Value::Text("inactive-or-failed".to_owned())),
    ];
    for name in [
        "CPUAccounting",
        "MemoryAccounting",
        "TasksAccounting",
        if version == Version::V1 { "BlockIOAccounting" } else { "IOAccounting" },
    ] {
        list.push((name.to_owned(), Value::Bool(true)));
    }
    list.extend(limits(version, resources));
    list
}

/// The limits alone: for `SetUnitProperties`, too.
pub fn limits(version: Version, resources: &Resources) -> Vec<(String, Value)> {
    let mut list = Vec::new();
    let mut add = |name: &str, value: Value| list.push((name.to_owned(), value));
    let bytes = |value: i64| u64::try_from(value).unwrap_or(u64::MAX);
    if let Some(memory) = &resources.memory {
        let limit = memory.limit.filter(|limit| *limit != 0);
        if let Some(limit) = limit {
            add(if version == Version::V1 { "MemoryLimit" } else { "MemoryMax" }, Value::U64(bytes(limit)));
        }
        if version == Version::V2 {
            if let Some(low) = memory.reservation.filter(|low| *low != 0) {
                add("MemoryLow", Value::U64(bytes(low)));
            }
            match (memory.swap.unwrap_or(0), limit) {
                (-1, _) => add("MemorySwapMax", Value::U64(u64::MAX)),
                (swap, Some(limit)) if swap >= limit && limit > 0 => {
                    add("MemorySwapMax", Value::U64(bytes(swap - limit)))
                }
                _ => {}
            }
        }
    }
    if let Some(cpu) = &resources.cpu {
        if let Some(shares) = cpu.shares.filter(|shares| *shares != 0) {
            match version {
                Version::V1 => add("CPUShares", Value::U64(shares)),
                Version::V2 => add("CPUWeight", Value::U64(crate::weight(shares))),
            }
        }
        let period = cpu.period.filter(|period| *period != 0);
        if let Some(quota) = cpu.quota.filter(|quota| *quota != 0) {
            add("CPUQuotaPerSecUSec", Value::U64(per_second(quota, period.unwrap_or(PERIOD))));
        }
        if let Some(period) = period.filter(|_| version == Version::V2) {
            add("CPUQuotaPeriodUSec", Value::U64(period));
        }
        if version == Version::V2 {
            for (name, text) in [("AllowedCPUs", &cpu.cpus), ("AllowedMemoryNodes", &cpu.mems)] {
                if let Some(mask) = mask(text).filter(|mask| !mask.is_empty()) {
                    add(name, Value::Bytes(mask));
                }
            }
        }
    }
    if let Some(limit) = resources.pids.as_ref().and_then(|pids| pids.limit) {
        add("TasksMax", Value::U64(most_tasks(limit).map_or(u64::MAX, bytes)));
    }
    list
}

/// Microseconds a second, in whole percents upwards: systemd takes nothing finer.
fn per_second(quota: i64, period: u64) -> u64 {
    const PERCENT: u64 = 10_000;
    match u64::try_from(quota) {
        Ok(quota) if period > 0 => (quota.saturating_mul(1_000_000) / period).div_ceil(PERCENT).saturating_mul(PERCENT),
        _ => u64::MAX,
    }
}

/// `0-2,8` as bits, the first byte having the lowest.
fn mask(list: &str) -> Option<Vec<u8>> {
    const MOST: usize = 8192;
    let mut bits = Vec::new();
    for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (usize, usize) = (from.parse().ok()?, to.parse().ok()?);
        for bit in from..=to.min(MOST) {
            if bits.len() <= bit / 8 {
                bits.resize(bit / 8 + 1, 0u8);
            }
            bits[bit / 8] |= 1 << (bit % 8);
        }
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices() {
        for (slice, expected) in [
            ("system.slice", Some("/system.slice")),
            ("a-b-c.slice", Some("/a.slice/a-b.slice/a-b-c.slice")),
            ("-.slice", Some("")),
            ("foo", None),
            (".slice", None),
            ("a--b.slice", None),
            ("-a.slice", None),
            ("x/y.slice", None),
        ] {
            assert_eq!(slice_path(slice).ok().as_deref(), expected, "{slice}");
        }
    }

    #[test]
    fn scopes() {
        let scope = Scope::parse("a-b.slice:lighter:12ab").unwrap();
        assert_eq!(
            (scope.unit.as_str(), scope.path.as_str()),
            ("lighter-12ab.scope", "/a.slice/a-b.slice/lighter-12ab.scope")
        );
        assert_eq!(Scope::parse("::x").unwrap().path, "/system.slice/x.scope");
        for bad in ["/lighter/x", "a:b", "a.slice:b:", "a.slice:b:c/d", "a:b:c"] {
            assert!(Scope::parse(bad).is_err(), "{bad}");
        }
    }

    /// `resources` as in config.json; each expected limit is `NAME=VALUE`.
    fn check(version: Version, resources: &str, expected: &[&str]) {
        let resources: Resources = serde_json::from_str(resources).unwrap();
        let found: Vec<String> = limits(version, &resources)
            .into_iter()
            .map(|(name, value)| match value {
                Value::U64(u64::MAX) => format!("{name}=max"),
                Value::U64(number) => format!("{name}={number}"),
                other => format!("{name}={other:?}"),
            })
            .collect();
        assert_eq!(found, expected, "{resources:?}");
    }

    #[test]
    fn limits_as_properties() {
        use Version::{V1, V2};
        check(V2, "{}", &[]);
        let memory = r#"{"memory":{"limit":100,"swap":150,"reservation":50}}"#;
        check(V2, memory, &["MemoryMax=100", "MemoryLow=50", "MemorySwapMax=50"]);
        check(V1, memory, &["MemoryLimit=100"]);
        check(V2, r#"{"memory":{"limit":-1,"swap":-1}}"#, &["MemoryMax=max", "MemorySwapMax=max"]);
        let cpu = r#"{"cpu":{"shares":1024,"quota":50000,"period":100000,"cpus":"0-1,9"}}"#;
        check(
            V2,
            cpu,
            &["CPUWeight=100", "CPUQuotaPerSecUSec=500000", "CPUQuotaPeriodUSec=100000", "AllowedCPUs=Bytes([3, 2])"],
        );
        check(V1, cpu, &["CPUShares=1024", "CPUQuotaPerSecUSec=500000"]);
        check(V2, r#"{"cpu":{"quota":33333}}"#, &["CPUQuotaPerSecUSec=340000"]);
        check(V2, r#"{"cpu":{"quota":-1}}"#, &["CPUQuotaPerSecUSec=max"]);
        check(V2, r#"{"pids":{"limit":-1}}"#, &["TasksMax=max"]);
        check(V1, r#"{"pids":{"limit":7}}"#, &["TasksMax=7"]);
        check(V2, r#"{"pids":{"limit":0}}"#, &["TasksMax=1"]);
    }
}
