//! What both clients show of the same progress: byte for byte the same, in a pipe and on terminals of several widths.

use std::path::Path;
use std::process::{Command, Stdio};

use testkit::{Daemon, Registry, Terminal, Told, Web, binaries, real_docker};

const WIDTHS: [u16; 4] = [40, 80, 120, 200];

/// A daemon that answers every pull, push and load with these messages.
fn daemon(messages: &str) -> Web {
    let body = messages.trim().lines().map(|line| format!("{}\r\n", line.trim())).collect::<String>();
    Web::serve("127.0.0.1", move |asked| {
        let told = match asked.target.contains("/_ping") {
            true => Told::body("OK"),
            false => Told::body(body.clone()).with("Content-Type", "application/json"),
        };
        told.with("Api-Version", "1.47").with("Ostype", "linux")
    })
}

fn command(program: &Path, web: &Web, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    // Docker's client makes directories there
    command.args(args).env("DOCKER_CONFIG", concat!(env!("CARGO_TARGET_TMPDIR"), "/progress"));
    command.env("DOCKER_HOST", format!("tcp://{}", web.host()));
    command.env_remove("DOCKER_CONTEXT").env_remove("DOCKER_API_VERSION").stdin(Stdio::null());
    command
}

/// Streams and status of a command, in a pipe and on terminals.
fn shown(program: &Path, web: &Web, args: &[&str]) -> Vec<(i32, String)> {
    let output = command(program, web, args).output().expect("run the client");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let streams = text(&output.stdout) + "|" + &text(&output.stderr);
    let mut all = vec![(output.status.code().unwrap_or(-1), streams)];
    all.extend(WIDTHS.map(|cols| Terminal::sized(command(program, web, args), 24, cols).ended()));
    all
}

fn same(args: &[&str], messages: &str) {
    let Some(docker) = real_docker() else { return };
    let web = daemon(messages);
    let (ours, theirs) = (shown(&binaries().join("lighter"), &web, args), shown(&docker, &web, args));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs, "{args:?}");
    }
}

const PULL: &str = r#"
{"status":"Pulling from library/x","id":"1"}
{"status":"Pulling fs layer","progressDetail":{},"id":"aaaaaaaaaaaa"}
{"status":"Pulling fs layer","progressDetail":{},"id":"bbbbbbbbbbbb"}
{"status":"Pulling fs layer","progressDetail":{},"id":"cccccccccccc"}
{"status":"Waiting","progressDetail":{},"id":"cccccccccccc"}
{"status":"Downloading","progressDetail":{"current":1,"total":3623807},"id":"bbbbbbbbbbbb"}
{"status":"Downloading","progressDetail":{"current":3623806,"total":3623807},"id":"bbbbbbbbbbbb"}
{"status":"Verifying Checksum","progressDetail":{},"id":"bbbbbbbbbbbb"}
{"status":"Download complete","progressDetail":{},"id":"bbbbbbbbbbbb"}
{"status":"Already exists","progressDetail":{},"id":"aaaaaaaaaaaa"}
{"status":"Retrying in 5 seconds","progressDetail":{},"id":"cccccccccccc"}
{"status":"Downloading","progressDetail":{"current":1048576},"id":"cccccccccccc"}
{"status":"Downloading","progressDetail":{"current":200,"total":100},"id":"cccccccccccc"}
{"status":"Extracting","progressDetail":{"current":3,"units":"s"},"id":"bbbbbbbbbbbb"}
{"status":"Extracting","progressDetail":{"current":5,"total":10,"units":"files"},"id":"bbbbbbbbbbbb"}
{"status":"Extracting","progressDetail":{"current":11,"total":10,"units":"files"},"id":"bbbbbbbbbbbb"}
{"status":"Extracting","progressDetail":{"current":5,"total":10,"hidecounts":true},"id":"bbbbbbbbbbbb"}
{"status":"Extracting","progressDetail":{"current":3623807,"total":3623807},"id":"bbbbbbbbbbbb"}
{"status":"Pull complete","progressDetail":{},"id":"bbbbbbbbbbbb"}
{"status":"Pull complete","progressDetail":{},"id":"cccccccccccc"}
{"status":"Digest: sha256:0123456789012345678901234567890123456789012345678901234567890123"}
{"status":"Status: Downloaded newer image for x:1"}
"#;

