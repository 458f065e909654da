//! Limits: memory, CPU, processes, block I/O, ulimits.

use api::types::{ThrottleDevice, Ulimit, WeightDevice};

use super::Draft;
use crate::Invocation;
use crate::failure::Failure;
use crate::flags::{Flag, WINDOWS, check};

/// The rows.
pub static FLAGS: &[Flag] = &[
    Flag::bytes("memory", "Memory limit").short('m'),
    Flag::bytes("memory-reservation", "Memory soft limit"),
    Flag::bytes("memory-swap", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap")
        .checked(check::bytes_or_unlimited),
    Flag::int("memory-swappiness", "Tune container memory swappiness (0 to 100)").shows_default("-1"),
    // no kernel has it any more; Docker takes it and drops it
    Flag::bytes("kernel-memory", "Kernel memory limit"),
    Flag::bytes("shm-size", "Size of /dev/shm"),
    Flag::bool("oom-kill-disable", "Disable OOM Killer"),
    Flag::int("oom-score-adj", "Tune host's OOM preferences (-1000 to 1000)"),
    Flag::text("cpus", "Number of CPUs").typed("decimal").checked(cpus),
    Flag::int("cpu-count", "CPU count (Windows only)").absent(WINDOWS),
    Flag::int("cpu-percent", "CPU percent (Windows only)").absent(WINDOWS),
    Flag::int("cpu-period", "Limit CPU CFS (Completely Fair Scheduler) period"),
    Flag::int("cpu-quota", "Limit CPU CFS (Completely Fair Scheduler) quota"),
    Flag::int("cpu-rt-period", "Limit CPU real-time period in microseconds"),
    Flag::int("cpu-rt-runtime", "Limit CPU real-time runtime in microseconds"),
    Flag::int("cpu-shares", "CPU shares (relative weight)").short('c'),
    Flag::text("cpuset-cpus", "CPUs in which to allow execution (0-3, 0,1)"),
    Flag::text("cpuset-mems", "MEMs in which to allow execution (0-3, 0,1)"),
    Flag::int("pids-limit", "Tune container pids limit (set -1 for unlimited)"),
    Flag::list("ulimit", "Ulimit options").typed("ulimit").shows_default("[]").checked(ulimit),
    Flag::int("blkio-weight", "Block IO (relative weight), between 10 and 1000, or 0 to disable")
        .typed("uint16")
        .checked(check::uint16)
        .shows_default("0"),
    Flag::list("blkio-weight-device", "Block IO weight (relative device weight)")
        .shows_default("[]")
        .checked(weight_device),
    Flag::list("device-read-bps", "Limit read rate (bytes per second) from a device")
        .shows_default("[]")
        .checked(bytes_rate),
    Flag::list("device-write-bps", "Limit write rate (bytes per second) to a device")
        .shows_default("[]")
        .checked(bytes_rate),
    Flag::list("device-read-iops", "Limit read rate (IO per second) from a device")
        .shows_default("[]")
        .checked(operations_rate),
    Flag::list("device-write-iops", "Limit write rate (IO per second) to a device")
        .shows_default("[]")
        .checked(operations_rate),
    Flag::bytes("io-maxbandwidth", "Maximum IO bandwidth limit for the system drive (Windows only)").absent(WINDOWS),
    Flag::int("io-maxiops", "Maximum IOps limit for the system drive (Windows only)")
        .typed("uint")
        .checked(check::uint64)
        .absent(WINDOWS),
];

/// Puts them into the request.
///
/// # Errors
/// A swappiness out of range.
pub fn translate(call: &Invocation, draft: &mut Draft) -> Result<(), Failure> {
    let bytes = |name: &str| call.bytes(name).unwrap_or(0);
    let int = |name: &str| call.int(name).unwrap_or(0);
    let unsigned = |name: &str| u64::try_from(int(name)).unwrap_or(0);
    if call.given("kernel-memory") {
        eprintln!("WARNING: --kernel-memory has no effect: the kernel has no such limit any more");
    }
    let swappiness = call.int("memory-swappiness").unwrap_or(-1);
    if !(-1..=100).contains(&swappiness) {
        return Err(Failure::new(format!("invalid value: {swappiness}. Valid memory swappiness range is 0-100")));
    }

    draft.host.shm_size = bytes("shm-size");
    draft.host.oom_score_adj = int("oom-score-adj");
    let to = &mut draft.host.resources;
    to.memory = bytes("memory");
    to.memory_reservation = bytes("memory-reservation");
    to.memory_swap = bytes("memory-swap");
    to.memory_swappiness = Some(swappiness);
    to.oom_kill_disable = Some(call.is("oom-kill-disable"));
    to.nano_cpus = call.text("cpus").and_then(|text| parse_cpus(text).ok()).unwrap_or(0);
    to.cpu_period = int("cpu-period");
    to.cpu_quota = int("cpu-quota");
    to.cpu_realtime_period = int("cpu-rt-period");
    to.cpu_realtime_runtime = int("cpu-rt-runtime");
    to.cpu_shares = int("cpu-shares");
    to.cpuset_cpus = call.text_or_empty("cpuset-cpus").to_owned();
    to.cpuset_mems = call.text_or_empty("cpuset-mems").to_owned();
    to.pids_limit = Some(int("pids-limit"));
    to.ulimits = Some(ulimits(call));
    to.blkio_weight = unsigned("blkio-weight");
    to.blkio_weight_device =
        Some(call.all("blkio-weight-device").filter_map(|text| parse_weight_device(text).ok().flatten()).collect());
    let rates = |name: &str, parse: fn(&str) -> Result<ThrottleDevice, String>| {
        Some(super::list(call, name).iter().filter_map(|text| parse(text).ok()).collect::<Vec<_>>())
    };
    to.blkio_device_read_bps = rates("device-read-bps", parse_bytes_rate);
    to.blkio_device_write_bps = rates("device-write-bps", parse_bytes_rate);
    to.blkio_device_read_iops = rates("device-read-iops", parse_operations_rate);
    to.blkio_device_write_iops = rates("device-write-iops", parse_operations_rate);
    Ok(())
}

pub fn cpus(text: &str) -> Result<(), String> {
    parse_cpus(text).map(drop)
}

/// `1.5`, `1/2`, `15e-1` CPUs in 10^-9 CPUs, exactly.
pub fn parse_cpus(text: &str) -> Result<i64, String> {
    let bad = || format!("failed to parse {text} as a rational number");
    let (over, under) = match text.split_once('/') {
        Some((over, under)) => (over, under.parse::<u32>().ok().filter(|n| *n > 0).ok_or_else(bad)?),
        None => (text, 1),
    };
    let (negative, digits) = match over.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, over.strip_prefix('+').unwrap_or(over)),
    };
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| bad())?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    // value = number * 10^scale / under, wanted times 10^9
    let number: i128 = all.parse().map_err(|_| bad())?;
    let scale = 9 + exponent - i32::try_from(fraction.len()).map_err(|_| bad())?;
    let power = 10i128.checked_pow(scale.unsigned_abs()).ok_or_else(bad)?;
    let (over, under) = if scale >= 0 {
        (number.checked_mul(power).ok_or_else(bad)?, i128::from(under))
    } else {
        (number, i128::from(under).checked_mul(power).ok_or_else(bad)?)
    };
    if over % under != 0 {
        return Err("value is too precise".into());
    }
    let nano = i64::try_from(over / under).map_err(|_| bad())?;
    Ok(if negative { -nano } else { nano })
}

