//! The verbs that act on containers, against daemons that answer in every way: output, errors and status are those of
//! the real docker client. Without a docker binary there is nothing to compare with, and the test says so.

mod recorder;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use recorder::{Answer, Recorder, Request, json};

const DOCKER: &str = "/usr/local/bin/docker";
const ID: &str = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

/// What the daemon is like: words that [`answer`] knows.
const SCENES: &[(&str, &[&str])] = &[
    ("", &["run -d img", "run --rm img", "run --pull always img", "run -q img x -y"]),
    ("", &["exec x y", "exec -d x y", "exec -e A=1 -w /x -u 3 --privileged x y -z", "attach --no-stdin x", "attach x"]),
    (
        "",
        &["start a bad1 b gone2", "stop a bad1 b gone2 c", "stop -t 3 -s INT a", "restart a bad", "kill -s HUP a bad"],
    ),
    (
        "",
        &[
            "pause a bad",
            "unpause gone",
            "rm -f a gone",
            "rm -fv bad",
            "rm gone",
            "rename a b",
            "rename bad b",
            "wait a b",
        ],
    ),
    ("", &["logs x", "logs --since foo x", "logs --tail foo x", "logs -f --until 5m -t --details x", "logs gone"]),
    (
        "",
        &["port x", "port x 80", "port x 80/tcp", "port x 9/udp", "port x 9", "port x foo", "port x 7", "port x 70000"],
    ),
    ("warn", &["run -d img", "create img"]),
    ("exit=3", &["run img", "start -a x", "attach x", "wait a b"]),
    ("exit=300", &["run img", "wait a"]),
    ("exit=-1", &["run img"]),
    ("nostart=executable file not found in $PATH", &["run -d img", "start x"]),
    ("nostart=permission denied", &["run -d img"]),
    ("nostart=boom", &["run -d img", "start a b"]),
    ("noimage", &["run img", "create img", "run --pull never img", "run -q img", "run reg:5000/a/b:c"]),
    ("noimage nopull", &["run img", "create img"]),
    ("nocreate", &["run img", "create img"]),
    ("stopped", &["attach x"]),
    ("paused", &["attach x"]),
    ("restarting", &["attach x"]),
    ("tty", &["run -t img", "run -it img", "exec -t x y", "exec -it x y", "start -ai x", "attach x", "logs x"]),
    // with `run` docker itself is of two minds: the error races with the exit status
    ("systemerror", &["logs x"]),
];

