//! Records against what is there.

use store::{Batch, Durability};
use values::{Digest, Reference, Result};

use super::{Finding, Part, Remedy, Verification, Verified, needs::Needs};
use crate::{images::Images, records::TAGS};

impl Images {
    pub(super) fn verify_records(&self, how: &Verification<'_>, needs: &Needs, verified: &mut Verified) -> Result<()> {
        verified.images = needs.images.len();
        for record in self.store.check() {
            let remedy = Remedy::Wanted("remove and make anew what it describes".into());
            let why = "its bytes on the disk have changed".into();
            verified.findings.push(Finding { part: Part::Record(record), why, images: Vec::new(), remedy });
        }
        let broken: Vec<Digest> = self.ledger().broken.keys().cloned().collect();
        for id in broken {
            let images = vec![id.clone()];
            let remedy = Remedy::Wanted(format!("{}, or remove {}", self.get_again(&images), id.short()));
            let why = "its manifest, its configuration or a record of its layers is missing or damaged".into();
            verified.findings.push(Finding { part: Part::Image(id), why, images, remedy });
        }
        for name in self.names_of_nothing() {
            let remedy = match how.repair {
                true => {
                    self.forget_name(&name)?;
                    Remedy::Done("removed".into())
                }
                false => Remedy::Wanted("system verify --repair removes it".into()),
            };
            let why = "its image is not there".into();
            verified.findings.push(Finding { part: Part::Name(name.familiar()), why, images: Vec::new(), remedy });
        }
        Ok(())
    }

    fn names_of_nothing(&self) -> Vec<Reference> {
        let ledger = self.ledger();
        let is_there = |id: &Digest| ledger.images.contains_key(id) || ledger.broken.contains_key(id);
        ledger.tags.values().filter(|tag| !is_there(&tag.image)).map(|tag| tag.reference.clone()).collect()
    }

    fn forget_name(&self, name: &Reference) -> Result<()> {
        let _writer = self.writer();
        let mut batch = Batch::new();
        batch.delete(&TAGS, &name.to_string());
        self.store.commit(batch, Durability::Power)?;
        self.ledger().tags.remove(&name.to_string());
        Ok(())
    }
}
