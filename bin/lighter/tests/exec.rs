//! `exec`, `attach`, `logs`, `top`: seeing into a running container.

use testkit::{Daemon, Terminal};

#[test]
fn exec_runs_beside() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["run", "-d", "--name", "cc", "-e", "A=1", "-w", "/tmp", "busybox", "sleep", "1000"]).ok();
    d.run(&["exec", "cc", "sh", "-c", "echo $A; pwd; echo e >&2; exit 9"]).status(9).stdout("1\n/tmp\n").stderr("e\n");
    d.run_with_input(&["exec", "-i", "cc", "cat"], b"in\n").ok().stdout("in\n");
    d.run(&["exec", "-u", "web", "-w", "/", "-e", "B=2", "cc", "sh", "-c", "id -un; pwd; echo $B"])
        .ok()
        .stdout("web\n/\n2\n");
    d.run(&["exec", "cc", "nonsense"]).status(127).stdout_has("executable file not found in $PATH");
    d.run(&["exec", "cc", "/etc/passwd"]).status(126).stdout_has("permission denied");
    d.run(&["exec", "-d", "cc", "sh", "-c", "echo made > /tmp/made"]).ok().stdout("");
    testkit::eventually("the detached exec", || d.run(&["exec", "cc", "cat", "/tmp/made"]).stdout == "made\n");
    d.run(&["exec", "cc", "sh", "-c", "kill -9 $$"]).status(137);
    d.run(&["exec", "cc", "unshare", "-m", "true"]).status(1);
    d.run(&["exec", "--privileged", "cc", "unshare", "-m", "true"]).ok();
    d.run(&["kill", "cc"]).ok();
    d.run(&["exec", "cc", "true"]).status(1).stderr_has("is not running");
}

#[test]
fn an_unknown_user_is_told_before_there_is_an_exec() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["run", "-d", "--name", "cc", "busybox", "sleep", "1000"]).ok();
    for (user, why) in [
        ("ghost", "unable to find user ghost: no matching entries in passwd file"),
        ("root:ghosts", "unable to find group ghosts: no matching entries in group file"),
        ("9999999999", "uids and gids must be in range 0-2147483647"),
    ] {
        for flags in [&["exec"][..], &["exec", "-d"]] {
            let answer = d.run(&[flags, &["-u", user, "cc", "true"]].concat());
            answer.status(1).stdout("").stderr(&format!("Error response from daemon: {why}\n"));
        }
    }
    let events = d.run(&["events", "--since", "1m", "--until", "0s", "--filter", "event=exec_create"]).ok();
    events.stdout("");
}

#[test]
fn logs_in_all_their_ways() {
    let d = Daemon::with_images(&["busybox"]);
    let script = "i=0; while [ $i -lt 10 ]; do echo line $i; i=$((i+1)); done; echo err >&2; sleep 0.4; echo last";
    d.run(&["run", "-d", "--name", "ll", "busybox", "sh", "-c", script]).ok();
    let followed = d.run(&["logs", "-f", "ll"]).ok();
    assert!(
        followed.stdout.starts_with("line 0\nline 1\n") && followed.stdout.ends_with("line 9\nlast\n"),
        "{followed:?}"
    );
    assert_eq!(followed.stderr, "err\n");
    d.run(&["logs", "--tail", "2", "ll"]).ok().stdout("last\n").stderr("err\n");
    d.run(&["logs", "-n", "0", "ll"]).ok().stdout("");
    let stamped = d.run(&["logs", "-t", "--tail", "1", "ll"]).ok().stdout;
    let time = stamped.split(' ').next().unwrap();
    assert!(time.len() == 30 && time.ends_with('Z'), "{stamped}");
    d.run(&["logs", "--since", time, "ll"]).ok().stdout("last\n");
    d.run(&["logs", "--until", "2001-01-01", "ll"]).ok().stdout("");
    d.run(&["run", "--name", "nn", "--log-driver", "none", "busybox", "echo", "x"]).ok().stdout("x\n");
    d.run(&["logs", "nn"]).status(1).stderr_has("configured logging driver does not support reading");
}

