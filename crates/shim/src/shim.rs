//! The shim at work: one loop over everything that can happen.

use crate::control::Control;
use crate::directory::Directory;
use crate::external::{External, Pending, Stray};
use crate::facts::Facts;
use crate::launch::{Launched, MAIN};
use crate::poller::{Interest, Poller, Token};
use crate::protocol::{Exited, Fact, Message, Probed, Reply, Started, State};
use crate::session::{Ended, Session};
use runtime::Running;
use rustix::io::Errno;
use rustix::net::SocketFlags;
use rustix::process::WaitOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use sys::crash;
use values::Timestamp;

/// How much is read from one descriptor at once.
const READ: usize = 64 * 1024;
/// Memory is given back after so long without an event.
const COOL: Duration = Duration::from_millis(100);
/// For how long nobody new is let in when descriptors have run out.
const DEARTH: Duration = Duration::from_millis(100);

pub struct Shim {
    pub poller: Poller,
    pub running: Running,
    pub started: Started,
    pub exited: Option<Exited>,
    pub oom: bool,
    /// With `oom`: the most memory that its control group has held, once the container has ended.
    memory_peak: u64,
    pub facts: Facts,
    /// The container's own first, then its execs.
    pub sessions: Vec<Session>,
    pub controls: Vec<Control>,
    /// What made the container; None: the runtime built in.
    pub external: Option<External>,
    /// Execs that it is about to start, and children which ended meanwhile.
    pub pending: Vec<Pending>,
    strays: Vec<Stray>,
    /// The control connection that is told facts.
    pub subscriber: Option<u32>,
    directory: Directory,
    listener: Option<OwnedFd>,
    children: OwnedFd,
    oom_watch: Option<cgroup::OomWatch>,
    /// The container has a pid namespace of its own.
    own_pids: bool,
    /// Counts connections, clients and execs; never a number twice.
    numbers: u32,
    buffer: Vec<u8>,
    /// Memory may be held which an idle shim doesn't need.
    warm: bool,
    /// It was told to go.
    released: bool,
    /// No connection is accepted before.
    accept_at: Option<Instant>,
}

impl Shim {
    /// `children`: a signalfd of SIGCHLD, in the poller already.
    pub fn new(poller: Poller, launched: Launched, control: Control, children: OwnedFd) -> Self {
        Self {
            poller,
            running: launched.running,
            started: launched.started,
            exited: None,
            oom: false,
            memory_peak: 0,
            facts: Facts::default(),
            sessions: vec![launched.session],
            external: launched.external,
            pending: Vec::new(),
            strays: Vec::new(),
            subscriber: Some(control.id),
            controls: vec![control],
            directory: launched.directory,
            listener: Some(launched.listener),
            children,
            oom_watch: None,
            own_pids: launched.own_pids,
            // Attachments of the launch have the lowest numbers.
            numbers: 1 << 10,
            buffer: Vec::new(),
            warm: true,
            released: false,
            accept_at: None,
        }
    }

    /// Until released.
    pub fn run(mut self) -> io::Result<()> {
        self.watch_oom();
        self.reap();
        loop {
            let now = Instant::now();
            self.settle(now);
            if self.is_over() {
                return Ok(());
            }
            let events = self.poller.wait(self.timeout(now))?;
            if events.is_empty() {
                self.relax();
            }
            for (token, flags) in events {
                self.handle(token, flags);
            }
        }
    }

    pub fn next_number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    fn handle(&mut self, token: Token, flags: Interest) {
        match token {
            Token::Listener => self.accept(),
            Token::Children => self.reap(),
            Token::Oom => self.on_oom(),
            Token::Control(id) => self.on_control(id, flags),
            Token::Output(id, stream) => self.with_buffer(id, |s, p, buffer| s.on_output(p, stream, buffer)),
            Token::Input(id) => self.with_buffer(id, |s, p, _| s.on_input(p, flags)),
            Token::Client { session, client } => {
                self.with_buffer(session, |s, p, buffer| s.on_client(p, client, flags, buffer));
            }
        }
    }

    fn with_buffer(&mut self, id: u32, act: impl FnOnce(&mut Session, &Poller, &mut Vec<u8>)) {
        self.warm = true;
        self.buffer.reserve(READ);
        if let Some(session) = self.sessions.iter_mut().find(|s| s.id() == id) {
            act(session, &self.poller, &mut self.buffer);
        }
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        match rustix::net::accept_with(listener, flags) {
            Ok(fd) => {
                let mut control = Control::new(fd, self.next_number());
                control.register(&self.poller);
                self.controls.push(control);
            }
            // The connection waits, and would be told of again and again.
            Err(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS) => {
                self.poller.remove(listener);
                self.accept_at = Some(Instant::now() + DEARTH);
            }
            Err(_) => {}
        }
    }

