//! Which daemon to talk to: `-H`, `DOCKER_HOST`, contexts, else the default socket of the name we go by.

use api::Version;
use client::{Client, Host};

use crate::failure::Failure;
use crate::{Session, autostart, context};

/// The socket of our own daemon.
pub const LIGHTER_SOCKET: &str = "/run/lighter.sock";
/// The socket of whoever plays Docker on this machine.
pub const DOCKER_SOCKET: &str = "/var/run/docker.sock";

/// The socket a program of this name uses when nothing says otherwise.
pub fn default_socket(program: &str) -> &'static str {
    if program == "docker" { DOCKER_SOCKET } else { LIGHTER_SOCKET }
}

/// What was chosen, and whether anybody chose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// `-H` or `DOCKER_HOST`, as it was written.
    Host(String),
    /// A context's name.
    Context(String),
    /// Nothing was said.
    Default,
}

/// Chooses by Docker's order: `--host`; `--context`; `DOCKER_HOST`; `DOCKER_CONTEXT`; the current context of
/// config.json; the default socket.
///
/// # Errors
/// Options that exclude each other.
pub fn choose(session: &Session) -> Result<Choice, Failure> {
    let root = &session.root;
    if !root.hosts.is_empty() && root.context.is_some() {
        return Err(Failure::new("conflicting options: cannot specify both --host and --context"));
    }
    if root.hosts.len() > 1 {
        return Err(unresolved("Specify only one -H"));
    }
    let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let context = |name: String| if name == "default" { Choice::Default } else { Choice::Context(name) };
    if let Some(host) = root.hosts.first() {
        return Ok(Choice::Host(host.clone()));
    }
    if let Some(name) = root.context.clone().filter(|name| !name.is_empty()) {
        return Ok(match context(name) {
            // the context `default` is what the environment says
            Choice::Default => env("DOCKER_HOST").map_or(Choice::Default, Choice::Host),
            chosen => chosen,
        });
    }
    if let Some(host) = env("DOCKER_HOST") {
        return Ok(Choice::Host(host));
    }
    if let Some(name) = env("DOCKER_CONTEXT") {
        return Ok(context(name));
    }
    match session.config().current_context.as_str() {
        "" => Ok(Choice::Default),
        name => Ok(context(name.to_owned())),
    }
}

fn unresolved(why: &str) -> Failure {
    Failure::new(format!("Failed to initialize: unable to resolve docker endpoint: {why}"))
}

/// The client for what [`choose`] says; where nothing was chosen, it starts our daemon if none answers. Nothing is
/// connected yet.
///
/// # Errors
/// As [`choose`]; a bad address or version; TLS, which we do not speak yet.
pub fn client(session: &Session) -> Result<Client, Failure> {
    let choice = choose(session)?;
    let client = client_of(session, &choice)?;
    let ours = session.program == "lighter" && choice == Choice::Default;
    Ok(if ours && autostart::wanted() { client.with_starter(Box::new(autostart::start)) } else { client })
}

/// The same client, but nothing is ever started.
///
/// # Errors
/// As [`client`].
pub fn client_of_running(session: &Session) -> Result<Client, Failure> {
    client_of(session, &choose(session)?)
}

fn client_of(session: &Session, choice: &Choice) -> Result<Client, Failure> {
    let socket = default_socket(session.program);
    let address = match choice {
        Choice::Host(host) => host.clone(),
        Choice::Default => String::new(),
        Choice::Context(name) => {
            let found = context::load(&session.root.config_dir(), name).map_err(|e| unresolved(&e.message))?;
            found.endpoints.docker.host
        }
    };
    let host = Host::parse(&address, socket).map_err(|error| unresolved(&error.to_string()))?;
    refuse_tls(session, &host)?;
    let mut client = Client::new(host);
    let headers = &session.config().http_headers;
    client = client.with_headers(headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect());
    if let Some(version) = std::env::var("DOCKER_API_VERSION").ok().filter(|text| !text.is_empty()) {
        // Docker takes whatever it is given; a daemon then refuses it
        if let Ok(version) = version.trim_start_matches('v').parse::<Version>() {
            client = client.with_version(version);
        }
    }
    Ok(client)
}

/// Speaking plainly where encryption was asked for must not happen.
fn refuse_tls(session: &Session, host: &Host) -> Result<(), Failure> {
    let asked = session.root.tls
        || std::env::var_os("DOCKER_TLS_VERIFY").is_some_and(|value| !value.is_empty())
        || std::env::var_os("DOCKER_TLS").is_some_and(|value| !value.is_empty());
    if asked && matches!(host, Host::Tcp { .. }) {
        return Err(Failure::new(format!(
            "TLS is not supported yet: cannot connect to {host} with --tls or --tlsverify"
        )));
    }
    Ok(())
}
