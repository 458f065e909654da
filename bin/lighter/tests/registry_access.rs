//! Who may talk to a registry, and which registries are believed: `certs.d`, insecure ones, users, tokens; by both clients.
//! The registries are in a namespace of the test's own, at an address that is none of loopback's: those are always believed.

use std::path::{Path, PathBuf};

use testkit::world::HOST;
use testkit::{Cli, Daemon, Registry, RegistryOptions, TokenServer, World, real_docker};

const TAR: &str = "/var/cache/lighter-tests/busybox.tar";

fn clients() -> impl Iterator<Item = Cli> {
    [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten()
}

fn daemon(cli: Cli, flags: &[&str]) -> Daemon {
    let daemon = Daemon::with_flags(&[&["--max-download-attempts", "2"], flags].concat()).through(cli);
    daemon.run(&["import", "-c", "CMD [\"sh\"]", TAR, "busybox"]).ok();
    daemon
}

fn elsewhere(options: RegistryOptions) -> Registry {
    Registry::with(RegistryOptions { ip: Some(HOST.into()), ..options })
}

/// What `certs.d` has for one registry; taken away when dropped.
struct Certificates(PathBuf);

impl Certificates {
    fn of(registry: &Registry) -> Self {
        let own = Path::new("/etc/lighter/certs.d").join(registry.host());
        std::fs::create_dir_all(&own).expect("certs.d");
        Self(own)
    }

    fn add(&self, file: &Path, name: &str) {
        std::fs::copy(file, self.0.join(name)).expect("a certificate");
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
        // where nothing else is in them
        for parent in self.0.ancestors().skip(1).take(2) {
            let _ = std::fs::remove_dir(parent);
        }
    }
}

#[test]
fn certificates_of_certs_d() {
    let _world = World::cabled();
    for cli in clients() {
        let options =
            RegistryOptions { tls: true, client_certificates: true, users: true, ..RegistryOptions::default() };
        let registry = elsewhere(options);
        let (daemon, own) = (daemon(cli, &[]), Certificates::of(&registry));
        let name = registry.name("a/b:1");
        daemon.run(&["tag", "busybox", &name]).ok();
        daemon.run(&["push", &name]).status(1).stderr_has("certificate signed by unknown authority");
        own.add(&registry.authority(), "ca.crt");
        daemon.run(&["push", &name]).status(1).stderr_has("remote error: tls: ");
        own.add(&registry.client().0, "me.cert");
        daemon.run(&["push", &name]).status(1).stderr_has("missing ");
        own.add(&registry.client().1, "me.key");
        daemon.run(&["push", &name]).status(1).stderr_has("no basic auth credentials");
        let login = ["login", "-u", "u", "--password-stdin", &registry.host()];
        daemon.run_with_input(&login, b"wrong").status(1).stderr_has("401 Unauthorized");
        daemon.run_with_input(&login, b"p").ok().stdout_has("Login Succeeded\n");
        daemon.run(&["push", &name]).ok().stdout_has("1: digest: sha256:");
        daemon.run(&["rmi", "busybox", &name]).ok();
        daemon.run(&["run", "--rm", &name, "echo", "over tls"]).ok().stdout("over tls\n");
        daemon.run(&["logout", &registry.host()]).ok();
        daemon.run(&["pull", &name]).status(1).stderr_has("no basic auth credentials");
    }
}

#[test]
fn other_addresses_are_insecure_where_it_is_said() {
    let _world = World::cabled();
    for cli in clients() {
        let plain = elsewhere(RegistryOptions::default());
        let unknown = elsewhere(RegistryOptions { tls: true, ..RegistryOptions::default() });
        let names = [plain.name("a:1"), unknown.name("a:1")];
        let strict = daemon(cli.clone(), &[]);
        for (name, why) in
            names.iter().zip(["server gave HTTP response to HTTPS client", "certificate signed by unknown authority"])
        {
            strict.run(&["tag", "busybox", name]).ok();
            strict.run(&["push", name]).status(1).stderr_has(why);
            strict.run(&["pull", name]).status(1).stderr_has(why);
        }
        for said in [vec![plain.host(), unknown.host()], vec![format!("{HOST}/32")]] {
            let flags: Vec<&str> = said.iter().flat_map(|host| ["--insecure-registry", host.as_str()]).collect();
            let lenient = daemon(cli.clone(), &flags);
            for name in &names {
                lenient.run(&["tag", "busybox", name]).ok();
                lenient.run(&["push", name]).ok();
                lenient.run(&["rmi", name]).ok();
                lenient.run(&["pull", "-q", name]).ok().stdout(&format!("{name}\n"));
            }
        }
    }
}

#[test]
fn tokens() {
    for cli in clients() {
        let tokens = TokenServer::start();
        let registry = Registry::with(RegistryOptions { tokens: Some(tokens.realm()), ..RegistryOptions::default() });
        let daemon = daemon(cli, &[]);
        let (host, name, other) = (registry.host(), registry.name("a/b:1"), registry.name("c:1"));
        daemon.run(&["tag", "busybox", &name]).ok();
        daemon.run(&["tag", "busybox", &other]).ok();
        let denied = "unauthorized: authentication required";
        daemon.run(&["push", &name]).status(1).stderr_has(denied);
        daemon.run_with_input(&["login", "-u", "u", "--password-stdin", &host], b"wrong").status(1);
        daemon
            .run_with_input(&["login", "-u", "u", "--password-stdin", &host], b"p")
            .ok()
            .stdout_has("Login Succeeded\n");
        let kept = std::fs::read_to_string(daemon.directory.join("config/config.json")).expect("config.json");
        assert!(kept.contains("identitytoken"), "{kept}");
        daemon.run(&["push", &name]).ok();
        daemon.run(&["push", &other]).ok().stdout_has(": Mounted from a/b\n");
        daemon.run(&["logout", &host]).ok();
        daemon.run(&["push", &name]).status(1).stderr_has(denied);
        daemon.run(&["rmi", "busybox", &name, &other]).ok();
        // whoever asks may pull
        daemon.run(&["run", "--rm", &name, "echo", "by a token"]).ok().stdout("by a token\n");
        assert!(tokens.asked().iter().any(|asked| asked.method == "POST"), "the kept token is used");
    }
}
