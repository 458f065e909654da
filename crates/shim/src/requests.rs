//! What daemons ask for.

use crate::client::Client;
use crate::external::{Begun, Pending};
use crate::launch::{self, MAIN};
use crate::pipes::Pipes;
use crate::probe::Probe;
use crate::protocol::{self, Attach, Exec, Failed, FailureKind, Message, Reply, Request, Started};
use crate::session::{Process, Session};
use crate::shim::Shim;
use rustix::process::WaitStatus;
use std::time::{Duration, Instant};
use sys::crash;
use values::Timestamp;

impl Shim {
    /// Serves the requests which have come whole on a control connection.
    pub fn serve(&mut self, id: u32) {
        loop {
            let Some(control) = self.controls.iter_mut().find(|c| c.id == id) else { return };
            // Descriptors come with a launch only.
            drop(control.take_fds());
            match control.request() {
                Ok(None) => return,
                Ok(Some(request)) => self.serve_one(id, request),
                Err(error) => {
                    self.reply(id, Reply::Refused(format!("bad request: {error}")));
                    self.drop_control(id);
                    return;
                }
            }
        }
    }

    fn serve_one(&mut self, id: u32, request: Request) {
        let result = match request {
            Request::Launch(_) => Err("this shim has its container already".to_owned()),
            Request::Subscribe => return self.subscribe(id),
            Request::Ack(number) => return self.facts.acknowledge(number),
            Request::Attach(wants) => return self.attach(id, wants),
            Request::Exec(exec) => return self.exec(id, *exec),
            Request::Probe(probe) => return self.probe(id, *probe),
            Request::FindUser { user } => {
                let found = runtime::find_user(&self.running, &user).map_err(launch::failed);
                return self.reply(id, found.map_or_else(Reply::Failed, |_| Reply::Done));
            }
            Request::Kill { signal } => self.kill(None, signal),
            Request::ExecKill { exec, signal } => self.kill(Some(&exec), signal),
            Request::KillAll => self.running.cgroup.kill_all().map_err(|e| e.message),
            Request::Resize { exec, rows, cols } => self.resize(exec.as_deref(), rows, cols),
            Request::CloseStdin => {
                self.close_stdin();
                Ok(())
            }
            Request::Release => return self.serve_release(id),
        };
        self.reply(id, result.map_or_else(Reply::Refused, |()| Reply::Done));
    }

    fn reply(&mut self, id: u32, reply: Reply) {
        self.send(id, &Message::Reply(reply));
    }

    /// The running session of an exec, or of the container's first process.
    fn find(&self, exec: Option<&str>) -> Result<&Session, String> {
        let session = self.sessions.iter().find(|s| s.exec.as_deref() == exec && s.is_running());
        session.ok_or_else(|| match exec {
            Some(exec) => format!("exec {exec} is not running"),
            None => "the container's process has ended".to_owned(),
        })
    }

    fn kill(&self, exec: Option<&str>, signal: i32) -> Result<(), String> {
        let session = self.find(exec)?;
        if let (None, Some(external)) = (exec, &self.external) {
            return external.kill(signal, &session.pidfd);
        }
        sys::signal::send(&session.pidfd, signal).map_err(|e| format!("signal {signal}: {e}"))
    }

    fn resize(&self, exec: Option<&str>, rows: u16, cols: u16) -> Result<(), String> {
        self.find(exec)?.resize(rows, cols).map_err(|e| format!("cannot resize: {e}"))
    }

    fn close_stdin(&mut self) {
        if let Some(session) = self.sessions.iter_mut().find(|s| s.id() == MAIN) {
            session.close_input(&self.poller);
        }
    }

    fn attach(&mut self, id: u32, wants: Attach) {
        self.reply(id, Reply::Done);
        self.turn_into_client(id, MAIN, wants);
    }

    /// The connection is a byte stream from here on.
    fn turn_into_client(&mut self, id: u32, session: u32, wants: Attach) {
        let Some(index) = self.controls.iter().position(|c| c.id == id) else { return };
        if self.subscriber == Some(id) {
            self.subscriber = None;
        }
        let (fd, early, outbox) = self.controls.remove(index).into_stream(&self.poller);
        let client = Client::new(fd, id, session, wants, outbox);
        match self.sessions.iter_mut().find(|s| s.id() == session) {
            Some(session) => session.attach(&self.poller, client, &early),
            None => client.close(&self.poller),
        }
    }

    fn exec(&mut self, id: u32, exec: Exec) {
        let wants = exec.attach.clone();
        if self.external.is_some() {
            return self.begin_exec(id, exec);
        }
        match self.start_exec(exec) {
            Ok((session, started)) => self.answer_exec(id, session, started, wants),
            Err(failed) => self.reply(id, Reply::Failed(failed)),
        }
    }

    fn start_exec(&mut self, exec: Exec) -> Result<(u32, Started), Failed> {
        let Exec { id, process, attach: wants, terminal, rows, cols } = exec;
        let pipes = Pipes::new(terminal, [wants.stdin, wants.stdout, wants.stderr]);
        let (pipes, theirs) = pipes.map_err(no_streams)?;
        let (process, started) =
            self.start_process(&id, &process, pipes, theirs.into_stdio(rows, cols), wants.stdin)?;
        Ok((self.add_exec(id, process), started))
    }

    /// Its session's number.
    fn add_exec(&mut self, id: String, process: Process) -> u32 {
        let number = self.next_number();
        self.add_session(Session::new(number, Some(id), process, true, None));
        number
    }

