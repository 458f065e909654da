//! Output that comes late, in pieces or as an error.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use testkit::{Cli, Daemon, eventually, real_docker};

#[test]
fn a_reader_may_take_its_time() {
    let daemon = Daemon::with_images(&["busybox"]);
    // more than a socket holds, less than what makes the container wait for its reader
    let mut command = daemon.command(&["run", "--rm", "busybox", "head", "-c", "1000000", "/dev/zero"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("run the client");
    eventually("the container's end", || daemon.run(&["ps", "-aq"]).ok().stdout.is_empty());
    std::thread::sleep(Duration::from_secs(12));
    let mut output = Vec::new();
    child.stdout.take().expect("stdout").read_to_end(&mut output).expect("read");
    assert_eq!((output.len(), child.wait().expect("wait").code()), (1_000_000, Some(0)));
}

#[test]
fn an_exec_that_fails_says_so_in_its_output() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["run", "-d", "--name", "web", "busybox", "sleep", "1000"]).ok();
    for cli in [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten() {
        daemon.set_cli(cli);
        daemon.run(&["exec", "web", "nonsense"]).status(127).stdout_has("executable file not found in $PATH");
        daemon
            .run(&["exec", "-u", "nobodyknows", "web", "true"])
            .status(1)
            .stderr_has("unable to find user nobodyknows");
        daemon.run(&["exec", "-d", "web", "nonsense"]).status(1).stderr_has("executable file not found in $PATH");
        daemon.run(&["exec", "web", "sh", "-c", "exit 4"]).status(4);
    }
    daemon.run(&["rm", "-f", "web"]).ok();
}

/// docker-py reads the head of the reply with a buffer and then the bare socket: what comes with the head is lost to it.
#[test]
fn an_execs_head_does_not_wait_for_its_process() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["run", "-d", "--name", "web", "busybox", "sleep", "1000"]).ok();
    let post = |path: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let created = daemon.raw(&post("/containers/web/exec", r#"{"Cmd":["echo","here"],"AttachStdout":true}"#));
    let id = created.split('"').rfind(|part| part.len() == 64).expect("an id").to_owned();
    let mut socket = UnixStream::connect(daemon.socket()).expect("connect");
    std::io::Write::write_all(&mut socket, post(&format!("/exec/{id}/start"), "{}").as_bytes()).expect("send");
    let mut first = vec![0; 4096];
    let count = socket.read(&mut first).expect("read");
    let first = String::from_utf8_lossy(&first[..count]).into_owned();
    assert!(first.starts_with("HTTP/1.1 200 OK\r\n") && first.ends_with("\r\n\r\n"), "{first:?}");
    let mut rest = String::new();
    socket.read_to_string(&mut rest).expect("read");
    assert!(rest.ends_with("here\n"), "{rest:?}");
    daemon.run(&["rm", "-f", "web"]).ok();
}

#[test]
fn only_stdin_attached() {
    let daemon = Daemon::with_images(&["busybox"]);
    let args = ["run", "--rm", "-i", "-a", "stdin", "busybox", "sh", "-c", "read code; exit $code"];
    daemon.run_with_input(&args, b"4\n").status(4).stdout("");
}

#[test]
fn who_attaches_to_nothing_is_not_kept() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["create", "--name", "new", "busybox", "true"]).ok();
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"POST /containers/new/attach?stream=1 HTTP/1.1\r\nHost: d\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("the end of the stream");
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
}
