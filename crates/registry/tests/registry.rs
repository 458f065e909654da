//! Against Debian's `docker-registry`: TLS, client certificates, tokens, proxies, uploads that break.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use oci::image::Descriptor;
use registry::{Access, Client, Config, Credentials, Failure, Repository, Uploaded};
use sha2::{Digest as _, Sha256};
use testkit::{Registry, RegistryOptions, TokenServer, Told, Web};
use values::{Digest, Result};

fn config() -> Config {
    Config { attempts: 3, pause: Duration::from_millis(10), patience: Duration::from_secs(5), ..Config::default() }
}

fn strict(certificates: Vec<PathBuf>) -> Config {
    Config { insecure: vec![], certificates, ..config() }
}

fn user(name: &str) -> Credentials {
    Credentials { username: name.into(), password: "p".into(), ..Credentials::default() }
}

async fn open(
    config: Config,
    host: &str,
    path: &str,
    who: &Credentials,
    access: Access,
) -> Result<Arc<Repository>, Failure> {
    let client = Client::new(config);
    client.open(&client.own_endpoint(host)?, path, who, access).await
}

fn blob(bytes: &[u8]) -> (Digest, std::fs::File) {
    let path = std::env::temp_dir().join(format!("lighter-blob-{}-{}", std::process::id(), bytes.len()));
    std::fs::write(&path, bytes).unwrap();
    let file = std::fs::File::open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    (Digest::from_sha256(&Sha256::digest(bytes)), file)
}

async fn upload(repository: &Repository, bytes: &[u8], sources: &[String]) -> Result<Uploaded, Failure> {
    let (digest, file) = blob(bytes);
    repository.upload(&digest, bytes.len() as u64, file, sources, Arc::new(|_| {})).await
}

async fn download(repository: &Arc<Repository>, bytes: &[u8], offset: u64) -> std::io::Result<Vec<u8>> {
    let descriptor = Descriptor::new("", Digest::from_sha256(&Sha256::digest(bytes)), bytes.len() as u64);
    let mut reader = repository.blob(&descriptor, offset, Arc::new(|_| {}));
    tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).map(|_| all)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn blobs_there_and_back() {
    let registry = Registry::start();
    let repository = open(config(), &registry.host(), "a/b", &Credentials::default(), Access::Push).await.unwrap();
    let bytes: Vec<u8> = (0..3_000_000u32).map(|i| (i / 7) as u8).collect();
    assert_eq!(upload(&repository, &bytes, &[]).await.unwrap(), Uploaded::Sent);
    assert_eq!(upload(&repository, &bytes, &[]).await.unwrap(), Uploaded::There);
    assert!(download(&repository, &bytes, 0).await.unwrap() == bytes);
    assert!(download(&repository, &bytes, 2_999_000).await.unwrap() == bytes[2_999_000..]);
    let other = open(config(), &registry.host(), "c", &Credentials::default(), Access::Push).await.unwrap();
    assert_eq!(
        upload(&other, &bytes, &["nosuch".into(), "a/b".into()]).await.unwrap(),
        Uploaded::Mounted("a/b".into())
    );
    assert_eq!(upload(&other, b"x", &["a/b".into()]).await.unwrap(), Uploaded::Sent);
    assert!(download(&other, b"not there", 0).await.is_err());
}

#[tokio::test]
async fn certificates_are_checked_and_shown() {
    let registry =
        Registry::with(RegistryOptions { tls: true, client_certificates: true, ..RegistryOptions::default() });
    let certs = std::env::temp_dir().join(format!("lighter-certs.d-{}", std::process::id()));
    let own = certs.join(registry.host());
    std::fs::create_dir_all(&own).unwrap();
    let nobody = Credentials::default();
    let failure = open(strict(vec![certs.clone()]), &registry.host(), "a", &nobody, Access::Pull).await.err().unwrap();
    assert!(failure.error.message.contains("signed by unknown authority"), "{}", failure.error);
    std::fs::copy(registry.authority(), own.join("ca.crt")).unwrap();
    let failure = open(strict(vec![certs.clone()]), &registry.host(), "a", &nobody, Access::Pull).await.err().unwrap();
    assert!(failure.error.message.to_lowercase().contains("certificate"), "{}", failure.error);
    let (certificate, key) = registry.client();
    std::fs::copy(certificate, own.join("me.cert")).unwrap();
    std::fs::copy(key, own.join("me.key")).unwrap();
    let repository = open(strict(vec![certs.clone()]), &registry.host(), "a", &nobody, Access::Push).await.unwrap();
    assert_eq!(upload(&repository, b"over tls", &[]).await.unwrap(), Uploaded::Sent);
    assert_eq!(download(&repository, b"over tls", 0).await.unwrap(), b"over tls");
    std::fs::remove_dir_all(certs).unwrap();
}

