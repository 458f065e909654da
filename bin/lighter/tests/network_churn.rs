//! `bench/network_churn.py` for a short while: networks come and go, names are asked for, the daemon is killed.
//!
//! `LIGHTER_CHURN_SECONDS` says how long (default 15; the figures in docs/ are of 300 with 200 networks and 500 containers).

#[test]
fn names_are_right_whatever_happens() {
    let seconds = std::env::var("LIGHTER_CHURN_SECONDS").unwrap_or_else(|_| "15".into());
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bench/network_churn.py");
    let output = std::process::Command::new("python3")
        .arg(program)
        .args(["--networks", "10", "--containers", "25", "--seconds", &seconds])
        // a debug build beside other tests: only a hang is meant
        .args(["--patience", "10", "--programs"])
        .arg(testkit::binaries())
        .output()
        .expect("python3 (scripts/test-setup.sh installs it)");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}
