//! Creating a container for `create` and `run`: the image is fetched if it must be, the id is written to a file.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use api::endpoints::{ContainerCreate, ContainerCreateQuery};
use api::types::ContainerCreateRequest;
use values::{Platform, Reference};

use crate::commands::container::{api_socket, pulling};
use crate::failure::Failure;
use crate::flags::container::files::reason;
use crate::{Invocation, Session, terminal};

/// Checks `--pull`.
///
/// # Errors
/// A word that is none of the three.
pub fn check_pull(call: &Invocation) -> Result<(), Failure> {
    match call.text("pull") {
        None | Some("always" | "missing" | "never" | "") => Ok(()),
        Some(other) => Err(Failure::new(format!(
            "invalid pull option: '{other}': must be one of \"always\", \"missing\" or \"never\""
        ))),
    }
}

/// Creates the container; prints the daemon's warnings; returns its id.
///
/// # Errors
/// Whatever the daemon refuses, an image that cannot be had, an id file that is there already.
pub fn create(session: &Session, call: &Invocation, mut request: ContainerCreateRequest) -> Result<String, Failure> {
    let mut id_file = IdFile::open(call.text_or_empty("cidfile"))?;
    let image = request.config.image.clone();
    let reference = parse_image(&image)?;
    let (rows, columns) = terminal::size();
    if let Some(host) = &mut request.host_config {
        host.console_size = [u32::from(rows), u32::from(columns)];
    }
    let platform = platform(call)?;
    let configuration = if call.is("use-api-socket") { api_socket::prepare(session, &mut request)? } else { None };
    let query = ContainerCreateQuery { name: call.text_or_empty("name").to_owned(), platform: platform.clone() };
    let pull = |reference: &Reference| pulling::pull(session, reference, &platform, call.is("quiet"));
    let policy = call.text("pull").unwrap_or("missing");
    if let Some(reference) = reference.as_ref().filter(|_| policy == "always") {
        pull(reference)?;
    }

    let client = session.client()?;
    let mut reply = client.call::<ContainerCreate>(&[], &query, &request);
    if let (Err(error), Some(reference)) = (&reply, &reference)
        && error.is_not_found()
        && matches!(policy, "missing" | "")
    {
        if !call.is("quiet") {
            session.eprintln(format!("Unable to find image '{}' locally", reference.familiar()));
        }
        pull(reference)?;
        reply = client.call::<ContainerCreate>(&[], &query, &request);
    }
    let created = reply?;
    for warning in &created.warnings {
        session.eprintln(format!("WARNING: {warning}"));
    }
    id_file.write(&created.id)?;
    if let Some(configuration) = configuration {
        api_socket::hand_over(session, &created.id, &configuration)?;
    }
    Ok(created.id)
}

/// An image's name; `None` for an id, which no registry knows.
fn parse_image(text: &str) -> Result<Option<Reference>, Failure> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    if hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(None);
    }
    let reference: Reference = text.parse().map_err(|error: values::Error| Failure::new(error.message))?;
    Ok(Some(reference.or_latest()))
}

/// `--platform`, else `DOCKER_DEFAULT_PLATFORM`, in its normal form.
fn platform(call: &Invocation) -> Result<String, Failure> {
    let text = match call.text("platform") {
        Some(text) => text.to_owned(),
        None => std::env::var("DOCKER_DEFAULT_PLATFORM").unwrap_or_default(),
    };
    if text.is_empty() {
        return Ok(text);
    }
    let platform: Result<Platform, values::Error> = text.parse();
    let bad = |error: values::Error| Failure::new(format!("error parsing specified platform: {}", error.message));
    platform.map(|platform| platform.to_string()).map_err(bad)
}

/// The file of `--cidfile`: made before the container, so that there is no container without its file; removed
/// again if no container came of it.
struct IdFile {
    path: PathBuf,
    file: Option<File>,
    written: bool,
}

impl IdFile {
    fn open(path: &str) -> Result<IdFile, Failure> {
        if path.is_empty() {
            return Ok(IdFile { path: PathBuf::new(), file: None, written: false });
        }
        if Path::new(path).symlink_metadata().is_ok() {
            return Err(Failure::new(format!(
                "container ID file found, make sure the other container isn't running or delete {path}"
            )));
        }
        let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
            Failure::new(format!("failed to create the container ID file: open {path}: {}", reason(&error)))
        })?;
        Ok(IdFile { path: path.into(), file: Some(file), written: false })
    }

    fn write(&mut self, id: &str) -> Result<(), Failure> {
        if let Some(file) = &mut self.file {
            file.write_all(id.as_bytes())
                .map_err(|error| Failure::new(format!("failed to write the container ID to the file: {error}")))?;
            self.written = true;
        }
        Ok(())
    }
}

impl Drop for IdFile {
    fn drop(&mut self) {
        if self.file.is_some() && !self.written {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
