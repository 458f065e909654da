//! The three files under `/etc` that go with a container's network, as pure functions from what is known to their text
//! (spec/wire-formats.md §11).

pub mod hosts;
pub mod resolv;

/// `/etc/hostname`.
pub fn hostname(name: &str) -> String {
    format!("{name}\n")
}
