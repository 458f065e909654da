//! A token server for `docker-registry`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::{Asked, Told, Web};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// User `u` with password `p` gets what he asks for, others only `pull`, and who gives a wrong password nothing; `r` is a refresh
/// token of `u`.
pub struct TokenServer {
    web: Web,
    directory: PathBuf,
}

impl TokenServer {
    pub fn start() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = PathBuf::from(format!("/tmp/lighter-tokens-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("the token server's directory");
        let made = Command::new("openssl")
            .args("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=tokens".split(' '))
            .current_dir(&directory)
            .output()
            .expect("openssl");
        assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
        let keys = directory.clone();
        Self { web: Web::serve("127.0.0.1", move |asked| answer(&keys, asked)), directory }
    }

    /// Its address and its certificate, for a registry that is to believe it.
    pub fn realm(&self) -> (String, PathBuf) {
        (format!("http://{}/token", self.web.host()), self.directory.join("ca.crt"))
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.web.asked()
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn answer(keys: &Path, asked: &Asked) -> Told {
    let form = String::from_utf8_lossy(&asked.body).into_owned();
    let query = asked.target.split_once('?').map_or(form.clone(), |(_, query)| query.to_owned());
    let known =
        asked.header("authorization") == Some("Basic dTpw") || form.split('&').any(|pair| pair == "refresh_token=r");
    if asked.header("authorization").is_some() && !known {
        return Told::status(401);
    }
    let scopes = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("scope="))
        .map(|s| s.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",").replace("%20", " ").replace('+', " "));
    let access: Vec<_> = scopes
        .flat_map(|s| s.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|scope| {
            let mut parts = scope.split(':').map(str::to_owned);
            let (kind, name, actions) = (parts.next()?, parts.next()?, parts.next()?);
            let allowed: Vec<_> =
                actions.split(',').filter(|action| known || *action == "pull").map(str::to_owned).collect();
            Some(serde_json::json!({"type": kind, "name": name, "actions": allowed}))
        })
        .collect();
    let token = sign(keys, &serde_json::json!(access));
    let refresh = if asked.target.contains("offline_token=true") { "r" } else { "" };
    Told::body(serde_json::json!({"token": token, "expires_in": 300, "refresh_token": refresh}).to_string())
}

fn sign(keys: &Path, access: &serde_json::Value) -> String {
    let der = Command::new("openssl")
        .args(["x509", "-in", "ca.crt", "-outform", "DER"])
        .current_dir(keys)
        .output()
        .expect("openssl")
        .stdout;
    let header = serde_json::json!({"typ": "JWT", "alg": "RS256", "x5c": [STANDARD.encode(der)]});
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("the time").as_secs();
    let claims = serde_json::json!({"iss": "tests", "aud": "tests", "sub": "", "exp": now + 300, "nbf": now - 10, "iat": now, "jti": "1", "access": access});
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", encode(&header), encode(&claims));
    let mut child = Command::new("openssl")
        .args(["dgst", "-sha256", "-sign", "ca.key"])
        .current_dir(keys)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl");
    child.stdin.take().expect("stdin").write_all(text.as_bytes()).expect("openssl reads");
    let signature = child.wait_with_output().expect("openssl").stdout;
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}
