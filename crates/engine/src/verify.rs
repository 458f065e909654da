//! `system verify`: images, their content and layers, and what containers need of them. Content that is damaged is had again
//! from the registry that has it, where it is to be repaired.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::registry::AllCredentials;
use api::progress::{JsonMessage, ProgressDetail};
use api::types::{SystemVerified, VerifyFinding};
use image::{Again, Finding, Part, Remedy, Verification, Verified};
use tokio::sync::mpsc::UnboundedSender;
use values::{Digest, Error, Result};

use crate::container::Container;
use crate::distribution;
use crate::shared::{Shared, blocking};

/// Ends with a message whose `aux` is a [`SystemVerified`]; early when nobody listens any more.
pub async fn verify(
    shared: &Arc<Shared>,
    repair: Option<AllCredentials>,
    messages: UnboundedSender<JsonMessage>,
) -> Result<()> {
    let mut verified = look(shared, repair.is_some(), &messages).await?;
    if let Some(credentials) = &repair {
        let fetched = fetch(shared, credentials, &verified.findings, &messages).await?;
        if fetched.values().any(std::result::Result::is_ok) {
            let before = std::mem::take(&mut verified.findings);
            verified = look(shared, true, &messages).await?;
            let mended = before.into_iter().filter(|old| !verified.findings.iter().any(|new| new.part == old.part));
            let mended: Vec<Finding> = mended.map(|finding| mended_by(finding, &fetched)).collect();
            verified.findings.extend(mended);
            verified.findings.sort_by(|a, b| a.part.cmp(&b.part));
        }
        verified.findings.iter_mut().for_each(|finding| tell_why_not(finding, &fetched));
    }
    let shared = shared.clone();
    blocking(move || {
        let containers = shared.registry.all();
        let mut findings: Vec<VerifyFinding> = verified.findings.iter().map(|f| shown(&shared, f)).collect();
        findings.extend(containers.iter().filter_map(|container| of_container(&shared, container, repair.is_some())));
        let reply = SystemVerified {
            blobs: verified.blobs as i64,
            bytes: verified.bytes as i64,
            layers: verified.layers as i64,
            images: verified.images as i64,
            containers: containers.len() as i64,
            findings,
        };
        let aux = serde_json::to_value(&reply).map_err(|e| Error::internal(e.to_string()))?;
        let _ = messages.send(JsonMessage { aux: Some(aux), ..JsonMessage::default() });
        Ok(())
    })
    .await
}

/// Once through everything.
async fn look(shared: &Arc<Shared>, repair: bool, messages: &UnboundedSender<JsonMessage>) -> Result<Verified> {
    let (shared, messages) = (shared.clone(), messages.clone());
    blocking(move || {
        let told = AtomicU64::new(0);
        let tell = |done: u64, total: u64| {
            let step = (total / 200).max(1);
            let before = told.load(Ordering::Relaxed);
            if done >= before + step || done == total {
                told.store(done, Ordering::Relaxed);
                let detail = ProgressDetail { current: done as i64, total: total as i64, ..ProgressDetail::default() };
                let _ = messages.send(JsonMessage::progress("Content and layers", "Verifying", detail));
            }
        };
        let running_on = |layer: &Digest| running_on(&shared, layer);
        let is_over = || messages.is_closed();
        shared.images.verify(&Verification { repair, running_on: &running_on, tell: &tell, is_over: &is_over })
    })
    .await
}

/// By the image: where its content came from again, or why it did not.
type Fetched = BTreeMap<Digest, Result<String>>;

/// Fetches what is damaged of images that registries have.
async fn fetch(
    shared: &Arc<Shared>,
    credentials: &AllCredentials,
    findings: &[Finding],
    messages: &UnboundedSender<JsonMessage>,
) -> Result<Fetched> {
    let mut fetched = Fetched::new();
    for Again { id, places, platform } in shared.images.to_get_again(findings)? {
        for place in places {
            let shown = credentials.of(&place.domain);
            let came = distribution::fetch_again(shared, &place, platform.clone(), shown, messages.clone()).await;
            if messages.is_closed() {
                return Err(Error::unavailable("context canceled"));
            }
            let came = came.map(|()| place.familiar_name());
            let is_there = came.is_ok();
            fetched.insert(id.clone(), came);
            if is_there {
                break;
            }
        }
    }
    Ok(fetched)
}

/// One that is not found any more.
fn mended_by(finding: Finding, fetched: &Fetched) -> Finding {
    let place = finding.images.iter().find_map(|id| fetched.get(id)?.as_ref().ok());
    match (place, &finding.remedy) {
        (Some(place), Remedy::Wanted(_)) => {
            Finding { remedy: Remedy::Done(format!("fetched again from {place}")), ..finding }
        }
        _ => finding,
    }
}

