//! `checkpoint` and `restore`: not done, and said so.

use super::arguments::{Arguments, Flag};
use super::{Global, Outcome};

/// What callers pass, so that it is this that is refused and not a flag.
pub(super) const FLAGS: &[Flag] = &[
    Flag::text("image-path", ""),
    Flag::text("work-path", ""),
    Flag::text("parent-path", ""),
    Flag::text("bundle", "b"),
    Flag::text("console-socket", ""),
    Flag::text("pid-file", ""),
    Flag::text("page-server", ""),
    Flag::text("manage-cgroups-mode", ""),
    Flag::text("status-fd", ""),
    Flag::text("empty-ns", ""),
    Flag::text("lsm-profile", ""),
    Flag::text("lsm-mount-context", ""),
    Flag::switch("leave-running", ""),
    Flag::switch("tcp-established", ""),
    Flag::switch("ext-unix-sk", ""),
    Flag::switch("shell-job", ""),
    Flag::switch("lazy-pages", ""),
    Flag::switch("file-locks", ""),
    Flag::switch("pre-dump", ""),
    Flag::switch("auto-dedup", ""),
    Flag::switch("detach", "d"),
    Flag::switch("no-subreaper", ""),
    Flag::switch("no-pivot", ""),
];

pub(super) fn refuse(_: &Global, _: &Arguments) -> Outcome {
    Err("checkpoint and restore are not supported by lighter-runtime".to_owned())
}