fn ulimit(text: &str) -> Result<(), String> {
    parse_ulimit(text).map(drop)
}

/// The last of a name counts; sorted by name.
fn ulimits(call: &Invocation) -> Vec<Ulimit> {
    let mut limits: Vec<Ulimit> = Vec::new();
    for limit in call.all("ulimit").filter_map(|text| parse_ulimit(text).ok()) {
        limits.retain(|other| other.name != limit.name);
        limits.push(limit);
    }
    limits.sort_by(|a, b| a.name.cmp(&b.name));
    limits
}

/// `NAME=SOFT[:HARD]`
fn parse_ulimit(text: &str) -> Result<Ulimit, String> {
    let number = |text: &str| {
        let error = |why| format!("strconv.ParseInt: parsing {text:?}: {why}");
        text.parse::<i64>().map_err(|_| match check::int64(text) {
            Err(why) if why.ends_with("value out of range") => error("value out of range"),
            _ => error("invalid syntax"),
        })
    };
    let (name, limits) = text.split_once('=').ok_or_else(|| format!("invalid ulimit argument: {text}"))?;
    if !values::kernel_names::ULIMITS.contains(&name) {
        return Err(format!("invalid ulimit type: {name}"));
    }
    let (soft, hard) = match limits.split(':').collect::<Vec<_>>().as_slice() {
        [both] => (number(both)?, number(both)?),
        [soft, hard] => {
            let hard = number(hard)?;
            (number(soft)?, hard)
        }
        _ => {
            return Err(format!("too many limit value arguments - {limits}, can only have up to two, `soft[:hard]`"));
        }
    };
    if hard != -1 && soft == -1 {
        return Err(format!(
            "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: {hard}"
        ));
    }
    if hard != -1 && soft > hard {
        return Err(format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"));
    }
    Ok(Ulimit { name: name.to_owned(), soft, hard })
}

/// `/dev/X:REST`
fn device_path(text: &str) -> Result<(&str, &str), String> {
    let (path, rest) =
        text.split_once(':').filter(|(path, _)| !path.is_empty()).ok_or(format!("bad format: {text}"))?;
    if !path.starts_with("/dev/") {
        return Err(format!("bad format for device path: {text}"));
    }
    Ok((path, rest))
}

fn weight_device(text: &str) -> Result<(), String> {
    parse_weight_device(text).map(drop)
}

fn parse_weight_device(text: &str) -> Result<Option<WeightDevice>, String> {
    let (path, weight) = device_path(text)?;
    let weight: u64 = weight
        .parse()
        .ok()
        .filter(|w| *w == 0 || (10..=1000).contains(w))
        .ok_or_else(|| format!("invalid weight for device: {text}"))?;
    Ok(Some(WeightDevice { path: path.to_owned(), weight }))
}

fn bytes_rate(text: &str) -> Result<(), String> {
    parse_bytes_rate(text).map(drop)
}

fn parse_bytes_rate(text: &str) -> Result<ThrottleDevice, String> {
    let (path, rate) = device_path(text)?;
    let rate = values::size::parse_binary(rate).ok().and_then(|rate| u64::try_from(rate).ok()).ok_or_else(|| {
        format!(
            "invalid rate for device: {text}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb"
        )
    })?;
    Ok(ThrottleDevice { path: path.to_owned(), rate })
}

fn operations_rate(text: &str) -> Result<(), String> {
    parse_operations_rate(text).map(drop)
}

fn parse_operations_rate(text: &str) -> Result<ThrottleDevice, String> {
    let (path, rate) = device_path(text)?;
    let rate = rate.parse().map_err(|_| {
        format!(
            "invalid rate for device: {text}. The correct format is <device-path>:<number>. Number must be a positive integer"
        )
    })?;
    Ok(ThrottleDevice { path: path.to_owned(), rate })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_exact() {
        for (text, expected) in [
            ("1", Ok(1_000_000_000)),
            ("1.5", Ok(1_500_000_000)),
            (".5", Ok(500_000_000)),
            ("1/2", Ok(500_000_000)),
            ("5e-1", Ok(500_000_000)),
            ("-1", Ok(-1_000_000_000)),
            ("1.0000000001", Err("value is too precise")),
            ("1/3", Err("value is too precise")),
            ("x", Err("failed to parse x as a rational number")),
            ("", Err("failed to parse  as a rational number")),
            ("1e99", Err("failed to parse 1e99 as a rational number")),
        ] {
            assert_eq!(parse_cpus(text), expected.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn ulimits_are_checked() {
        let limit = |soft, hard| Ok(Ulimit { name: "nofile".into(), soft, hard });
        for (text, expected) in [
            ("nofile=10", limit(10, 10)),
            ("nofile=10:20", limit(10, 20)),
            ("nofile=-1", limit(-1, -1)),
            ("nofile=9:3", Err("ulimit soft limit must be less than or equal to hard limit: 9 > 3".into())),
            ("x=1", Err("invalid ulimit type: x".into())),
            ("nofile", Err("invalid ulimit argument: nofile".into())),
            ("nofile=1:x", Err("strconv.ParseInt: parsing \"x\": invalid syntax".into())),
        ] {
            assert_eq!(parse_ulimit(text), expected, "{text}");
        }
    }
}
