//! Where the kernel shares processors out by sessions, the daemon's gets more than others: hundreds of busy containers and
//! shims shall not keep those waiting who ask what they do. docs/adr/0026-the-daemon-comes-first.md
//! <https://man7.org/linux/man-pages/man7/sched.7.html> ("The autogroup feature")

use std::fs;

use rustix::process::getpriority_process;

/// Three times the share of another session, as `CPUWeight=` in packaging/lighter.service.in.
const NICE: i32 = -5;
const OURS: &str = "/proc/self/autogroup";

/// Takes precedence if this session is the daemon's own and nobody has said what share it gets. Without autogroups, or
/// the right to it, all stays as it is.
pub fn take() {
    if !sys::session::is_own() || !is_usual_share() {
        return;
    }
    if let Err(error) = fs::write(OURS, NICE.to_string()) {
        tracing::debug!(%error, "no precedence over containers");
    }
}

fn is_usual_share() -> bool {
    let session = fs::read_to_string(OURS).ok().and_then(|text| nice(&text));
    session == Some(0) && getpriority_process(None) == Ok(0)
}

/// Of `/autogroup-25 nice 0`.
fn nice(text: &str) -> Option<i32> {
    text.trim_end().rsplit_once(" nice ")?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nice_of_a_session() {
        let check = |text: &str, expected| assert_eq!(nice(text), expected, "{text:?}");
        check("/autogroup-25 nice 0\n", Some(0));
        check("/autogroup-7 nice -5\n", Some(-5));
        check("/autogroup-7 nice 19", Some(19));
        check("", None);
        check("/autogroup-7", None);
        check("/autogroup-7 nice \n", None);
    }
}