#[test]
fn pulls() {
    same(&["pull", "x:1"], PULL);
    same(&["pull", "-q", "x:1"], PULL);
    same(&["pull", "-a", "x"], &format!("{PULL}{PULL}"));
    let known = r#"
{"status":"Pulling from library/x","id":"1"}
{"status":"Digest: sha256:0123456789012345678901234567890123456789012345678901234567890123"}
{"status":"Status: Image is up to date for x:1"}"#;
    same(&["pull", "x:1"], known);
}

#[test]
fn pulls_that_fail() {
    let failed = r#"{"errorDetail":{"message":"unexpected EOF"},"error":"unexpected EOF"}"#;
    for lines in [0, 1, 4, 8, 15] {
        let begun: Vec<&str> = PULL.trim().lines().take(lines).chain([failed]).collect();
        for args in [&["pull", "x:1"][..], &["pull", "-q", "x:1"]] {
            same(args, &begun.join("\n"));
        }
    }
    same(&["pull", "x:1"], r#"{"errorDetail":{"code":401,"message":"unauthorized"},"error":"unauthorized"}"#);
}

#[test]
fn pushes() {
    let push = r#"
{"status":"The push refers to repository [127.0.0.1:5000/x]"}
{"status":"Preparing","progressDetail":{},"id":"aaaaaaaaaaaa"}
{"status":"Preparing","progressDetail":{},"id":"bbbbbbbbbbbb"}
{"status":"Preparing","progressDetail":{},"id":"cccccccccccc"}
{"status":"Waiting","progressDetail":{},"id":"cccccccccccc"}
{"status":"Layer already exists","progressDetail":{},"id":"aaaaaaaaaaaa"}
{"status":"Mounted from y","progressDetail":{},"id":"bbbbbbbbbbbb"}
{"status":"Pushing","progressDetail":{"current":512,"total":4096},"id":"cccccccccccc"}
{"status":"Pushing","progressDetail":{"current":4608,"total":4096},"id":"cccccccccccc"}
{"status":"Pushed","progressDetail":{},"id":"cccccccccccc"}
{"status":"1: digest: sha256:0123456789012345678901234567890123456789012345678901234567890123 size: 123"}
{"progressDetail":{},"aux":{"Tag":"1","Digest":"sha256:0123456789012345678901234567890123456789012345678901234567890123","Size":123}}"#;
    same(&["push", "127.0.0.1:5000/x:1"], push);
    same(&["push", "-q", "127.0.0.1:5000/x:1"], push);
    let denied = r#"
{"status":"The push refers to repository [127.0.0.1:5000/x]"}
{"status":"Preparing","progressDetail":{},"id":"aaaaaaaaaaaa"}
{"errorDetail":{"message":"no basic auth credentials"},"error":"no basic auth credentials"}"#;
    same(&["push", "127.0.0.1:5000/x:1"], denied);
}

#[test]
fn loads() {
    let load = r#"
{"status":"Loading layer","progressDetail":{"current":32768,"total":100000},"id":"aaaaaaaaaaaa"}
{"status":"Loading layer","progressDetail":{"current":100000,"total":100000},"id":"aaaaaaaaaaaa"}
{"stream":"The image x:1 already exists, renaming the old one with ID sha256:01 to empty string\n"}
{"status":"Loading layer","progressDetail":{"current":1,"total":2},"id":"bbbbbbbbbbbb"}
{"stream":"Loaded image: x:1\n"}"#;
    same(&["load", "-i", "/etc/hostname"], load);
    same(&["load", "-q", "-i", "/etc/hostname"], r#"{"stream":"Loaded image: x:1\n"}"#);
}

const LISTED: &str = r#"[
{"Containers":-1,"Created":5,"Id":"sha256:0123456789abcdef","Labels":null,"ParentId":"","RepoDigests":[],"RepoTags":["a:1","long/name:1","b:2"],"SharedSize":-1,"Size":1234567,"Manifests":[
 {"ID":"sha256:1111111111111111","Descriptor":{"mediaType":"","digest":"sha256:11","size":1},"Available":true,"Kind":"image","Size":{"Content":1000,"Total":2000},"ImageData":{"Platform":{"architecture":"amd64","os":"linux"},"Containers":["c"],"Size":{"Unpacked":0}}},
 {"ID":"sha256:2222222222222222","Descriptor":{"mediaType":"","digest":"sha256:22","size":1},"Available":false,"Kind":"image","Size":{"Content":1000,"Total":2000},"ImageData":{"Platform":{"architecture":"arm","os":"linux","variant":"v7"},"Containers":[],"Size":{"Unpacked":0}}},
 {"ID":"sha256:3333333333333333","Descriptor":{"mediaType":"","digest":"sha256:33","size":1},"Available":true,"Kind":"attestation","Size":{"Content":1000,"Total":2000},"AttestationData":{"For":"sha256:11"}}]},
{"Containers":2,"Created":9,"Id":"sha256:4444444444444444","Labels":null,"ParentId":"","RepoDigests":[],"RepoTags":["used/by/containers/and/a/rather/long/name:1"],"SharedSize":-1,"Size":1234567,"Manifests":[
 {"ID":"sha256:5555555555555555","Descriptor":{"mediaType":"","digest":"sha256:55","size":1},"Available":true,"Kind":"image","Size":{"Content":1000,"Total":2000},"ImageData":{"Platform":{"architecture":"amd64","os":"linux"},"Containers":["c","d"],"Size":{"Unpacked":0}}}]},
{"Containers":0,"Created":7,"Id":"sha256:6666666666666666","Labels":null,"ParentId":"","RepoDigests":["x@sha256:66"],"RepoTags":[],"SharedSize":-1,"Size":1234567,"Manifests":[]},
{"Containers":0,"Created":8,"Id":"sha256:7777777777777777","Labels":null,"ParentId":"","RepoDigests":[],"RepoTags":[],"SharedSize":-1,"Size":1234567,"Manifests":[]}]"#;

/// Without the colors of the head, which Docker's client also writes into pipes.
fn plain(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + piece.split_once('m').map_or(piece, |(_, rest)| rest))
}

