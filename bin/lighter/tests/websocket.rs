//! Attaching by WebSocket (RFC 6455).

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use testkit::Daemon;

/// A client's end, after the handshake.
fn attach(daemon: &Daemon, target: &str) -> UnixStream {
    let mut socket = UnixStream::connect(daemon.socket()).expect("connect");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
    let request = format!(
        "GET /containers/{target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).expect("send");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    socket
}

/// A frame masked with zeros.
fn send(socket: &mut UnixStream, opcode: u8, payload: &[u8]) {
    let head = [0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    socket.write_all(&[&head[..], payload].concat()).expect("send");
}

/// The next short frame.
fn receive(socket: &mut UnixStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    socket.read_exact(&mut head).expect("a frame");
    let mut payload = vec![0; usize::from(head[1])];
    socket.read_exact(&mut payload).expect("a payload");
    (head[0] & 0x0f, payload)
}

#[test]
fn both_ways_with_pings() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["create", "-i", "--name", "cat", "busybox", "sh", "-c", "read x; echo got $x; exit 3"]).ok();
    let mut socket = attach(&daemon, "cat/attach/ws?stream=1&stdin=1&stdout=1&stderr=1");
    daemon.run(&["start", "cat"]).ok();
    send(&mut socket, 9, b"there?");
    assert_eq!(receive(&mut socket), (10, b"there?".to_vec()));
    send(&mut socket, 1, b"a li");
    send(&mut socket, 2, b"ne\n");
    assert_eq!(receive(&mut socket), (2, b"got a line\n".to_vec()));
    assert_eq!(receive(&mut socket), (8, vec![3, 232]));
    send(&mut socket, 8, &[3, 232]);
    daemon.run(&["wait", "cat"]).ok().stdout("3\n");
    daemon.run(&["rm", "cat"]).ok();
}

#[test]
fn logs_and_one_stream() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["run", "--name", "said", "busybox", "sh", "-c", "echo out; echo err >&2"]).ok();
    let mut socket = attach(&daemon, "said/attach/ws?logs=1&stdout=1");
    assert_eq!((receive(&mut socket), receive(&mut socket).0), ((2, b"out\n".to_vec()), 8));
    let mut socket = attach(&daemon, "said/attach/ws?logs=1&stderr=1");
    assert_eq!((receive(&mut socket), receive(&mut socket).0), ((2, b"err\n".to_vec()), 8));
    daemon.run(&["rm", "said"]).ok();
}

#[test]
fn detach_keys_and_a_close() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["run", "-dit", "--name", "term", "busybox", "cat"]).ok();
    let target = "term/attach/ws?stream=1&stdin=1&stdout=1&detachKeys=ctrl-x";
    let mut socket = attach(&daemon, target);
    send(&mut socket, 2, b"\x18");
    assert_eq!(receive(&mut socket), (8, vec![3, 232]));
    let mut socket = attach(&daemon, target);
    send(&mut socket, 8, &[3, 233]);
    assert_eq!(receive(&mut socket), (8, vec![3, 233]));
    let mut socket = attach(&daemon, target);
    socket.write_all(b"\x82\x01unmasked").expect("send");
    assert_eq!(receive(&mut socket), (8, vec![3, 234]));
    assert_eq!(daemon.inspect("term", "{{.State.Running}}"), "true");
    daemon.run(&["rm", "-f", "term"]).ok();
}

#[test]
fn refusals_are_plain_http() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["create", "--name", "web", "busybox"]).ok();
    let get = |head: &str| daemon.raw(&format!("GET {head}\r\nHost: x\r\nConnection: close\r\n\r\n"));
    let plain = get("/containers/web/attach/ws?stream=1 HTTP/1.1");
    assert!(plain.starts_with("HTTP/1.1 400") && plain.contains("not a websocket handshake"), "{plain}");
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let nope = get(&format!("/containers/nope/attach/ws HTTP/1.1\r\n{upgrade}"));
    assert!(nope.starts_with("HTTP/1.1 404") && nope.contains("No such container: nope"), "{nope}");
    daemon.run(&["rm", "web"]).ok();
}
