//! Docker's commands that this client does not have yet: told so, not called unknown.
//!
//! A spelling leaves this table when its command enters [`crate::commands::COMMANDS`].

const NOT_YET: &[&str] = &[
    "build",
    "builder",
    "buildx",
    "checkpoint",
    "compose",
    "config",
    "context",
    "image build",
    "node",
    "plugin",
    "secret",
    "service",
    "stack",
    "swarm",
    "trust",
];

/// Whether Docker has a command of this spelling (`pull`, `image pull`) that is not there yet.
pub fn is_known(spelling: &str) -> bool {
    NOT_YET.contains(&spelling)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::find_command;

    #[test]
    fn none_is_there() {
        for spelling in NOT_YET {
            assert!(find_command(spelling).is_none(), "{spelling}");
        }
        assert!(NOT_YET.is_sorted());
        assert!(is_known("config") && !is_known("image ls") && !is_known("nonsense"));
    }
}
