//! `rename`.

use std::sync::Arc;

use values::{Error, Result};

use super::handle::Container;
use super::validate;
use crate::shared::{Shared, blocking};

pub async fn rename(shared: &Arc<Shared>, container: &Arc<Container>, new_name: &str) -> Result<()> {
    let _turn = container.change("rename").await?;
    let old = container.name();
    let new = new_name.strip_prefix('/').unwrap_or(new_name).to_owned();
    if new.is_empty() {
        return Err(Error::invalid("Neither old nor new names may be empty"));
    }
    if new == old {
        return Err(Error::invalid("Renaming a container with the same name as its current name"));
    }
    validate::name(&format!("/{new}")).map_err(|e| e.context("Error when allocating new name"))?;
    shared.registry.reserve(&new, &container.id).map_err(|e| e.context("Error when allocating new name"))?;
    let mut record = (*container.record()).clone();
    record.name.clone_from(&new);
    let (s, r) = (shared.clone(), record.clone());
    if let Err(e) = blocking(move || s.records.update(&r)).await {
        shared.registry.free(&new, &container.id);
        return Err(e);
    }
    container.set_record(record);
    let endpoints = container.volatile().endpoints;
    if super::networks::has_dns(&endpoints) {
        let member = super::networks::member(shared, &container.record(), &endpoints);
        shared.serving.while_live(&container.id, || shared.names.set(&container.id, member));
    }
    shared.registry.free(&old, &container.id);
    let mut attributes = container.event_attributes();
    attributes.insert("oldName".into(), format!("/{old}"));
    shared.events.emit("container", "rename", container.id.as_str(), attributes);
    Ok(())
}
