//! Where errors go: standard error, and the file of `--log` which a caller (containerd) reads.

use std::io::Write;

use values::Timestamp;

/// Tells a failure; the exit status for it.
pub(super) fn report(file: Option<&str>, format: Option<&str>, failure: &str) -> u8 {
    eprintln!("{failure}");
    let Some(file) = file else { return 1 };
    let time = Timestamp::now().to_rfc3339_nano();
    let line = match format {
        Some("json") => serde_json::json!({"level": "error", "msg": failure, "time": time}).to_string(),
        _ => format!("time=\"{time}\" level=error msg={failure:?}"),
    };
    let written =
        std::fs::OpenOptions::new().create(true).append(true).open(file).and_then(|mut file| writeln!(file, "{line}"));
    if let Err(error) = written {
        eprintln!("log to {file}: {error}");
    }
    1
}

/// Prints a line; a reader that went away is no reason to fail.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
