//! `bench/chaos.py` for a short while: everything fails now and then, and all agrees afterwards.
//!
//! `LIGHTER_CHAOS_SECONDS` says how long (default 20; the figures in docs/ are of 600 with 300 containers).

#[test]
fn everything_fails_now_and_then() {
    let seconds = std::env::var("LIGHTER_CHAOS_SECONDS").unwrap_or_else(|_| "20".into());
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bench/chaos.py");
    let binaries = testkit::binaries();
    let output = std::process::Command::new("python3")
        .arg(program)
        .args(["--seconds", &seconds, "--containers", "12", "--users", "3"])
        // a debug build beside other tests: only a hang is meant
        .args(["--p99", "2000", "--programs"])
        .arg(binaries)
        .output()
        .expect("python3 (scripts/test-setup.sh installs it)");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}