fn answer(scene: &'static str) -> Answer {
    let has = move |word: &str| scene.split(' ').any(|other| other == word);
    let value = move |name: &str| {
        let start = scene.find(&format!("{name}="))? + name.len() + 1;
        Some(&scene[start..])
    };
    Box::new(move |request: &Request| {
        let path = request.target.split('?').next().unwrap_or_default();
        let path = path.strip_prefix("/v").and_then(|rest| rest.split_once('/')).map_or(path, |(_, path)| path);
        let name = path.split('/').nth(1).unwrap_or_default().to_owned();
        let message = |status: &str, text: &str| Some(json(status, &format!("{{\"message\":{text:?}}}")));
        if name.starts_with("bad") {
            return message("409 Conflict", &format!("cannot do that to {name}"));
        }
        if name.starts_with("gone") {
            return message("404 Not Found", &format!("No such container: {name}"));
        }
        match path {
            "containers/create" if has("nocreate") => message("409 Conflict", "Conflict. The name is in use"),
            "containers/create" if has("noimage") => message("404 Not Found", "No such image: img:latest"),
            "containers/create" => {
                let warnings = if has("warn") { "[\"careful\"]" } else { "[]" };
                Some(json("201 Created", &format!("{{\"Id\":\"{ID}\",\"Warnings\":{warnings}}}")))
            }
            "images/create" if has("nopull") => message("404 Not Found", "pull access denied for img"),
            "images/create" => Some(json(
                "200 OK",
                "{\"status\":\"Pulling from library/img\",\"id\":\"latest\"}\r\n{\"status\":\"Pull complete\",\"progressDetail\":{},\"id\":\"abc\"}\r\n{\"status\":\"Status: Downloaded newer image for img:latest\"}\r\n",
            )),
            _ if path.ends_with("/json") && path.starts_with("exec/") => {
                Some(json("200 OK", "{\"ID\":\"e1\",\"Running\":false,\"ExitCode\":5}"))
            }
            _ if path.ends_with("/json") => {
                let running = !has("stopped");
                let (paused, restarting, tty) = (has("paused"), has("restarting"), has("tty"));
                Some(json(
                    "200 OK",
                    &format!(
                        "{{\"Id\":\"{ID}\",\"Name\":\"/n\",\"State\":{{\"Running\":{running},\"Paused\":{paused},\"Restarting\":{restarting}}},\"Config\":{{\"Tty\":{tty},\"OpenStdin\":true}},\"HostConfig\":{{}},\"NetworkSettings\":{{\"Ports\":{{\"80/tcp\":[{{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8080\"}},{{\"HostIp\":\"::\",\"HostPort\":\"8080\"}}],\"9/udp\":[{{\"HostIp\":\"1.1.1.1\",\"HostPort\":\"9\"}}],\"7/tcp\":null}}}}}}"
                    ),
                ))
            }
            _ if path.ends_with("/wait") => {
                let status = value("exit").unwrap_or("0");
                Some(json("200 OK", &format!("{{\"StatusCode\":{status}}}")))
            }
            _ if path.ends_with("/logs") => Some(output("200 OK", &has)),
            _ if path.ends_with("/attach") => Some(output("101 UPGRADED", &has)),
            _ if path.starts_with("exec/") && path.ends_with("/start") => {
                let detached = String::from_utf8_lossy(&request.body).contains("\"Detach\":true");
                Some(if detached { json("200 OK", "") } else { output("101 UPGRADED", &has) })
            }
            _ if path.ends_with("/start") => match value("nostart") {
                Some(why) => message("400 Bad Request", &format!("failed to start: {why}: unknown")),
                None => Some(nothing()),
            },
            _ if request.method == "DELETE" => Some(nothing()),
            _ => ["/stop", "/kill", "/restart", "/pause", "/unpause", "/rename", "/resize"]
                .iter()
                .any(|verb| path.ends_with(verb))
                .then(nothing),
        }
    })
}

fn nothing() -> Vec<u8> {
    b"HTTP/1.1 204 No Content\r\nApi-Version: 1.50\r\n\r\n".to_vec()
}

/// What a container writes, up to the end of the connection.
fn output(status: &str, has: &dyn Fn(&str) -> bool) -> Vec<u8> {
    let kind = if has("tty") { "raw" } else { "multiplexed" };
    let upgrade = if status.starts_with("101") { "Connection: Upgrade\r\nUpgrade: tcp\r\n" } else { "" };
    let mut reply = format!(
        "HTTP/1.1 {status}\r\nApi-Version: 1.50\r\nContent-Type: application/vnd.docker.{kind}-stream\r\n{upgrade}X-Then: close\r\n\r\n"
    )
    .into_bytes();
    if has("tty") {
        reply.extend_from_slice(b"a line\r\n");
        return reply;
    }
    for (stream, text) in [(1, "to stdout\n"), (2, "to stderr\n"), (1, "and again"), (3, "it broke")] {
        if stream != 3 || has("systemerror") {
            reply.extend_from_slice(&[stream, 0, 0, 0, 0, 0, 0, text.len() as u8]);
            reply.extend_from_slice(text.as_bytes());
        }
    }
    reply
}

fn outcome(program: &Path, scene: &'static str, line: &str) -> (String, String, Option<i32>) {
    let recorder = Recorder::answering(answer(scene));
    let output = Command::new(program)
        .arg0("docker")
        .args(line.split(' '))
        .stdin(Stdio::null())
        .env("DOCKER_HOST", recorder.address())
        .env("DOCKER_CONFIG", recorder.directory())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[test]
fn outcomes_are_dockers() {
    if !Path::new(DOCKER).exists() {
        eprintln!("no {DOCKER}: nothing to compare with");
        return;
    }
    let mut wrong = Vec::new();
    for (scene, lines) in SCENES {
        for line in *lines {
            let theirs = outcome(Path::new(DOCKER), scene, line);
            let ours = outcome(&recorder::client(), scene, line);
            if theirs != ours {
                wrong.push(format!("[{scene}] docker {line}\n  docker: {theirs:?}\n  ours:   {ours:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
