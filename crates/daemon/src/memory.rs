//! The allocator of a process that works in bursts and then idles for long.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;

const VARIABLE: &str = "GLIBC_TUNABLES";
/// <https://sourceware.org/glibc/manual/latest/html_node/Memory-Allocation-Tunables.html>
const KEY: &str = "glibc.malloc.tcache_count";

/// Keeps the heap in one piece, so that what a burst has left free can go back to the kernel.
///
/// The C library lets each thread keep hundreds of freed blocks to itself. After a burst they lie all over the heap, and
/// each holds its page: 3 MB of them, where 150 KB are in use. Only the environment can turn that off, and only before a
/// program begins: this one begins once more, as the same process. Where it cannot, it goes on as it is.
pub fn keep_whole() {
    if cfg!(target_env = "gnu")
        && let Some(value) = without_caches(std::env::var_os(VARIABLE).as_deref())
        && let Ok(program) = std::env::current_exe()
    {
        let mut args = std::env::args_os();
        let mut again = std::process::Command::new(&program);
        again.arg0(args.next().unwrap_or_else(|| program.into_os_string()));
        let error = again.args(args).env(VARIABLE, value).exec();
        tracing::debug!(%error, "the allocator's caches stay");
    }
    sys::memory::stay_small();
}

/// The variable's new value; `None` when somebody has chosen already.
fn without_caches(given: Option<&OsStr>) -> Option<OsString> {
    let given = given.unwrap_or_default();
    if given.to_string_lossy().contains(KEY) {
        return None;
    }
    let mut value = OsString::from(format!("{KEY}=0"));
    if !given.is_empty() {
        value.push(":");
        value.push(given);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_made_once_and_others_are_kept() {
        for (given, expected) in [
            (None, Some("glibc.malloc.tcache_count=0")),
            (Some(""), Some("glibc.malloc.tcache_count=0")),
            (Some("glibc.malloc.perturb=1"), Some("glibc.malloc.tcache_count=0:glibc.malloc.perturb=1")),
            (Some("glibc.malloc.tcache_count=0"), None),
            (Some("a=b:glibc.malloc.tcache_count=3"), None),
        ] {
            assert_eq!(without_caches(given.map(OsStr::new)).as_deref(), expected.map(OsStr::new), "{given:?}");
        }
    }
}
