//! Places between two steps of a commitment, where a test can let the process die.

/// Aborts here if the environment of a test's child process says so.
#[cfg(test)]
pub(crate) fn step(name: &str) {
    if std::env::var("LIGHTER_TEST_DIE_AT").is_ok_and(|at| at == name) {
        std::process::abort();
    }
}

#[cfg(not(test))]
pub(crate) fn step(_name: &str) {}
