//! Everything that a registry can do wrong, with each part of an image: what may help is tried again, else it is said what is wrong,
//! nothing is left but what a later pull goes on with, and that one succeeds.

use std::sync::{Arc, Mutex};

use testkit::{Asked, Daemon, Registry, Told, Web, eventually};

/// What a pull asks for, in this order.
const PARTS: [&str; 5] = ["index", "manifest", "configuration", "first layer", "last layer"];
const FIRST_LAYER: usize = 3;

/// The image `a:1`: an index of one manifest, of a compressed layer and a plain one.
struct Stock {
    registry: Registry,
    /// Of each part.
    digests: [String; 5],
}

impl Stock {
    fn new() -> Self {
        let (registry, d) = (Registry::start(), Daemon::start());
        let (only, index) = (registry.name("a:only"), registry.name("a:1"));
        let tar = "/var/cache/lighter-tests/busybox.tar";
        let gzip = std::process::Command::new("gzip").args(["-c", "-1", tar]).output().expect("gzip");
        d.run_with_input(&["import", "-", "base"], &gzip.stdout).ok();
        d.run(&["run", "--name", "cc", "base", "sh", "-c", "head -c 200000 /dev/urandom >/noise"]).ok();
        d.run(&["commit", "cc", &only]).ok();
        registry.put_image(&d, &only, "a", "only");
        d.run(&["manifest", "create", &index, &only]).ok();
        d.run(&["manifest", "push", &index]).ok();
        let document = |digest: &str| -> serde_json::Value {
            let bytes = std::fs::read(registry.blob(&digest[7..])).expect("a document");
            serde_json::from_slice(&bytes).expect("JSON")
        };
        let text = |value: &serde_json::Value| value["digest"].as_str().expect("a digest").to_owned();
        let index = registry.tag("a", "1").expect("the index");
        let manifest = text(&document(&index)["manifests"][0]);
        let json = document(&manifest);
        let digests = [index, manifest, text(&json["config"]), text(&json["layers"][0]), text(&json["layers"][1])];
        Self { registry, digests }
    }

    fn part(&self, asked: &Asked) -> Option<usize> {
        let last = asked.target.rsplit('/').next()?;
        if last == "1" { Some(0) } else { self.digests.iter().position(|digest| digest == last) }
    }
}

/// Makes another reply of the right one.
type Spoil = fn(Told) -> Told;

struct Fault {
    name: &'static str,
    spoil: Spoil,
    /// It may be over soon.
    passes: bool,
    /// What is said of each part; nothing: it is no fault with that.
    words: [&'static str; 5],
}

fn body(told: Told, change: impl Fn(Vec<u8>) -> Vec<u8>) -> Told {
    match told {
        Told::Reply { status, headers, body } => Told::Reply { status, headers, body: change(body) },
        other => other,
    }
}

/// Half of the first reply, nothing of those that go on from there.
fn cut(told: Told, first: fn(usize) -> usize) -> Told {
    match told {
        Told::Reply { status, headers, body } => {
            let sent = if status == 206 { 0 } else { first(body.len()) };
            Told::Cut { status, headers, body, sent }
        }
        other => other,
    }
}

/// What is said of a document that is none, of a manifest, and of blobs that are not as long as their descriptors say.
const WRONG_SIZE: [&str; 5] = [
    "is no JSON",
    "manifest verification failed for digest sha256:",
    "failed size validation",
    "failed size validation",
    "failed size validation",
];

const FAULTS: [Fault; 15] = [
    Fault {
        name: "missing",
        spoil: |_| Told::status(404),
        passes: false,
        words: ["manifest for ", "manifest sha256:", "content sha256:", "content sha256:", "content sha256:"],
    },
    Fault {
        name: "denied",
        spoil: |_| Told::status(403),
        passes: false,
        words: ["pull access denied for ", "403 Forbidden", "403 Forbidden", "403 Forbidden", "403 Forbidden"],
    },
    Fault {
        name: "busy",
        spoil: |_| {
            let text = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#;
            Told::Reply { status: 429, headers: vec![("Retry-After".into(), "0".into())], body: text.into() }
        },
        passes: true,
        words: ["toomanyrequests: slow down"; 5],
    },
    Fault {
        name: "no content",
        spoil: |_| Told::Raw(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        passes: false,
        words: ["received unexpected HTTP status: 204 No Content"; 5],
    },
    Fault { name: "ill", spoil: |_| Told::status(500), passes: true, words: ["500 Internal Server Error"; 5] },
    Fault {
        name: "away",
        spoil: |_| Told::status(503).with("Retry-After", "0"),
        passes: true,
        words: ["503 Service Unavailable"; 5],
    },
    Fault { name: "cut at once", spoil: |told| cut(told, |_| 0), passes: true, words: ["EOF"; 5] },
    Fault {
        name: "cut in the middle",
        spoil: |told| cut(told, |all| all / 2),
        passes: true,
        words: ["unexpected EOF"; 5],
    },
    Fault {
        name: "no HTTP",
        spoil: |_| Told::Raw(b"\0\xffnothing\r\n\r\n".to_vec()),
        passes: true,
        words: ["malformed HTTP response"; 5],
    },
    Fault {
        name: "a page for people",
        spoil: |_| Told::body("<html>Log in to this network</html>").with("Content-Type", "text/html"),
        passes: false,
        words: WRONG_SIZE,
    },
    Fault {
        name: "other bytes",
        spoil: |told| {
            body(told, |mut bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                bytes
            })
        },
        passes: false,
        words: [
            "",
            "manifest verification failed for digest sha256:",
            "image config verification failed for digest sha256:",
            // or what is wrong with the compression, where that is seen first
            " sha256:",
            "filesystem layer verification failed for digest sha256:",
        ],
    },
    Fault {
        name: "more bytes",
        spoil: |told| body(told, |bytes| [&bytes[..], b"more"].concat()),
        passes: false,
        words: WRONG_SIZE,
    },
    Fault {
        name: "fewer bytes",
        spoil: |told| body(told, |bytes| bytes[..bytes.len() - 1].to_vec()),
        passes: false,
        words: WRONG_SIZE,
    },
    Fault {
        name: "no end",
        spoil: |told| match told {
            Told::Reply { body, .. } => Told::Endless(body),
            other => other,
        },
        passes: false,
        words: [
            "a reply of more than",
            "a reply of more than",
            "failed size validation",
            "failed size validation",
            "failed size validation",
        ],
    },
    Fault {
        name: "another kind",
        spoil: |told| told.with("Content-Type", "text/html"),
        passes: false,
        // what it is says the document itself
        words: [""; 5],
    },
];

/// The fault of a part, and how many replies will have it.
type Active = Option<(usize, Spoil, usize)>;

/// A daemon, and a registry which answers as that of the stock does, but for a fault.
struct Scene<'a> {
    stock: &'a Stock,
    d: Daemon,
    web: Web,
    active: Arc<Mutex<Active>>,
    /// What is stored by the daemon without the image.
    at_first: Vec<String>,
}

