//! Images that somebody is about to need: found and kept from going in one step, so that a removal comes before all of it, and
//! the image is not found, or after, and it is in use.

use std::sync::Arc;

use store::{Batch, Durability};
use values::{Digest, Error, Result};

use crate::{
    image::Image,
    images::Images,
    ledger::Ledger,
    records::{HOLDS, HoldRecord},
    report::Use,
    resolve,
};

/// What stands for a container in the reason for a refusal, as long as there is none yet.
const BEING_CREATED: &str = "(being created)";

/// An image that does not go while this lives.
pub struct Kept {
    images: Arc<Images>,
    image: Arc<Image>,
}

impl Kept {
    /// The image as it was when it was found.
    pub fn image(&self) -> &Arc<Image> {
        &self.image
    }
}

impl Images {
    /// [`Images::resolve`]; what is found is in use from then on.
    ///
    /// # Errors
    /// As [`Images::resolve`]: an image that is being removed is not found.
    pub fn keep(self: &Arc<Self>, name: &str) -> Result<Kept> {
        let mut ledger = self.ledger();
        let image = resolve::find(&ledger, name)?.image().clone();
        if ledger.leaving.contains(&image.id) {
            return Err(resolve::no_such(name));
        }
        *ledger.kept.entry(image.id.clone()).or_default() += 1;
        drop(ledger);
        Ok(Kept { images: self.clone(), image })
    }

    /// Layers whose image was removed by force stay for one more user, as long as its container is there.
    ///
    /// # Errors
    /// `NotFound` where they are not there any more.
    pub fn keep_layers(&self, user: &Use, top: &Digest) -> Result<()> {
        if !self.ledger().hold(user.holder(), top.clone()) {
            return Err(Error::not_found(format!("layer {top} does not exist")));
        }
        let mut batch = Batch::new();
        batch.put(&HOLDS, &user.holder(), &HoldRecord { top: top.clone() })?;
        self.store.commit(batch, Durability::Power)
    }

    /// Whether somebody stands on an image (`in_use` says of containers), or is about to.
    pub fn is_used(&self, id: &Digest, in_use: &dyn Fn(&Digest) -> Vec<Use>) -> bool {
        !self.ledger().uses_of(id, in_use).is_empty()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.images.ledger().unkeep(&self.image.id);
    }
}

impl Ledger {
    fn unkeep(&mut self, id: &Digest) {
        if let Some(count) = self.kept.get_mut(id) {
            *count -= 1;
            if *count == 0 {
                self.kept.remove(id);
            }
        }
    }

    /// Who stands on an image, and who is about to. While the ledger is locked nobody of these becomes one of those unseen.
    pub(crate) fn uses_of(&self, id: &Digest, in_use: &dyn Fn(&Digest) -> Vec<Use>) -> Vec<Use> {
        let mut uses = in_use(id);
        if self.kept.contains_key(id) {
            uses.push(Use { container: BEING_CREATED.into(), mount: String::new(), running: true });
        }
        uses
    }
}
