//! The daemon, or a shim, dies between every two steps of create, start, exec, stop, remove and of those on networks; then it
//! and the kernel agree.
//!
//! The points are those of `sys::crash::point("…")` in the sources: none is skipped, and one that no verb comes by fails the test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use testkit::{Daemon, eventually};

/// All points, in the order of crates, files and lines.
fn points() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates");
    let mut found = Vec::new();
    for name in ["engine", "shim", "runtime"] {
        let mut todo = vec![root.join(name).join("src")];
        while let Some(path) = todo.pop() {
            if path.is_dir() {
                todo.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
                todo.sort();
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let calls = text.split("crash::point(\"").skip(1);
            found.extend(calls.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
    let unique: BTreeSet<&String> = found.iter().collect();
    assert_eq!(unique.len(), found.len(), "two points of one name: {found:?}");
    found
}

#[test]
fn none_is_skipped_and_all_are_survived() {
    let mut d = Daemon::with_images(&["busybox"]);
    let points = points();
    assert!(points.len() > 35, "{points:?}");
    for (number, point) in points.iter().enumerate() {
        println!("{} {point}", number + 1);
        d.kill();
        d.set_env("LIGHTER_CRASH_AT", point);
        d.start_again();
        let reached = verbs(&d, point);
        assert!(reached, "no verb comes by {point}");
        d.kill();
        d.clear_env();
        d.start_again();
        agrees_with_the_kernel(&d, point);
        // and it works on
        d.run(&["run", "--rm", "--network", "none", "busybox", "echo", "fine"]).ok().stdout("fine\n");
        for id in d.run(&["ps", "-aq"]).ok().stdout.lines() {
            d.run(&["rm", "-f", id]).ok();
        }
        // one that nobody removed is kept, as it must be
        d.run(&["volume", "prune", "-af"]).ok();
        for name in d.run(&["network", "ls", "-q", "--filter", "type=custom"]).ok().stdout.lines() {
            d.run(&["network", "rm", name]).ok();
        }
        agrees_with_the_kernel(&d, point);
        assert!(kept(&d).is_empty(), "{point}: left behind {:?}", kept(&d));
    }
}

/// Goes through the verbs until the process with the point has died.
fn verbs(d: &Daemon, point: &str) -> bool {
    let parent = format!("/lighter-{}-own", testkit::instance(&d.directory.join("data")));
    let steps: &[&[&str]] = &[
        &["volume", "create", "vol"],
        &[
            "create",
            "--name",
            "one",
            "-v",
            "/anonymous",
            "-v",
            "other:/named",
            "--mount",
            "type=image,src=busybox,dst=/image",
            "--mount",
            "type=volume,src=other,dst=/part,volume-subpath=.",
            "busybox",
            "sh",
            "-c",
            "trap 'exit 0' TERM; while :; do sleep 0.1; done",
        ],
        &["start", "one"],
        &["exec", "one", "true"],
        &["stop", "-t", "5", "one"],
        &["start", "one"],
        &["network", "create", "place"],
        &["network", "connect", "--alias", "uno", "place", "one"],
        &["network", "disconnect", "bridge", "one"],
        &["kill", "one"],
        &["rm", "-v", "one"],
        &["volume", "rm", "vol"],
        &["run", "-d", "--name", "two", "--cgroup-parent", &parent, "busybox", "sleep", "1000"],
        &["rm", "-f", "two"],
        &["run", "--rm", "busybox", "true"],
        &["network", "rm", "place"],
    ];
    for step in steps {
        let done = d.run(step);
        if has_died(d, point) {
            return true;
        }
        assert_eq!(done.status, 0, "{point}: {done:#?}");
    }
    // what is done behind a verb's back
    (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        has_died(d, point)
    })
}

fn has_died(d: &Daemon, point: &str) -> bool {
    let shims = std::fs::read_to_string(d.directory.join("run/shim.log")).unwrap_or_default();
    let word = format!("died at {point}\n");
    d.log().contains(&word) || shims.contains(&word)
}

fn shims(d: &Daemon) -> usize {
    std::fs::read_dir(d.directory.join("run/shims")).map_or(0, Iterator::count)
}

/// What is kept on disk for containers, by id.
fn kept(d: &Daemon) -> BTreeSet<String> {
    let list = |path: &str| {
        let entries = std::fs::read_dir(d.directory.join(path)).into_iter().flatten().flatten();
        entries.map(|e| e.file_name().to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut all: BTreeSet<String> = list("data/containers").into_iter().collect();
    all.extend(list("run/containers"));
    all.extend(list("data/snapshots/roots"));
    all.extend(list("run/shims").iter().map(|n| n.split('.').next().unwrap().to_owned()));
    all
}

/// Control groups of the daemon's containers: id → processes.
fn groups(d: &Daemon) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    let mut todo = vec![Path::new("/sys/fs/cgroup").to_owned()];
    todo.extend(std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|e| e.path()).filter(|p| p.is_dir()));
    let parent = format!("lighter-{}", testkit::instance(&d.directory.join("data")));
    for hierarchy in todo {
        for group in std::fs::read_dir(hierarchy.join(&parent)).into_iter().flatten().flatten() {
            let name = group.file_name().to_str().unwrap().to_owned();
            if name.len() == 64 {
                let pids = std::fs::read_to_string(group.path().join("cgroup.procs")).unwrap_or_default();
                let count: &mut usize = all.entry(name).or_default();
                *count = (*count).max(pids.lines().count());
            }
        }
    }
    all
}

fn agrees_with_the_kernel(d: &Daemon, point: &str) {
    eventually(&format!("{point}: states, processes, groups and files agree"), || disagreement(d).is_none());
}

fn disagreement(d: &Daemon) -> Option<String> {
    let all = d.run(&["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.State}}"]).ok().stdout;
    let mut known = BTreeSet::new();
    let mut running = BTreeSet::new();
    for line in all.lines() {
        let (id, state) = line.split_once(' ').unwrap();
        known.insert(id.to_owned());
        match state {
            "running" => {
                running.insert(id.to_owned());
                let pid = d.inspect(id, "{{.State.Pid}}");
                let cgroup = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
                if !cgroup.contains(id) {
                    return Some(format!("{id} has no process {pid}"));
                }
            }
            "created" | "exited" => {}
            other => return Some(format!("{id} is {other}")),
        }
    }
    if let Some(wrong) = running.iter().find_map(|id| on_other_networks(d, id)).or_else(|| other_bridges(d)) {
        return Some(wrong);
    }
    let groups = groups(d);
    let in_groups: BTreeSet<String> = groups.keys().cloned().collect();
    if in_groups != running || groups.values().any(|count| *count == 0) {
        return Some(format!("groups {groups:?}, running {running:?}"));
    }
    let kept = kept(d);
    if !kept.is_subset(&known) {
        return Some(format!("files of {kept:?}, known {known:?}"));
    }
    if shims(d) != running.len() {
        return Some(format!("{} shims, running {running:?}", shims(d)));
    }
    None
}

/// A container has an interface for each network that it says it is on, with that address, and one way out.
fn on_other_networks(d: &Daemon, id: &str) -> Option<String> {
    let format = "{{range $name, $at := .NetworkSettings.Networks}}{{if ne $name \"none\"}}{{$at.IPAddress}}/{{$at.IPPrefixLen}}\n{{end}}{{end}}";
    let told = d.run(&["inspect", "--format", format, id]).stdout;
    let script = "ip -o -4 addr show scope global | tr -s ' ' | cut -d' ' -f4; ip route | grep -c default";
    let seen = d.run(&["exec", id, "sh", "-c", script]).stdout;
    let sorted =
        |text: &str| text.lines().filter(|line| line.contains('/')).map(str::to_owned).collect::<BTreeSet<_>>();
    let ways = seen.lines().filter(|line| !line.contains('/')).collect::<String>();
    let expected = if told.trim().is_empty() { "0" } else { "1" };
    let agree = sorted(&told) == sorted(&seen) && ways == expected;
    (!agree).then(|| format!("{id} is on {told:?}, and has {seen:?}"))
}

/// There is a bridge for each network, and no other.
fn other_bridges(d: &Daemon) -> Option<String> {
    let networks = d.run(&["network", "ls", "-q", "--filter", "driver=bridge"]).ok().stdout;
    let own = format!("lighter:{}:bridge", testkit::instance(&d.directory.join("data")));
    let links = std::process::Command::new("ip").args(["-o", "link"]).output().unwrap();
    let links = String::from_utf8_lossy(&links.stdout).into_owned();
    let (there, told) = (links.lines().filter(|line| line.contains(&own)).count(), networks.lines().count());
    (there != told).then(|| format!("{there} bridges of {told} networks:\n{links}"))
}
