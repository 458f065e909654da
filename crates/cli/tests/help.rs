//! `--help` of every command is the real docker client's, byte for byte, at several widths of the terminal.
//! Without a docker binary there is nothing to compare with, and the test says so.

mod recorder;

use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

const DOCKER: &str = "/usr/local/bin/docker";

fn output(program: &Path, words: &[&str], stdin: Stdio) -> (String, String, Option<i32>) {
    let output = Command::new(program)
        .arg0("docker")
        .args(words)
        .stdin(stdin)
        .env("DOCKER_HOST", "unix:///nonexistent/d.sock")
        .env("DOCKER_CONFIG", "/nonexistent")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(output.stdout), text(output.stderr), output.status.code())
}

/// The commands below `parent`, as our own completion lists them.
fn members(parent: &[&str]) -> Vec<String> {
    let words: Vec<&str> = ["__complete"].iter().chain(parent).chain(&[""]).copied().collect();
    let (text, ..) = output(&recorder::client(), &words, Stdio::null());
    let names = text.lines().filter(|line| !line.starts_with(':'));
    names.map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

/// Every path a command can be called by.
fn paths() -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for name in members(&[]) {
        let below = if ["container", "image", "network", "system", "volume"].contains(&name.as_str()) {
            members(&[&name])
        } else {
            Vec::new()
        };
        if below.is_empty() {
            paths.push(vec![name]);
        } else {
            paths.extend(below.into_iter().map(|member| vec![name.clone(), member]));
        }
    }
    paths
}

#[test]
fn help_is_dockers() {
    if !Path::new(DOCKER).exists() {
        eprintln!("no {DOCKER}: nothing to compare with");
        return;
    }
    let paths = paths();
    assert!(paths.len() > 30, "completion lists the commands: {paths:?}");
    for path in &paths {
        let words: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let theirs = output(Path::new(DOCKER), &words, Stdio::null());
        let ours = output(&recorder::client(), &words, Stdio::null());
        assert_eq!(ours, theirs, "{words:?}");
    }
}

#[test]
fn help_is_dockers_at_any_width() {
    if !Path::new(DOCKER).exists() {
        return;
    }
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    for width in [20, 30, 60, 64, 65, 100, 133, 300] {
        tcsetwinsize(slave.as_fd(), Winsize { ws_row: 24, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        for words in [&["run", "--help"][..], &["logs", "--help"], &["ps", "--help"]] {
            let stdin = || Stdio::from(slave.try_clone().unwrap());
            let theirs = output(Path::new(DOCKER), words, stdin());
            let ours = output(&recorder::client(), words, stdin());
            assert_eq!(ours, theirs, "{words:?} at {width}");
        }
    }
}

/// Lines about commands and nouns that we do not have are Docker's alone; the rest is the same.
#[test]
fn root_help_is_dockers_where_we_have_the_command() {
    if !Path::new(DOCKER).exists() {
        return;
    }
    let have = members(&[]);
    let known = |line: &&str| {
        let name = line.split_whitespace().next().unwrap_or_default();
        let row = line.starts_with("  ") && line.len() > 14 && !line.starts_with("   ") && !name.starts_with('-');
        !row || have.iter().any(|command| command == name)
    };
    let theirs = output(Path::new(DOCKER), &["--help"], Stdio::null()).0;
    let theirs: Vec<&str> = theirs.lines().filter(known).collect();
    let ours = output(&recorder::client(), &["--help"], Stdio::null()).0;
    // a heading without rows is not shown
    let theirs = theirs.join("\n").replace("\nSwarm Commands:\n", "").trim_end().to_owned();
    assert_eq!(ours.trim_end(), theirs);
}

#[test]
fn lighter_says_lighter() {
    let client = Command::new(recorder::client()).args(["run", "--help"]).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(client.stdout).unwrap();
    assert!(text.starts_with("Usage:  lighter run [OPTIONS] IMAGE"), "{text}");
    assert!(text.contains("lighter container run, lighter run"));
}
