//! Registries as users have them: pull, push, login, manifests, and registries that are not as they should be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use testkit::{Asked, Cli, Daemon, Registry, RegistryOptions, Told, Web, eventually};

const TAR: &str = "/var/cache/lighter-tests/busybox.tar";

type Fault = Box<dyn Fn(Told) -> Told + Send + Sync>;

/// A daemon that gives up early, with the image `busybox` of one gzip layer.
fn daemon(flags: &[&str]) -> Daemon {
    let d = Daemon::with_flags(&[&["--max-download-attempts", "2"], flags].concat());
    let gzip = std::process::Command::new("gzip").args(["-c", "-1", TAR]).output().expect("gzip");
    d.run_with_input(&["import", "-c", "CMD [\"sh\"]", "-", "busybox"], &gzip.stdout).ok();
    d
}

/// Pushes `busybox` to the registry under `name` and forgets it here.
fn push_away(d: &Daemon, name: &str) {
    d.run(&["tag", "busybox", name]).ok();
    d.run(&["push", "-q", name]).ok();
    d.run(&["rmi", "busybox", name]).ok();
}

/// A registry in front of `of` that gives every reply for a large blob to `fault`, with how many there were.
fn front(of: &Arc<Registry>, fault: impl Fn(usize, Told) -> Told + Send + Sync + 'static) -> Web {
    let (of, count) = (of.clone(), AtomicUsize::new(0));
    Web::serve("127.0.0.1", move |asked| {
        let told = of.answer(asked);
        let large = matches!(&told, Told::Reply { body, .. } if body.len() > 20_000);
        let is_layer = asked.target.contains("/blobs/") && (large || asked.header("range").is_some());
        if is_layer { fault(count.fetch_add(1, Ordering::Relaxed), told) } else { told }
    })
}

fn cut(told: Told, sent: usize) -> Told {
    match told {
        Told::Reply { status, headers, body } => Told::Cut { status, headers, body, sent },
        other => other,
    }
}

fn partial(d: &Daemon) -> usize {
    std::fs::read_dir(d.directory.join("data/images/partial")).expect("partial").count()
}

#[test]
fn push_and_pull() {
    let (registry, d) = (Registry::start(), daemon(&[]));
    let name = registry.name("a/b:1");
    d.run(&["tag", "busybox", &name]).ok();
    d.run(&["push", &name])
        .ok()
        .stdout_has(&format!("The push refers to repository [{}]\n", registry.name("a/b")))
        .stdout_has(": Preparing\n")
        .stdout_has(": Pushed\n")
        .stdout_has("\n1: digest: sha256:");
    d.run(&["push", &name]).ok().stdout_has(": Layer already exists\n");
    let id = d.inspect(&name, "{{.Id}}");
    assert_eq!(registry.tag("a/b", "1"), Some(id.clone()));
    d.run(&["rmi", "busybox", &name]).ok();
    let pulled = d.run(&["pull", &name]).ok();
    for line in
        ["1: Pulling from a/b", ": Pulling fs layer", ": Verifying Checksum", ": Download complete", ": Pull complete"]
    {
        assert!(pulled.stdout.contains(&format!("{line}\n")), "{pulled:?}");
    }
    assert!(pulled.stdout.ends_with(&format!("Digest: {id}\nStatus: Downloaded newer image for {name}\n{name}\n")));
    d.run(&["pull", &name])
        .ok()
        .stdout(&format!("1: Pulling from a/b\nDigest: {id}\nStatus: Image is up to date for {name}\n{name}\n"));
    let other = d.run(&["pull", "--platform", "linux/s390x", &name]).ok().stdout;
    let (_, warning) = other.split_once("\nStatus: Image is up to date for ").expect("a status");
    assert!(warning.contains("\nWARNING: image with reference "), "{other}");
    d.run(&["run", "--rm", &name, "echo", "hi"]).ok().stdout("hi\n");
    d.run(&["tag", &name, &registry.name("c:2")]).ok();
    d.run(&["push", &registry.name("c:2")]).ok().stdout_has(": Mounted from a/b\n");
    d.run(&["pull", &format!("{}@{id}", registry.name("c"))]).ok().stdout_has(&format!("Digest: {id}\n"));
    d.run(&["pull", "-q", "-a", &registry.name("c")]).ok().stdout(&format!("{}\n", registry.name("c")));
    assert_eq!(partial(&d), 0);
}