#[test]
fn images_as_a_tree() {
    let Some(docker) = real_docker() else { return };
    for (images, args) in
        [(LISTED, &["image", "ls", "--tree"][..]), (LISTED, &["images", "--tree", "-a"]), ("[]", &["images", "--tree"])]
    {
        let web = daemon(images);
        let (ours, theirs) = (shown(&binaries().join("lighter"), &web, args), shown(&docker, &web, args));
        assert_eq!(ours[0], (theirs[0].0, plain(&theirs[0].1)), "{args:?}");
        assert_eq!(ours[1..], theirs[1..], "{args:?}");
    }
}

#[test]
fn platforms_of_an_index_that_are_here_and_that_are_not() {
    let (registry, daemon) = (Registry::start(), Daemon::with_images(&["busybox"]));
    let list = registry.name("x:all");
    daemon.run(&["tag", "busybox", &registry.name("x:own")]).ok();
    daemon
        .run(&[
            "import",
            "--platform",
            "linux/s390x",
            "/var/cache/lighter-tests/busybox.tar",
            &registry.name("x:other"),
        ])
        .ok();
    daemon.run(&["push", "-q", "-a", &registry.name("x")]).ok();
    daemon.run(&["manifest", "create", &list, &registry.name("x:own"), &registry.name("x:other")]).ok();
    daemon.run(&["manifest", "push", "-p", &list]).ok();
    daemon.run(&["rmi", "busybox", &registry.name("x:own"), &registry.name("x:other"), "hello-world"]).ok();
    daemon.run(&["pull", "-q", &list]).ok();
    daemon.run(&["create", "--name", "cc", &list]).ok();
    let tree = daemon.run(&["images", "--tree"]).ok().stdout;
    let lines: Vec<Vec<&str>> = tree.lines().map(|line| line.split_whitespace().collect()).collect();
    let used = |name: &str| lines.iter().any(|words| words.contains(&name) && words.last() == Some(&"U"));
    let architecture = if cfg!(target_arch = "aarch64") { "linux/arm64" } else { "linux/amd64" };
    assert!(used(&list) && used(architecture) && !used("linux/s390x"), "{tree}");
    assert!(lines.iter().any(|words| words.get(1) == Some(&"linux/s390x") && words[3..] == ["0B", "0B"]), "{tree}");
}
