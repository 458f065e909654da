//! `--use-api-socket`: the container gets the daemon's socket, and the user's credentials for registries beside it.

use api::endpoints::{ContainerArchivePut, ContainerArchivePutQuery};
use api::types::{BindOptions, ContainerCreateRequest, Mount};
use archive::tar::{Entry, Kind, Writer};
use client::Host;

use crate::host::DOCKER_SOCKET;
use crate::{Failure, Session, credentials};

/// Where clients inside look for their configuration.
const CONFIG_DIR: &str = "/run/secrets/docker";
const VARIABLE: &str = "DOCKER_CONFIG";

/// Puts the socket into the request, at the place where clients look for it. Answers the configuration that is to be put into
/// the container; `None`: there are no credentials, or the container has a configuration of its own.
///
/// # Errors
/// Where credentials cannot be had: better no container than one without them.
pub fn prepare(session: &Session, request: &mut ContainerCreateRequest) -> Result<Option<String>, Failure> {
    let source = match session.client()?.host() {
        Host::Unix(path) => path.display().to_string(),
        // on the daemon's machine
        Host::Tcp { .. } => DOCKER_SOCKET.to_owned(),
    };
    request.host_config.get_or_insert_default().mounts.push(Mount {
        kind: "bind".into(),
        source,
        target: DOCKER_SOCKET.into(),
        bind_options: Some(BindOptions::default()),
        ..Mount::default()
    });
    let env = request.config.env.get_or_insert_default();
    if env.iter().any(|variable| variable.strip_prefix(VARIABLE).is_some_and(|rest| rest.starts_with('='))) {
        return Ok(None);
    }
    let configuration = credentials::as_file(session)
        .map_err(|failure| Failure::new(format!("resolving credentials failed: {}", failure.message)))?;
    if configuration.is_some() {
        env.push(format!("{VARIABLE}={CONFIG_DIR}"));
    }
    Ok(configuration)
}

/// Puts what [`prepare`] answered into the new container.
///
/// # Errors
/// The daemon's.
pub fn hand_over(session: &Session, id: &str, configuration: &str) -> Result<(), Failure> {
    let name = format!("{}/config.json", CONFIG_DIR.trim_start_matches('/'));
    let entry = Entry { mode: 0o600, ..Entry::new(Kind::File, name) };
    let mut writer = Writer::new(Vec::new());
    let packed = writer.file(&entry, configuration.as_bytes()).and_then(|()| writer.finish());
    let packed = packed.map_err(|error| Failure::new(error.to_string()))?;
    let query = ContainerArchivePutQuery { path: "/".into(), ..ContainerArchivePutQuery::default() };
    session
        .client()?
        .upload_archive::<ContainerArchivePut>(&[id], &query, &mut packed.as_slice())
        .map_err(|error| Failure::new(format!("injecting docker config.json into container failed: {error}")))
}
