//! The seeds' example projects on networks, with busybox in place of their programs. With the programs themselves:
//! `tests/stories/networks.py`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use testkit::{Cli, Daemon, eventually, real_docker};

/// A container that answers each connection by a script.
fn serve(daemon: &Daemon, name: &str, flags: &[&str], port: &str, script: &str) {
    let server = ["busybox", "nc", "-ll", "-p", port, "-e", "sh", "-c", script];
    daemon.run(&[&["run", "-d", "--name", name][..], flags, &server].concat()).ok();
    let listens = format!("netstat -ltn | grep -q :{port}");
    eventually("it listens", || daemon.command(&["exec", name, "sh", "-c", &listens]).status().unwrap().success());
}

/// `-p` of an address that only this test has: while a daemon is killed nobody keeps others' daemons from its ports.
fn published(test: u8) -> String {
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.{}.{low}.{test}::80", high.max(1))
}

fn address(daemon: &Daemon, container: &str) -> String {
    daemon.run(&["port", container, "80"]).ok().text().to_owned()
}

/// What a server answers to a line.
fn ask(address: &str, line: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    writeln!(stream, "{line}").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

/// Keeps lines, each in a file of its own, so that none is lost to another: `push X`, `pop`, and `count`.
const STORE: &str = "read verb line; mkdir -p /q; case $verb in \
    push) f=$(mktemp); echo $line > $f; mv $f /q; echo ok;; \
    pop) f=$(ls /q | head -n 1); [ $f ] && mv /q/$f /tmp && cat /tmp/$f;; \
    count) cat /q/* | sort | uniq -c | tr -s ' ';; esac";

/// Vote → redis → worker → db → result, while the daemon dies.
#[test]
fn the_voting_application() {
    for cli in [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten() {
        let mut daemon = Daemon::with_images(&["busybox"]).through(cli);
        serve(&daemon, "redis", &["--expose", "6379"], "6379", STORE);
        serve(&daemon, "db", &["--expose", "5432"], "5432", STORE);
        let port = published(1);
        let vote = "read v; echo push $v | nc redis 6379";
        serve(&daemon, "vote", &["-p", &port, "--link", "redis:redis"], "80", vote);
        serve(&daemon, "result", &["-p", &port, "--link", "db:db"], "80", "read x; echo count | nc db 5432");
        let work = "while :; do v=$(echo pop | nc redis 6379); if [ \"$v\" ]; then echo push $v | nc db 5432; else usleep 50000; fi; done";
        let links = ["run", "-d", "--name", "worker", "--link", "db:db", "--link", "redis:redis"];
        daemon.run(&[&links[..], &["busybox", "sh", "-c", work]].concat()).ok();
        let (vote, result) = (address(&daemon, "vote"), address(&daemon, "result"));
        eventually("the first vote", || ask(&vote, "cats").is_some_and(|answer| answer == "ok\n"));
        daemon.kill();
        eventually("the second vote", || ask(&vote, "dogs").is_some_and(|answer| answer == "ok\n"));
        daemon.start_again();
        eventually("the third vote", || ask(&vote, "cats").is_some_and(|answer| answer == "ok\n"));
        eventually("the result", || ask(&result, "").is_some_and(|answer| answer == " 2 cats\n 1 dogs\n"));
        daemon.run(&["exec", "vote", "nc", "-w", "1", "db", "5432"]).status(1);
    }
}

/// Redis, an application, a proxy in front of it: a stream of events that is not cut when the daemon dies.
#[test]
fn a_stream_of_events() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    let channel =
        "read verb line; touch /c; case $verb in publish) echo $line >> /c;; subscribe) exec tail -f /c;; esac";
    serve(&daemon, "redis", &["--expose", "6379"], "6379", channel);
    let application = "(echo subscribe; sleep 1000) | nc redis 6379 | while read e; do echo data:$e; done";
    serve(&daemon, "flask-sse_gunicorn", &["--link=redis:redis", "--expose", "5000"], "5000", application);
    let port = published(2);
    let link = ["-p", &port, "--link=flask-sse_gunicorn:flask-sse_gunicorn"];
    serve(&daemon, "nginx", &link, "80", "exec nc flask-sse_gunicorn 5000");
    let publish = |daemon: &Daemon, event: &str| {
        let script = format!("echo publish {event} | nc redis 6379");
        daemon.run(&["exec", "flask-sse_gunicorn", "sh", "-c", &script]).ok();
    };
    let stream = TcpStream::connect(address(&daemon, "nginx")).expect("the published port");
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut lines = BufReader::new(&stream).lines();
    for event in ["one", "two", "three"] {
        publish(&daemon, event);
        let line = lines.next().unwrap_or_else(|| panic!("the stream ended before {event}"));
        assert_eq!(line.expect(event), format!("data:{event}"));
        daemon.kill();
        daemon.start_again();
    }
    stream.shutdown(Shutdown::Both).unwrap();
    let published = daemon.run(&["ps", "--format", "{{.Names}} {{.Ports}}"]).ok().stdout;
    assert_eq!(published.lines().filter(|line| line.contains("->")).count(), 1, "{published}");
    daemon.run(&["stop", "-t", "0", "redis"]).ok();
    daemon.run(&["run", "-d", "--name", "between", "busybox", "sleep", "1000"]).ok();
    daemon.run(&["start", "redis"]).ok();
    let moved = format!("{}\tredis", daemon.inspect("redis", "{{.NetworkSettings.Networks.bridge.IPAddress}}"));
    daemon.run(&["exec", "flask-sse_gunicorn", "cat", "/etc/hosts"]).ok().stdout_has(&moved);
}
