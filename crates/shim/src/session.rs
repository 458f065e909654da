//! A process of the container (its first one, or an exec) with its streams and the clients attached to them.

use crate::client::{Client, Received};
use crate::input::{Fate, Input};
use crate::log::LogWriter;
use crate::poller::{Interest, Poller, Registration, Token};
use crate::probe::Probe;
use crate::protocol::Attach;
use crate::stream::Stream;
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitStatus, kill_process_group};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use values::Timestamp;

/// How long an ended process' outputs may stay open because somebody else holds them.
const DRAIN: Duration = Duration::from_secs(2);
/// How long a client that takes nothing may hold others up.
const STALLED: Duration = Duration::from_secs(10);
/// An ending process closes its outputs a moment before its end can be seen.
const LAST_BREATH: Duration = Duration::from_millis(100);

/// The process side of a session.
pub struct Process {
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub terminal: bool,
    pub input: Option<OwnedFd>,
    /// stdout (or the terminal) and stderr; non-blocking.
    pub outputs: [Option<OwnedFd>; 2],
    /// The process' side of its terminal: while we hold it, a process which closes all its own (to open `/dev/console`
    /// again) is not hung up on.
    pub terminal_peer: Option<OwnedFd>,
}

/// How and when the process ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// 0–255, or 128 + the number of the signal that killed it.
    pub code: i32,
    /// 0: it exited.
    pub signal: i32,
    pub at: Timestamp,
    seen: Instant,
}

pub struct Session {
    id: u32,
    /// The id of the exec; None: the container's first process.
    pub exec: Option<String>,
    pub pid: i32,
    pub pidfd: OwnedFd,
    terminal: bool,
    /// The process' input ends with the client that feeds it.
    input_follows_client: bool,
    input: Option<Input>,
    outputs: [Option<Output>; 2],
    terminal_peer: Option<OwnedFd>,
    log: Option<LogWriter>,
    /// It is a health probe.
    pub probe: Option<Probe>,
    clients: Vec<Client>,
    ended: Option<Ended>,
    /// Since when all outputs are closed.
    silent_since: Option<Instant>,
    reported: bool,
}

struct Output {
    fd: OwnedFd,
    token: Token,
    registration: Registration,
}

impl Session {
    pub fn new(
        id: u32,
        exec: Option<String>,
        process: Process,
        input_follows_client: bool,
        log: Option<LogWriter>,
    ) -> Self {
        let [first, second] = process.outputs;
        let output = |fd: Option<OwnedFd>, stream| {
            fd.map(|fd| Output { fd, token: Token::Output(id, stream), registration: Registration::default() })
        };
        Self {
            id,
            exec,
            pid: process.pid,
            pidfd: process.pidfd,
            terminal: process.terminal,
            input_follows_client: input_follows_client && !process.terminal,
            input: process.input.map(|fd| Input::new(fd, id)),
            outputs: [output(first, Stream::Stdout), output(second, Stream::Stderr)],
            terminal_peer: process.terminal_peer,
            log,
            probe: None,
            clients: Vec::new(),
            ended: None,
            silent_since: None,
            reported: false,
        }
    }

    pub fn id(&self) -> u32 {
        self.id
    }

    pub fn is_running(&self) -> bool {
        self.ended.is_none()
    }

