//! The shim against a daemon in the test's hands. Needs root and /bin/busybox (busybox-static).

mod support;

use shim::protocol::*;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};
use support::*;

fn interactive(plan: Plan, once: bool) -> Plan {
    Plan { stdio: Stdio { open_stdin: true, stdin_once: once, ..plan.stdio }, ..plan }
}

fn terminal(plan: Plan) -> Plan {
    let stdio = Stdio { terminal: true, rows: 30, cols: 100, open_stdin: true, stdin_once: true };
    Plan { stdio, ..plan }
}

/// What the shim wrote down of the end.
fn exit_file(shim: &Shim) -> Option<Exited> {
    serde_json::from_slice(&std::fs::read(shim.directory().join(EXIT_FILE)).ok()?).ok()
}

#[test]
fn attached_before_the_start_sees_the_first_byte() {
    let (mut shim, started) =
        Shim::start(Plan { attached: vec![OUT, OUT], ..sh("echo out; echo err >&2; printf part; exit 3") });
    assert!(started.pid > 1 && started.birth > 0);
    for mut client in std::mem::take(&mut shim.clients) {
        assert_eq!(unframe(&drain(&mut client)), ("out\npart".to_owned(), "err\n".to_owned()));
    }
    let exited = shim.exited();
    assert!(exited.code == 3 && !exited.oom && exited.at > started.at);
    let file = exit_file(&shim).unwrap();
    assert!(file.code == 3 && file.at == exited.at);
    let log = shim.log();
    assert!(log.contains(r#"{"log":"out\n","stream":"stdout","time":""#), "{log}");
    assert!(log.contains(r#"{"log":"err\n","stream":"stderr","time":""#), "{log}");
    assert!(log.contains(r#"{"log":"part","stream":"stdout","time":""#), "{log}");
    shim.release();
}

/// A small disk on the shim's directory.
struct Disk(std::path::PathBuf);

impl Disk {
    fn on(shim: &Shim) -> Self {
        let place = shim.directory();
        let none = rustix::mount::MountFlags::empty();
        rustix::mount::mount("tmpfs", &place, "tmpfs", none, c"size=64k").unwrap();
        Self(place)
    }

    fn fill(&self) {
        let mut rest = std::fs::File::create(self.0.join("rest")).unwrap();
        while rest.write_all(&[0; 512]).is_ok() {}
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

#[test]
fn an_end_is_written_down_on_a_full_disk() {
    let mut shim = Shim::spawn_only();
    let disk = Disk::on(&shim);
    shim.send_launch(&interactive(sh("read x; exit 9"), false));
    assert!(matches!(shim.control().reply(), Reply::Started(_)));
    disk.fill();
    assert!(exit_file(&shim).is_none());
    shim.attach(ALL).write_all(b"\n").unwrap();
    assert_eq!(shim.exited().code, 9);
    assert_eq!(exit_file(&shim).unwrap().code, 9);
    drop(disk);
    shim.release();
}

#[test]
fn nothing_starts_where_its_end_could_not_be_written_down() {
    let mut shim = Shim::spawn_only();
    let disk = Disk::on(&shim);
    disk.fill();
    shim.send_launch(&sh("exit 9"));
    let Reply::Failed(failed) = shim.control().reply() else { panic!() };
    assert!(failed.message.contains("no space left on device"), "{}", failed.message);
}

#[test]
fn one_stream_only() {
    let stdout = Attach { stdout: true, ..Attach::default() };
    let stderr = Attach { stderr: true, ..Attach::default() };
    let (mut shim, _) = Shim::start(Plan { attached: vec![stdout, stderr], ..sh("echo out; echo err >&2") });
    assert_eq!(unframe(&drain(&mut shim.clients[0])), ("out\n".to_owned(), String::new()));
    assert_eq!(unframe(&drain(&mut shim.clients[1])), (String::new(), "err\n".to_owned()));
    shim.exited();
    shim.release();
}

#[test]
fn half_close_ends_stdin_and_output_goes_on() {
    let plan = interactive(Plan { attached: vec![ALL], ..sh("cat; echo after") }, true);
    let (mut shim, _) = Shim::start(plan);
    let mut client = shim.clients.remove(0);
    client.write_all(b"through\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(unframe(&drain(&mut client)).0, "through\nafter\n");
    assert_eq!(shim.exited().code, 0);
    shim.release();
}

#[test]
fn much_input_arrives_whole() {
    let plan = interactive(Plan { attached: vec![ALL], log: false, ..plan(&["/bin/cat"]) }, true);
    let (mut shim, _) = Shim::start(plan);
    let mut client = shim.clients.remove(0);
    let mut writer = client.try_clone().unwrap();
    let text = "0123456789abcde\n".repeat(200_000);
    let sent = text.clone();
    let writing = thread::spawn(move || {
        writer.write_all(sent.as_bytes()).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    assert!(unframe(&drain(&mut client)).0 == text);
    writing.join().unwrap();
    shim.exited();
    shim.release();
}

#[test]
fn stdin_of_a_closed_client() {
    // The client sends and closes at once: what it sent still arrives, then stdin ends because of `stdin_once`.
    let (mut shim, _) = Shim::start(interactive(Plan { attached: vec![ALL], ..sh("cat; echo end") }, true));
    let mut client = shim.clients.remove(0);
    client.write_all(b"last words\n").unwrap();
    drop(client);
    shim.exited();
    assert_eq!(shim.logged(), "last words\nend\n");
    shim.release();

    // Without it, stdin stays open for the next one.
    let (mut shim, _) = Shim::start(interactive(Plan { attached: vec![ALL], ..sh("cat; echo end") }, false));
    let mut client = shim.clients.remove(0);
    client.write_all(b"first\n").unwrap();
    assert_eq!(read_until(&mut client, true, |t| t.ends_with('\n')), "first\n");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(drain(&mut client), b"");
    let mut client = shim.attach(ALL);
    client.write_all(b"second\n").unwrap();
    assert_eq!(read_until(&mut client, true, |t| t.ends_with('\n')), "second\n");
    assert!(matches!(shim.control().ask(Request::CloseStdin), Reply::Done));
    assert_eq!(unframe(&drain(&mut client)).0, "end\n");
    shim.exited();
    shim.release();
}

#[test]
fn no_stdin_is_the_end_of_file() {
    let (mut shim, _) = Shim::start(sh("cat; echo $?"));
    shim.exited();
    assert_eq!(shim.logged(), "0\n");
    shim.release();
}

#[test]
fn terminal_with_resize() {
    let (mut shim, _) =
        Shim::start(terminal(Plan { attached: vec![ALL], ..sh("stty size; read x; stty size; exit 5") }));
    let mut client = shim.clients.remove(0);
    assert_eq!(read_until(&mut client, false, |t| t.ends_with('\n')), "30 100\r\n");
    assert!(matches!(shim.control().ask(Request::Resize { exec: None, rows: 11, cols: 22 }), Reply::Done));
    client.write_all(b"go\n").unwrap();
    assert_eq!(String::from_utf8(drain(&mut client)).unwrap(), "go\r\n11 22\r\n");
    assert_eq!(shim.exited().code, 5);
    assert_eq!(shim.logged(), "30 100\r\ngo\r\n11 22\r\n");
    shim.release();
}

#[test]
fn a_terminal_may_be_closed_and_opened_again() {
    let script = "exec </dev/null >/dev/null 2>&1; sleep 0.2; echo back >/dev/console";
    let (mut shim, _) = Shim::start(terminal(Plan { attached: vec![ALL], ..sh(script) }));
    assert_eq!(String::from_utf8(drain(&mut shim.clients[0])).unwrap(), "back\r\n");
    shim.exited();
    shim.release();
}

#[test]
fn a_lone_slow_reader_holds_the_container_back() {
    let plan = Plan { attached: vec![OUT], log: false, ..sh("head -c 8000000 /dev/zero; echo end >&2") };
    let (mut shim, _) = Shim::start(plan);
    thread::sleep(Duration::from_millis(300));
    let state = shim.control().ask(Request::Subscribe);
    assert!(matches!(state, Reply::State(State { exited: None, .. })), "{state:?}");
    let (out, err) = unframe(&drain(&mut shim.clients[0]));
    assert_eq!((out.len(), err.as_str()), (8_000_000, "end\n"));
    shim.exited();
    shim.release();
}

#[test]
fn a_stalled_client_is_dropped_for_the_others() {
    let plan = Plan { attached: vec![OUT, OUT], ..sh("yes 0123456 | head -c 8000000") };
    let (mut shim, _) = Shim::start(plan);
    let good = unframe(&drain(&mut shim.clients[1])).0;
    assert_eq!(good.len(), 8_000_000);
    shim.exited();
    let stalled = drain(&mut shim.clients[0]);
    assert!(stalled.len() < 3_000_000);
    shim.release();
}

#[test]
fn a_dead_client_changes_nothing() {
    let plan = Plan { attached: vec![OUT], ..sh("for i in $(seq 2000); do echo line $i; done") };
    let (mut shim, _) = Shim::start(plan);
    shim.clients.clear();
    assert_eq!(shim.exited().code, 0);
    assert_eq!(shim.logged().lines().count(), 2000);
    shim.release();
}

#[test]
fn execs() {
    let (mut shim, _) = Shim::start(sh("sleep 1000"));
    let (reply, mut stream) = shim.exec("one", &["sh", "-c", "cat; echo err >&2; exit 7"], false, ALL);
    assert!(matches!(reply, Reply::Started(_)), "{reply:?}");
    stream.write_all(b"in\n").unwrap();
    assert!(matches!(shim.control().ask(Request::Subscribe), Reply::State(s) if s.execs == ["one"]));
    stream.shutdown();
    assert_eq!(unframe(&drain(&mut stream)), ("in\n".to_owned(), "err\n".to_owned()));
    let (_, fact) = shim.control().fact();
    assert!(matches!(&fact, Fact::ExecExited { id, code: 7, .. } if id == "one"), "{fact:?}");

    let (reply, mut stream) = shim.exec("two", &["sh", "-c", "stty size; read x; stty size"], true, ALL);
    assert!(matches!(reply, Reply::Started(_)), "{reply:?}");
    let resize = Request::Resize { exec: Some("two".to_owned()), rows: 7, cols: 8 };
    assert!(matches!(shim.control().ask(resize), Reply::Done));
    stream.write_all(b"x\n").unwrap();
    assert!(String::from_utf8(drain(&mut stream)).unwrap().ends_with("7 8\r\n"));
    assert!(matches!(shim.control().fact().1, Fact::ExecExited { code: 0, .. }));

    let (reply, _) = shim.exec("three", &["nothing-there"], false, OUT);
    assert!(matches!(reply, Reply::Failed(Failed { kind: FailureKind::NotFound, .. })), "{reply:?}");

    let (reply, _) = shim.exec("four", &["sleep", "1000"], false, Attach::default());
    assert!(matches!(reply, Reply::Started(_)), "{reply:?}");
    assert!(matches!(shim.control().ask(Request::ExecKill { exec: "four".to_owned(), signal: 9 }), Reply::Done));
    assert!(matches!(shim.control().fact().1, Fact::ExecExited { code: 137, .. }));
    let refused = shim.control().ask(Request::ExecKill { exec: "four".to_owned(), signal: 9 });
    assert!(matches!(refused, Reply::Refused(_)), "{refused:?}");

    assert!(matches!(shim.control().ask(Request::Release), Reply::Refused(_)));
    assert!(matches!(shim.control().ask(Request::Kill { signal: 9 }), Reply::Done));
    assert_eq!(shim.exited().code, 137);
    shim.release();
}

#[test]
fn an_exec_that_leaves_its_pipe_to_others_ends_in_time() {
    let (mut shim, _) = Shim::start(sh("sleep 1000"));
    let begin = Instant::now();
    let (_, mut stream) = shim.exec("one", &["sh", "-c", "sleep 1000 & echo mine"], false, OUT);
    assert_eq!(unframe(&drain(&mut stream)).0, "mine\n");
    let took = begin.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(4)).contains(&took), "{took:?}");
    assert!(matches!(shim.control().fact().1, Fact::ExecExited { code: 0, .. }));
    assert!(matches!(shim.control().ask(Request::KillAll), Reply::Done));
    shim.exited();
    shim.release();
}

#[test]
fn facts_wait_for_the_next_daemon() {
    let (mut shim, _) = Shim::start(interactive(sh("echo before; read x; echo after $x; exit 9"), false));
    shim.control = None;
    shim.wait_for_log("before");
    let mut client = shim.attach(ALL);
    client.write_all(b"now\n").unwrap();
    assert_eq!(unframe(&drain(&mut client)).0, "after now\n");
    let deadline = Instant::now() + PATIENCE;
    while exit_file(&shim).is_none() {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(2));
    }
    let mut first = shim.connect();
    let Reply::State(state) = first.ask(Request::Subscribe) else { panic!() };
    assert_eq!(state.exited.map(|e| e.code), Some(9));
    let (number, fact) = first.fact();
    assert!(matches!(fact, Fact::Exited(Exited { code: 9, .. })) && number == 1);
    // Not acknowledged: the next one is told again, and the older hears no more.
    let mut second = shim.connect();
    second.ask(Request::Subscribe);
    assert_eq!(second.fact().0, 1);
    second.send(&Request::Ack(1));
    let mut third = shim.connect();
    third.ask(Request::Subscribe);
    third.stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(third.stream.read(&mut [0]).is_err(), "told after the acknowledgement");
    assert_eq!(shim.logged(), "before\nafter now\n");
    shim.control = Some(second);
    shim.release();
}

#[test]
fn signals_reach_the_process_unmasked() {
    let (mut shim, _) = Shim::start(sh(
        "grep Sig /proc/self/status; trap 'echo got; exit 4' TERM; echo ready; while :; do sleep 0.01; done",
    ));
    let mut client = shim.attach(OUT);
    shim.wait_for_log("ready");
    assert!(matches!(shim.control().ask(Request::Kill { signal: 15 }), Reply::Done));
    assert!(unframe(&drain(&mut client)).0.ends_with("got\n"));
    assert_eq!(shim.exited().code, 4);
    let log = shim.logged();
    assert!(log.contains("SigBlk:\t0000000000000000") && log.contains("SigIgn:\t0000000000000000"), "{log}");
    shim.release();
}

#[test]
fn a_failed_launch_leaves_nothing() {
    let mut shim = Shim::spawn(plan(&["/bin/nothing-there"]));
    let reply = shim.control().reply();
    assert!(matches!(&reply, Reply::Failed(f) if f.kind == FailureKind::NotFound), "{reply:?}");
    shim.expect_gone();
    let mut shim = Shim::spawn(plan(&["/etc"]));
    let reply = shim.control().reply();
    assert!(matches!(&reply, Reply::Failed(f) if f.kind == FailureKind::NotExecutable), "{reply:?}");
    shim.expect_gone();
}

#[test]
fn a_daemon_that_dies_before_the_launch_leaves_nothing() {
    let mut shim = Shim::spawn_only();
    shim.control().stream.write_all(&[200, 0, 0, 0, b'{']).unwrap();
    shim.control = None;
    shim.expect_gone();
    let mut shim = Shim::spawn_only();
    shim.control().stream.write_all(&[2, 0, 0, 0, b'{', b'}']).unwrap();
    shim.expect_gone();
}

#[test]
fn nonsense_closes_only_its_connection() {
    let (mut shim, _) = Shim::start(sh("sleep 1000"));
    let mut bad = shim.connect();
    bad.stream.write_all(&[3, 0, 0, 0, b'x', b'y', b'z']).unwrap();
    assert!(matches!(bad.reply(), Reply::Refused(_)));
    assert_eq!(drain(&mut bad.stream), b"");
    assert!(matches!(shim.control().ask(Request::Kill { signal: 9 }), Reply::Done));
    shim.exited();
    shim.release();
}

#[test]
fn out_of_memory_is_told() {
    let plan =
        Plan { memory: Some(16 << 20), ..sh("head -c 100000000 /dev/zero | tail -c 90000000 >/dev/null; exit 0") };
    let (mut shim, _) = Shim::start(plan);
    let (_, fact) = shim.control().fact();
    assert!(matches!(fact, Fact::Oom), "{fact:?}");
    assert!(shim.exited().oom);
    shim.release();
}

#[test]
fn orphans_are_reaped() {
    let script = "(sleep 0.1; exit 0) >/dev/null 2>&1 & echo $!; exec sleep 1000";
    let (mut shim, _) =
        Shim::start(Plan { host_pids: true, ..sh(&format!("sh -c '({script}) &' >/dev/null; sleep 1000")) });
    thread::sleep(Duration::from_millis(400));
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", shim.child.id())).unwrap();
    for child in children.split_ascii_whitespace() {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        assert!(!stat.contains(") Z "), "{stat}");
    }
    assert!(matches!(shim.control().ask(Request::KillAll), Reply::Done));
    shim.exited();
    shim.release();
}

/// Kilobytes of a field of `/proc/PID/smaps_rollup`.
fn memory(pid: u32, field: &str) -> u64 {
    let smaps = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = smaps.lines().find(|l| l.starts_with(field)).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn an_idle_shim_is_small() {
    const SHIMS: usize = 10;
    let script = "yes 0123456789 | head -n 20000; exec sleep 1000";
    let mut shims: Vec<_> = (0..SHIMS).map(|_| Shim::start(interactive(sh(script), false)).0).collect();
    while shims.iter().any(|s| s.log().lines().count() < 20_000) {
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(500));
    let mean = |field| shims.iter().map(|s| memory(s.child.id(), field)).sum::<u64>() / SHIMS as u64;
    let (pss, anonymous, rss) = (mean("Pss:"), mean("Pss_Anon:"), mean("Rss:"));
    println!("of {SHIMS} idle shims each: PSS {pss} KiB, of its own {anonymous} KiB, RSS {rss} KiB");
    if !cfg!(debug_assertions) {
        assert!(pss < 450 && anonymous < 250);
    }
    for mut shim in shims.drain(..) {
        assert!(matches!(shim.control().ask(Request::KillAll), Reply::Done));
        shim.exited();
        shim.release();
    }
}

/// Not a check: `cargo test --release -p lighter-shim timing -- --ignored --nocapture`
#[test]
#[ignore = "prints figures"]
fn timing() {
    let mut phases = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..100 {
        let mut shim = Shim::spawn_only();
        let ready = Instant::now();
        shim.send_launch(&plan(&["/bin/true"]));
        assert!(matches!(shim.control().reply(), Reply::Started(_)));
        let started = Instant::now();
        shim.exited();
        let exited = Instant::now();
        shim.release();
        phases[0].push(started - ready);
        phases[1].push(exited - started);
        phases[2].push(exited.elapsed());
    }
    for (name, mut times) in
        ["exec of the shim until started", "until the exit is told", "until released and gone"].into_iter().zip(phases)
    {
        times.sort();
        println!("{name}: median {:?}, best {:?}, worst {:?}", times[50], times[0], times[99]);
    }
}

/// As [`timing`]: a million lines of 100 bytes from the container into the log.
#[test]
#[ignore = "prints figures"]
fn throughput() {
    let line = "x".repeat(99);
    for _ in 0..3 {
        let begin = Instant::now();
        let (mut shim, _) = Shim::start(sh(&format!("yes {line} | head -n 1000000")));
        shim.exited();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", shim.child.id())).unwrap();
        let ticks: Vec<u64> = stat.split_ascii_whitespace().skip(13).take(2).map(|f| f.parse().unwrap()).collect();
        println!("a million lines logged in {:?}; the shim used {ticks:?} ticks (user, system)", begin.elapsed());
        shim.release();
    }
}

fn probed(shim: &mut Shim) -> Probed {
    match shim.control().fact().1 {
        Fact::Probed(probed) => probed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_probe_is_told_with_what_it_said_in_order_and_not_logged() {
    let (mut shim, started) = Shim::start(sh("exec sleep 1000"));
    assert!(matches!(shim.probe(&["sh", "-c", "echo a; echo b >&2; echo c; exit 3"], 5000), Reply::Started(_)));
    let said = probed(&mut shim);
    assert_eq!((said.id.as_str(), said.code, said.timed_out, said.output.as_str()), ("probe", 3, false, "a\nb\nc\n"));
    assert!(said.at >= said.begun && said.begun >= started.at);
    assert!(matches!(shim.probe(&["nothing-there"], 9), Reply::Failed(f) if f.kind == FailureKind::NotFound));
    assert_eq!(shim.logged(), "");
    assert!(matches!(shim.control().ask(Request::KillAll), Reply::Done));
    assert_eq!(shim.exited().signal, 9);
    shim.release();
}

#[test]
fn a_late_probe_is_killed_with_its_children() {
    let (mut shim, _) = Shim::start(sh("exec sleep 1000"));
    let begin = Instant::now();
    assert!(matches!(shim.probe(&["sh", "-c", "echo begun; sleep 1000 & sleep 1000"], 200), Reply::Started(_)));
    let said = probed(&mut shim);
    assert_eq!((said.code, said.timed_out, said.output.as_str()), (137, true, "begun\n"));
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(200) && took < Duration::from_secs(2), "{took:?}");
    assert!(matches!(shim.control().ask(Request::KillAll), Reply::Done));
    shim.exited();
    shim.release();
}