impl<'a> Scene<'a> {
    fn new(stock: &'a Arc<Stock>) -> Self {
        let (of, active) = (stock.clone(), Arc::new(Mutex::new(Active::None)));
        let faults = active.clone();
        let web = Web::serve("127.0.0.1", move |asked| {
            let told = of.registry.answer(asked);
            match &mut *faults.lock().expect("fault") {
                Some((part, spoil, left)) if of.part(asked) == Some(*part) && *left > 0 => {
                    *left -= 1;
                    spoil(told)
                }
                _ => told,
            }
        });
        let d = Daemon::with_flags(&["--max-download-attempts", "2"]);
        d.run(&["rmi", "hello-world"]).ok();
        eventually("nothing is stored", || d.stored().is_empty());
        Self { stock, d, web, active, at_first: vec![] }
    }

    fn set(&self, active: Active) {
        *self.active.lock().expect("fault") = active;
    }

    fn name(&self) -> String {
        format!("{}/a:1", self.web.host())
    }

    /// The place of what there is of a part.
    fn partial(&self, part: usize) -> String {
        format!("images/partial/{}", &self.stock.digests[part][7..])
    }

    /// It happens once, and nobody is told.
    fn passes(&self, fault: &Fault, part: usize) {
        self.set(Some((part, fault.spoil, 1)));
        self.comes(&format!("{} once: {}", PARTS[part], fault.name));
    }

    /// The pull succeeds, and the image goes without a trace.
    fn comes(&self, what: &str) {
        let pulled = self.d.run(&["pull", &self.name()]);
        assert!(pulled.status == 0 && pulled.stderr.is_empty(), "{what}: {pulled:#?}\n{}", self.d.log());
        self.d.run(&["run", "--rm", "--network", "none", &self.name(), "true"]).ok();
        self.d.run(&["rmi", &self.name()]).ok();
        eventually(&format!("{what}: nothing is left"), || self.d.stored() == self.at_first);
    }

    /// It happens until somebody mends the registry.
    fn fails(&self, fault: &Fault, part: usize) {
        let what = format!("{}: {}", PARTS[part], fault.name);
        self.set(Some((part, fault.spoil, usize::MAX)));
        let failed = self.d.run(&["pull", &self.name()]);
        self.set(None);
        assert!(failed.status == 1 && failed.stderr.contains(fault.words[part]), "{what}: {failed:#?}");
        assert_eq!(failed.stderr.lines().count(), 1, "{what}: {failed:#?}");
        // of what is whole or may be, a later pull makes use
        let is_kept = |path: &String| {
            let layer = (FIRST_LAYER..PARTS.len()).find(|layer| *path == self.partial(*layer));
            layer.is_some_and(|layer| layer != part || fault.passes)
        };
        let left = || self.d.stored().into_iter().filter(|path| !is_kept(path)).collect::<Vec<_>>();
        eventually(&format!("{what}: nothing is left"), || left() == self.at_first);
        self.d.run(&["images", "-q"]).ok().stdout("");
        let there =
            std::fs::metadata(self.d.directory.join("data").join(self.partial(part))).map_or(0, |file| file.len());
        let before = self.web.asked().len();
        self.comes(&format!("{what}: the next pull"));
        let asked = self.web.asked().split_off(before);
        let range = |asked: &Asked| Some(asked.header("range")?.to_owned());
        let ranges: Vec<String> =
            asked.iter().filter(|asked| self.stock.part(asked) == Some(part)).filter_map(range).collect();
        let resumed = if there == 0 { vec![] } else { vec![format!("bytes={there}-")] };
        assert_eq!(ranges, resumed, "{what}");
        assert_eq!(there > 0, part >= FIRST_LAYER && fault.name == "cut in the middle", "{what}");
    }
}

