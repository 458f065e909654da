//! What `lighter-shim` does from its start to its end.

use crate::control::Control;
use crate::launch;
use crate::log::{compress, queue};
use crate::poller::{Interest, Poller, Token};
use crate::protocol::{Launch, Message, Reply, Request};
use crate::shim::Shim;
use rustix::fs::{Mode, OFlags};
use rustix::io::{fcntl_dupfd_cloexec, ioctl_fionbio};
use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use sys::crash;
use sys::signal::Set;

const SIGCHLD: i32 = 17;
/// SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM: neither a terminal nor a service manager ends a container this way.
const IGNORED: [i32; 5] = [1, 2, 3, 13, 15];

/// Serves the container whose launch request comes on descriptor 0; as `lighter-shim compress` or `log` it is a child of another.
///
/// Under the name `docker-init` it is the init of a container that an external runtime made.
pub fn main() -> ExitCode {
    let mut words = std::env::args_os();
    if words.next().is_some_and(|name| std::path::Path::new(&name).ends_with("docker-init")) {
        let rest: Vec<String> = words.skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        return ExitCode::from(runtime::run_init(&rest));
    }
    match words.next().as_ref().and_then(|word| word.to_str()) {
        Some(compress::COMMAND) => return compress::main(),
        Some(queue::COMMAND) => {
            let rest: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
            return queue::main(&rest);
        }
        _ => {}
    }
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lighter-shim: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    sys::memory::stay_small();
    // It is executed by the number of a descriptor, which is no name for `ps`.
    let _ = rustix::thread::set_name(c"lighter-shim");
    let mut control = Control::new(become_shim()?, 0);
    let Some(request) = receive_launch(&mut control)? else { return Ok(()) };
    crash::point("shim.ordered");
    let fds = control.take_fds();
    let poller = Poller::new()?;
    let children = sys::signal::descriptor(Set::EMPTY.with(SIGCHLD))?;
    poller.add(&children, Token::Children, Interest::IN)?;
    let launched = match launch::launch(*request, fds, &control, &poller) {
        Ok(launched) => launched,
        Err(failed) => return control.send(&Message::Reply(Reply::Failed(failed))),
    };
    ioctl_fionbio(&control, true)?;
    control.register(&poller);
    let reply = Message::Reply(Reply::Started(launched.started.clone()));
    let mut shim = Shim::new(poller, launched, control, children);
    shim.send(0, &reply);
    crash::point("shim.start-told");
    shim.run()
}

/// A session leader and subreaper in `/` with nothing open but its standard streams and the daemon's socket, which
/// moves from descriptor 0 to a higher one: low numbers are for children.
fn become_shim() -> io::Result<OwnedFd> {
    // A process group leader can't and needn't.
    let _ = rustix::process::setsid();
    rustix::process::set_child_subreaper(rustix::process::Pid::from_raw(1))?;
    rustix::process::chdir("/")?;
    sys::fd::close_from(3)?;
    for signal in IGNORED {
        sys::signal::ignore(signal)?;
    }
    sys::signal::set_mask(Set::EMPTY.with(SIGCHLD))?;
    let socket = fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    ioctl_fionbio(&socket, false)?;
    let null = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(socket)
}

/// None: the daemon went away before it had said everything.
fn receive_launch(control: &mut Control) -> io::Result<Option<Box<Launch>>> {
    loop {
        match control.request()? {
            Some(Request::Launch(launch)) => return Ok(Some(launch)),
            Some(_) => return Err(io::Error::other("the first request is no launch")),
            None => {}
        }
        if !control.receive()? {
            return Ok(None);
        }
    }
}
