//! How long a container takes with nothing around it: `floor [N]` creates, starts and removes N containers running
//! busybox `true` and prints medians in microseconds. Needs root and a static `/bin/busybox`.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use oci::runtime::{Capabilities, Linux, Namespace, NamespaceKind, Process, Resources, Spec};
use runtime::{Fds, Launch, Stdio};
use rustix::process::{WaitId, WaitIdOptions};
use values::RootMount;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rounds: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(50);
    let scratch = std::env::temp_dir().join(format!("lighter-floor-{}", std::process::id()));
    let image = scratch.join("image");
    std::fs::create_dir_all(image.join("bin"))?;
    for directory in ["proc", "sys", "dev", "etc", "tmp"] {
        std::fs::create_dir_all(image.join(directory))?;
    }
    std::fs::copy("/bin/busybox", image.join("bin/busybox"))?;
    std::os::unix::fs::symlink("busybox", image.join("bin/true"))?;
    let result = measure(rounds, &scratch, &image);
    std::fs::remove_dir_all(&scratch)?;
    for parent in cgroup::Host::detect()?.hierarchies {
        let _ = std::fs::remove_dir(parent.mount.join("floor"));
    }
    result
}

fn measure(rounds: usize, scratch: &Path, image: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut phases: [Vec<u128>; 6] = Default::default();
    let filter = runtime::seccomp::compile(&runtime::seccomp::default_profile(&runtime::default_capabilities()))?;
    for round in 0..rounds {
        let upper = scratch.join(format!("{round}/upper"));
        let work = scratch.join(format!("{round}/work"));
        std::fs::create_dir_all(&upper)?;
        std::fs::create_dir_all(&work)?;
        let rootfs = RootMount::Overlay { lower: vec![image.to_owned().into()], upper, work, volatile: true };
        let launch = Launch {
            id: format!("floor-{round}"),
            spec: spec(round),
            rootfs,
            seccomp: Some(filter.clone()),
            init: false,
            user: Some(String::new()),
            additional_groups: Vec::new(),
            map_root: false,
            sources: Vec::new(),
            bundle: None,
        };
        let null = || -> Result<OwnedFd, Box<dyn std::error::Error>> {
            Ok(std::fs::OpenOptions::new().write(true).open("/dev/null")?.into())
        };
        let fds = Fds::from(Stdio::Pipes { stdin: None, stdout: null()?, stderr: null()? });
        let mut at = Instant::now();
        let begin = at;
        let mut phase = |index: usize| {
            phases[index].push(at.elapsed().as_micros());
            at = Instant::now();
        };
        let created = runtime::create(&launch, fds)?;
        phase(0);
        let running = created.start()?;
        phase(1);
        let status = rustix::process::waitid(WaitId::PidFd(running.pidfd.as_fd()), WaitIdOptions::EXITED)?;
        phase(2);
        assert_eq!(status.and_then(|status| status.exit_status()), Some(0));
        running.cgroup.remove()?;
        phase(3);
        drop(running);
        phase(4);
        phases[5].push(begin.elapsed().as_micros());
    }
    for (name, values) in ["create", "start", "run+exit", "cgroup remove", "unmount", "all"].iter().zip(&mut phases) {
        values.sort_unstable();
        println!("{name:14} median {:6} us  best {:6}  worst {:6}", values[rounds / 2], values[0], values[rounds - 1]);
    }
    Ok(())
}

fn spec(round: usize) -> Spec {
    let kinds =
        [NamespaceKind::Pid, NamespaceKind::Mount, NamespaceKind::Ipc, NamespaceKind::Uts, NamespaceKind::Cgroup];
    let names = runtime::default_capabilities();
    let capabilities =
        Capabilities { bounding: names.clone(), effective: names.clone(), permitted: names, ..Capabilities::default() };
    Spec {
        process: Some(Process {
            args: vec!["true".to_owned()],
            env: vec!["PATH=/usr/bin:/bin".to_owned()],
            cwd: "/".to_owned(),
            capabilities: Some(capabilities),
            ..Process::default()
        }),
        hostname: "floor".to_owned(),
        mounts: runtime::default_mounts(),
        linux: Some(Linux {
            namespaces: kinds.map(|kind| Namespace { kind, path: String::new() }).into(),
            masked_paths: runtime::masked_paths(),
            readonly_paths: runtime::readonly_paths(),
            cgroups_path: format!("/floor/{}-{round}", std::process::id()),
            resources: Some(Resources { devices: runtime::device_rules(), ..Resources::default() }),
            ..Linux::default()
        }),
        ..Spec::default()
    }
}
