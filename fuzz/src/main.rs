//! One program for all targets: `LIGHTER_FUZZ` names the one to run (`fuzz/run.sh`).

#![no_main]

mod targets;

use std::sync::OnceLock;

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

fn chosen() -> fn(&[u8]) {
    let name = std::env::var("LIGHTER_FUZZ").unwrap_or_default();
    match targets::ALL.iter().find(|(known, _)| *known == name) {
        Some((_, target)) => *target,
        None => {
            let all: Vec<&str> = targets::ALL.iter().map(|(name, _)| *name).collect();
            eprintln!("LIGHTER_FUZZ={name}: no such target; there are {}", all.join(" "));
            std::process::exit(2);
        }
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET.get_or_init(chosen)(data));
