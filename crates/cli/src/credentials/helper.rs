//! Credential helpers: programs `docker-credential-NAME` that speak JSON over stdin and stdout
//! (the protocol of docker-credential-helpers).

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use api::types::AuthConfig;
use serde::{Deserialize, Serialize};

use crate::Failure;

const PREFIX: &str = "docker-credential-";
/// The user name under which an identity token is kept.
const TOKEN_USER: &str = "<token>";
const NOT_FOUND: &str = "credentials not found in native keychain";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials {
    #[serde(rename = "ServerURL", default)]
    server: String,
    username: String,
    secret: String,
}

pub fn get(name: &str, key: &str) -> Result<AuthConfig, Failure> {
    let failed = |why: String| Failure::new(format!("error getting credentials - {why}"));
    let found = match call(name, "get", key.as_bytes()) {
        Ok(out) => out,
        Err((_, out)) if out.contains(NOT_FOUND) => return Ok(AuthConfig::default()),
        Err((why, out)) => return Err(failed(format!("err: {why}, out: `{out}`"))),
    };
    let found: Credentials = serde_json::from_str(&found).map_err(|e| failed(format!("err: {e}")))?;
    let is_token = found.username == TOKEN_USER;
    Ok(AuthConfig {
        username: if is_token { String::new() } else { found.username },
        password: if is_token { String::new() } else { found.secret.clone() },
        identitytoken: if is_token { found.secret } else { String::new() },
        serveraddress: key.into(),
        ..AuthConfig::default()
    })
}

/// The registries of which it keeps something.
pub fn list(name: &str) -> Result<Vec<String>, Failure> {
    let failed = |why: String| Failure::new(format!("error listing credentials - {why}"));
    let out = call(name, "list", b"unused").map_err(|(why, out)| failed(format!("err: {why}, out: `{out}`")))?;
    let users: BTreeMap<String, String> = serde_json::from_str(&out).map_err(|e| failed(format!("err: {e}")))?;
    Ok(users.into_keys().collect())
}

pub fn store(name: &str, key: &str, auth: &AuthConfig) -> Result<(), Failure> {
    let (username, secret) = match auth.identitytoken.as_str() {
        "" => (auth.username.clone(), auth.password.clone()),
        token => (TOKEN_USER.into(), token.into()),
    };
    let given = serde_json::to_vec(&Credentials { server: key.into(), username, secret }).unwrap_or_default();
    let stored = call(name, "store", &given);
    stored.map(drop).map_err(|(why, out)| Failure::new(format!("error storing credentials - err: {why}, out: `{out}`")))
}

/// One that has nothing to erase is content.
pub fn erase(name: &str, key: &str) -> Result<(), Failure> {
    match call(name, "erase", key.as_bytes()) {
        Err((_, out)) if out.contains(NOT_FOUND) => Ok(()),
        Err((why, out)) => Err(Failure::new(format!("error erasing credentials - err: {why}, out: `{out}`"))),
        Ok(_) => Ok(()),
    }
}

/// A helper that Docker takes by itself where it is installed; true: it is to be written down.
pub fn default_store() -> Option<(String, bool)> {
    if is_installed("pass") && is_installed(&format!("{PREFIX}pass")) {
        return Some(("pass".into(), true));
    }
    is_installed(&format!("{PREFIX}secretservice")).then(|| ("secretservice".into(), true))
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// What the helper printed; or why it failed, and what it printed then.
fn call(name: &str, verb: &str, input: &[u8]) -> Result<String, (String, String)> {
    let program = format!("{PREFIX}{name}");
    if name.contains('/') || !is_installed(&program) {
        return Err((format!("exec: {program:?}: executable file not found in $PATH"), String::new()));
    }
    let failed = |e: std::io::Error| (format!("exec: {program:?}: {}", values::system_words(&e)), String::new());
    let spawned = Command::new(&program).arg(verb).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // a helper may answer without reading
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().map_err(failed)?;
    let out = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        Ok(out)
    } else {
        Err((output.status.to_string().replace("exit status: ", "exit status "), out))
    }
}