#[tokio::test]
async fn plain_http_is_for_the_insecure() {
    let registry = Registry::start();
    let failure =
        open(strict(vec![]), &registry.host(), "a", &Credentials::default(), Access::Pull).await.err().unwrap();
    assert!(failure.error.message.contains("server gave HTTP response to HTTPS client"), "{}", failure.error);
}

#[tokio::test]
async fn tokens_open_what_they_are_for() {
    let tokens = TokenServer::start();
    let registry = Registry::with(RegistryOptions { tokens: Some(tokens.realm()), ..RegistryOptions::default() });
    let host = registry.host();
    let repository = open(config(), &host, "a", &user("u"), Access::Push).await.unwrap();
    assert_eq!(upload(&repository, b"with a token", &[]).await.unwrap(), Uploaded::Sent);
    let asked = tokens.asked().len();
    assert_eq!(upload(&repository, b"the same token", &[]).await.unwrap(), Uploaded::Sent);
    assert_eq!(tokens.asked().len(), asked, "a token is used until it is old");
    let other = open(config(), &host, "b", &user("u"), Access::Push).await.unwrap();
    assert_eq!(upload(&other, b"with a token", &["a".into()]).await.unwrap(), Uploaded::Mounted("a".into()));

    let anybody = open(config(), &host, "a", &Credentials::default(), Access::Pull).await.unwrap();
    assert_eq!(download(&anybody, b"with a token", 0).await.unwrap(), b"with a token");
    let pusher = open(config(), &host, "a", &Credentials::default(), Access::Push).await.unwrap();
    assert!(upload(&pusher, b"not allowed", &[]).await.unwrap_err().is_denied());

    let client = Client::new(config());
    let login = |name: &str| Credentials { serveraddress: host.clone(), ..user(name) };
    assert_eq!(client.login(&login("u")).await.unwrap(), "r");
    assert_eq!(client.login(&login("other")).await.unwrap_err().kind, values::ErrorKind::Unauthorized);
    let token = Credentials { identitytoken: "r".into(), ..Credentials::default() };
    let repository = open(config(), &host, "a", &token, Access::Push).await.unwrap();
    assert_eq!(upload(&repository, b"by a refresh token", &[]).await.unwrap(), Uploaded::Sent);
    let last = tokens.asked().pop().unwrap();
    assert_eq!(last.method, "POST");
    assert!(String::from_utf8_lossy(&last.body).contains("grant_type=refresh_token"));
}

/// An HTTP proxy that only tunnels, to whatever address it is asked for; how many it opened.
fn connect_proxy(to: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, count) = (listener.local_addr().unwrap().to_string(), Arc::new(AtomicUsize::new(0)));
    let seen = count.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && (&client).read(&mut byte).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            let text = String::from_utf8_lossy(&head).into_owned();
            if !text.starts_with("CONNECT registry.test:443 ") || !text.contains("Proxy-Authorization: Basic dTpw") {
                let _ = (&client).write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
                continue;
            }
            seen.fetch_add(1, Ordering::Relaxed);
            let server = TcpStream::connect(&to).unwrap();
            let _ = (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            let (mut c, mut s) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut c, &mut s));
            let (mut c, mut s) = (client, server);
            std::thread::spawn(move || std::io::copy(&mut s, &mut c));
        }
    });
    (address, count)
}

#[tokio::test]
async fn through_a_proxy() {
    let registry = Registry::with(RegistryOptions { tls: true, ..RegistryOptions::default() });
    let (proxy, count) = connect_proxy(registry.host());
    let proxied = |user: &str| {
        let insecure = vec!["registry.test".parse().unwrap()];
        let proxies = registry::Proxies { https: format!("http://{user}:p@{proxy}"), ..registry::Proxies::default() };
        Config { proxies, insecure, ..config() }
    };
    let nobody = Credentials::default();
    let repository = open(proxied("u"), "registry.test", "a", &nobody, Access::Push).await.unwrap();
    assert_eq!(upload(&repository, b"through", &[]).await.unwrap(), Uploaded::Sent);
    assert!(count.load(Ordering::Relaxed) >= 1);
    let failure = open(proxied("wrong"), "registry.test", "a", &nobody, Access::Pull).await.err().unwrap();
    assert!(!failure.error.message.is_empty());
}

