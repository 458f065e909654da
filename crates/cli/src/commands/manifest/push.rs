//! `manifest push`.

use api::endpoints::{DistributionManifestQuery, DistributionPut};
use api::types::ManifestPut;
use values::Reference;

use super::list::List;
use super::store::{self, Item};
use super::{experimental, named};
use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::{Failure, Invocation, Outcome, Session, credentials};

pub static COMMAND: Command = Command {
    spellings: &["manifest push"],
    usage: "[OPTIONS] MANIFEST_LIST",
    about: "Push a manifest list to a repository",
    long: experimental!("Push a manifest list to a repository", "push"),
    args: Args::Exactly(1),
    flags: &[
        Flag::bool("insecure", "Allow push to an insecure registry"),
        Flag::bool("purge", "Remove the local manifest list after push").short('p'),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let list = named(call.arg(0))?;
    let items = store::read(session, &list)?;
    if items.is_empty() {
        return Err(Failure::new(format!("No such manifest: {list}")));
    }
    for item in &items {
        check(item, &list)?;
    }
    let insecure = call.is("insecure");
    for item in &items {
        let source: Reference = item.reference.parse()?;
        let target = Reference { tag: None, digest: None, ..list.clone() };
        let raw = String::from_utf8(item.raw()?).map_err(|e| Failure::new(e.to_string()))?;
        let source = if source.path == list.path { String::new() } else { source.path };
        let put = ManifestPut { media_type: item.descriptor.media_type.clone(), raw, source };
        let digest = send(session, &target, insecure, &put)?;
        session.println(format!("Pushed ref {target}@{digest} with digest: {digest}"));
    }
    let document = List::of(&items);
    let put = ManifestPut { media_type: document.media_type.clone(), raw: document.to_json()?, source: String::new() };
    session.println(send(session, &list, insecure, &put)?);
    if call.is("purge") {
        store::remove(session, &list)?;
    }
    Ok(0)
}

/// What a registry cannot use is found before anything is sent.
fn check(item: &Item, list: &Reference) -> Result<(), Failure> {
    let source: Reference = item.reference.parse()?;
    if source.domain != list.domain {
        return Err(Failure::new(format!(
            "cannot use source images from a different registry than the target image: {} != {}",
            source.domain, list.domain
        )));
    }
    match &item.descriptor.platform {
        Some(platform) if !platform.os.is_empty() && !platform.architecture.is_empty() => Ok(()),
        _ => Err(Failure::new(format!(
            "manifest {} must have an OS and Architecture to be pushed to a registry",
            item.reference
        ))),
    }
}

fn send(session: &Session, name: &Reference, insecure: bool, put: &ManifestPut) -> Result<String, Failure> {
    let auth = credentials::header(session, &name.domain);
    let headers = [("X-Registry-Auth", auth.as_str())];
    let query = DistributionManifestQuery { insecure };
    let stored = session.client()?.call_with_headers::<DistributionPut>(&[&name.to_string()], &query, &headers, put)?;
    Ok(stored.digest)
}
