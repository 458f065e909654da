//! Named points at which a test has this process die, as by SIGKILL: between any two steps that leave something behind.
//!
//! Only debug builds have them; `LIGHTER_CRASH_AT` names one, `NAME#N` the Nth time that the process comes by it. The tests
//! (`bin/lighter/tests/crash_points.rs`, `power.rs`) find all names in the sources and go through every one.

/// The variable that names a point.
#[cfg(debug_assertions)]
const VARIABLE: &str = "LIGHTER_CRASH_AT";

/// Where to die.
#[cfg(debug_assertions)]
struct Wanted {
    /// As it was asked for.
    text: String,
    name: String,
    /// How often it is passed before; then the next one.
    passes: std::sync::atomic::AtomicU32,
}

#[cfg(debug_assertions)]
impl Wanted {
    fn parse(text: String) -> Self {
        let (name, count) = match text.split_once('#') {
            Some((name, number)) => (name.to_owned(), number.parse().unwrap_or(1)),
            None => (text.clone(), 1_u32),
        };
        Self { text, name, passes: count.saturating_sub(1).into() }
    }

    /// Whether this is the time.
    fn is_it(&self, name: &str) -> bool {
        use std::sync::atomic::Ordering::Relaxed;
        self.name == name && self.passes.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err()
    }
}

/// Dies here when this point is the one.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    static WANTED: std::sync::OnceLock<Option<Wanted>> = std::sync::OnceLock::new();
    let wanted = WANTED.get_or_init(|| std::env::var(VARIABLE).ok().map(Wanted::parse));
    if let Some(wanted) = wanted.as_ref().filter(|wanted| wanted.is_it(name)) {
        // in one write, for whoever looks for it
        let _ = rustix::io::write(rustix::stdio::stderr(), format!("died at {}\n", wanted.text).as_bytes());
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

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::Wanted;

    #[test]
    fn the_nth_time() {
        let times = |text: &str| {
            let wanted = Wanted::parse(text.into());
            ["a", "b", "a", "a", "a"].map(|name| wanted.is_it(name))
        };
        assert_eq!(times("a"), [true, false, true, true, true]);
        assert_eq!(times("a#3"), [false, false, false, true, true]);
        assert_eq!(times("b#2"), [false; 5]);
    }
}
