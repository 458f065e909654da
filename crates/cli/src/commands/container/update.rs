//! `container update`, `update`.

use api::endpoints::ContainerUpdate;
use api::types::{Resources, UpdateRequest};

use crate::command::{Args, Command, Complete, States};
use crate::flags::container::{lifecycle, resources};
use crate::flags::{Flag, check};
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["container update", "update"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Update configuration of one or more containers",
    args: Args::AtLeast(1),
    complete: Complete::Containers(States::All),
    flags: &[
        Flag::int("blkio-weight", "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)")
            .typed("uint16")
            .checked(check::uint16),
        Flag::int("cpu-period", "Limit CPU CFS (Completely Fair Scheduler) period"),
        Flag::int("cpu-quota", "Limit CPU CFS (Completely Fair Scheduler) quota"),
        Flag::int("cpu-rt-period", "Limit the CPU real-time period in microseconds"),
        Flag::int("cpu-rt-runtime", "Limit the CPU real-time runtime in microseconds"),
        Flag::int("cpu-shares", "CPU shares (relative weight)").short('c'),
        Flag::text("cpus", "Number of CPUs").typed("decimal").checked(resources::cpus),
        Flag::text("cpuset-cpus", "CPUs in which to allow execution (0-3, 0,1)"),
        Flag::text("cpuset-mems", "MEMs in which to allow execution (0-3, 0,1)"),
        Flag::bytes("kernel-memory", "Kernel memory limit (deprecated)").hidden(),
        Flag::bytes("memory", "Memory limit").short('m'),
        Flag::bytes("memory-reservation", "Memory soft limit"),
        Flag::bytes("memory-swap", "Swap limit equal to memory plus swap: -1 to enable unlimited swap")
            .checked(check::bytes_or_unlimited),
        Flag::int("pids-limit", "Tune container pids limit (set -1 for unlimited)"),
        Flag::text("restart", "Restart policy to apply when a container exits").completes(Complete::Words(&[
            "always",
            "no",
            "on-failure",
            "unless-stopped",
        ])),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    if call.given.is_empty() {
        return Err(Failure::new("you must provide one or more flags when using this command"));
    }
    let request = request(call)?;
    let (mut warnings, mut errors) = (Vec::new(), Vec::new());
    for name in &call.args {
        match session.client()?.call::<ContainerUpdate>(&[name], &api::NoQuery, &request) {
            Ok(reply) => {
                session.println(name);
                warnings.extend(reply.warnings.unwrap_or_default());
            }
            Err(error) => errors.push(error.to_string()),
        }
    }
    if !warnings.is_empty() {
        session.println(warnings.join("\n"));
    }
    if errors.is_empty() { Ok(0) } else { Err(Failure::new(errors.join("\n"))) }
}

fn request(call: &Invocation) -> Result<UpdateRequest, Failure> {
    let bytes = |name: &str| call.bytes(name).unwrap_or(0);
    let int = |name: &str| call.int(name).unwrap_or(0);
    let resources = Resources {
        blkio_weight: u64::try_from(int("blkio-weight")).unwrap_or(0),
        cpu_period: int("cpu-period"),
        cpu_quota: int("cpu-quota"),
        cpu_realtime_period: int("cpu-rt-period"),
        cpu_realtime_runtime: int("cpu-rt-runtime"),
        cpu_shares: int("cpu-shares"),
        nano_cpus: call.text("cpus").and_then(|text| resources::parse_cpus(text).ok()).unwrap_or(0),
        cpuset_cpus: call.text_or_empty("cpuset-cpus").to_owned(),
        cpuset_mems: call.text_or_empty("cpuset-mems").to_owned(),
        kernel_memory: bytes("kernel-memory"),
        memory: bytes("memory"),
        memory_reservation: bytes("memory-reservation"),
        memory_swap: bytes("memory-swap"),
        pids_limit: call.int("pids-limit").filter(|limit| *limit != 0),
        ..Resources::default()
    };
    let restart_policy = call.text("restart").filter(|text| !text.is_empty()).map(lifecycle::restart_policy);
    Ok(UpdateRequest { resources, restart_policy: restart_policy.transpose()?.unwrap_or_default() })
}