    /// After a dearth of descriptors.
    fn accept_again(&mut self, now: Instant) {
        if self.accept_at.is_some_and(|at| now >= at) {
            self.accept_at = None;
            if let Some(listener) = &self.listener
                && self.poller.add(listener, Token::Listener, Interest::IN).is_err()
            {
                self.accept_at = Some(now + DEARTH);
            }
        }
    }

    /// Takes every ended child: processes of the container, and orphans which became ours.
    fn reap(&mut self) {
        let mut scrap = [0; 128];
        while rustix::io::read(&self.children, &mut scrap).is_ok() {}
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let at = Timestamp::now();
            let pid = pid.as_raw_nonzero().get();
            if let Some(session) = self.sessions.iter_mut().find(|s| s.pid == pid && s.is_running()) {
                session.end(&self.poller, status, at);
                if session.id() == MAIN {
                    self.look_for_oom();
                    if !self.own_pids {
                        self.end_others();
                    }
                }
            } else if self.sessions.iter_mut().any(|s| s.child_ended(pid, status.exit_status() == Some(0))) {
                // its log has taken note
            } else if !self.pending.is_empty() {
                self.on_stray(Stray { pid, status, at });
            }
        }
    }

    /// While execs are pending an unknown child is the program that starts one, or already an exec's process.
    fn on_stray(&mut self, stray: Stray) {
        let Some(index) = self.pending.iter().position(|pending| pending.is(stray.pid)) else {
            self.strays.push(stray);
            return;
        };
        let pending = self.pending.remove(index);
        if let Some(pid) = self.finish_exec(pending, stray.status)
            && let Some(index) = self.strays.iter().position(|stray| stray.pid == pid)
        {
            self.end_stray(index);
        }
        if self.pending.is_empty() {
            self.strays = Vec::new();
        }
    }

    fn end_stray(&mut self, index: usize) {
        let Stray { pid, status, at } = self.strays.remove(index);
        if let Some(session) = self.sessions.iter_mut().find(|s| s.pid == pid && s.is_running()) {
            session.end(&self.poller, status, at);
        }
    }

    /// With its first process the container ends; without a pid namespace of its own, its other processes are still
    /// there.
    fn end_others(&self) {
        if self.running.cgroup.pids().is_ok_and(|pids| !pids.is_empty()) {
            let _ = self.running.cgroup.kill_all();
        }
    }

    /// After the start was told: what is killed before is still found by the count. Without memory control there is
    /// nothing to watch.
    fn watch_oom(&mut self) {
        self.oom_watch = self.running.cgroup.oom_watch().ok();
        if let Some(watch) = &self.oom_watch {
            let _ = self.poller.add(watch, Token::Oom, Interest::IN);
        }
    }

    fn on_oom(&mut self) {
        let Some(watch) = &mut self.oom_watch else { return };
        match watch.take() {
            Ok(0) => {}
            Ok(_) => self.tell_oom(),
            Err(_) => self.drop_oom_watch(),
        }
    }

    fn tell_oom(&mut self) {
        self.oom = true;
        self.tell(Fact::Oom);
    }

    fn drop_oom_watch(&mut self) {
        if let Some(watch) = self.oom_watch.take() {
            self.poller.remove(&watch);
        }
    }

    /// Keeps a fact and tells it to the subscriber, if there is one.
    pub fn tell(&mut self, fact: Fact) {
        let message = self.facts.add(fact);
        if let Some(id) = self.subscriber {
            self.send(id, &message);
        }
    }

    /// Facts go to this connection from now on, beginning with all that are not acknowledged.
    pub fn subscribe(&mut self, id: u32) {
        self.subscriber = Some(id);
        let state = Message::Reply(Reply::State(self.state()));
        self.send(id, &state);
        for message in self.facts.kept().collect::<Vec<_>>() {
            self.send(id, &message);
        }
    }

    /// Sends to a control connection; one that fails is closed.
    pub fn send(&mut self, id: u32, message: &Message) {
        let Some(control) = self.controls.iter_mut().find(|c| c.id == id) else { return };
        if control.send(message).is_ok() {
            control.register(&self.poller);
        } else {
            self.drop_control(id);
        }
    }

    pub fn drop_control(&mut self, id: u32) {
        if self.subscriber == Some(id) {
            self.subscriber = None;
        }
        if let Some(index) = self.controls.iter().position(|c| c.id == id) {
            self.controls.remove(index).close(&self.poller);
        }
    }

    fn on_control(&mut self, id: u32, flags: Interest) {
        let Some(control) = self.controls.iter_mut().find(|c| c.id == id) else { return };
        let mut open = control.flush().is_ok();
        if open && flags.intersects(Interest::IN | Interest::HUP | Interest::ERR) {
            open = control.receive().unwrap_or(false);
        }
        if !open || (control.ending && !control.has_pending()) {
            self.drop_control(id);
            return;
        }
        control.register(&self.poller);
        self.serve(id);
    }

    /// Does what is due: by time, and by what happened to the sessions.
    fn settle(&mut self, now: Instant) {
        while let Some(index) = self.pending.iter().position(|pending| now >= pending.deadline) {
            let pending = self.pending.remove(index);
            self.give_exec_up(pending);
        }
        self.accept_again(now);
        for index in 0..self.sessions.len() {
            self.sessions[index].on_time(&self.poller, now);
            let Some(ended) = self.sessions[index].take_end() else { continue };
            match (self.sessions[index].exec.clone(), self.sessions[index].probe.take()) {
                (Some(id), Some(probe)) => self.tell(Fact::Probed(Probed {
                    id,
                    begun: probe.begun,
                    at: ended.at,
                    code: ended.code,
                    timed_out: probe.timed_out,
                    output: probe.text(),
                })),
                (Some(id), None) => self.tell(Fact::ExecExited { id, code: ended.code, at: ended.at }),
                (None, _) => self.on_exit(ended),
            }
            self.sessions[index].let_go(&self.poller, now);
        }
        self.sessions.retain(|s| s.id() == MAIN || !s.is_reported() || s.has_clients());
    }

    /// At once when the container has ended: the notice may not have come yet, and systemd removes an empty group.
    fn look_for_oom(&mut self) {
        let noticed = self.oom_watch.as_mut().is_some_and(|watch| watch.take().is_ok_and(|n| n > 0));
        self.drop_oom_watch();
        if !self.oom && (noticed || self.running.cgroup.oom_count().is_ok_and(|n| n > 0)) {
            self.tell_oom();
        }
        if self.oom {
            self.memory_peak = self.running.cgroup.memory_peak().unwrap_or(0);
        }
    }

    fn on_exit(&mut self, ended: Ended) {
        let Ended { code, signal, at, .. } = ended;
        let exited = Exited { code, signal, oom: self.oom, memory_peak: self.memory_peak, at };
        crash::point("shim.exit-seen");
        let _ = self.directory.write_exit(&exited);
        crash::point("shim.exit-noted");
        self.exited = Some(exited.clone());
        self.tell(Fact::Exited(exited));
    }

    pub fn state(&self) -> State {
        State {
            started: Some(self.started.clone()),
            exited: self.exited.clone(),
            oom: self.oom,
            execs: self.sessions.iter().filter(|s| s.is_running()).filter_map(|s| s.exec.clone()).collect(),
        }
    }

    /// Cleans up; clients may still read what is theirs.
    pub fn release(&mut self) -> values::Result<()> {
        if let Some(external) = &self.external {
            external.delete();
        }
        crash::point("shim.releasing");
        self.running.cgroup.remove()?;
        self.running.resctrl.remove();
        crash::point("shim.group-released");
        if let Some(listener) = self.listener.take() {
            self.poller.remove(&listener);
        }
        self.directory.clear();
        crash::point("shim.released");
        self.released = true;
        Ok(())
    }

    /// A client that has not read all yet is waited for while it is there, however slow (`run … | less`): the end of its
    /// output is with us alone.
    fn is_over(&self) -> bool {
        let owing = self.sessions.iter().any(Session::has_clients) || self.controls.iter().any(Control::has_pending);
        self.released && !owing
    }

    fn timeout(&self, now: Instant) -> Option<Duration> {
        let cool = self.warm.then(|| now + COOL);
        let next = self.sessions.iter().filter_map(|s| s.deadline(now)).chain(cool).chain(self.accept_at);
        let next = next.chain(self.pending.iter().map(|pending| pending.deadline)).min()?;
        Some(next.saturating_duration_since(now))
    }

    /// Nothing has happened for a while: down to the smallest size.
    fn relax(&mut self) {
        if std::mem::take(&mut self.warm) {
            self.buffer = Vec::new();
            self.sessions.iter_mut().for_each(Session::relax);
            self.sessions.shrink_to_fit();
            sys::memory::trim();
        }
    }
}