/// Digests and media types of the layers that a registry has of an image, and how long the blobs are.
fn layers_of(registry: &Registry, repository: &str, tag: &str) -> Vec<(String, String, u64)> {
    let manifest = registry.tag(repository, tag).expect("a tag");
    let manifest = std::fs::read(registry.blob(&manifest[7..])).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    let text = |layer: &serde_json::Value, key: &str| layer[key].as_str().expect(key).to_owned();
    let all = manifest["layers"].as_array().expect("layers");
    let size = |digest: &str| std::fs::metadata(registry.blob(&digest[7..])).expect("a blob").len();
    all.iter().map(|l| (text(l, "digest"), text(l, "mediaType"), size(l["digest"].as_str().unwrap()))).collect()
}

#[test]
fn layers_made_here_are_pushed_compressed() {
    let (registry, other) = (Registry::start(), Registry::start());
    for cli in [Cli::Lighter].into_iter().chain(testkit::real_docker().map(Cli::Docker)) {
        let d = daemon(&[]).through(cli);
        let name = registry.name("made:1");
        d.run(&["run", "--name", "cc", "busybox", "sh", "-c", "echo hi >/text; truncate -s 64M /hole"]).ok();
        let id = d.run(&["commit", "cc", &name]).ok().stdout.trim().to_owned();
        let pushed = d.run(&["push", &name]).ok().stdout_has(": Pushed\n").stdout.clone();
        let digest = registry.tag("made", "1").expect("a tag");
        assert!(digest != id && pushed.contains(&format!("\n1: digest: {digest} size: ")), "{pushed}");
        let layers = layers_of(&registry, "made", "1");
        assert!(layers[1].1.ends_with("gzip") && layers[1].2 < 200_000, "{layers:?}");
        // here it is the image it was, and has the name that others know it by
        let by_digest = format!("{}@{digest}", registry.name("made"));
        assert_eq!(d.inspect(&name, "{{.Id}} {{.RepoDigests}}").trim(), format!("{id} [{by_digest}]"));
        d.run(&["run", "--rm", &by_digest, "cat", "/text"]).ok().stdout("hi\n");
        let again = d.run(&["push", &name]).ok().stdout.clone();
        assert!(again.contains(": Layer already exists\n") && !again.contains(": Pushed\n"), "{again}");
        d.run(&["pull", &name]).ok().stdout_has(&format!("Digest: {digest}\nStatus: Image is up to date for {name}\n"));
        d.run(&["pull", &by_digest]).ok();
        assert_eq!(d.inspect(&name, "{{.Id}}").trim(), id);
        // the same wherever it goes, also when it was saved and loaded in between
        let file = d.directory.join("made.tar").display().to_string();
        d.run(&["tag", &name, &registry.name("mounted:1")]).ok();
        d.run(&["push", &registry.name("mounted:1")]).ok().stdout_has(": Mounted from made\n");
        d.run(&["save", "-o", &file, &name]).ok();
        d.run(&["rm", "cc"]).ok();
        d.run(&["rmi", "-f", &id]).ok();
        d.run(&["load", "-i", &file]).ok();
        assert_eq!(d.inspect(&name, "{{.Id}}").trim(), id);
        d.run(&["tag", &name, &other.name("made:1")]).ok();
        d.run(&["push", "-q", &other.name("made:1")]).ok();
        assert_eq!(other.tag("made", "1").as_deref(), Some(&digest[..]));
        d.run(&["rmi", "-f", &id]).ok();
        d.run(&["pull", &name]).ok().stdout_has("Status: Downloaded newer image");
        d.run(&["run", "--rm", &name, "stat", "-c", "%s", "/hole"]).ok().stdout("67108864\n");
        assert_eq!(std::fs::read_dir(d.directory.join("data/images/ingest")).unwrap().count(), 0);
    }
}

