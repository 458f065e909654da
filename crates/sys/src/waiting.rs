//! What a process is waiting for, in words for a person.

use std::fs;

/// The state of a process and, while the kernel holds it, the kernel function it sleeps in:
/// `process 12 is in an uninterruptible wait (fuse_dev_do_read)`. Allocates.
/// <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>, …/proc_pid_wchan.5.html
pub fn describe(pid: i32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is the program's name in parentheses and may have anything in it.
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    let place = || {
        let place = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
        if place.is_empty() || place == "0" { String::new() } else { format!(" ({place})") }
    };
    match state {
        None => format!("process {pid} is gone"),
        Some('T' | 't') => format!("process {pid} is stopped (SIGSTOP; `kill -CONT {pid}` lets it go on)"),
        Some('D') => format!("process {pid} is in an uninterruptible wait{}", place()),
        Some('Z' | 'X') => format!("process {pid} has ended"),
        Some('R') => format!("process {pid} is busy"),
        Some(_) => format!("process {pid} is waiting{}", place()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_stopped_process_from_others() {
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let pid = child.id() as i32;
        crate::signal::kill(pid, libc::SIGSTOP).unwrap();
        while !describe(pid).contains("is stopped") {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(describe(pid), format!("process {pid} is gone"));
        assert!(describe(std::process::id() as i32).contains(" is "));
    }
}
