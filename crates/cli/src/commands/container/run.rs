//! `container run`

use api::endpoints::{
    ContainerAttach, ContainerAttachQuery, ContainerStart, ContainerStartQuery, ContainerWait, ContainerWaitQuery,
};
use api::types::{ContainerConfig, ContainerCreateRequest};
use client::{Accepted, Client, Hijacked};

use crate::command::{Args, Command, Complete};
use crate::commands::container::creating;
use crate::failure::Failure;
use crate::flags::{Flag, container};
use crate::streams::foreground::{Foreground, Target, check_tty, detach_keys};
use crate::streams::{End, Wiring, copy};
use crate::{Invocation, Outcome, Session, terminal};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container run", "run"],
    usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    about: "Create and run a new container from an image",
    args: Args::AtLeast(1),
    complete: Complete::ImageThenNothing,
    flags: &[
        Flag::text("pull", "Pull image before running (\"always\", \"missing\", \"never\")")
            .shows_default("\"missing\"")
            .completes(Complete::Words(&["always", "missing", "never"])),
        Flag::bool("detach", "Run container in background and print container ID").short('d'),
        Flag::text("detach-keys", "Override the key sequence for detaching a container"),
        Flag::bool_on("sig-proxy", "Proxy received signals to the process"),
    ],
    shared: container::GROUPS,
    interspersed: false,
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let usage = |failure: Failure| with_help(session, failure).status(125);
    creating::check_pull(call).map_err(usage)?;
    let mut request = container::translate(session, call).map_err(usage)?;
    settle_streams(call, &mut request.config)?;
    let status = |failure: Failure| told(session, failure);
    let id = creating::create(session, call, request.clone()).map_err(status)?;
    let config = &request.config;
    if !config.attach_stdin && !config.attach_stdout && !config.attach_stderr {
        session.println(&id);
    }
    Run { session, call, client: session.client()?, id, request: &request }.go()
}

/// With `-d` nothing is attached; else a terminal inside needs one here.
fn settle_streams(call: &Invocation, config: &mut ContainerConfig) -> Result<(), Failure> {
    if !call.is("detach") {
        return check_tty(config.attach_stdin, config.tty);
    }
    if call.given("attach") {
        return Err(Failure::new("conflicting options: cannot specify both --attach and --detach"));
    }
    config.attach_stdin = false;
    config.attach_stdout = false;
    config.attach_stderr = false;
    config.stdin_once = false;
    Ok(())
}

/// A container that was created and is to be started.
struct Run<'a> {
    session: &'a Session,
    call: &'a Invocation,
    client: &'a Client,
    id: String,
    request: &'a ContainerCreateRequest,
}

impl Run<'_> {
    /// Streams first, so that not a byte is missed; then the question how it ends; then the start.
    fn go(&self) -> Outcome {
        let config = &self.request.config;
        let outputs = config.attach_stdout || config.attach_stderr;
        if !outputs && !config.attach_stdin {
            return self.start().map(|()| 0);
        }
        let (keys_text, detach_keys) = detach_keys(self.session, self.call);
        let streams = self.attach(keys_text)?;
        let sized = config.tty && terminal::stdout_is_terminal();
        let proxied = self.call.is("sig-proxy").then_some(self.id.as_str());
        let waiting = self.wait()?;
        let foreground = Foreground::begin(self.client, Target::Container(self.id.clone()), proxied, sized);
        if let Err(failure) = self.start() {
            // with --rm its removal is waited for, so that nothing is left when we are gone
            if self.removes() {
                let _ = waiting.wait();
            }
            return Err(failure);
        }
        foreground.ready(sized);
        let wiring = Wiring { tty: config.tty, stdin: config.attach_stdin, output: outputs, detach_keys };
        match copy(streams, &wiring) {
            End::Detached => Ok(0),
            End::Failed(error) => Err(Failure::new(error)),
            End::Finished => exit_status(self.session, waiting),
        }
    }

    fn attach(&self, detach_keys: String) -> Result<Hijacked, Failure> {
        let config = &self.request.config;
        let query = ContainerAttachQuery {
            detach_keys,
            stream: true,
            stdin: config.attach_stdin,
            stdout: config.attach_stdout,
            stderr: config.attach_stderr,
            ..ContainerAttachQuery::default()
        };
        Ok(self.client.hijack::<ContainerAttach>(&[&self.id], &query, &())?)
    }

    fn wait(&self) -> Result<Accepted<ContainerWait>, Failure> {
        let condition = if self.removes() { "removed" } else { "next-exit" };
        let query = ContainerWaitQuery { condition: condition.to_owned() };
        Ok(self.client.send::<ContainerWait>(&[&self.id], &query, &())?.accepted()?)
    }

    fn start(&self) -> Result<(), Failure> {
        let started = self.client.call::<ContainerStart>(&[&self.id], &ContainerStartQuery::default(), &());
        started.map_err(|error| told(self.session, error.into()))
    }

    fn removes(&self) -> bool {
        self.request.host_config.as_ref().is_some_and(|host| host.auto_remove)
    }
}

/// The status a waited-for container ended with; 125 when that cannot be known.
pub fn exit_status(session: &Session, waiting: Accepted<ContainerWait>) -> Outcome {
    let unknown = |why: String| {
        session.eprintln(format!("Error waiting for container: {why}"));
        Ok(125)
    };
    match waiting.wait() {
        Ok(reply) => match reply.error {
            Some(error) => unknown(error.message),
            // as a process' own status, only eight bits are ours to give
            None => Ok(reply.status_code.to_le_bytes()[0]),
        },
        Err(error) => unknown(error.to_string()),
    }
}

/// Errors of `run` before the process runs: which status follows from what the daemon says.
fn told(session: &Session, failure: Failure) -> Failure {
    let has = |text: &str| failure.message.contains(text);
    let status = if has("executable file not found") || has("no such file or directory") {
        127
    } else if has("permission denied") || has("is a directory") {
        126
    } else {
        125
    };
    with_help(session, failure).status(status)
}

fn with_help(session: &Session, failure: Failure) -> Failure {
    let program = session.program;
    Failure::new(format!("{program}: {}\n\nRun '{program} run --help' for more information", failure.message))
}