    pub fn has_clients(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Whether the end has been told (see [`Session::take_end`]).
    pub fn is_reported(&self) -> bool {
        self.reported
    }

    /// Attaches a client which has sent `early` bytes of input already.
    pub fn attach(&mut self, poller: &Poller, client: Client, early: &[u8]) {
        if client.reading && !early.is_empty() {
            self.write_input(poller, early);
        }
        self.clients.push(client);
        self.register(poller);
    }

    pub fn resize(&self, rows: u16, cols: u16) -> rustix::io::Result<()> {
        match &self.outputs[0] {
            Some(console) if self.terminal => sys::tty::resize(&console.fd, rows, cols),
            _ => Err(Errno::NOTTY),
        }
    }

    /// The input ends behind what was written so far.
    pub fn close_input(&mut self, poller: &Poller) {
        if self.input.as_mut().is_some_and(|i| i.close() == Fate::Over) {
            self.drop_input(poller);
        }
        self.register(poller);
    }

    /// An output is readable or closed. `buffer` is scratch with a capacity.
    pub fn on_output(&mut self, poller: &Poller, stream: Stream, buffer: &mut Vec<u8>) {
        let Some(output) = &self.outputs[stream.index()] else { return };
        buffer.clear();
        match rustix::io::read(&output.fd, spare_capacity(buffer)) {
            Ok(1..) => self.deliver(stream, buffer),
            Err(Errno::AGAIN | Errno::INTR) => {}
            // A terminal whose last user closed it says EIO.
            Ok(0) | Err(_) => self.close_output(poller, stream),
        }
        self.register(poller);
    }

    /// The process takes input again, or never will.
    pub fn on_input(&mut self, poller: &Poller, flags: Interest) {
        let over = flags.contains(Interest::ERR) || self.input.as_mut().is_some_and(|i| i.flush() == Fate::Over);
        if over {
            self.drop_input(poller);
        }
        self.register(poller);
    }

    /// A client sends input, takes output or leaves.
    pub fn on_client(&mut self, poller: &Poller, id: u32, flags: Interest, buffer: &mut Vec<u8>) {
        let Some(index) = self.clients.iter().position(|c| c.id == id) else { return };
        let client = &mut self.clients[index];
        if flags.intersects(Interest::HUP | Interest::ERR) || client.flush().is_err() {
            client.mark_gone();
        }
        if self.input_is_blocked() {
            self.register(poller);
            return;
        }
        buffer.clear();
        let client = &mut self.clients[index];
        match if client.reading { client.receive(buffer) } else { Received::Nothing } {
            Received::Bytes => self.write_input(poller, buffer),
            Received::Nothing => {}
            Received::End => self.on_client_input_end(poller, index),
        }
        self.register(poller);
    }

    /// As Docker: the end of a client's input is the end of the process' input only where they belong together, else it
    /// is the end of the client.
    fn on_client_input_end(&mut self, poller: &Poller, index: usize) {
        let client = &mut self.clients[index];
        client.reading = false;
        if self.input_follows_client {
            self.close_input(poller);
        } else {
            client.ending = true;
        }
    }

    fn write_input(&mut self, poller: &Poller, data: &[u8]) {
        if self.input.as_mut().is_some_and(|i| i.write(data) == Fate::Over) {
            self.drop_input(poller);
        }
    }

    fn input_is_blocked(&self) -> bool {
        self.input.as_ref().is_some_and(Input::is_blocked)
    }

    fn drop_input(&mut self, poller: &Poller) {
        if let Some(mut input) = self.input.take() {
            input.unregister(poller);
        }
    }

    fn deliver(&mut self, stream: Stream, data: &[u8]) {
        let header = stream.header(data.len() as u32);
        let header = if self.terminal { &[][..] } else { &header[..] };
        for client in self.clients.iter_mut().filter(|c| c.wants(stream)) {
            if client.deliver(header, data).is_err() {
                client.mark_gone();
            }
        }
        if let Some(log) = &mut self.log {
            log.write(stream, data, Timestamp::now());
        }
        if let Some(probe) = &mut self.probe {
            probe.keep(data);
        }
    }

    fn close_output(&mut self, poller: &Poller, stream: Stream) {
        let Some(mut output) = self.outputs[stream.index()].take() else { return };
        output.registration.set(poller, &output.fd, output.token, None);
        if let Some(log) = &mut self.log {
            log.end(stream, Timestamp::now());
        }
        if self.is_silent() {
            self.silent_since = Some(Instant::now());
        }
    }

    fn is_silent(&self) -> bool {
        self.outputs.iter().all(Option::is_none)
    }

    /// The process was reaped.
    pub fn end(&mut self, poller: &Poller, status: WaitStatus, at: Timestamp) {
        let signal = status.terminating_signal().unwrap_or(0);
        let code = status.exit_status().unwrap_or(if signal == 0 { 255 } else { 128 + signal });
        self.ended = Some(Ended { code, signal, at, seen: Instant::now() });
        self.terminal_peer = None;
        self.drop_input(poller);
        self.register(poller);
    }

    /// Ends a probe that takes too long, with what it has started: nobody else would end that.
    fn end_late_probe(&mut self, now: Instant) {
        let Some(probe) = self.probe.as_mut().filter(|p| p.deadline().is_some_and(|t| now >= t)) else { return };
        if self.ended.is_none() {
            probe.timed_out = true;
            // it is not reaped yet, and leads a group of its own; if an external runtime has not seen to that, it alone is ended
            let _ = Pid::from_raw(self.pid).map(|group| kill_process_group(group, Signal::KILL));
            let _ = sys::signal::send(&self.pidfd, Signal::KILL.as_raw());
        }
    }

    /// Does what is due by time: gives outputs up that outlive the process, drops stalled clients.
    pub fn on_time(&mut self, poller: &Poller, now: Instant) {
        self.end_late_probe(now);
        let drained = if self.probe.as_ref().is_some_and(|p| p.timed_out) { Duration::ZERO } else { DRAIN };
        if self.ended.is_some_and(|e| now >= e.seen + drained) {
            Stream::ALL.into_iter().for_each(|stream| self.close_output(poller, stream));
        }
        let alone = self.readers() <= 1;
        for client in &mut self.clients {
            if !alone && client.is_full() && now >= client.progress + STALLED {
                client.mark_gone();
                client.reading = false;
            }
        }
        self.let_go(poller, now);
        self.register(poller);
    }

    /// When [`Session::on_time`], last called with `now`, will have something to do.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let drain = self.ended.filter(|_| !self.is_silent()).map(|e| e.seen + DRAIN);
        let breath = self.silent_since.filter(|_| self.exec.is_some() && self.ended.is_none() && self.has_clients());
        let breath = breath.map(|t| t + LAST_BREATH);
        let alone = self.readers() <= 1;
        let stalled = self.clients.iter().filter(|c| !alone && c.is_full()).map(|c| c.progress + STALLED).min();
        let probe = self.probe.as_ref().filter(|_| self.ended.is_none()).and_then(Probe::deadline);
        [drain, breath, stalled, probe].into_iter().flatten().filter(|t| *t > now).min()
    }

