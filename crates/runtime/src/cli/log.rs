//! Where errors and warnings go: standard error, and the file of `--log` which a caller (containerd) reads.

use std::io::Write;

use values::Timestamp;

/// The file of `--log`, and how it is written.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    file: Option<String>,
    json: bool,
}

impl Log {
    pub(super) fn new(file: Option<&str>, format: Option<&str>) -> Self {
        Self { file: file.map(str::to_owned), json: format == Some("json") }
    }

    /// Tells a failure; the exit status for it.
    pub(super) fn report(&self, failure: &str) -> u8 {
        eprintln!("{failure}");
        self.write("error", failure);
        1
    }

    /// Tells what is odd. Standard error may be the container's: it is used only where there is no file.
    pub(super) fn warn(&self, what: &str) {
        if self.file.is_none() {
            eprintln!("warning: {what}");
        }
        self.write("warning", what);
    }

    fn write(&self, level: &str, text: &str) {
        let Some(file) = &self.file else { return };
        let time = Timestamp::now().to_rfc3339_nano();
        let line = match self.json {
            true => serde_json::json!({"level": level, "msg": text, "time": time}).to_string(),
            false => format!("time=\"{time}\" level={level} msg={text:?}"),
        };
        let opened = std::fs::OpenOptions::new().create(true).append(true).open(file);
        if let Err(error) = opened.and_then(|mut file| writeln!(file, "{line}")) {
            eprintln!("log to {file}: {error}");
        }
    }
}

/// Prints a line; a reader that went away is no reason to fail.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
