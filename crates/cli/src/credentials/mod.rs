//! The user's credentials for registries: in `config.json`, or with a helper program (`credsStore`, `credHelpers`).

mod file;
mod helper;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use api::types::AuthConfig;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use values::DEFAULT_DOMAIN;

use crate::{Failure, Session};

/// How config.json and helpers call Docker Hub.
pub const INDEX_SERVER: &str = "https://index.docker.io/v1/";

/// The name under which a registry's credentials are kept.
pub fn key(domain: &str) -> String {
    match domain {
        DEFAULT_DOMAIN | "index.docker.io" | "registry-1.docker.io" => INDEX_SERVER.into(),
        other => other.into(),
    }
}

/// The key of a server as a user writes it, with or without scheme and path.
pub fn key_of_server(server: &str) -> String {
    if server.is_empty() || server == INDEX_SERVER { INDEX_SERVER.into() } else { key(host(server)) }
}

fn host(server: &str) -> &str {
    let bare = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://")).unwrap_or(server);
    bare.split('/').next().unwrap_or_default()
}

/// Where credentials are kept.
enum Place {
    File,
    Helper(String),
}

fn place(session: &Session, key: &str) -> Place {
    let config = session.config();
    match config.cred_helpers.get(key).or(Some(&config.creds_store)).filter(|name| !name.is_empty()) {
        Some(name) => Place::Helper(name.clone()),
        None => Place::File,
    }
}

/// What is kept for a registry; empty for nothing.
///
/// # Errors
/// A helper's.
pub fn get(session: &Session, key: &str) -> Result<AuthConfig, Failure> {
    match place(session, key) {
        Place::Helper(name) => helper::get(&name, key),
        Place::File => Ok(of_file(session, key)),
    }
}

fn of_file(session: &Session, key: &str) -> AuthConfig {
    let auths = &session.config().auths;
    let found = auths.get_key_value(key).or_else(|| auths.iter().find(|(written, _)| host(written) == host(key)));
    let Some((_, entry)) = found else { return AuthConfig::default() };
    let text = STANDARD.decode(&entry.auth).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let (username, password) = text.split_once(':').unwrap_or_default();
    AuthConfig {
        username: username.into(),
        password: password.trim_end_matches('\0').into(),
        serveraddress: key.into(),
        identitytoken: entry.identitytoken.clone(),
        registrytoken: entry.registrytoken.clone(),
        ..AuthConfig::default()
    }
}

/// The header `X-Registry-Auth` for a registry. What a helper cannot give counts as none, as Docker has it: the registry says
/// whether that is enough.
pub fn header(session: &Session, domain: &str) -> String {
    let kept = get(session, &key(domain)).unwrap_or_default();
    encode(&kept)
}

fn encode(auth: &AuthConfig) -> String {
    URL_SAFE.encode(serde_json::to_vec(auth).unwrap_or_default())
}

/// The names under which anything is kept.
fn keys(session: &Session) -> Result<BTreeSet<String>, Failure> {
    let config = session.config();
    let mut keys: BTreeSet<String> = config.auths.keys().chain(config.cred_helpers.keys()).cloned().collect();
    if !config.creds_store.is_empty() {
        keys.extend(helper::list(&config.creds_store)?);
    }
    Ok(keys)
}

/// The header `X-Registry-Config`: all that is kept, by registry. What a helper cannot give is left out.
pub fn header_of_all(session: &Session) -> String {
    let keys = keys(session).unwrap_or_default();
    let kept: BTreeMap<String, AuthConfig> =
        keys.into_iter().filter_map(|key| Some((key.clone(), get(session, &key).ok()?))).collect();
    URL_SAFE.encode(serde_json::to_vec(&kept).unwrap_or_default())
}

/// All that is kept, as the text of a `config.json` that needs no helper; `None` for nothing.
///
/// # Errors
/// A helper's.
pub fn as_file(session: &Session) -> Result<Option<String>, Failure> {
    let mut auths = BTreeMap::new();
    for key in keys(session)? {
        let kept = get(session, &key)?;
        let auth = match kept.username.as_str() {
            "" => String::new(),
            user => STANDARD.encode(format!("{user}:{}", kept.password)),
        };
        let entry = [("auth", auth), ("identitytoken", kept.identitytoken), ("registrytoken", kept.registrytoken)];
        let entry: BTreeMap<_, _> = entry.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        if !entry.is_empty() {
            auths.insert(key, entry);
        }
    }
    let text = serde_json::json!({ "auths": auths }).to_string();
    Ok(Some(text).filter(|_| !auths.is_empty()))
}

/// Keeps credentials. True where that was in the file, readable by whoever reads the file.
///
/// # Errors
/// Where they cannot be kept.
pub fn put(session: &Session, key: &str, auth: &AuthConfig) -> Result<bool, Failure> {
    let failed = |failure: Failure| Failure::new(format!("Error saving credentials: {}", failure.message));
    let chosen = match place(session, key) {
        // a new file: where a safe place is installed, that is taken
        Place::File if session.config().auths.is_empty() && session.config().cred_helpers.is_empty() => {
            helper::default_store()
        }
        Place::File => None,
        Place::Helper(name) => Some((name, false)),
    };
    let path = config_file(session);
    match chosen {
        None => {
            let secret = match auth.username.as_str() {
                "" => String::new(),
                user => STANDARD.encode(format!("{user}:{}", auth.password)),
            };
            file::put(&path, key, &secret, &auth.identitytoken, None).map_err(failed)?;
            Ok(!auth.password.is_empty())
        }
        Some((name, is_new)) => {
            helper::store(&name, key, auth).map_err(failed)?;
            file::put(&path, key, "", "", is_new.then_some(name.as_str())).map_err(failed)?;
            Ok(false)
        }
    }
}

/// Forgets what is kept for a registry.
///
/// # Errors
/// A helper's, or where the file cannot be written.
pub fn erase(session: &Session, key: &str) -> Result<(), Failure> {
    if let Place::Helper(name) = place(session, key) {
        helper::erase(&name, key)?;
    }
    let same: Vec<&String> = session.config().auths.keys().filter(|written| host(written) == host(key)).collect();
    file::erase(&config_file(session), &same)
}

/// `config.json`
pub fn config_file(session: &Session) -> PathBuf {
    session.root.config_dir().join("config.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for (server, expected) in [
            ("", INDEX_SERVER),
            ("docker.io", INDEX_SERVER),
            ("https://index.docker.io/v1/", INDEX_SERVER),
            ("https://r.example:5000/v2/", "r.example:5000"),
            ("r.example", "r.example"),
        ] {
            assert_eq!(key_of_server(server), expected);
        }
        assert_eq!(encode(&AuthConfig::default()), "e30=");
    }
}
