//! The allocator of a process that works in bursts and then idles for long.

use std::os::unix::process::CommandExt;

/// Keeps the heap in one piece, so that what a burst has left free can go back to the kernel.
///
/// The C library lets each thread keep hundreds of freed blocks to itself. After a burst they lie all over the heap, and
/// each holds its page: 3 MB of them, where 150 KB are in use. Only the environment can turn that off, and only before a
/// program begins: unless `lighter daemon` has set it, this one begins once more, as the same process. Where it cannot, it
/// goes on as it is.
pub fn keep_whole() {
    if let Some((variable, value)) = sys::memory::without_caches()
        && let Ok(program) = std::env::current_exe()
    {
        let mut args = std::env::args_os();
        let mut again = std::process::Command::new(&program);
        again.arg0(args.next().unwrap_or_else(|| program.into_os_string()));
        let error = again.args(args).env(variable, value).exec();
        tracing::debug!(%error, "the allocator's caches stay");
    }
    sys::memory::stay_small();
}