#[tokio::test]
async fn an_upload_goes_on_in_chunks() {
    let bytes: Vec<u8> = (0..500_000u32).map(|i| i as u8).collect();
    let puts = AtomicUsize::new(0);
    let web = Web::serve("127.0.0.1", move |asked| match asked.method.as_str() {
        _ if asked.target == "/v2/" => Told::body("{}"),
        "HEAD" => Told::status(404),
        "POST" => Told::status(202).with("Location", "/v2/a/blobs/uploads/1"),
        "GET" => Told::status(204).with("Location", "/v2/a/blobs/uploads/1").with("Range", "0-99999"),
        "PATCH" => Told::status(202).with("Location", "/v2/a/blobs/uploads/2"),
        "PUT" if puts.fetch_add(1, Ordering::Relaxed) == 0 => Told::status(500),
        _ => Told::status(201),
    });
    let repository = open(config(), &web.host(), "a", &Credentials::default(), Access::Push).await.unwrap();
    assert_eq!(upload(&repository, &bytes, &[]).await.unwrap(), Uploaded::Sent);
    let asked = web.asked();
    let patch = asked.iter().find(|asked| asked.method == "PATCH").unwrap();
    assert_eq!(patch.header("content-range"), Some("100000-499999"));
    assert!(patch.body == bytes[100_000..]);
    let put = asked.last().unwrap();
    assert!(put.target.starts_with("/v2/a/blobs/uploads/2?digest=sha256%3A") && put.body.is_empty());
}

/// What comes into memory is bounded, whatever a manifest says.
#[tokio::test]
async fn a_configuration_that_is_none_is_not_fetched() {
    let web = Web::serve("127.0.0.1", |_| Told::body("{}"));
    let repository = open(config(), &web.host(), "a", &Credentials::default(), Access::Pull).await.unwrap();
    let of = |size| Descriptor::new("", Digest::from_sha256(&Sha256::digest(b"{}")), size);
    assert_eq!(repository.small_blob(&of(2)).await.unwrap(), b"{}");
    let said = repository.small_blob(&of(100 << 30)).await.unwrap_err().error.message;
    assert!(said.ends_with("is too large for a configuration: 107374182400 bytes"), "{said}");
    assert_eq!(web.count("/blobs/"), 1);
}

/// It takes all of it each time, and then neither keeps nor stores it.
#[tokio::test]
async fn an_upload_that_comes_to_the_same_place_again_is_given_up() {
    const ENOUGH: usize = 20;
    let (puts, looks) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let web = Web::serve("127.0.0.1", move |asked| match asked.method.as_str() {
        _ if asked.target == "/v2/" => Told::body("{}"),
        "HEAD" => Told::status(404),
        "GET" if looks.fetch_add(1, Ordering::Relaxed) % 2 == 1 => Told::status(404),
        "GET" => Told::status(204).with("Location", "/v2/a/blobs/uploads/1").with("Range", "0-99999"),
        "PUT" if puts.fetch_add(1, Ordering::Relaxed) < ENOUGH => Told::status(500),
        "PUT" => Told::status(201),
        _ => Told::status(202).with("Location", "/v2/a/blobs/uploads/1"),
    });
    let repository = open(config(), &web.host(), "a", &Credentials::default(), Access::Push).await.unwrap();
    assert_eq!(upload(&repository, &[7; 100_000], &[]).await.unwrap_err().status, 500);
}

/// Uploads that get on are not given up, however often they break: the registry has a bit more each time, says so in its own way,
/// and forgets a token.
#[tokio::test]
async fn an_upload_that_breaks_again_and_again_gets_on() {
    const SIZE: usize = 500_000;
    let bytes: Vec<u8> = (0..SIZE as u32).map(|i| (i / 3) as u8).collect();
    let (tokens, all) = (AtomicUsize::new(0), Arc::new(std::sync::Mutex::new(Vec::new())));
    let kept = all.clone();
    let web = Web::serve("127.0.0.1", move |asked| {
        let mut kept = kept.lock().unwrap();
        let challenge = || {
            let realm = format!("Bearer realm=\"http://{}/token\",service=\"s\"", asked.header("host").unwrap());
            Told::status(401).with("WWW-Authenticate", &realm)
        };
        let old = asked.header("authorization") == Some("Bearer t0");
        let place = |status, kept: &[u8]| {
            let range = format!("0-{}", kept.len().saturating_sub(1));
            Told::status(status).with("Location", "/v2/a/blobs/uploads/1").with("Range", &range)
        };
        match asked.method.as_str() {
            _ if asked.target.starts_with("/token") => {
                let number = tokens.fetch_add(1, Ordering::Relaxed);
                Told::body(format!("{{\"token\":\"t{number}\",\"expires_in\":3600}}"))
            }
            _ if asked.header("authorization").is_none() => challenge(),
            "HEAD" => Told::status(404),
            "POST" => place(202, &kept),
            "GET" => place(204, &kept),
            "PUT" if old => challenge(),
            // of what it gets whole it keeps a part
            "PUT" if kept.is_empty() => {
                kept.extend(&asked.body[..100_000]);
                Told::status(500)
            }
            "PATCH" => {
                let from: usize = asked.header("content-range").unwrap().split('-').next().unwrap().parse().unwrap();
                if from != kept.len() {
                    return Told::status(416);
                }
                let more = asked.body.len().min(50_000);
                kept.extend(&asked.body[..more]);
                // it tells of the first part that is less, later it breaks
                if kept.len() == 150_000 {
                    place(202, &kept)
                } else if kept.len() < SIZE {
                    Told::status(502)
                } else {
                    place(202, &kept)
                }
            }
            _ => Told::status(201),
        }
    });
    let repository = open(config(), &web.host(), "a", &Credentials::default(), Access::Push).await.unwrap();
    assert_eq!(upload(&repository, &bytes, &[]).await.unwrap(), Uploaded::Sent);
    assert!(*all.lock().unwrap() == bytes);
}

