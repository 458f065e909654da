//! `update`: other limits for a living container.

use std::io::Read;

use cgroup::Cgroup;
use cgroup::systemd::{Scope, Systemd};
use oci::runtime::{BlockIo, Cpu, Memory, Pids, Resources};

use super::arguments::{Arguments, Flag};
use super::bundle::Home;
use super::{Failure, Global, Outcome};

pub(super) const FLAGS: &[Flag] = &[
    Flag::text("resources", "r"),
    Flag::text("blkio-weight", ""),
    Flag::text("cpu-period", ""),
    Flag::text("cpu-quota", ""),
    Flag::text("cpu-burst", ""),
    Flag::text("cpu-share", ""),
    Flag::text("cpu-rt-period", ""),
    Flag::text("cpu-rt-runtime", ""),
    Flag::text("cpuset-cpus", ""),
    Flag::text("cpuset-mems", ""),
    Flag::text("cpu-idle", ""),
    Flag::text("memory", ""),
    Flag::text("memory-reservation", ""),
    Flag::text("memory-swap", ""),
    Flag::text("pids-limit", ""),
];

pub(super) fn update(global: &Global, arguments: &Arguments) -> Outcome {
    let home = Home::of(global, arguments.id()?);
    let record = home.read()?;
    if record.status(&home) == "stopped" {
        return Err("container not running".to_owned());
    }
    let resources = match arguments.text("resources") {
        Some(path) => from_document(&document(path)?)?,
        None => from_flags(arguments)?,
    };
    let group = Cgroup::open(&record.cgroup).map_err(|error| error.message)?;
    group.update(&resources).map_err(|error| error.message)?;
    if let Ok(scope) = Scope::parse(&record.cgroups_path) {
        // It would set its own again at its next reload.
        Systemd::connect()
            .and_then(|mut systemd| systemd.set_limits(group.version(), &scope.unit, &resources))
            .map_err(|error| error.message)?;
    }
    Ok(0)
}

/// The file's text; `-` is standard input.
fn document(path: &str) -> Result<Vec<u8>, Failure> {
    if path != "-" {
        return std::fs::read(path).map_err(|error| format!("{path}: {error}"));
    }
    let mut text = Vec::new();
    std::io::stdin().read_to_end(&mut text).map_err(|error| format!("standard input: {error}"))?;
    Ok(text)
}

/// `linux.resources` of the configuration. Device rules stay as they are.
fn from_document(text: &[u8]) -> Result<Resources, Failure> {
    serde_json::from_slice(text).map_err(|error| format!("resources: {error}"))
}

fn from_flags(arguments: &Arguments) -> Result<Resources, Failure> {
    let text = |name: &str| arguments.text(name).unwrap_or_default().to_owned();
    Ok(Resources {
        memory: Some(Memory {
            limit: bytes(arguments, "memory")?,
            reservation: bytes(arguments, "memory-reservation")?,
            swap: bytes(arguments, "memory-swap")?,
            ..Memory::default()
        }),
        cpu: Some(Cpu {
            shares: number(arguments, "cpu-share")?,
            quota: number(arguments, "cpu-quota")?,
            burst: number(arguments, "cpu-burst")?,
            period: number(arguments, "cpu-period")?,
            realtime_runtime: number(arguments, "cpu-rt-runtime")?,
            realtime_period: number(arguments, "cpu-rt-period")?,
            cpus: text("cpuset-cpus"),
            mems: text("cpuset-mems"),
            idle: number(arguments, "cpu-idle")?,
        }),
        pids: number(arguments, "pids-limit")?.map(|limit| Pids { limit: Some(limit) }),
        block_io: number(arguments, "blkio-weight")?
            .map(|weight| BlockIo { weight: Some(weight), ..BlockIo::default() }),
        ..Resources::default()
    })
}

fn number<T: std::str::FromStr>(arguments: &Arguments, name: &str) -> Result<Option<T>, Failure> {
    let parse = |text: &str| text.parse().map_err(|_| format!("invalid value {text:?} for flag -{name}"));
    arguments.text(name).map(parse).transpose()
}

/// A size as `64m`; -1: no limit.
fn bytes(arguments: &Arguments, name: &str) -> Result<Option<i64>, Failure> {
    let parse = |text: &str| match text {
        "-1" => Ok(-1),
        _ => values::size::parse_binary(text).map_err(|error| format!("invalid value for {name}: {}", error.message)),
    };
    arguments.text(name).map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags() {
        let words: Vec<String> =
            ["--memory", "64m", "--memory-swap=-1", "--pids-limit", "9", "id"].map(str::to_owned).into();
        let read = from_flags(&Arguments::parse(FLAGS, &words, true).unwrap()).unwrap();
        let memory = read.memory.unwrap();
        assert_eq!((memory.limit, memory.swap, memory.reservation), (Some(64 << 20), Some(-1), None));
        assert_eq!((read.pids.unwrap().limit, read.block_io), (Some(9), None));
        let words = ["--cpu-quota".to_owned(), "x".to_owned()];
        assert!(from_flags(&Arguments::parse(FLAGS, &words, true).unwrap()).is_err());
    }
}
