//! What a process is waiting for, in words for a person.

use std::fs;

use crate::stat::Stat;

/// The state of a process and, while the kernel holds it, the kernel function it sleeps in:
/// `process 12 is in an uninterruptible wait (fuse_dev_do_read)`. Allocates.
/// <https://man7.org/linux/man-pages/man5/proc_pid_wchan.5.html>
pub fn describe(pid: i32) -> String {
    says(pid, &format!("process {pid}"), state(pid))
}

/// How many processes [`describe_family`] looks at.
const FAMILY: usize = 64;

/// The same of the process by whose doing `pid` does not get on: the first of it and those below it that is stopped or in an
/// uninterruptible wait, or else the youngest that lives: `process 13 (runc) is stopped …`.
pub fn describe_family(pid: i32) -> String {
    let mut family = vec![pid];
    let mut next = 0;
    while next < family.len() && family.len() < FAMILY {
        family.extend(children(family[next]));
        next += 1;
    }
    let stuck = family.iter().find(|pid| matches!(state(**pid), Some('T' | 't' | 'D')));
    let lives = family.iter().rev().find(|pid| !matches!(state(**pid), None | Some('Z' | 'X')));
    let pid = *stuck.or(lives).unwrap_or(&pid);
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    says(pid, &format!("process {pid} ({})", name.trim_end()), state(pid))
}

/// Of its first thread: all that a program of one thread has.
fn children(pid: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn state(pid: i32) -> Option<char> {
    Stat::of(pid).map(|stat| stat.state)
}

fn says(pid: i32, who: &str, state: Option<char>) -> String {
    let place = || {
        let place = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
        if place.is_empty() || place == "0" { String::new() } else { format!(" ({place})") }
    };
    match state {
        None => format!("{who} is gone"),
        Some('T' | 't') => format!("{who} is stopped (SIGSTOP; `kill -CONT {pid}` lets it go on)"),
        Some('D') => format!("{who} is in an uninterruptible wait{}", place()),
        Some('Z' | 'X') => format!("{who} has ended"),
        Some('R') => format!("{who} is busy"),
        Some(_) => format!("{who} is waiting{}", place()),
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
        let ours = describe_family(std::process::id() as i32);
        let child_of_first_thread = children(std::process::id() as i32).contains(&pid);
        assert!(!child_of_first_thread || ours.starts_with(&format!("process {pid} (sleep) is stopped")), "{ours}");
        assert!(describe_family(pid).starts_with(&format!("process {pid} (sleep) is stopped")));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(describe(pid), format!("process {pid} is gone"));
        assert!(describe(std::process::id() as i32).contains(" is "));
    }
}
