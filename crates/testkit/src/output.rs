use std::process::Output;

/// What a command left behind: its streams and its status.
#[derive(Debug)]
pub struct Finished {
    pub command: String,
    pub stdout: String,
    pub stderr: String,
    /// Exit status; 128 + number after a signal.
    pub status: i32,
}

impl Finished {
    pub(crate) fn new(command: String, output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let status = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { command, stdout: text(output.stdout), stderr: text(output.stderr), status }
    }

    #[track_caller]
    pub fn status(self, expected: i32) -> Self {
        assert_eq!(self.status, expected, "status of {self:#?}");
        self
    }

    /// Status 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.status(0)
    }

    #[track_caller]
    pub fn stdout(self, expected: &str) -> Self {
        assert_eq!(self.stdout, expected, "stdout of {self:#?}");
        self
    }

    #[track_caller]
    pub fn stdout_has(self, part: &str) -> Self {
        assert!(self.stdout.contains(part), "no {part:?} in stdout of {self:#?}");
        self
    }

    #[track_caller]
    pub fn stderr(self, expected: &str) -> Self {
        assert_eq!(self.stderr, expected, "stderr of {self:#?}");
        self
    }

    #[track_caller]
    pub fn stderr_has(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "no {part:?} in stderr of {self:#?}");
        self
    }

    /// stdout without blanks around it: an id, a name, a number.
    pub fn text(&self) -> &str {
        self.stdout.trim()
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e} in {self:#?}"))
    }
}
