//! `container exec`

use api::NoQuery;
use api::endpoints::{ContainerInspect, ContainerInspectQuery, ExecCreate, ExecInspect, ExecStart};
use api::lenient::StrSlice;
use api::types::{ExecCreateRequest, ExecStartRequest};

use crate::command::{Args, Command, Complete, States};
use crate::failure::Failure;
use crate::flags::container::process::variables;
use crate::flags::{Flag, check};
use crate::streams::foreground::{Foreground, Target, check_tty, detach_keys};
use crate::streams::{End, Wiring, copy};
use crate::{Invocation, Outcome, Session, terminal};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container exec", "exec"],
    usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
    about: "Execute a command in a running container",
    args: Args::AtLeast(2),
    complete: Complete::ContainerThenNothing(States::Unpaused),
    flags: &[
        Flag::bool("detach", "Detached mode: run command in the background").short('d'),
        Flag::text("detach-keys", "Override the key sequence for detaching a container"),
        Flag::list("env", "Set environment variables")
            .short('e')
            .checked(check::environment)
            .completes(Complete::Environment),
        Flag::list("env-file", "Read in a file of environment variables").completes(Complete::Files),
        Flag::bool("interactive", "Keep STDIN open even if not attached").short('i'),
        Flag::bool("privileged", "Give extended privileges to the command"),
        Flag::bool("tty", "Allocate a pseudo-TTY").short('t'),
        Flag::text("user", "Username or UID (format: \"<name|uid>[:<group|gid>]\")").short('u'),
        Flag::text("workdir", "Working directory inside the container").short('w'),
    ],
    interspersed: false,
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let request = request(session, call)?;
    let client = session.client()?;
    let container = call.arg(0);
    if !call.is("detach")
        && let Err(failure) = check_tty(request.attach_stdin, request.tty)
    {
        // that there is no such container is the more important news
        client.call::<ContainerInspect>(&[container], &ContainerInspectQuery::default(), &())?;
        return Err(failure);
    }
    let id = client.call::<ExecCreate>(&[container], &NoQuery, &request)?.id;
    let start = ExecStartRequest {
        detach: call.is("detach"),
        tty: request.tty,
        console_size: request.console_size.filter(|_| !call.is("detach")),
    };
    if start.detach {
        client.call_detached::<ExecStart>(&[&id], &NoQuery, &start)?;
        return Ok(0);
    }

    let sized = request.tty && terminal::stdin_is_terminal();
    // without a terminal there is neither a size to follow nor a raw mode to end: signals are left alone
    let foreground = request.tty.then(|| Foreground::begin(client, Target::Exec(id.clone()), None, sized));
    let streams = client.hijack::<ExecStart>(&[&id], &NoQuery, &start)?;
    if let Some(foreground) = foreground {
        foreground.ready(sized);
    }
    let (_, keys) = detach_keys(session, call);
    let wiring = Wiring { tty: request.tty, stdin: request.attach_stdin, output: true, detach_keys: keys };
    match copy(streams, &wiring) {
        End::Detached => Err(Failure::new("read escape sequence")),
        End::Failed(error) => Err(Failure::new(error)),
        End::Finished => {
            let exec = client.call::<ExecInspect>(&[&id], &NoQuery, &())?;
            Ok(exec.exit_code.unwrap_or(0).to_le_bytes()[0])
        }
    }
}

fn request(session: &Session, call: &Invocation) -> Result<ExecCreateRequest, Failure> {
    let detach = call.is("detach");
    let (rows, columns) = terminal::size();
    Ok(ExecCreateRequest {
        user: call.text_or_empty("user").to_owned(),
        privileged: call.is("privileged"),
        tty: call.is("tty"),
        console_size: (call.is("tty") && rows > 0).then(|| [u32::from(rows), u32::from(columns)]),
        attach_stdin: !detach && call.is("interactive"),
        attach_stdout: !detach,
        attach_stderr: !detach,
        detach,
        detach_keys: detach_keys(session, call).0,
        env: Some(variables(call)?).filter(|env| !env.is_empty()),
        working_dir: call.text_or_empty("workdir").to_owned(),
        cmd: Some(StrSlice(call.args[1..].to_vec())),
    })
}