/// One thread for each part.
fn for_each_part(work: impl Fn(&Scene<'_>, usize) + Sync) {
    let stock = Arc::new(Stock::new());
    std::thread::scope(|scope| {
        for part in 0..PARTS.len() {
            let (stock, work) = (&stock, &work);
            scope.spawn(move || work(&Scene::new(stock), part));
        }
    });
}

#[test]
fn what_passes_is_waited_for_and_what_does_not_is_told() {
    for_each_part(|scene, part| {
        for fault in &FAULTS {
            match fault.words[part] {
                "" if fault.name == "other bytes" => {}
                "" => scene.passes(fault, part),
                _ => {
                    scene.fails(fault, part);
                    if fault.passes {
                        scene.passes(fault, part);
                    }
                }
            }
        }
    });
}

/// A page of somebody in between must not cost what was received before.
#[test]
fn a_bad_reply_takes_nothing_away() {
    for_each_part(|scene, part| {
        if part < FIRST_LAYER {
            return;
        }
        let cut: Spoil = |told| cut(told, |all| all / 2);
        let page: Spoil = |_| Told::body("<html>Log in to this network</html>");
        for spoil in [cut, page] {
            scene.set(Some((part, spoil, usize::MAX)));
            scene.d.run(&["pull", &scene.name()]).status(1);
        }
        scene.set(None);
        let there =
            std::fs::metadata(scene.d.directory.join("data").join(scene.partial(part))).expect("what came").len();
        scene.comes("after all");
        let asked = scene.web.asked();
        let last = asked.iter().rfind(|asked| scene.stock.part(asked) == Some(part)).expect("a request");
        assert_eq!(last.header("range"), Some(format!("bytes={there}-").as_str()));
    });
}

#[test]
fn redirects_take_no_credentials_along_and_end() {
    let stock = Arc::new(Stock::new());
    let of = stock.clone();
    let other = Arc::new(Web::serve("127.0.0.2", move |asked| of.registry.answer(asked)));
    let to = other.clone();
    let web = Web::serve("127.0.0.1", move |asked| match asked.header("authorization") {
        None => Told::status(401).with("WWW-Authenticate", "Basic realm=\"x\""),
        Some(_) if asked.target == "/v2/" => Told::body("{}"),
        Some(_) if asked.target.starts_with("/v2/b/") => Told::status(307).with("Location", &asked.target),
        Some(_) => Told::status(307).with("Location", &format!("http://{}{}", to.host(), asked.target)),
    });
    let d = Daemon::start();
    d.run(&["login", "-u", "u", "-p", "secret", &web.host()]).ok();
    d.run(&["pull", &format!("{}/a:1", web.host())]).ok();
    assert!(other.count("/manifests/") == 2 && other.count("/blobs/") == 3, "{:?}", other.asked());
    assert!(other.asked().iter().all(|asked| asked.header("authorization").is_none()));
    d.run(&["pull", &format!("{}/b:1", web.host())]).status(1).stderr_has("stopped after 5 redirects");
}

#[test]
fn what_is_not_there_is_named() {
    let (stock, d) = (Stock::new(), Daemon::start());
    let registry = &stock.registry;
    let fails = |args: &[&str], words: &str| drop(d.run(&[&["pull"], args].concat()).status(1).stderr_has(words));
    fails(&[&registry.name("b:1")], &format!("manifest for {} not found", registry.name("b:1")));
    fails(&[&registry.name("a:2")], &format!("manifest for {} not found", registry.name("a:2")));
    let nothing = format!("{}@sha256:{}", registry.name("a"), "0".repeat(64));
    fails(&[&nothing], &format!("manifest for {nothing} not found"));
    let other = ["--platform", "linux/s390x", &registry.name("a:1")];
    fails(&other, "no matching manifest for linux/s390x in the manifest list entries");
    let nobody = format!("127.0.0.1:{}/a:1", testkit::free_port());
    fails(&[&nobody], "connect: connection refused");
    d.run(&["rmi", "hello-world"]).ok();
    eventually("nothing is left", || d.stored().is_empty());
}

/// Without a word any encoding would be right.
#[test]
fn nothing_is_to_be_encoded() {
    let stock = Arc::new(Stock::new());
    let scene = Scene::new(&stock);
    scene.comes("as it is");
    let asked = scene.web.asked();
    assert!(asked.len() >= PARTS.len());
    assert!(asked.iter().all(|asked| asked.header("accept-encoding") == Some("identity")), "{asked:?}");
}