#[test]
fn rotation_is_bounded() {
    let d = Daemon::with_images(&["busybox"]);
    let opts =
        ["run", "--name", "rr", "--log-opt", "max-size=20k", "--log-opt", "max-file=3", "busybox", "seq", "1", "5000"];
    d.run(&opts).ok();
    let path = d.inspect("rr", "{{.LogPath}}");
    let sizes = ["", ".1", ".2", ".3"].map(|s| std::fs::metadata(format!("{path}{s}")).map(|m| m.len()).ok());
    assert!(sizes[2].is_some() && sizes[3].is_none(), "{sizes:?}");
    assert!(sizes.iter().flatten().all(|s| *s < 30_000), "{sizes:?}");
    let kept = d.run(&["logs", "rr"]).ok().stdout;
    let numbers: Vec<u32> = kept.lines().map(|l| l.parse().unwrap()).collect();
    assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1) && numbers.last() == Some(&5000));
}

#[test]
fn a_terminal_as_a_person_has_it() {
    let d = Daemon::with_images(&["busybox"]);
    let mut t = Terminal::run(d.command(&["run", "-it", "--name", "tt", "busybox", "sh"]));
    t.expect("/ # ");
    let raw = t.modes();
    t.type_in("tty; stty size; echo $TERM\n");
    t.expect("/dev/pts/0\r\n24 80\r\nxterm\r\n");
    t.resize(40, 100);
    std::thread::sleep(std::time::Duration::from_millis(200));
    t.type_in("stty size\n");
    t.expect("40 100\r\n");
    t.type_in("sleep 100\n");
    std::thread::sleep(std::time::Duration::from_millis(200));
    t.clear();
    t.type_in("\x03");
    t.expect("/ # ");
    t.type_in("\x10\x11");
    assert_eq!(t.status(), 0);
    assert_ne!(format!("{:?}", raw.local_modes), format!("{:?}", t.modes().local_modes), "cooked again");
    assert_eq!(d.inspect("tt", "{{.State.Status}}"), "running");
    let mut t = Terminal::run(d.command(&["attach", "tt"]));
    std::thread::sleep(std::time::Duration::from_millis(200));
    t.type_in("echo again; exit 3\n");
    t.expect("again\r\n");
    assert_eq!(t.status(), 3);
}

fn new_exec(d: &Daemon, container: &str) -> String {
    let body = r#"{"Cmd":["true"]}"#;
    let head = format!("POST /containers/{container}/exec HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    let reply = d.raw(&format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    let (_, id) = reply.split_once("\"Id\":\"").unwrap_or_else(|| panic!("{reply}"));
    id[..64].to_owned()
}

fn look_at_exec(d: &Daemon, id: &str) -> String {
    d.raw(&format!("GET /exec/{id}/json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
}

#[test]
fn execs_that_nobody_starts_are_bounded() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["run", "-d", "--name", "cc", "--restart", "always", "busybox", "sleep", "1000"]).ok();
    let all: Vec<String> = (0..1002).map(|_| new_exec(&d, "cc")).collect();
    for forgotten in &all[..2] {
        let reply = look_at_exec(&d, forgotten);
        assert!(reply.contains(" 404 ") && reply.contains(&format!("No such exec instance: {forgotten}")), "{reply}");
    }
    assert!(look_at_exec(&d, &all[2]).contains("\"Running\":false"));
    // one that is used is as good as ever
    d.run(&["exec", "cc", "sh", "-c", "exit 3"]).status(3);
    d.run(&["restart", "-t", "0", "cc"]).ok();
    assert!(look_at_exec(&d, &all[1001]).contains(" 404 "), "it was made for a process that has ended");
}

#[test]
fn top_shows_the_processes() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["run", "-d", "--name", "cc", "busybox", "sleep", "1234"]).ok();
    let top = d.run(&["top", "cc"]).ok().stdout;
    assert!(top.starts_with("UID ") && top.contains("sleep 1234"), "{top}");
    d.run(&["top", "cc", "-o", "pid,args"]).ok().stdout_has("sleep 1234");
}
