//! Images that are imported, loaded, named and removed.

use testkit::Daemon;

#[test]
fn import_tag_list_remove() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["tag", "busybox", "localhost:5000/mine:v1"]).ok();
    let list = d.run(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).ok().stdout;
    for name in ["busybox:latest", "hello-world:latest", "localhost:5000/mine:v1"] {
        assert!(list.lines().any(|l| l == name), "{list}");
    }
    d.run(&["create", "--name", "cc", "busybox"]).ok();
    d.run(&["rmi", "localhost:5000/mine:v1"]).ok().stdout("Untagged: localhost:5000/mine:v1\n");
    d.run(&["rmi", "busybox"]).status(1).stderr_has("(must be forced)");
    d.run(&["rm", "cc"]).ok();
    d.run(&["rmi", "busybox"]).ok().stdout_has("Untagged: busybox:latest\n").stdout_has("Deleted: sha256:");
    d.run(&["run", "--rm", "busybox", "true"]).status(125);
    d.run(&["rmi", "busybox"]).status(1).stderr_has("No such image: busybox:latest");
    d.run(&["tag", "hello-world", "Bad Name"]).status(1);
}

#[test]
fn changes_of_an_import_hold() {
    let d = Daemon::start();
    let tar = "/var/cache/lighter-tests/busybox.tar";
    let changes = [
        "-c",
        "ENV A=1",
        "-c",
        "WORKDIR /tmp",
        "-c",
        "USER web",
        "-c",
        "ENTRYPOINT [\"echo\"]",
        "-c",
        "CMD [\"hi\"]",
        "-c",
        "LABEL k=v",
        "-c",
        "EXPOSE 80/tcp",
        "-m",
        "note",
    ];
    d.run(&[&["import"][..], &changes, &[tar, "mine:1"]].concat()).ok();
    d.run(&["run", "--rm", "mine:1"]).ok().stdout("hi\n");
    d.run(&["run", "--rm", "--entrypoint", "sh", "mine:1", "-c", "id -un; pwd; echo $A"]).ok().stdout("web\n/tmp\n1\n");
    assert_eq!(
        d.inspect("mine:1", "{{json .Config.Labels}} {{json .Config.ExposedPorts}}"),
        r#"{"k":"v"} {"80/tcp":{}}"#
    );
    d.run(&["history", "--format", "{{.Comment}}", "mine:1"]).ok().stdout("note\n");
    d.run(&["import", "-c", "RUN rm -rf /", tar, "bad"]).status(1);
    d.run_with_input(&["import", "-", "from-stdin"], &std::fs::read(tar).unwrap()).ok();
    d.run_with_input(&["import", "-"], b"this is no tar archive at all").status(1);
    d.run_with_input(&["load"], b"neither is this").status(1);
}

#[test]
fn what_is_no_image_is_refused() {
    let d = Daemon::start();
    let tar = "/var/cache/lighter-tests/busybox.tar";
    let refused = |args: &[&str], message: &str| {
        d.run(args).status(1).stderr(&format!("Error response from daemon: {message}\n"));
    };
    refused(&["import", "-c", "FOO bar", tar, "mine"], "FOO is not a valid change command");
    refused(&["import", "/etc/passwd", "mine"], "archive/tar: invalid tar header");
    d.run(&["load", "-i", "/etc/passwd"]).status(1);
    d.run(&["images", "-q", "mine"]).ok().stdout("");
}

#[test]
fn a_platform_must_be_the_images() {
    let d = Daemon::with_images(&["busybox"]);
    let ours = d.inspect("busybox", "{{.Os}}/{{.Architecture}}");
    let theirs = if ours == "linux/s390x" { "linux/amd64" } else { "linux/s390x" };
    let refused = format!(
        "image with reference busybox was found but its platform ({ours}) does not match the specified platform ({theirs})"
    );
    for command in [&["image", "inspect"][..], &["history"], &["rmi"]] {
        d.run(&[command, &["--platform", theirs, "busybox"]].concat()).status(1).stderr_has(&refused);
    }
    d.run(&["image", "inspect", "--platform", &ours, "busybox"]).ok();
    d.run(&["history", "--platform", &ours, "busybox"]).ok();
    d.run(&["rmi", "--platform", &ours, "busybox"]).ok().stdout_has("Untagged: busybox:latest");
    let answer =
        d.raw("GET /v1.49/images/hello-world/json?platform=x HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n");
    assert!(
        answer.contains("failed to parse platform: invalid character 'x' looking for beginning of value"),
        "{answer}"
    );
}
