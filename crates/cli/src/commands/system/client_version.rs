//! What `version` and `info` tell of the client.

use serde_json::{Value as Json, json};

use crate::host::{self, Choice};
use crate::{BUILD, Session};

/// When the program was built, where the build told us.
const BUILT: &str = match option_env!("LIGHTER_BUILD_TIME") {
    Some(time) => time,
    None => "unknown",
};

/// In the place of Docker's Go version; the daemon says the same.
const COMPILER: &str = "none (Rust)";

/// The newest API version we speak.
pub fn default_api_version() -> String {
    api::Version::MAX.to_string()
}

/// Go's name of this machine's architecture.
pub fn architecture() -> String {
    values::Platform::host().architecture
}

/// The name of the context in use; `default` where a host is named or nothing is said.
pub fn context(session: &Session) -> String {
    match host::choose(session) {
        Ok(Choice::Context(name)) => name,
        _ => "default".into(),
    }
}

/// The client's part of both answers. `api` is left out of `info`.
pub fn describe(session: &Session, api: Option<&str>) -> Json {
    let mut client = json!({
        "Version": values::VERSION,
        "DefaultAPIVersion": default_api_version(),
        "GitCommit": BUILD,
        "GoVersion": COMPILER,
        "Os": "linux",
        "Arch": architecture(),
        "BuildTime": BUILT,
        "Context": context(session),
    });
    if let Some(api) = api {
        client["ApiVersion"] = api.into();
    }
    client
}