    /// The connection becomes the exec's byte stream where any stream is wanted.
    fn answer_exec(&mut self, id: u32, session: u32, started: Started, wants: Attach) {
        self.reply(id, Reply::Started(started));
        if wants.stdin || wants.stdout || wants.stderr {
            self.turn_into_client(id, session, wants);
        }
    }

    /// By an external runtime: answered when that has ended.
    fn begin_exec(&mut self, id: u32, exec: Exec) {
        match self.may_exec(&exec.id).and_then(|()| self.ask_for_exec(id, exec)) {
            Ok(pending) => self.pending.push(pending),
            Err(failed) => self.reply(id, Reply::Failed(failed)),
        }
    }

    fn ask_for_exec(&self, id: u32, exec: Exec) -> Result<Pending, Failed> {
        let external = self.external.as_ref().ok_or_else(|| other("no external runtime".to_owned()))?;
        external.exec(id, exec, &self.running).map_err(launch::failed)
    }

    /// The program that was to start an exec ended with `status`; the exec's process when there is one.
    pub fn finish_exec(&mut self, pending: Pending, status: WaitStatus) -> Option<i32> {
        let (control, probe, external) = (pending.control, pending.probe, self.external.as_ref()?);
        match pending.finish(external, status) {
            Ok(Begun { process, order }) => {
                let pid = process.pid;
                let started = Started { pid, birth: sys::stat::birth(pid), at: Timestamp::now() };
                match probe {
                    Some((begun, timeout)) => {
                        self.add_probe(order.id, process, begun, timeout);
                        self.reply(control, Reply::Started(started));
                    }
                    None => {
                        let session = self.add_exec(order.id, process);
                        self.answer_exec(control, session, started, order.attach);
                    }
                }
                Some(pid)
            }
            Err(error) => {
                self.reply(control, Reply::Failed(launch::failed(error)));
                None
            }
        }
    }

    pub fn give_exec_up(&mut self, pending: Pending) {
        let (control, Some(external)) = (pending.control, &self.external) else { return };
        let failed = launch::failed(pending.give_up(external));
        self.reply(control, Reply::Failed(failed));
    }

    fn probe(&mut self, id: u32, probe: protocol::Probe) {
        if self.external.is_some() {
            return self.begin_probe(id, probe);
        }
        let reply = self.start_probe(probe).map_or_else(Reply::Failed, Reply::Started);
        self.reply(id, reply);
    }

    fn start_probe(&mut self, probe: protocol::Probe) -> Result<Started, Failed> {
        let begun = Timestamp::now();
        let (pipes, theirs) = Pipes::merged().map_err(no_streams)?;
        let (process, started) =
            self.start_process(&probe.id, &probe.process, pipes, theirs.into_stdio(0, 0), false)?;
        self.add_probe(probe.id, process, begun, Duration::from_millis(probe.timeout_millis));
        Ok(started)
    }

    /// By an external runtime, like an exec; only that knows the way into its container.
    fn begin_probe(&mut self, id: u32, probe: protocol::Probe) {
        let protocol::Probe { id: name, process, timeout_millis } = probe;
        let attach = Attach { stdin: false, stdout: true, stderr: true };
        let exec = Exec { id: name, process, attach, terminal: false, rows: 0, cols: 0 };
        let timeout = Duration::from_millis(timeout_millis);
        match self.may_exec(&exec.id).and_then(|()| self.ask_for_exec(id, exec)) {
            Ok(mut pending) => {
                pending.probe = Some((Timestamp::now(), timeout));
                self.pending.push(pending);
            }
            Err(failed) => self.reply(id, Reply::Failed(failed)),
        }
    }

    fn add_probe(&mut self, id: String, process: Process, begun: Timestamp, timeout: Duration) {
        let mut session = Session::new(self.next_number(), Some(id), process, true, None);
        session.probe = Some(Probe::new(begun, Instant::now(), timeout));
        self.add_session(session);
    }

    /// Runs a process in the container; `pipes` are our ends of its streams.
    fn start_process(
        &mut self,
        id: &str,
        process: &runtime::Exec,
        pipes: Pipes,
        stdio: runtime::Stdio,
        wants_input: bool,
    ) -> Result<(Process, Started), Failed> {
        self.may_exec(id)?;
        let running = runtime::exec(&self.running, process, stdio).map_err(launch::failed)?;
        crash::point("shim.executed");
        let started = Started { pid: running.pid, birth: sys::stat::birth(running.pid), at: Timestamp::now() };
        let process = pipes.into_process(running.pid, running.pidfd, running.console, wants_input);
        Ok((process.map_err(no_streams)?, started))
    }

    fn may_exec(&self, id: &str) -> Result<(), Failed> {
        self.find(None).map_err(other)?;
        let known = self.sessions.iter().filter_map(|s| s.exec.as_deref());
        if known.chain(self.pending.iter().map(|p| p.order.id.as_str())).any(|known| known == id) {
            return Err(other(format!("exec {id} is running already")));
        }
        Ok(())
    }

    fn add_session(&mut self, mut session: Session) {
        session.on_time(&self.poller, Instant::now());
        self.sessions.push(session);
    }

    fn serve_release(&mut self, id: u32) {
        if self.exited.is_none() {
            return self.reply(id, Reply::Refused("the container is running".to_owned()));
        }
        if let Err(error) = self.release() {
            return self.reply(id, Reply::Refused(error.message));
        }
        self.reply(id, Reply::Done);
        if let Some(control) = self.controls.iter_mut().find(|c| c.id == id) {
            control.ending = true;
        }
    }
}

fn other(message: String) -> Failed {
    Failed { kind: FailureKind::Other, message }
}

fn no_streams(error: std::io::Error) -> Failed {
    other(format!("standard streams: {error}"))
}
