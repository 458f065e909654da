//! A full disk: whatever cannot be done is refused in clear words and leaves nothing; what runs goes on; once there is
//! room again, all is well.

use std::path::Path;
use testkit::{Daemon, eventually};

const FULL: &str = "no space left on device";

/// A daemon on 12 MB with a container that sleeps, one that writes a line a moment, and one that has filled the disk.
fn filled() -> Daemon {
    let mut d = Daemon::on_small_disk(12);
    d.forgive(FULL);
    d.import("busybox");
    d.run(&["run", "-d", "--name", "sleeps", "--restart", "unless-stopped", "busybox", "sleep", "1000"]).ok();
    let ticks = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done";
    d.run(&["run", "-d", "--name", "ticks", "busybox", "sh", "-c", ticks]).ok();
    let fill = "cat /dev/zero > /big; exit 7";
    d.run(&["run", "--name", "filler", "busybox", "sh", "-c", fill]).status(7).stderr_has("No space left on device");
    // what the end of that container gave back
    let mut rest = std::fs::File::create(d.directory.join("data/rest")).expect("file");
    while std::io::Write::write_all(&mut rest, &[0; 4096]).is_ok() {}
    // and what is left of the journal's last page
    let spare = |n: &u32| d.run(&["create", "--name", &format!("spare{n}"), "busybox", "true"]).status == 0;
    assert!((0..16).take_while(spare).count() < 16, "the disk is not full");
    d
}

/// All paths below the data root but those of containers that run and write.
fn inventory(d: &Daemon) -> Vec<String> {
    fn walk(at: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(at).into_iter().flatten().flatten() {
            found.push(entry.path().display().to_string());
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                walk(&entry.path(), found);
            }
        }
    }
    let mut found = Vec::new();
    walk(&d.directory.join("data"), &mut found);
    found.retain(|path| !path.contains("/trash/"));
    found.sort();
    found
}

#[test]
fn what_has_no_room_is_refused_and_leaves_nothing() {
    let d = filled();
    let (before, count) = (inventory(&d), d.run(&["ps", "-aq"]).ok().stdout.lines().count());
    for (args, status) in [
        (&["create", "--name", "one", "busybox", "true"][..], 1),
        (&["run", "--rm", "busybox", "true"], 125),
        (&["run", "-d", "busybox", "true"], 125),
        (&["import", "/var/cache/lighter-tests/busybox.tar", "more"], 1),
        (&["import", "/var/cache/lighter-tests/debian.tar", "more"], 1),
    ] {
        d.run(args).status(status).stderr_has(FULL);
    }
    assert_eq!(inventory(&d), before);
    d.run(&["exec", "sleeps", "echo", "alive"]).ok().stdout("alive\n");
    assert_eq!(d.run(&["ps", "-aq"]).ok().stdout.lines().count(), count);
}

#[test]
fn once_there_is_room_all_is_well() {
    let d = filled();
    d.run(&["stop", "-t", "0", "sleeps"]).ok();
    d.run(&["rm", "filler"]).ok();
    d.run(&["run", "--rm", "busybox", "echo", "usable"]).ok().stdout("usable\n");
    d.run(&["start", "sleeps"]).ok();
    let last = || d.run(&["logs", "-n", "1", "ticks"]).ok().stdout;
    let then = last();
    eventually("the log goes on", || last() != then);
}

/// Whether the log says so of the state of a container.
fn told(d: &Daemon, name: &str, text: &str) -> bool {
    d.log().contains(&format!("the state of container {}{text}", d.inspect(name, "{{.Id}}")))
}

/// It has the rest of a page left.
fn use_up_the_journal(d: &Daemon) {
    eventually("nothing can be recorded", || {
        d.run(&["pause", "sleeps"]).ok();
        d.run(&["unpause", "sleeps"]).ok();
        told(d, "sleeps", ": store")
    });
}

#[test]
fn an_end_that_could_not_be_recorded_is_when_there_is_room() {
    let mut d = filled();
    let told = |d: &Daemon, text: &str| told(d, "sleeps", text);
    use_up_the_journal(&d);
    d.run(&["kill", "sleeps"]).ok();
    d.run(&["wait", "sleeps"]).ok().stdout("137\n");
    d.run(&["rm", "filler"]).ok();
    eventually("it is recorded", || told(&d, " is recorded now"));
    d.kill();
    d.start_again();
    assert_eq!(d.inspect("sleeps", "{{.State.Status}} {{.State.ExitCode}}"), "exited 137");
}

#[test]
fn an_end_on_a_full_disk_is_known_to_the_next_daemon() {
    let mut d = filled();
    use_up_the_journal(&d);
    d.run(&["kill", "-s", "KILL", "sleeps"]).ok();
    d.run(&["wait", "sleeps"]).ok().stdout("137\n");
    for _ in 0..2 {
        d.kill();
        d.start_again();
        let seen = d.inspect("sleeps", "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}");
        assert_eq!(seen, "exited 137 false");
    }
    d.run(&["rm", "filler"]).ok();
    let shims = d.directory.join("run/shims");
    let notes = || std::fs::read_dir(&shims).unwrap().count();
    // that of `ticks`
    eventually("it is recorded, and the note gone", || notes() == 1);
    d.kill();
    d.start_again();
    assert_eq!(d.inspect("sleeps", "{{.State.Status}} {{.State.ExitCode}}"), "exited 137");
}

#[test]
fn a_restart_on_a_full_disk_is_known_to_the_next_daemon() {
    let mut d = filled();
    use_up_the_journal(&d);
    let before = d.inspect("sleeps", "{{.State.Pid}}");
    let begun = d.run(&["restart", "-t", "0", "sleeps"]);
    assert_eq!(begun.status, 0, "{begun:#?}");
    for _ in 0..2 {
        d.kill();
        d.start_again();
        let (id, pid) = (d.inspect("sleeps", "{{.Id}}"), d.inspect("sleeps", "{{.State.Pid}}"));
        assert_ne!(pid, before);
        let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        assert!(groups.contains(&id), "{groups}");
    }
    d.run(&["kill", "sleeps"]).ok();
    d.run(&["wait", "sleeps"]).ok().stdout("137\n");
}

#[test]
fn a_stop_on_a_full_disk_is_not_forgotten_with_the_daemon() {
    let mut d = filled();
    use_up_the_journal(&d);
    d.run(&["stop", "-t", "0", "sleeps"]).ok();
    let state = |d: &Daemon| d.inspect("sleeps", "{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}");
    for _ in 0..2 {
        d.kill();
        d.start_again();
        assert_eq!(state(&d), "exited 137 0");
    }
    d.run(&["rm", "filler"]).ok();
    assert_eq!(state(&d), "exited 137 0");
    d.run(&["start", "sleeps"]).ok();
    let aside = || std::fs::read_dir(d.directory.join("run/states")).unwrap().count();
    eventually("all is in the journal", || aside() == 0);
}
