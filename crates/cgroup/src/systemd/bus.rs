//! A connection to systemd: over the system's bus, or its private socket where there is no bus.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use values::{Error, ErrorKind, Result, ResultExt};

use super::message::{Kind, Message, Value, decode, encode, length};

const BUS: &str = "/run/dbus/system_bus_socket";
const PRIVATE: &str = "/run/systemd/private";
const SYSTEMD: &str = "org.freedesktop.systemd1";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const DBUS: &str = "org.freedesktop.DBus";
/// systemd answers in milliseconds; when it is stuck, so is the machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Bus {
    stream: UnixStream,
    serial: u32,
    received: Vec<u8>,
    /// Signals that came while a reply was waited for.
    signals: Vec<Message>,
    until: Instant,
}

/// A call that systemd refused: the error's name and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub name: String,
    pub text: String,
}

impl Bus {
    /// # Errors
    /// `Unavailable` when nobody answers.
    pub fn connect() -> Result<Self> {
        if Path::new(BUS).exists() {
            return Self::connect_to(Path::new(BUS), true);
        }
        Self::connect_to(Path::new(PRIVATE), false)
    }

    /// `is_bus`: one that wants to be greeted, and to be told which signals we like.
    pub fn connect_to(path: &Path, is_bus: bool) -> Result<Self> {
        let unavailable = |e: std::io::Error| {
            let why = values::system_words(&e);
            Error::new(ErrorKind::Unavailable, format!("systemd cannot be reached at {}: {why}", path.display()))
        };
        let stream = UnixStream::connect(path).map_err(unavailable)?;
        let until = Instant::now() + PATIENCE;
        let mut bus = Self { stream, serial: 0, received: Vec::new(), signals: Vec::new(), until };
        bus.authenticate()?;
        if is_bus {
            bus.dbus("Hello", Vec::new())?;
            let rule = "type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";
            bus.dbus("AddMatch", vec![Value::Text(rule.to_owned())])?;
        }
        bus.manager("Subscribe", Vec::new())?.map_err(|refused| refused.into_error())?;
        Ok(bus)
    }

    /// SASL EXTERNAL: who we are the kernel tells.
    fn authenticate(&mut self) -> Result<()> {
        let uid = rustix::process::geteuid().as_raw().to_string();
        let hex: String = uid.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.send(format!("\0AUTH EXTERNAL {hex}\r\n").as_bytes())?;
        loop {
            if let Some(end) = self.received.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&self.received[..end]).into_owned();
                self.received.drain(..end + 2);
                if line.starts_with("OK ") {
                    return self.send(b"BEGIN\r\n");
                }
                return Err(Error::forbidden(format!("systemd's bus refuses us: {line}")));
            }
            self.receive()?;
        }
    }

    fn dbus(&mut self, member: &str, body: Vec<Value>) -> Result<()> {
        let reply = self.call(DBUS, "/org/freedesktop/DBus", DBUS, member, body)?;
        reply.map(drop).map_err(Refused::into_error)
    }

    /// Calls a method of systemd's manager.
    ///
    /// # Errors
    /// `Unavailable` when the connection fails; the inner one is systemd's own.
    pub fn manager(&mut self, member: &str, body: Vec<Value>) -> Result<std::result::Result<Message, Refused>> {
        self.call(SYSTEMD, MANAGER_PATH, MANAGER, member, body)
    }

    fn call(
        &mut self,
        destination: &str,
        path: &str,
        interface: &str,
        member: &str,
        body: Vec<Value>,
    ) -> Result<std::result::Result<Message, Refused>> {
        self.serial += 1;
        let call = Message::call(self.serial, destination, path, interface, member, body);
        self.send(&encode(&call))?;
        loop {
            let message = self.next()?;
            match message.kind {
                Kind::Return if message.reply_serial == call.serial => return Ok(Ok(message)),
                Kind::Error if message.reply_serial == call.serial => {
                    let text = message.body.first().and_then(Value::text).unwrap_or_default().to_owned();
                    return Ok(Err(Refused { name: message.error, text }));
                }
                Kind::Signal => self.signals.push(message),
                _ => {}
            }
        }
    }

    /// Waits for the end of a job; its result, `done` when all went well.
    pub fn wait_for_job(&mut self, job: &str) -> Result<String> {
        loop {
            let message = match self.signals.pop() {
                Some(message) => message,
                None => self.next()?,
            };
            // JobRemoved(u id, o job, s unit, s result)
            if message.kind == Kind::Signal && message.member == "JobRemoved" {
                let word = |index: usize| message.body.get(index).and_then(Value::text).unwrap_or_default();
                if word(1) == job {
                    return Ok(word(3).to_owned());
                }
            }
        }
    }

    fn next(&mut self) -> Result<Message> {
        let broken = |why: &str| Error::internal(format!("systemd's bus: {why}"));
        loop {
            if let Some(whole) = length(&self.received).map_err(broken)?
                && self.received.len() >= whole
            {
                let bytes: Vec<u8> = self.received.drain(..whole).collect();
                return decode(&bytes).map_err(broken);
            }
            self.receive()?;
        }
    }

    fn left(&self) -> Result<Option<Duration>> {
        match self.until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(Error::unavailable("systemd has not answered for 30 seconds")),
            left => Ok(Some(left)),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write_all(bytes).during(|| "write to systemd's bus")
    }

    fn receive(&mut self) -> Result<()> {
        self.stream.set_read_timeout(self.left()?)?;
        let mut buffer = [0u8; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(Error::unavailable("systemd's bus has closed the connection")),
            Ok(count) => {
                self.received.extend(&buffer[..count]);
                Ok(())
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => self.left().map(drop),
            Err(e) => Err(e).during(|| "read from systemd's bus"),
        }
    }
}

impl Refused {
    pub fn into_error(self) -> Error {
        Error::internal(format!("systemd refuses: {} ({})", self.text, self.name))
    }
}
