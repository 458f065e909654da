//! The client's output against that of the real docker CLI 28.2.2, byte for byte: both run the lines of `commands`
//! against a recorded daemon (`../fixtures`), and what docker did is kept in `golden.json` (status, output, errors, and the
//! requests it made).
//!
//! `RECORD=/usr/local/bin/docker cargo test -p cli --test docker_parity` records anew. This program is its own client: run by
//! the name `docker` (a link in a scratch directory) it is [`cli::main`].

mod daemon;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use daemon::Daemon;
use serde_json::{Value, json};

const COMMANDS: &str = include_str!("commands");

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    if args.next().is_some_and(|name| Path::new(&name).file_name().is_some_and(|name| name == "docker")) {
        return cli::main(std::env::args_os());
    }
    // what `cargo test -- --list` and filters of other tests ask
    if args.any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    let scratch = Scratch::new();
    let daemon = Daemon::start(&scratch.0.join("d.sock"));
    let bench = Bench { scratch: &scratch.0, daemon: &daemon };
    match std::env::var_os("RECORD") {
        Some(docker) => record(&bench, Path::new(&docker)),
        None => compare(&bench),
    }
}

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        let directory = std::env::temp_dir().join(format!("lighter-cli-parity-{}", std::process::id()));
        std::fs::create_dir_all(directory.join("config")).unwrap();
        Scratch(directory)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Bench<'a> {
    scratch: &'a Path,
    daemon: &'a Daemon,
}

fn lines() -> impl Iterator<Item = &'static str> {
    COMMANDS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// What a fixed date is ago changes from year to year: `2 years ago` becomes `N years ago`.
fn mask(text: &str) -> String {
    let mut out = text.to_owned();
    for unit in [" years ago", " months ago"] {
        let parts: Vec<&str> = out.split(unit).collect();
        let last = parts.len() - 1;
        let masked = parts.iter().enumerate().map(|(at, part)| match at == last {
            true => (*part).to_owned(),
            false => format!("{}N", part.trim_end_matches(|c: char| c.is_ascii_digit())),
        });
        out = masked.collect::<Vec<_>>().join(unit);
    }
    out
}

/// Words parted by spaces; single quotes keep spaces.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut quoted, mut fresh) = (false, true);
    for c in line.chars() {
        match c {
            '\'' => (quoted, fresh) = (!quoted, false),
            ' ' if !quoted => {
                if !fresh {
                    words.push(String::new());
                }
                fresh = true;
            }
            c => {
                words.last_mut().unwrap().push(c);
                fresh = false;
            }
        }
    }
    if fresh {
        words.pop();
    }
    words
}

impl Bench<'_> {
    /// Runs one line with this program and tells what came of it.
    fn run(&self, program: &Path, line: &str) -> Value {
        let mut words = words(line);
        let server_only = words[0] == "server-only";
        if server_only {
            words.remove(0);
        }
        let is_setting = |word: &String| {
            word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        };
        let settings = words.iter().take_while(|word| is_setting(word)).count();
        let fixtures = daemon::fixtures().display().to_string();
        let settings: Vec<String> = words.drain(..settings).map(|word| word.replace("@fixtures", &fixtures)).collect();
        self.daemon.forget_requests();
        let done = Command::new(program)
            .args(&words)
            .env_clear()
            .env("DOCKER_HOST", format!("unix://{}", self.scratch.join("d.sock").display()))
            .env("DOCKER_CONFIG", self.scratch.join("config"))
            .env("HOME", self.scratch)
            .env("TZ", "UTC")
            .envs(settings.iter().filter_map(|setting| setting.split_once('=')))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut stdout = text(&done.stdout);
        if server_only {
            stdout = stdout.split_once("\nServer:").map_or(stdout.clone(), |(_, server)| server.to_owned());
        }
        json!({
            "command": line,
            "status": done.status.code(),
            "stdout": mask(&stdout),
            "stderr": text(&done.stderr),
            "requests": self.daemon.requests(),
        })
    }
}

fn golden_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/docker_parity/golden.json")
}

fn record(bench: &Bench<'_>, docker: &Path) -> ExitCode {
    let cases: Vec<String> = lines().map(|line| bench.run(docker, line).to_string()).collect();
    std::fs::write(golden_file(), format!("[\n{}\n]\n", cases.join(",\n"))).unwrap();
    println!("recorded {} commands", cases.len());
    ExitCode::SUCCESS
}

fn compare(bench: &Bench<'_>) -> ExitCode {
    let link = bench.scratch.join("docker");
    std::os::unix::fs::symlink(std::env::current_exe().unwrap(), &link).unwrap();
    let golden: Vec<Value> = serde_json::from_slice(&std::fs::read(golden_file()).unwrap()).unwrap();
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut wrong = 0;
    let mut count = 0;
    for expected in golden.iter().filter(|case| case["command"].as_str().unwrap().contains(&only)) {
        count += 1;
        let line = expected["command"].as_str().unwrap();
        let got = bench.run(&link, line);
        if got == *expected {
            continue;
        }
        wrong += 1;
        println!("== {line}");
        for key in ["status", "stdout", "stderr", "requests"] {
            if got[key] != expected[key] {
                let shown = |value: &Value| value.as_str().map_or(value.to_string(), |text| format!("{text}<end>"));
                println!("-- {key}, docker:\n{}\n-- {key}, ours:\n{}", shown(&expected[key]), shown(&got[key]));
            }
        }
    }
    println!("{wrong} of {count} commands differ from docker");
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
