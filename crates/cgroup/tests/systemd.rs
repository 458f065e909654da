//! The systemd driver against a bus of our own: what is said, and what becomes of each answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;

use cgroup::Version;
use cgroup::systemd::{Message, MessageKind, Scope, Systemd, Value, decode, encode, length};
use oci::runtime::{Memory, Resources};

/// A bus with systemd behind it. `answer` makes replies (without their serials) of a call.
struct FakeBus {
    socket: PathBuf,
    /// The calls which came, by member.
    thread: JoinHandle<Vec<Message>>,
}

impl FakeBus {
    fn start(name: &str, answer: impl FnMut(&Message) -> Vec<Message> + Send + 'static) -> Self {
        let socket = std::env::temp_dir().join(format!("lighter-bus-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).unwrap();
        let thread = std::thread::spawn(move || serve(listener.accept().unwrap().0, answer));
        Self { socket, thread }
    }

    fn end(self) -> Vec<Message> {
        let _ = std::fs::remove_file(&self.socket);
        self.thread.join().unwrap()
    }
}

fn serve(stream: UnixStream, mut answer: impl FnMut(&Message) -> Vec<Message>) -> Vec<Message> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "\0AUTH EXTERNAL 30\r\n", "the tests run as root");
    writer.write_all(b"OK 0123456789abcdef0123456789abcdef\r\n").unwrap();
    line.clear();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "BEGIN\r\n");
    let (mut calls, mut bytes) = (Vec::new(), Vec::new());
    loop {
        while let Some(whole) = length(&bytes).unwrap().filter(|whole| bytes.len() >= *whole) {
            let call = decode(&bytes.drain(..whole).collect::<Vec<u8>>()).unwrap();
            for reply in answer(&call) {
                let reply_serial = if reply.kind == MessageKind::Signal { 0 } else { call.serial };
                writer.write_all(&encode(&Message { serial: 1, reply_serial, ..reply })).unwrap();
            }
            calls.push(call);
        }
        let mut buffer = [0u8; 7];
        match reader.read(&mut buffer) {
            Ok(0) | Err(_) => return calls,
            Ok(count) => bytes.extend(&buffer[..count]),
        }
    }
}

fn done(body: Vec<Value>) -> Message {
    Message { body, ..Message::new(MessageKind::Return, 1) }
}

fn refused(name: &str) -> Message {
    let body = vec![Value::Text("no".into())];
    Message { error: name.into(), body, ..Message::new(MessageKind::Error, 1) }
}

fn removed(job: &str, result: &str) -> Message {
    let body = vec![Value::U32(1), Value::Path(job.into()), Value::Text("x.scope".into()), Value::Text(result.into())];
    Message {
        member: "JobRemoved".into(),
        path: "/x".into(),
        interface: "i.i".into(),
        body,
        ..Message::new(MessageKind::Signal, 1)
    }
}

fn scope() -> Scope {
    Scope::parse("a-b.slice:lighter:77").unwrap()
}

fn start(bus: &FakeBus, is_bus: bool) -> values::Result<()> {
    let memory = Memory { limit: Some(1 << 20), ..Memory::default() };
    let resources = Resources { memory: Some(memory), ..Resources::default() };
    Systemd::connect_to(&bus.socket, is_bus)?.start_scope(Version::V2, &scope(), 4711, &resources)
}

fn members(calls: &[Message]) -> Vec<&str> {
    calls.iter().map(|call| call.member.as_str()).collect()
}

#[test]
fn a_scope_is_started_and_its_job_waited_for() {
    let bus = FakeBus::start("start", |call| match call.member.as_str() {
        // the job's end may be told before the reply
        "StartTransientUnit" => {
            vec![removed("/other", "failed"), removed("/j/1", "done"), done(vec![Value::Path("/j/1".into())])]
        }
        _ => vec![done(vec![])],
    });
    start(&bus, true).unwrap();
    let calls = bus.end();
    assert_eq!(members(&calls), ["Hello", "AddMatch", "Subscribe", "StartTransientUnit"]);
    assert_eq!(calls[3].destination, "org.freedesktop.systemd1");
    assert_eq!(calls[3].body[..2], [Value::Text("lighter-77.scope".into()), Value::Text("replace".into())]);
}

#[test]
fn systemd_itself_needs_no_greeting() {
    let bus = FakeBus::start("private", |call| match call.member.as_str() {
        "StartTransientUnit" => vec![done(vec![Value::Path("/j/1".into())]), removed("/j/1", "done")],
        _ => vec![done(vec![])],
    });
    start(&bus, false).unwrap();
    assert_eq!(members(&bus.end()), ["Subscribe", "StartTransientUnit"]);
}

#[test]
fn what_goes_wrong_is_told() {
    let bus = FakeBus::start("failed", |call| match call.member.as_str() {
        "StartTransientUnit" => vec![done(vec![Value::Path("/j/1".into())]), removed("/j/1", "timeout")],
        _ => vec![done(vec![])],
    });
    let error = start(&bus, true).unwrap_err();
    assert_eq!(error.message, "systemd could not start lighter-77.scope: timeout");
    bus.end();
    let bus = FakeBus::start("refused", |call| match call.member.as_str() {
        "StartTransientUnit" => vec![refused("org.x.Denied")],
        _ => vec![done(vec![])],
    });
    assert_eq!(start(&bus, true).unwrap_err().message, "systemd refuses: no (org.x.Denied)");
    bus.end();
    let nobody = Systemd::connect_to(std::path::Path::new("/nowhere/at/all"), true).err().unwrap();
    assert_eq!(nobody.kind, values::ErrorKind::Unavailable);
}

#[test]
fn a_scope_of_the_last_run_is_cleared_away() {
    let mut first = true;
    let bus = FakeBus::start("exists", move |call| match call.member.as_str() {
        "StartTransientUnit" if std::mem::take(&mut first) => vec![refused("org.freedesktop.systemd1.UnitExists")],
        "StartTransientUnit" => vec![done(vec![Value::Path("/j/1".into())]), removed("/j/1", "done")],
        "ResetFailedUnit" => vec![refused("org.freedesktop.systemd1.NoSuchUnit")],
        _ => vec![done(vec![])],
    });
    start(&bus, false).unwrap();
    let calls = bus.end();
    assert_eq!(members(&calls), ["Subscribe", "StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"]);
}

#[test]
fn stopping_and_changing() {
    let bus = FakeBus::start("stop", |call| match call.member.as_str() {
        "StopUnit" => vec![refused("org.freedesktop.systemd1.NoSuchUnit")],
        _ => vec![done(vec![])],
    });
    let mut systemd = Systemd::connect_to(&bus.socket, false).unwrap();
    systemd.stop("lighter-77.scope").unwrap();
    let memory = Memory { limit: Some(5), ..Memory::default() };
    let resources = Resources { memory: Some(memory), ..Resources::default() };
    systemd.set_limits(Version::V2, "lighter-77.scope", &resources).unwrap();
    systemd.set_limits(Version::V2, "lighter-77.scope", &Resources::default()).unwrap();
    drop(systemd);
    assert_eq!(members(&bus.end()), ["Subscribe", "StopUnit", "ResetFailedUnit", "SetUnitProperties"]);
}
