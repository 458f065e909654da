//! Debian's `docker-registry` on a port of its own, and what tests want of one: TLS, users, tokens.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Asked, Told, eventually};

/// `htpasswd -B` of user `u` with password `p`.
const HTPASSWD: &str = "u:$2y$05$abcdefghijklmnopqrstuuqwWMzKt5N8p.u2GX5MuH1t19BMWuLOW\n";

/// Runs the registry until its stdin ends, as it does with the test's process too: some registries are shared by a whole
/// program's tests and never dropped. Then, unless it was only stopped, nothing is left.
const KEEPER: &str =
    r#"docker-registry serve "$0/config.yml" & cat >/dev/null; kill $!; wait $!; [ -e "$0/stopped" ] || rm -rf "$0""#;
const STOPPED: &str = "stopped";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// How a registry is to be.
#[derive(Default)]
pub struct RegistryOptions {
    /// Basic authentication: user `u`, password `p`.
    pub users: bool,
    /// TLS with a certificate of an authority of its own; see [`Registry::authority`].
    pub tls: bool,
    /// With `tls`: clients must show a certificate of that authority.
    pub client_certificates: bool,
    /// Tokens of the server at this address, signed with that key.
    pub tokens: Option<(String, PathBuf)>,
    /// Where it listens, if not on 127.0.0.1.
    pub ip: Option<String>,
}

/// A private registry; ended and deleted when it is dropped.
pub struct Registry {
    directory: PathBuf,
    ip: String,
    port: u16,
    process: Option<Child>,
}

impl Registry {
    pub fn start() -> Self {
        Self::with(RegistryOptions::default())
    }

    pub fn with(options: RegistryOptions) -> Self {
        let port = free_port();
        // in namespaces of their own several may have one port
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = PathBuf::from(format!("/tmp/lighter-registry-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("registry directory");
        let ip = options.ip.clone().unwrap_or_else(|| "127.0.0.1".into());
        let mut registry = Self { directory, ip, port, process: None };
        registry.configure(&options);
        registry.run();
        registry
    }

    /// `IP:PORT`
    pub fn host(&self) -> String {
        format!("{}:{}", self.ip, self.port)
    }

    /// `IP:PORT/NAME`
    pub fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.host())
    }

    /// Certificate of the authority that vouches for it.
    pub fn authority(&self) -> PathBuf {
        self.directory.join("ca.crt")
    }

    /// A client's certificate and key.
    pub fn client(&self) -> (PathBuf, PathBuf) {
        (self.directory.join("client.crt"), self.directory.join("client.key"))
    }

    /// Where it keeps a blob.
    pub fn blob(&self, hex: &str) -> PathBuf {
        self.storage().join("blobs/sha256").join(&hex[..2]).join(hex).join("data")
    }

    /// `sha256:…` of a tag.
    pub fn tag(&self, repository: &str, tag: &str) -> Option<String> {
        let link =
            self.storage().join("repositories").join(repository).join("_manifests/tags").join(tag).join("current/link");
        std::fs::read_to_string(link).ok().map(|text| text.trim().to_owned())
    }

    /// What it would answer to a `GET` or `HEAD`, by its files: for a [`Web`](crate::Web) that answers as it does, but for a fault.
    pub fn answer(&self, asked: &Asked) -> Told {
        let Some(rest) = asked.target.strip_prefix("/v2/").filter(|rest| !rest.is_empty()) else {
            return Told::body("{}");
        };
        if let Some((name, tag)) = rest.split_once("/manifests/") {
            let Some(digest) = self.tag(name, tag).or_else(|| tag.starts_with("sha256:").then(|| tag.to_owned()))
            else {
                return Told::status(404);
            };
            let bytes = std::fs::read(self.blob(&digest[7..])).expect("a manifest");
            return Told::body(bytes).with("Docker-Content-Digest", &digest);
        }
        let digest = rest.rsplit('/').next().expect("a digest");
        let bytes = std::fs::read(self.blob(&digest[7..])).expect("a blob");
        let range = asked.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        match range.and_then(|from| from.parse::<usize>().ok()) {
            Some(from) => Told::Reply {
                status: 206,
                headers: vec![("Content-Range".into(), format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len()))],
                body: bytes[from..].to_vec(),
            },
            None => Told::body(bytes),
        }
    }

    fn storage(&self) -> PathBuf {
        self.directory.join("data/docker/registry/v2")
    }

    fn configure(&self, options: &RegistryOptions) {
        let dir = self.directory.display();
        let mut text = format!(
            "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {dir}/data}}, delete: {{enabled: true}}}}\nhttp:\n  addr: {}\n",
            self.host()
        );
        if options.tls {
            certificates(&self.directory);
            text += &format!("  tls:\n    certificate: {dir}/server.crt\n    key: {dir}/server.key\n");
            if options.client_certificates {
                text += &format!("    clientcas: [{dir}/ca.crt]\n");
            }
        }
        if options.users {
            std::fs::write(self.directory.join("htpasswd"), HTPASSWD).expect("htpasswd");
            text += &format!("auth: {{htpasswd: {{realm: tests, path: {dir}/htpasswd}}}}\n");
        }
        if let Some((realm, certificate)) = &options.tokens {
            text += &format!(
                "auth: {{token: {{realm: \"{realm}\", service: tests, issuer: tests, rootcertbundle: {}}}}}\n",
                certificate.display()
            );
        }
        // layers that are to be found elsewhere, wherever that is
        text += "validation: {manifests: {urls: {allow: ['^http']}}}\n";
        std::fs::write(self.directory.join("config.yml"), text).expect("registry configuration");
    }

    fn run(&mut self) {
        let log = std::fs::File::create(self.directory.join("log")).expect("registry log");
        let _ = std::fs::remove_file(self.directory.join(STOPPED));
        let child = Command::new("sh")
            .args(["-c", KEEPER])
            .arg(&self.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("docker-registry (scripts/test-setup.sh installs it)");
        self.process = Some(child);
        let address = self.host();
        eventually("the registry listens", || TcpStream::connect(&address).is_ok());
    }

    /// It goes away; what it has stays.
    pub fn stop(&mut self) {
        if self.process.is_some() {
            let _ = std::fs::write(self.directory.join(STOPPED), "");
        }
        self.end();
    }

    fn end(&mut self) {
        if let Some(mut child) = self.process.take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }

    pub fn start_again(&mut self) {
        self.run();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // whoever keeps it removes its directory: the thread that drops it may be ended with the test's process
        self.end();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A port nobody listens on now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port()
}

/// An authority, a server's and a client's certificate of it: `ca`, `server`, `client`, each `.crt` and `.key`.
pub fn certificates(directory: &Path) {
    let openssl = |arguments: &str| {
        let arguments = arguments.split(' ').map(|a| a.replace('~', " "));
        let output = Command::new("openssl").args(arguments).current_dir(directory).output().expect("openssl");
        assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    };
    let names = format!("subjectAltName=IP:127.0.0.1,DNS:localhost,IP:{}", crate::world::HOST);
    std::fs::write(directory.join("san"), names).expect("extensions");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.crt -days 2 -subj /CN=tests~authority"));
    for name in ["server", "client"] {
        openssl(&format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile san -out {name}.crt"
        ));
    }
}
