//! `stats`, by our client and by Docker's.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use testkit::{Cli, Daemon, eventually, real_docker};

fn clients() -> impl Iterator<Item = Cli> {
    [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten()
}

const BUSY: &str = "while true; do :; done";

#[test]
fn one_table() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["run", "-d", "--name", "web", "-m", "64m", "--pids-limit", "9", "busybox", "sleep", "1000"]).ok();
    for cli in clients() {
        daemon.set_cli(cli);
        let table = daemon.run(&["stats", "--no-stream"]).ok().stdout.clone();
        let (header, row) = table.split_once('\n').expect("two lines");
        assert_eq!(
            header.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect::<Vec<_>>(),
            ["CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS"]
        );
        assert!(row.contains(" web ") && row.contains(" / 64MiB ") && row.trim_end().ends_with('1'), "{row}");
    }
    daemon.run(&["rm", "-f", "web"]).ok();
}

#[test]
fn columns_and_names() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["run", "-d", "--name", "web", "busybox", "sleep", "1000"]).ok();
    let id = daemon.inspect("web", "{{.Id}}");
    for cli in clients() {
        daemon.set_cli(cli);
        let format = ["stats", "--no-stream", "--no-trunc", "--format", "{{.Container}} {{.ID}} {{.Name}} {{.PIDs}}"];
        daemon.run(&[&format[..], &["web"]].concat()).ok().stdout(&format!("web {id} web 1\n"));
        let json = daemon.run(&["stats", "--no-stream", "--format", "json"]).ok().stdout.clone();
        assert!(
            json.starts_with(r#"{"BlockIO":"0B / 0B","CPUPerc":""#) && json.ends_with("\"PIDs\":\"1\"}\n"),
            "{json}"
        );
        daemon.run(&["stats", "--no-stream", "web", "nope"]).status(1).stderr_has("No such container: nope");
    }
    daemon.run(&["rm", "-f", "web"]).ok();
}

#[test]
fn a_stopped_one_has_zeros() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["run", "--name", "done", "busybox", "true"]).ok();
    for cli in clients() {
        daemon.set_cli(cli);
        daemon.run(&["stats", "--no-stream", "--format", "{{.Name}}"]).ok().stdout("");
        let format = "{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.NetIO}} {{.PIDs}}";
        let zeros = "done 0.00% 0B / 0B 0B / 0B 0\n";
        daemon.run(&["stats", "--no-stream", "-a", "--format", format]).ok().stdout(zeros);
        daemon.run(&["stats", "--no-stream", "--format", format, "done"]).ok().stdout(zeros);
    }
    daemon.run(&["rm", "done"]).ok();
}

fn get(daemon: &Daemon, path: &str) -> String {
    daemon.raw(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
}

#[test]
fn once_with_and_without_a_sample_before() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["run", "-d", "--name", "web", "busybox", "sh", "-c", BUSY]).ok();
    let one_shot = get(&daemon, "/v1.51/containers/web/stats?stream=0&one-shot=1");
    assert!(one_shot.contains(r#""preread":"0001-01-01T00:00:00Z""#), "{one_shot}");
    let lately = get(&daemon, "/v1.51/containers/web/stats?stream=0");
    let precpu = lately.split("precpu_stats").nth(1).expect("precpu_stats");
    assert!(
        !precpu.starts_with(r#"":{"cpu_usage":{"total_usage":0,"#) && precpu.contains("system_cpu_usage"),
        "{precpu}"
    );
    assert!(lately.contains(r#""eth0":{"rx_bytes""#), "{lately}");
    let both = get(&daemon, "/containers/web/stats?one-shot=1");
    assert!(both.starts_with("HTTP/1.1 400") && both.contains("cannot have stream=true and one-shot=true"), "{both}");
    assert!(get(&daemon, "/containers/nope/stats").starts_with("HTTP/1.1 404"));
    daemon.run(&["rm", "-f", "web"]).ok();
}

#[test]
fn a_stream_ends_with_its_container() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["run", "-d", "--name", "web", "busybox", "sleep", "1000"]).ok();
    let mut socket = UnixStream::connect(daemon.socket()).expect("connect");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
    socket.write_all(b"GET /containers/web/stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("send");
    let mut lines = BufReader::new(socket);
    let mut reads = 0;
    while reads < 2 {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).expect("a line") > 0, "an early end");
        reads += usize::from(line.contains("\"read\":\"20"));
    }
    daemon.run(&["rm", "-f", "web"]).ok();
    lines.read_to_string(&mut String::new()).expect("the end");
}

#[test]
fn the_live_table_follows_what_happens() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    for cli in clients() {
        daemon.set_cli(cli);
        let format = ["stats", "--format", "<{{.Name}}>"];
        let mut client = daemon.command(&format).stdout(Stdio::piped()).spawn().expect("run the client");
        let mut output = client.stdout.take().expect("stdout");
        daemon.run(&["run", "-d", "--name", "late", "busybox", "sleep", "1000"]).ok();
        let (mut seen, mut piece) = (String::new(), [0; 4096]);
        eventually("the new container's line", || {
            let count = output.read(&mut piece).expect("output");
            seen.push_str(&String::from_utf8_lossy(&piece[..count]));
            seen.contains("<late>")
        });
        client.kill().and_then(|()| client.wait()).expect("end the client");
        daemon.run(&["rm", "-f", "late"]).ok();
    }
}
