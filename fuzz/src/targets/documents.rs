//! JSON and what comes with it.

use api::endpoints::{ContainerListQuery, ContainerLogsQuery, ImageListQuery, SystemEventsQuery};
use api::query::Query;
use oci::image::{ArchiveEntry, Image, Index, Manifest};
use serde::de::DeserializeOwned;

/// What was read and written again reads the same.
fn stable<T: DeserializeOwned + serde::Serialize + PartialEq + std::fmt::Debug>(data: &[u8]) {
    let Ok(first) = serde_json::from_slice::<T>(data) else { return };
    let written = serde_json::to_vec(&first).expect("it can be written");
    let second = serde_json::from_slice::<T>(&written).expect("what was written can be read");
    assert_eq!(first, second);
}

pub fn image(data: &[u8]) {
    stable::<Manifest>(data);
    stable::<Index>(data);
    stable::<Image>(data);
    let _ = serde_json::from_slice::<Vec<ArchiveEntry>>(data);
}

/// Frames of the shim's protocol, both ways.
pub fn frame(data: &[u8]) {
    let mut received = data.to_vec();
    while let Ok(Some(request)) = shim::frame::take::<shim::protocol::Request>(&mut received) {
        shim::frame::encode(&request).expect("it can be sent again");
    }
    let mut received = data.to_vec();
    while let Ok(Some(message)) = shim::frame::take::<shim::protocol::Message>(&mut received) {
        shim::frame::encode(&message).expect("it can be sent again");
    }
}

/// The body of `POST /containers/create`, as far as an OCI specification.
#[cfg(feature = "daemon")]
pub fn create(data: &[u8]) {
    engine::fuzzing::create(data);
}

/// Query strings and the filters in them.
pub fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(filters) = api::Filters::from_json(text) {
        let again = api::Filters::from_json(&filters.to_json()).expect("own JSON");
        assert_eq!(again.to_json(), filters.to_json());
    }
    let _ = ContainerListQuery::decode(text);
    let _ = ContainerLogsQuery::decode(text);
    let _ = ImageListQuery::decode(text);
    let _ = SystemEventsQuery::decode(text);
}

/// A seccomp profile, resolved and compiled.
#[cfg(feature = "daemon")]
pub fn seccomp(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let capabilities = ["CAP_SYS_ADMIN".to_owned(), "CAP_SYS_PTRACE".to_owned()];
    if let Ok(profile) = engine::fuzzing::seccomp(text, &capabilities, "6.1.0") {
        let _ = runtime::seccomp::compile(&profile);
    }
}

/// `daemon.json` and what its values mean.
#[cfg(feature = "daemon")]
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    daemon::fuzz_file(text);
}

/// A file of CDI devices; what begins with a brace is read both ways.
#[cfg(feature = "daemon")]
pub fn cdi(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    engine::fuzzing::cdi(text, false);
    if text.starts_with('{') {
        engine::fuzzing::cdi(text, true);
    }
}
