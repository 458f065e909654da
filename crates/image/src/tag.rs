use store::{Batch, Durability};
use values::{Digest, Error, Reference, Result, Timestamp};

use crate::{commit::put_tag, images::Images, ledger::Tag};

impl Images {
    /// Gives the image with that id a name; an image which had the name loses it, and is returned.
    ///
    /// # Errors
    /// `NotFound` where there is no such image, `InvalidArgument` for a name with a digest.
    pub fn tag(&self, id: &Digest, reference: &Reference) -> Result<Option<Digest>> {
        if reference.digest.is_some() {
            return Err(Error::invalid("refusing to create a tag with a digest reference"));
        }
        self.give_name(id, reference.clone().or_latest())
    }

    pub(crate) fn give_name(&self, id: &Digest, reference: Reference) -> Result<Option<Digest>> {
        let tag = Tag { reference, image: id.clone(), at: Timestamp::now() };
        let _writer = self.writer();
        if self.get(id).is_none() {
            return Err(Error::not_found(format!("No such image: {id}")));
        }
        let mut batch = Batch::new();
        put_tag(&mut batch, &tag)?;
        self.store.commit(batch, Durability::Power)?;
        Ok(self.ledger().set_tag(tag))
    }
}