#[tokio::test]
async fn a_silent_registry_is_asked_for_the_rest_and_given_up() {
    let bytes: Vec<u8> = (0..500_000u32).map(|i| i as u8).collect();
    let head = format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n", bytes.len());
    let (all, begin) = (bytes.clone(), [head.as_bytes(), &bytes[..200_000]].concat());
    let long = Duration::from_secs(30);
    let web = Web::serve("127.0.0.1", move |asked| match asked.header("range") {
        _ if asked.target == "/v2/" => Told::body("{}"),
        // it says nothing, or no more
        _ if asked.target.starts_with("/v2/silent/") => Told::Stall(vec![], long),
        _ if asked.target.starts_with("/v2/stuck/") => Told::Stall(head.clone().into(), long),
        None => Told::Stall(begin.clone(), long),
        Some(_) => Told::Reply {
            status: 206,
            headers: vec![("Content-Range".into(), "bytes 200000-499999/500000".into())],
            body: all[200_000..].to_vec(),
        },
    });
    let patience = Duration::from_secs(1);
    let get = async |path: &str| {
        let config = Config { patience, attempts: 2, ..config() };
        let repository = open(config, &web.host(), path, &Credentials::default(), Access::Pull).await.unwrap();
        download(&repository, &bytes, 0).await
    };
    let (goes_on, silent, stuck) = tokio::join!(get("goes-on"), get("silent"), get("stuck"));
    assert!(goes_on.unwrap() == bytes);
    let ranges: Vec<_> = web.asked().iter().filter_map(|asked| asked.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, ["bytes=200000-"]);
    assert!(silent.unwrap_err().to_string().ends_with("net/http: timeout awaiting response headers"));
    assert!(stuck.unwrap_err().to_string().ends_with("i/o timeout"));
}

#[tokio::test]
async fn a_token_server_that_is_ill_is_asked_as_often_as_anything() {
    let address = Arc::new(std::sync::OnceLock::<String>::new());
    let own = address.clone();
    let web = Web::serve("127.0.0.1", move |asked| match asked.target.starts_with("/token") {
        true => Told::status(500),
        false => Told::status(401).with(
            "WWW-Authenticate",
            &format!(r#"Bearer realm="http://{}/token",service="s""#, own.get().expect("an address")),
        ),
    });
    address.set(web.host()).unwrap();
    let repository = open(config(), &web.host(), "a", &Credentials::default(), Access::Pull).await.unwrap();
    let said = repository.manifest("1").await.unwrap_err().error.message;
    assert!(said.ends_with("received unexpected HTTP status: 500 Internal Server Error"), "{said}");
    assert_eq!(web.count("/token"), 3);
}

#[tokio::test]
async fn a_silent_mirror_is_given_up_before_long() {
    let web = Web::serve("127.0.0.1", |_| Told::Stall(vec![], Duration::from_secs(30)));
    let mirrors = vec![format!("h.example=http://{}", web.host()).parse().unwrap()];
    let patience = Duration::from_secs(60);
    let client = Client::new(Config { mirrors, patience, mirror_patience: Duration::from_millis(200), ..config() });
    let endpoints = client.endpoints("h.example").unwrap();
    let opened = client.open(&endpoints[0], "a", &Credentials::default(), Access::Pull).await;
    let said = opened.map(drop).unwrap_err().error.message;
    assert!(said.starts_with(&format!("Get \"http://{}/v2/\": ", web.host())), "{said}");
    assert!(said.ends_with("(Client.Timeout exceeded while awaiting headers)"), "{said}");
}
