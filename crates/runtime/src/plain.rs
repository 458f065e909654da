//! For runtimes that know nothing of ours: what only we resolve, resolved beforehand.

use std::os::fd::BorrowedFd;

use oci::runtime::{Capabilities, Process};

use crate::failure::text;
use crate::plan::identify;
use crate::process::environment;
use crate::{StartError, reaper};

/// A process as plain OCI data: `USER[:GROUP]` and group names as numbers by the files below `root`, HOME in the
/// environment, the capabilities that Docker leaves to a user who is not root.
pub fn resolve(
    root: BorrowedFd<'_>,
    user: Option<&str>,
    groups: &[String],
    given: &Process,
) -> Result<Process, StartError> {
    let mut process = given.clone();
    let identity = identify(root, user, groups, &mut process)?;
    process.env = environment(&given.env, &identity.home);
    if let (true, Some(capabilities)) = (identity.by_name && identity.uid != 0, &mut process.capabilities) {
        capabilities.effective = capabilities.ambient.clone();
        capabilities.permitted = capabilities.ambient.clone();
    }
    if let Some(capabilities) = &mut process.capabilities {
        keep_possible(capabilities)?;
    }
    process.user.additional_gids = identity.additional_gids;
    // The program's own default is none, ours is that of a login.
    process.user.umask.get_or_insert(0o022);
    Ok(process)
}

/// Without those which this machine lacks itself: nobody can give what he does not have.
fn keep_possible(capabilities: &mut Capabilities) -> Result<(), StartError> {
    let own = rustix::thread::capabilities(None).map_err(|errno| StartError::other(format!("capget: {errno}")))?;
    let Capabilities { bounding, effective, inheritable, permitted, ambient } = capabilities;
    for set in [bounding, effective, inheritable, permitted, ambient] {
        set.retain(|name| crate::capability::number(name).is_ok_and(|bit| own.permitted.bits() >> bit & 1 == 1));
    }
    Ok(())
}

/// PID 1 of a container that an external runtime made with `--init`: runs `args` in a child and looks after everything.
/// Comes back only with an exit status for an error.
pub fn run_init(args: &[String]) -> u8 {
    let process = Process { args: args.to_vec(), env: own_environment(), ..Process::default() };
    let command = match crate::process::command(&process, "/") {
        Ok(command) => command,
        Err(error) => {
            eprintln!("{}", error.message);
            return 127;
        }
    };
    let name = command.name.clone();
    let outcome = reaper::run(|| {
        let mut last = sys::Errno::NOENT;
        for path in &command.candidates {
            match sys::program::execve(path, &command.args, &command.env) {
                sys::Errno::NOENT => {}
                errno => last = errno,
            }
        }
        eprintln!("exec {name}: {}", text(last));
        if last == sys::Errno::NOENT { 127 } else { 126 }
    });
    if let Err(errno) = outcome {
        eprintln!("{name}: {}", text(errno));
    }
    126
}

fn own_environment() -> Vec<String> {
    std::env::vars_os().map(|(name, value)| format!("{}={}", name.to_string_lossy(), value.to_string_lossy())).collect()
}
