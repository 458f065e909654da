//! Taking names and images away.

use store::{Batch, Durability};
use sys::crash;
use values::{Digest, Error, ErrorKind, Reference, Result};

use crate::{
    image::Image,
    images::Images,
    records::{HOLDS, HoldRecord, IMAGES, ImageRecord, TAGS, USES},
    report::{Removed, Use},
    resolve::{Found, PREFIX_MIN},
};

/// What is to be done, decided before anything is.
#[derive(Debug, PartialEq)]
struct Plan {
    untag: Vec<Reference>,
    /// The image goes too, not only its names.
    delete: bool,
}

impl Images {
    /// Removes a name, and the image with its last one; by its id, the image with all its names.
    ///
    /// `in_use` says which containers stand on an image; it is asked under a lock and must not call back. With `force`, names
    /// go although a container uses the image, and by its id the image goes although stopped containers do: they keep its
    /// layers.
    /// `noprune` keeps the image when its last name goes.
    ///
    /// # Errors
    /// `NotFound`, or `Conflict` in Docker's words; nothing is changed then.
    pub fn remove(
        &self,
        name: &str,
        force: bool,
        noprune: bool,
        in_use: &dyn Fn(&Digest) -> Vec<Use>,
    ) -> Result<Vec<Removed>> {
        let removed = {
            let _writer = self.writer();
            match (self.find(name), self.find_broken(name)) {
                (Err(e), Some(id)) if e.kind == ErrorKind::NotFound => self.remove_broken(&id, &in_use(&id))?,
                (found, _) => self.remove_found(&found?, force, noprune, in_use)?,
            }
        };
        self.release_holds()?;
        self.collect()?;
        Ok(removed)
    }

    fn remove_found(
        &self,
        found: &Found,
        force: bool,
        noprune: bool,
        in_use: &dyn Fn(&Digest) -> Vec<Use>,
    ) -> Result<Vec<Removed>> {
        let image = found.image().clone();
        let (plan, uses) = {
            let mut ledger = self.ledger();
            let uses = ledger.uses_of(&image.id, in_use);
            let names: Vec<Reference> = ledger.tags_of(&image.id).map(|tag| tag.reference.clone()).collect();
            let plan = plan(found, &names, &uses, ledger.has_children(&image.id), force, noprune)?;
            if plan.delete {
                ledger.leaving.insert(image.id.clone());
            }
            (plan, uses)
        };
        self.carry_out(&image, plan, &uses)
    }

    /// An image that is not usable and therefore not shown, by a name, its id or the beginning of it.
    pub fn find_broken(&self, name: &str) -> Option<Digest> {
        let ledger = self.ledger();
        let named = name.parse::<Reference>().ok().and_then(|r| ledger.tags.get(&r.or_latest().to_string()));
        let hex = name.strip_prefix("sha256:").unwrap_or(name);
        let by_id = || {
            let mut same = ledger.broken.keys().filter(|id| hex.len() >= PREFIX_MIN && id.hex().starts_with(hex));
            same.next().filter(|_| same.next().is_none())
        };
        named.map(|tag| &tag.image).filter(|id| ledger.broken.contains_key(id)).or_else(by_id).cloned()
    }

    /// With all its names; containers keep its layers.
    fn remove_broken(&self, id: &Digest, uses: &[Use]) -> Result<Vec<Removed>> {
        let names: Vec<Reference> = self.ledger().tags_of(id).map(|tag| tag.reference.clone()).collect();
        let top = self.ledger().broken.get(id).and_then(|record| record.top.clone());
        let mut batch = Batch::new();
        names.iter().for_each(|name| batch.delete(&TAGS, &name.to_string()));
        batch.delete(&IMAGES, id.as_str());
        batch.delete(&USES, id.as_str());
        let held: Vec<_> = top.iter().flat_map(|top| uses.iter().map(|user| (user.holder(), top.clone()))).collect();
        for (container, top) in &held {
            batch.put(&HOLDS, container, &HoldRecord { top: top.clone() })?;
        }
        self.store.commit(batch, Durability::Power)?;
        let mut ledger = self.ledger();
        names.iter().for_each(|name| drop(ledger.tags.remove(&name.to_string())));
        for (holder, top) in held {
            let _ = ledger.hold(holder, top);
        }
        if let Some(record) = ledger.broken.remove(id) {
            ledger.drop_uses(&record);
        }
        let untagged = names.iter().map(|name| Removed::Untagged(name.familiar()));
        Ok(untagged.chain([Removed::Deleted(id.clone())]).collect())
    }