    fn readers(&self) -> usize {
        self.clients.iter().filter(|c| c.wants(Stream::Stdout) || c.wants(Stream::Stderr)).count()
    }

    /// The process' end, once, when its outputs are drained and logged.
    pub fn take_end(&mut self) -> Option<Ended> {
        let ended = self.ended.filter(|_| self.is_silent() && !self.reported)?;
        self.reported = true;
        self.log = None;
        Some(ended)
    }

    /// Ends clients which have all they wanted, and removes the ended and the dead.
    pub fn let_go(&mut self, poller: &Poller, now: Instant) {
        // An exec's end is told before its stream ends, so that whoever sees the latter can ask for the code.
        let held = self.exec.is_some() && !self.reported && self.silent_since.is_none_or(|t| now < t + LAST_BREATH);
        let mut index = 0;
        while index < self.clients.len() {
            let over = self.is_over_for(&self.clients[index].wants) && !held;
            let client = &mut self.clients[index];
            client.ending |= over;
            let done = client.ending && !client.has_pending();
            if done || (client.gone && !client.reading) {
                let client = self.clients.remove(index);
                self.on_client_left(poller, client);
            } else {
                index += 1;
            }
        }
    }

    /// Whether nothing is to come of what a client wants.
    fn is_over_for(&self, wants: &Attach) -> bool {
        if !wants.stdout && !wants.stderr {
            return self.ended.is_some();
        }
        if self.terminal {
            return self.is_silent();
        }
        !(wants.stdout && self.outputs[0].is_some() || wants.stderr && self.outputs[1].is_some())
    }

    fn on_client_left(&mut self, poller: &Poller, client: Client) {
        if client.wants.stdin && self.input_follows_client {
            self.close_input(poller);
        }
        client.close(poller);
    }

    /// A child of ours ended which is no process of the container; true if it worked for the log.
    pub fn child_ended(&mut self, pid: i32, well: bool) -> bool {
        self.log.as_mut().is_some_and(|log| log.child_ended(pid, well))
    }

    /// Gives memory back while nothing happens.
    pub fn relax(&mut self) {
        if let Some(log) = &mut self.log {
            log.relax();
        }
    }

    /// Brings the poller up to date with what matters now.
    fn register(&mut self, poller: &Poller) {
        let blocked = self.input_is_blocked();
        if let Some(input) = &mut self.input {
            input.register(poller);
        }
        for client in &mut self.clients {
            client.register(poller, blocked);
        }
        for stream in Stream::ALL {
            // Who reads too slowly holds the process back, but never its end.
            let full = self.ended.is_none() && self.clients.iter().any(|c| c.wants(stream) && c.is_full());
            if let Some(output) = &mut self.outputs[stream.index()] {
                output.registration.set(poller, &output.fd, output.token, (!full).then_some(Interest::IN));
            }
        }
    }
}