fn tell_why_not(finding: &mut Finding, fetched: &Fetched) {
    let why = finding.images.iter().find_map(|id| fetched.get(id)?.as_ref().err());
    if let (Some(why), Part::Content(_) | Part::Image(_), Remedy::Wanted(wanted)) =
        (why, &finding.part, &mut finding.remedy)
    {
        wanted.push_str(&format!(" ({why})"));
    }
}

/// After an unclean end, beside everything else.
pub fn verify_recent(shared: &Arc<Shared>) {
    let shared = shared.clone();
    tokio::spawn(blocking(move || {
        let running_on = |layer: &Digest| running_on(&shared, layer);
        match shared.images.verify_recent(&running_on, &|| false) {
            Ok(None) => {}
            Ok(Some(verified)) => {
                tracing::info!("{} layers, committed just before the last daemon died, are verified", verified.layers);
                for finding in verified.findings {
                    tracing::warn!("{}: {}: {:?}", finding.part, finding.why, finding.remedy);
                }
            }
            Err(e) => tracing::warn!("layers committed just before the last daemon died cannot be verified: {e}"),
        }
        Ok(())
    }));
}

fn stands_on(container: &Container, layer: &Digest) -> bool {
    container.record().all_layers().any(|own| own == layer)
}

/// Names of the containers that run, or are about to, on a layer.
fn running_on(shared: &Shared, layer: &Digest) -> Vec<String> {
    let all = shared.registry.all();
    let running = |c: &&Arc<Container>| (c.state().is_running() || c.is_starting()) && stands_on(c, layer);
    all.iter().filter(running).map(|c| c.record().name.clone()).collect()
}

fn shown(shared: &Shared, finding: &Finding) -> VerifyFinding {
    let (kind, id) = match &finding.part {
        Part::Record(name) => ("record", name.clone()),
        Part::Content(digest) => ("content", digest.to_string()),
        Part::Layer(layer) => ("layer", layer.to_string()),
        Part::Image(id) => ("image", id.to_string()),
        Part::Name(name) => ("name", name.clone()),
    };
    let needs = |container: &&Arc<Container>| match &finding.part {
        Part::Layer(layer) => stands_on(container, layer),
        _ => container.record().all_images().any(|image| finding.images.contains(image)),
    };
    let all = shared.registry.all();
    let containers: BTreeSet<String> = all.iter().filter(needs).map(|c| c.record().name.clone()).collect();
    let (repaired, remedy) = match &finding.remedy {
        Remedy::Done(what) => (true, what.clone()),
        Remedy::Wanted(what) => (false, what.clone()),
    };
    VerifyFinding {
        kind: kind.into(),
        id,
        why: finding.why.clone(),
        images: shared.images.names_of(&finding.images),
        containers: containers.into_iter().collect(),
        repaired,
        remedy,
    }
}

/// What a container has itself.
fn of_container(shared: &Shared, container: &Container, repair: bool) -> Option<VerifyFinding> {
    let record = container.record();
    if container.state().is_running() || container.is_starting() || container.state().is_gone() {
        return None;
    }
    let finding = |why: &str, repaired: bool, remedy: String| VerifyFinding {
        kind: "container".into(),
        id: container.id.to_string(),
        why: why.into(),
        images: shared.images.names_of(std::slice::from_ref(&record.image)),
        containers: vec![record.name.clone()],
        repaired,
        remedy,
    };
    let missing = |layers: &[Digest]| layers.iter().find(|layer| !shared.images.has_layer(layer)).cloned();
    if let Some(layer) = missing(&record.layers) {
        let remedy = format!("pull its image again, or remove {}", record.name);
        return Some(finding(&format!("there is no record of its layer {layer}"), false, remedy));
    }
    for image in &record.images {
        if let Some(layer) = missing(&image.layers) {
            let (name, place) = (&image.name, &image.destination);
            let why = format!("there is no record of layer {layer} of {name}, mounted at {place}");
            return Some(finding(&why, false, format!("pull {name} again, or remove {}", record.name)));
        }
    }
    let prepared = shared.snapshots.prepared().ok()?;
    if prepared.iter().any(|id| *id == container.id.as_str()) {
        return None;
    }
    let why = "what it wrote is missing";
    if !repair {
        return Some(finding(why, false, "it starts with its image's files alone".into()));
    }
    match shared.snapshots.mounts(container.id.as_str(), &record.layers, record.snapshot_options()) {
        Ok(_) => Some(finding(why, true, "it has its image's files alone now".into())),
        Err(e) => Some(finding(why, false, e.message)),
    }
}