    /// An image that is leaving and that nobody uses, with all its names. Under the writer's lock.
    pub(crate) fn remove_whole(&self, image: &Image) -> Result<Vec<Removed>> {
        let untag = self.ledger().tags_of(&image.id).map(|tag| tag.reference.clone()).collect();
        self.carry_out(image, Plan { untag, delete: true }, &[])
    }

    fn carry_out(&self, image: &Image, plan: Plan, uses: &[Use]) -> Result<Vec<Removed>> {
        let outcome = self.take_away(image, plan, uses);
        self.ledger().leaving.remove(&image.id);
        outcome
    }

    /// One transaction; then it is gone for everybody.
    fn take_away(&self, image: &Image, plan: Plan, uses: &[Use]) -> Result<Vec<Removed>> {
        let mut batch = Batch::new();
        for reference in &plan.untag {
            batch.delete(&TAGS, &reference.to_string());
        }
        let record: Option<ImageRecord> = self.store.get(&IMAGES, image.id.as_str())?.filter(|_| plan.delete);
        let mut held = Vec::new();
        if plan.delete {
            batch.delete(&IMAGES, image.id.as_str());
            batch.delete(&USES, image.id.as_str());
            if let Some(top) = image.chain.last() {
                for user in uses {
                    batch.put(&HOLDS, &user.holder(), &HoldRecord { top: top.clone() })?;
                    held.push((user.holder(), top.clone()));
                }
            }
        }
        self.store.commit(batch, Durability::Power)?;
        crash::point("image.removed");
        let mut ledger = self.ledger();
        for reference in &plan.untag {
            ledger.tags.remove(&reference.to_string());
        }
        ledger.refresh(&image.id);
        for (holder, top) in held {
            let _ = ledger.hold(holder, top);
        }
        if let Some(record) = record {
            ledger.images.remove(&image.id);
            ledger.uses.remove(&image.id);
            ledger.drop_uses(&record);
        }
        let untagged = plan.untag.iter().map(|reference| Removed::Untagged(reference.familiar()));
        let deleted = plan.delete.then(|| Removed::Deleted(image.id.clone()));
        Ok(untagged.chain(deleted).collect())
    }
}

fn plan(
    found: &Found,
    names: &[Reference],
    uses: &[Use],
    has_children: bool,
    force: bool,
    noprune: bool,
) -> Result<Plan> {
    let image = found.image();
    match found {
        Found::Named(reference, _) if names.len() > 1 => Ok(Plan { untag: vec![reference.clone()], delete: false }),
        Found::Named(reference, _) => {
            // Its last name: the image is to go as well, unless somebody needs it.
            if let (Some(user), false) = (uses.first(), force) {
                let why = format!("container {} is using its referenced image {}", short(user), image.id.short());
                return Err(conflict(&reference.familiar(), true, &why));
            }
            let delete = uses.is_empty() && !has_children && !noprune;
            Ok(Plan { untag: vec![reference.clone()], delete })
        }
        Found::ById(_) => by_id(image, names, uses, has_children, force),
    }
}

fn by_id(image: &Image, names: &[Reference], uses: &[Use], has_children: bool, force: bool) -> Result<Plan> {
    let id = image.id.short();
    if let Some(user) = uses.iter().find(|user| user.running) {
        let why = format!("image is being used by running container {}", short(user));
        return Err(conflict(id, false, &why));
    }
    if has_children {
        return Err(conflict(id, false, "image has dependent child images"));
    }
    let several = names.iter().any(|name| name.name() != names[0].name());
    if several && !force {
        return Err(conflict(id, true, "image is referenced in multiple repositories"));
    }
    if let (Some(user), false) = (uses.first(), force) {
        let why = format!("image is being used by stopped container {}", short(user));
        return Err(conflict(id, true, &why));
    }
    Ok(Plan { untag: names.to_vec(), delete: true })
}

fn short(user: &Use) -> &str {
    let name = user.container.as_str();
    // one that is being created has no id yet
    if name.len() == 64 { &name[..12] } else { name }
}

fn conflict(what: &str, can_be_forced: bool, why: &str) -> Error {
    let force = if can_be_forced { "must be forced" } else { "cannot be forced" };
    Error::conflict(format!("conflict: unable to delete {what} ({force}) - {why}"))
}