#[test]
fn a_push_that_ends_while_it_compresses_leaves_nothing() {
    let (registry, mut d) = (Registry::start(), daemon(&[]));
    let name = registry.name("made:1");
    d.run(&["run", "--name", "cc", "busybox", "sh", "-c", "head -c 60000000 /dev/urandom >/noise"]).ok();
    d.run(&["commit", "cc", &name]).ok();
    let ingest = d.directory.join("data/images/ingest");
    let begin = |d: &Daemon| {
        let client = d.command(&["push", &name]).stdout(std::process::Stdio::null()).spawn().unwrap();
        eventually("it compresses", || std::fs::read_dir(&ingest).unwrap().count() > 0);
        client
    };
    let mut client = begin(&d);
    client.kill().unwrap();
    client.wait().unwrap();
    eventually("nothing is left", || std::fs::read_dir(&ingest).unwrap().count() == 0);
    let mut client = begin(&d);
    d.kill();
    client.wait().unwrap();
    d.start_again();
    eventually("nothing is left", || std::fs::read_dir(&ingest).unwrap().count() == 0);
    // two at once make it once
    let other = registry.name("other:1");
    d.run(&["tag", &name, &other]).ok();
    let mut first = begin(&d);
    d.run(&["push", "-q", &other]).ok();
    assert!(first.wait().unwrap().success());
    assert_eq!(registry.tag("made", "1"), registry.tag("other", "1"));
}

