//! Sessions: <https://man7.org/linux/man-pages/man2/setsid.2.html>

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Makes `command`'s process the leader of a session of its own, away from our terminal and its signals.
pub fn in_new_session(command: &mut Command) {
    // SAFETY: between fork and exec only setsid(2) is called, which is async-signal-safe and touches no memory.
    unsafe {
        command.pre_exec(|| if libc::setsid() < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) });
    }
}
