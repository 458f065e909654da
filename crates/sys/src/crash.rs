//! Named points at which a test has this process die, as by SIGKILL: between any two steps that leave something behind.
//!
//! Only debug builds have them; `LIGHTER_CRASH_AT` names one. The test (`bin/lighter/tests/crash_points.rs`) finds all names in the
//! sources and goes through every one.

/// The variable that names a point.
#[cfg(debug_assertions)]
const VARIABLE: &str = "LIGHTER_CRASH_AT";

/// Dies here when this point is the one.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    static WANTED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    if WANTED.get_or_init(|| std::env::var(VARIABLE).ok()).as_deref() == Some(name) {
        // in one write, for whoever looks for it
        let _ = rustix::io::write(rustix::stdio::stderr(), format!("died at {name}\n").as_bytes());
        let _ = crate::signal::kill(std::process::id() as i32, libc::SIGKILL);
    }
}

#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn point(_: &str) {}

/// What a child that has points of its own must be given of our environment.
pub fn environment() -> Option<(&'static str, String)> {
    #[cfg(debug_assertions)]
    return std::env::var(VARIABLE).ok().map(|name| (VARIABLE, name));
    #[cfg(not(debug_assertions))]
    None
}