#[test]
fn an_image_removed_while_it_is_pushed_is_pushed_and_gone() {
    let (registry, d) = (Registry::start(), daemon(&[]));
    let name = registry.name("made:1");
    d.run(&[
        "run",
        "--name",
        "cc",
        "busybox",
        "sh",
        "-c",
        "head -c 60000000 /dev/urandom >/noise; sha1sum /noise >/sum",
    ])
    .ok();
    d.run(&["commit", "cc", &name]).ok();
    d.run(&["rm", "cc"]).ok();
    let blobs = || std::fs::read_dir(d.directory.join("data/images/blobs/sha256")).unwrap().count();
    let before = blobs();
    let mut client = d.command(&["push", &name]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let ingest = d.directory.join("data/images/ingest");
    eventually("it compresses", || std::fs::read_dir(&ingest).unwrap().count() > 0);
    d.run(&["rmi", &name]).ok();
    assert!(client.wait().unwrap().success());
    // its layer, configuration and manifest
    eventually("nothing is left", || blobs() == before - 3);
    d.run(&["pull", "-q", &name]).ok();
    d.run(&["run", "--rm", &name, "sha1sum", "-c", "/sum"]).ok().stdout("/noise: OK\n");
}

#[test]
fn run_fetches_what_is_missing() {
    let (mut registry, d) = (Registry::start(), daemon(&[]));
    let name = registry.name("app:latest");
    push_away(&d, &name);
    d.run(&["run", "--rm", "--pull", "never", &name, "true"]).status(125).stderr_has("No such image");
    let first = d.run(&["run", "--rm", &registry.name("app"), "echo", "hi"]).ok().stdout("hi\n");
    let begin = format!("Unable to find image '{name}' locally\nlatest: Pulling from app\n");
    assert!(first.stderr.starts_with(&begin), "{first:?}");
    assert!(first.stderr.ends_with(&format!("Status: Downloaded newer image for {name}\n")), "{first:?}");
    d.run(&["run", "--rm", "--pull", "always", &name, "true"]).ok().stderr_has("Image is up to date");
    registry.stop();
    d.run(&["run", "--rm", &name, "echo", "hi"]).ok().stdout("hi\n").stderr("");
    let missing = d.run(&["pull", &registry.name("other")]).status(1);
    let why = format!(
        "Error response from daemon: Get \"http://{}/v2/\": dial tcp {}: connect: connection refused\n",
        registry.host(),
        registry.host()
    );
    assert_eq!(missing.stderr, why);
}

#[test]
fn what_is_not_there() {
    let (registry, d) = (Registry::start(), daemon(&[]));
    push_away(&d, &registry.name("a:1"));
    let no = |args: &[&str], message: String| {
        assert_eq!(d.run(args).status(1).stderr, format!("{message}\n"), "{args:?}");
    };
    let unknown = |name: &str| {
        format!(
            "Error response from daemon: manifest for {} not found: manifest unknown: manifest unknown",
            registry.name(name)
        )
    };
    no(&["pull", &registry.name("a:2")], unknown("a:2"));
    no(&["pull", &registry.name("b")], unknown("b:latest"));
    no(&["push", &registry.name("b")], format!("An image does not exist locally with the tag: {}", registry.name("b")));
    no(&["pull", "-a", &registry.name("a:1")], "tag can't be used with --all-tags/-a".into());
    no(&["pull", "Bad"], "invalid reference format: repository name (library/Bad) must be lowercase".into());
    no(
        &["pull", &registry.name("a:1"), "--platform", "nonsense/x/y/z"],
        "Error response from daemon: \"nonsense/x/y/z\": cannot parse platform specifier: invalid argument".into(),
    );
    no(&["pull", "scratch"], "Error response from daemon: 'scratch' is a reserved name".into());
    let by_digest = format!("{}@sha256:{}", registry.name("a"), "0".repeat(64));
    no(&["push", &by_digest], "cannot push a digest reference".into());
}

#[test]
fn users_log_in() {
    for cli in [Cli::Lighter].into_iter().chain(testkit::real_docker().map(Cli::Docker)) {
        let registry = Registry::with(RegistryOptions { users: true, ..RegistryOptions::default() });
        let d = daemon(&[]).through(cli);
        let (host, name) = (registry.host(), registry.name("a:1"));
        d.run(&["tag", "busybox", &name]).ok();
        d.run(&["push", &name]).status(1).stderr_has("no basic auth credentials");
        let wrong = d.run_with_input(&["login", "-u", "u", "--password-stdin", &host], b"wrong").status(1);
        assert!(wrong.stderr.contains("401 Unauthorized"), "{wrong:?}");
        d.run(&["login", &host]).status(1).stderr_has("non TTY");
        d.run_with_input(&["login", "-u", "u", "--password-stdin", &host], b"p\n").ok().stdout_has("Login Succeeded\n");
        d.run(&["push", &name]).ok();
        d.run(&["login", &host]).ok().stderr_has("Authenticating with existing credentials... [Username: u]");
        d.run(&["logout", &host]).ok().stdout(&format!("Removing login credentials for {host}\n"));
        d.run(&["pull", &name]).status(1).stderr_has("no basic auth credentials");
    }
}

#[test]
fn helpers_keep_credentials() {
    let registry = Registry::with(RegistryOptions { users: true, ..RegistryOptions::default() });
    let d = daemon(&[]);
    let (bin, config) = (d.directory.join("bin"), d.directory.join("config"));
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::create_dir_all(&config).unwrap();
    let helper = bin.join("docker-credential-box");
    let script = "#!/bin/sh\nf=$(dirname $0)/kept\ncase $1 in store) cat > $f;; get) cat > /dev/null; [ -e $f ] && cat $f || { echo 'credentials not found in native keychain'; exit 1; };; erase) rm -f $f;; esac\n";
    std::fs::write(&helper, script).unwrap();
    std::fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(config.join("config.json"), r#"{"credsStore":"box"}"#).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let run = |args: &[&str]| d.command(args).env("PATH", &path).output().unwrap().status.code();
    assert_eq!(run(&["login", "-u", "u", "-p", "p", &registry.host()]), Some(0));
    let text = std::fs::read_to_string(config.join("config.json")).unwrap();
    assert!(!text.contains("dTpw") && text.contains(&registry.host()), "{text}");
    d.run(&["tag", "busybox", &registry.name("a:1")]).ok();
    assert_eq!(run(&["push", &registry.name("a:1")]), Some(0));
    assert_eq!(run(&["logout", &registry.host()]), Some(0));
    assert_eq!(run(&["pull", &registry.name("a:1")]), Some(1));
}

#[test]
fn a_cut_download_goes_on_where_it_was() {
    let (registry, d) = (Arc::new(Registry::start()), daemon(&[]));
    push_away(&d, &registry.name("a:1"));
    let web = front(&registry, |_, told| cut(told, 200_000));
    let name = format!("{}/a:1", web.host());
    d.run(&["pull", &name]).ok();
    d.run(&["run", "--rm", &name, "echo", "hi"]).ok().stdout("hi\n");
    let ranges: Vec<_> = web.asked().iter().filter_map(|asked| asked.header("range").map(str::to_owned)).collect();
    assert!(ranges.len() >= 3 && ranges[0].starts_with("bytes=") && ranges[0] != "bytes=0-", "{ranges:?}");
    assert_eq!(partial(&d), 0);
}

#[test]
fn a_failed_pull_leaves_its_beginning_for_the_next() {
    let (registry, d) = (Arc::new(Registry::start()), daemon(&[]));
    push_away(&d, &registry.name("a:1"));
    let web = front(&registry, |n, told| match n {
        0 => cut(told, 500_000),
        1 => cut(told, 0),
        _ => told,
    });
    let name = format!("{}/a:1", web.host());
    d.run(&["pull", &name]).status(1).stderr_has("unexpected EOF");
    d.run(&["images", "-q", &name]).ok().stdout("");
    assert_eq!(partial(&d), 1);
    d.run(&["pull", &name]).ok();
    let last = web
        .asked()
        .into_iter()
        .filter(|asked| asked.target.contains("/blobs/"))
        .filter_map(|a| a.header("range").map(str::to_owned))
        .next_back();
    assert_eq!(last.as_deref(), Some("bytes=500000-"));
    assert_eq!(partial(&d), 0);
    d.run(&["run", "--rm", &name, "true"]).ok();
}

#[test]
fn lies_are_found() {
    let (registry, d) = (Arc::new(Registry::start()), daemon(&[]));
    push_away(&d, &registry.name("a:1"));
    let flip = |told: Told| match told {
        Told::Reply { status, headers, mut body } => {
            let middle = body.len() / 2;
            body[middle] ^= 1;
            Told::Reply { status, headers, body }
        }
        other => other,
    };
    let longer = |told: Told| match told {
        Told::Reply { status, headers, body } => Told::Reply { status, headers, body: [&body[..], b"more"].concat() },
        other => other,
    };
    let garbage = |_: Told| Told::Raw(b"\0\xffnothing\r\n\r\n".to_vec());
    let faults: [(&str, Fault); 3] = [
        ("verification failed", Box::new(flip)),
        ("failed size validation", Box::new(longer)),
        ("malformed HTTP", Box::new(garbage)),
    ];
    for (message, fault) in faults {
        let web = front(&registry, move |_, told| fault(told));
        let name = format!("{}/a:1", web.host());
        d.run(&["pull", &name]).status(1).stderr_has(message);
        assert_eq!(partial(&d), 0, "{message}");
        d.run(&["images", "-q", &name]).ok().stdout("");
    }
    let of = registry.clone();
    let web = Web::serve("127.0.0.1", move |asked| match asked.target.contains("/manifests/") {
        true => Told::body("<html>hello</html>"),
        false => of.answer(asked),
    });
    d.run(&["pull", &format!("{}/a:1", web.host())]).status(1).stderr_has("no JSON");
}

#[test]
fn a_busy_registry_is_waited_for() {
    let (registry, d) = (Arc::new(Registry::start()), daemon(&[]));
    push_away(&d, &registry.name("a:1"));
    let web = front(&registry, |n, told| if n == 0 { Told::status(429).with("Retry-After", "1") } else { told });
    d.run(&["pull", &format!("{}/a:1", web.host())]).ok();
    let of = registry.clone();
    let web = Web::serve("127.0.0.1", move |asked| match asked.target.contains("/manifests/") {
        true => Told::Reply {
            status: 429,
            headers: vec![("Retry-After".into(), "3600".into())],
            body: br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit"}]}"#.to_vec(),
        },
        false => of.answer(asked),
    });
    d.run(&["pull", &format!("{}/a:1", web.host())]).status(1).stderr_has("toomanyrequests: pull rate limit");
    assert_eq!(web.count("/manifests/"), 1);
}

#[test]
fn credentials_stay_where_they_belong() {
    let (registry, d) = (Arc::new(Registry::start()), daemon(&[]));
    push_away(&d, &registry.name("a:1"));
    let of = registry.clone();
    let other = Arc::new(Web::serve("127.0.0.2", move |asked| of.answer(asked)));
    let (of, to) = (registry.clone(), other.clone());
    let web = Web::serve("127.0.0.1", move |asked| match asked.header("authorization") {
        None => Told::status(401).with("WWW-Authenticate", "Basic realm=\"x\""),
        Some(_) if asked.target.contains("/blobs/") => {
            Told::status(307).with("Location", &format!("http://{}{}", to.host(), asked.target))
        }
        Some(_) => of.answer(asked),
    });
    d.run(&["login", "-u", "u", "-p", "secret", &web.host()]).ok();
    d.run(&["pull", &format!("{}/a:1", web.host())]).ok();
    assert!(other.count("/blobs/") >= 2);
    assert!(other.asked().iter().all(|asked| asked.header("authorization").is_none()));

    let thief = Web::serve("127.0.0.2", |_| Told::body(r#"{"token":"t"}"#));
    let realm = format!("Bearer realm=\"http://{}/token\",service=\"x\"", thief.host());
    let web = Web::serve("127.0.0.1", move |_| Told::status(401).with("WWW-Authenticate", &realm));
    d.run(&["login", "-u", "u", "-p", "secret", &web.host()])
        .status(1)
        .stderr_has("asks for its credentials to be sent to another host");
    assert_eq!(thief.asked().len(), 0);
}

#[test]
fn a_killed_daemon_goes_on_with_the_pull() {
    let (registry, mut d) = (Arc::new(Registry::start()), daemon(&[]));
    push_away(&d, &registry.name("a:1"));
    let web = front(&registry, |n, told| {
        if n == 0 {
            return match told {
                // the rest never comes
                Told::Reply { body, .. } => {
                    let head = format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n", body.len());
                    Told::Stall([head.as_bytes(), &body[..600_000]].concat(), Duration::from_secs(30))
                }
                other => other,
            };
        }
        told
    });
    let name = format!("{}/a:1", web.host());
    let mut client = d.command(&["pull", &name]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let size = |d: &Daemon| {
        let all = std::fs::read_dir(d.directory.join("data/images/partial")).into_iter().flatten().flatten();
        all.filter_map(|entry| entry.metadata().ok()).map(|m| m.len()).sum::<u64>()
    };
    // in pieces of 128 KiB
    eventually("half of it is there", || size(&d) >= 500_000);
    d.kill();
    client.wait().unwrap();
    d.start_again();
    let there = size(&d);
    d.run(&["pull", &name]).ok();
    let ranges: Vec<_> = web.asked().iter().filter_map(|asked| asked.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, [format!("bytes={there}-")]);
    d.run(&["run", "--rm", &name, "echo", "whole"]).ok().stdout("whole\n");
}

#[test]
fn pulls_of_the_same_share_it() {
    let (registry, d) = (Arc::new(Registry::start()), daemon(&[]));
    push_away(&d, &registry.name("a:1"));
    let web = front(&registry, |_, told| {
        std::thread::sleep(Duration::from_millis(300));
        told
    });
    let name = format!("{}/a:1", web.host());
    let clients: Vec<_> = (0..8)
        .map(|_| d.command(&["pull", "-q", &name]).stdout(std::process::Stdio::null()).spawn().unwrap())
        .collect();
    for client in clients {
        assert!(client.wait_with_output().unwrap().status.success());
    }
    let layers = web.asked().iter().filter(|asked| asked.target.contains("/blobs/")).count();
    // the layer once; configurations are small and may come twice
    assert!(layers <= 9, "{layers}");
    d.run(&["run", "--rm", &name, "true"]).ok();
}

#[test]
fn pulls_that_share_a_base_do_not_wait_for_the_rest_of_each_other() {
    let (registry, d) = (Arc::new(Registry::start()), daemon(&[]));
    for (name, script) in [("slow:1", "head -c 300000 /dev/urandom >/slow"), ("quick:1", "echo quick >/quick")] {
        d.run(&["run", "--name", "cc", "busybox", "sh", "-c", script]).ok();
        d.run(&["commit", "cc", &registry.name(name)]).ok();
        d.run(&["push", "-q", &registry.name(name)]).ok();
        d.run(&["rm", "cc"]).ok();
    }
    let slow = layers_of(&registry, "slow", "1")[1].0.clone();
    d.run(&["rmi", "busybox", &registry.name("slow:1"), &registry.name("quick:1")]).ok();
    let of = registry.clone();
    // the rest of that layer never comes
    let web = Web::serve("127.0.0.1", move |asked| match of.answer(asked) {
        Told::Reply { body, .. } if asked.target.ends_with(&slow) => {
            let head = format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n", body.len());
            Told::Stall([head.as_bytes(), &body[..1000]].concat(), Duration::from_secs(30))
        }
        told => told,
    });
    let name = |name: &str| format!("{}/{name}", web.host());
    let mut first = d.command(&["pull", &name("slow:1")]).stdout(std::process::Stdio::null()).spawn().unwrap();
    eventually("the first has all but its own layer", || web.count("/blobs/") >= 3);
    d.run(&["run", "--rm", &name("quick:1"), "cat", "/quick"]).ok().stdout("quick\n");
    first.kill().unwrap();
    first.wait().unwrap();
    let large = web.asked().iter().filter(|asked| asked.target.contains("/slow/blobs/")).count();
    let again = web.asked().iter().filter(|asked| asked.target.contains("/quick/blobs/")).count();
    // configuration and layers of the first, configuration and own layer of the second
    assert_eq!((large, again), (3, 2));
}

#[test]
fn a_client_that_leaves_ends_its_pull() {
    let (registry, d) = (Arc::new(Registry::start()), daemon(&[]));
    push_away(&d, &registry.name("a:1"));
    let web = front(&registry, |n, told| match (n, told) {
        (0, Told::Reply { body, .. }) => {
            let head = format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n", body.len());
            Told::Stall([head.as_bytes(), &body[..300_000]].concat(), Duration::from_secs(30))
        }
        (_, told) => told,
    });
    let name = format!("{}/a:1", web.host());
    let mut client = d.command(&["pull", &name]).stdout(std::process::Stdio::null()).spawn().unwrap();
    eventually("it has begun", || web.count("/blobs/") >= 2);
    client.kill().unwrap();
    client.wait().unwrap();
    // the layer is free for others, long before the stalled registry would be given up
    d.run(&["pull", &name]).ok();
}

#[test]
fn mirrors_of_any_registry() {
    let registry = Arc::new(Registry::start());
    let of = registry.clone();
    let web = Web::serve("127.0.0.1", move |asked| match asked.target.strip_prefix("/mirror") {
        Some(rest) => of.answer(&Asked { target: rest.into(), ..asked.clone() }),
        None => Told::status(404),
    });
    let mirror = format!("{}=http://{}/mirror/", registry.host(), web.host());
    let d = daemon(&["--registry-mirror", &mirror]);
    push_away(&d, &registry.name("a:1"));
    d.run(&["pull", &registry.name("a:1")]).ok();
    assert!(web.count("/mirror/v2/a/blobs/") >= 2);
    assert_eq!(web.asked().len(), web.count("/mirror/"));
}

/// The registry itself has what a mirror has not, and what came before is not fetched again.
#[test]
fn mirrors_that_are_no_help() {
    let registry = Arc::new(Registry::start());
    push_away(&daemon(&[]), &registry.name("a:1"));
    let id = registry.tag("a", "1").expect("a tag");
    type Answer = fn(&Asked, Told) -> Told;
    let answers: [(&str, Answer); 10] = [
        ("missing", |_, _| Told::status(404)),
        ("users", |_, _| Told::status(401).with("WWW-Authenticate", r#"Basic realm="m""#)),
        ("tokens of nobody", |_, _| {
            Told::status(401).with("WWW-Authenticate", r#"Bearer realm="http://127.0.0.1:9/t",service="s""#)
        }),
        ("denied", |_, _| Told::status(403)),
        ("ill", |_, _| Told::status(500)),
        ("a page", |_, _| Told::body("<html>")),
        ("no HTTP", |_, _| Told::Raw(b"\0\xff\r\n\r\n".to_vec())),
        ("going round", |asked, _| Told::status(307).with("Location", &asked.target)),
        ("no blobs", |asked, told| if asked.target.contains("/blobs/") { Told::status(500) } else { told }),
        ("lies", |asked, told| match (told, asked.target.contains("/blobs/")) {
            (Told::Reply { body, .. }, true) => Told::body(vec![b'x'; body.len()]),
            (told, _) => told,
        }),
    ];
    for (what, answer) in answers {
        let of = registry.clone();
        let web = Web::serve("127.0.0.1", move |asked| answer(asked, of.answer(asked)));
        let d = daemon(&["--registry-mirror", &format!("{}=http://{}", registry.host(), web.host())]);
        let pulled = d.run(&["pull", "-q", &registry.name("a:1")]);
        assert!(pulled.status == 0 && pulled.stderr.is_empty(), "{what}: {pulled:?}");
        assert_eq!(d.inspect(&registry.name("a:1"), "{{.Id}}"), id, "{what}");
        let asked = web.asked();
        let most = asked.iter().map(|one| asked.iter().filter(|other| other.target == one.target).count()).max();
        // a redirect is followed five times
        assert!((1..=if what == "going round" { 6 } else { 2 }).contains(&most.unwrap_or(0)), "{what}: {asked:?}");
        assert_eq!(partial(&d), 0, "{what}");
    }
}

#[test]
fn lists_of_manifests() {
    let (registry, d) = (Registry::start(), daemon(&[]));
    let (amd, arm, list) = (registry.name("x:amd"), registry.name("x:arm"), registry.name("x:all"));
    d.run(&["tag", "busybox", &amd]).ok();
    d.run(&["import", "--platform", "linux/arm64", TAR, &arm]).ok();
    d.run(&["push", "-q", "-a", &registry.name("x")]).ok();
    d.run(&["manifest", "create", &list, &amd, &arm]).ok().stdout(&format!("Created manifest list {list}\n"));
    d.run(&["manifest", "create", &list, &amd]).status(1).stderr_has("refusing to amend");
    d.run(&["manifest", "annotate", "--variant", "v8", &list, &arm]).ok();
    d.run(&["manifest", "annotate", "--arch", "z80", &list, &arm])
        .status(1)
        .stderr_has("unsupported os/arch combination: linux/z80");
    let pushed = d.run(&["manifest", "push", &list]).ok();
    let digest = pushed.stdout.lines().last().unwrap().to_owned();
    assert_eq!(registry.tag("x", "all"), Some(digest.clone()));
    d.run(&["manifest", "inspect", &list]).ok().stdout_has("\"variant\": \"v8\"");
    d.run(&["manifest", "rm", &list]).ok();
    d.run(&["manifest", "rm", &list]).status(1).stderr(&format!("No such manifest: {list}\n"));
    d.run(&["rmi", "busybox", &amd, &arm]).ok();
    d.run(&["pull", &list]).ok().stdout_has(&digest);
    assert_eq!(d.inspect(&list, "{{.Id}} {{.Architecture}}"), format!("{digest} amd64"));
    d.run(&["run", "--rm", &list, "true"]).ok();
    d.run(&["pull", "--platform", "linux/arm64", &list]).ok();
    assert_eq!(d.inspect(&list, "{{.Architecture}}"), "arm64");
    d.run(&["pull", "--platform", "linux/s390x", &list]).status(1).stderr_has("no matching manifest for linux/s390x");
    d.run(&["tag", &list, &registry.name("y:all")]).ok();
    d.run(&["push", &registry.name("y:all")]).ok().stdout_has(&format!("all: digest: {digest}"));
    assert_eq!(registry.tag("y", "all"), Some(digest));
}

#[test]
fn an_index_of_which_only_a_part_is_here() {
    let (registry, other, d) = (Registry::start(), Registry::start(), daemon(&[]));
    let (amd, arm, list) = (registry.name("x:amd"), registry.name("x:arm"), registry.name("x:all"));
    d.run(&["tag", "busybox", &amd]).ok();
    d.run(&["import", "--platform", "linux/arm64", "-c", "ENV A=1", TAR, &arm]).ok();
    d.run(&["push", "-q", "-a", &registry.name("x")]).ok();
    d.run(&["manifest", "create", &list, &amd, &arm]).ok();
    d.run(&["manifest", "push", "-p", &list]).ok();
    d.run(&["rmi", "busybox", &amd, &arm]).ok();
    d.run(&["pull", "-q", &list]).ok();
    d.run(&["tag", &list, &other.name("x:all")]).ok();
    let pushed = d.run(&["push", &other.name("x:all")]).ok();
    assert!(pushed.stderr.contains("only the available single-platform image was pushed"), "{pushed:?}");
    assert_eq!(other.tag("x", "all"), registry.tag("x", "amd"));
}

#[test]
fn searching() {
    let d = Daemon::start();
    let web = Web::serve("127.0.0.1", |asked| match asked.target.starts_with("/v1/search?q=foo&n=") {
        true => Told::body(
            r#"{"results":[{"name":"foo","description":"a\nb","star_count":3,"is_official":true},{"name":"x/foo","star_count":9}]}"#,
        ),
        false => Told::status(404),
    });
    let term = format!("{}/foo", web.host());
    d.run(&["search", &term]).ok().stdout(
        "NAME      DESCRIPTION   STARS     OFFICIAL\nx/foo                   9         \nfoo       a b           3         [OK]\n",
    );
    d.run(&["search", "--format", "{{.Name}}", "-f", "is-official=true", &term]).ok().stdout("foo\n");
    d.run(&["search", "--limit", "101", &term]).status(1).stderr_has("limit 101 is outside the range of [1, 100]");
    d.run(&["search", "-f", "x=y", &term]).status(1).stderr_has("invalid filter 'x'");
    let automated = d.run(&["search", "-f", "is-automated=false", &term]).ok();
    automated.stderr_has("the \"is-automated\" filter is deprecated").stdout_has("x/foo");
    d.run(&["search", &format!("{}/bar", web.host())]).status(1).stderr_has("Unexpected status code 404");
}
