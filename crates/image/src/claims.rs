//! Who is busy with what: a layer is unpacked by one thread at a time, a blob fetched by one.

use std::{collections::HashSet, sync::PoisonError, time::Duration};

use values::{Digest, Error, Result};

use crate::images::Images;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Claim {
    /// By its chain id.
    Layer(Digest),
    Blob(Digest),
}

/// What is being worked on.
pub(crate) type Claimed = HashSet<Claim>;

/// Claims of one piece of work, which end with it.
pub(crate) struct Claims<'a> {
    images: &'a Images,
    held: Vec<Claim>,
}

/// How often one who waits looks whether he still has to.
const PATIENCE: Duration = Duration::from_millis(250);

impl<'a> Claims<'a> {
    pub(crate) fn new(images: &'a Images) -> Self {
        Self { images, held: Vec::new() }
    }

    pub(crate) fn claim(&mut self, chain_id: &Digest) {
        let mut claimed = self.images.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        let claim = Claim::Layer(chain_id.clone());
        while claimed.contains(&claim) && !self.held.contains(&claim) {
            claimed = self.images.unclaimed.wait(claimed).unwrap_or_else(PoisonError::into_inner);
        }
        claimed.insert(claim.clone());
        self.held.push(claim);
    }

    /// # Errors
    /// `Unavailable` where `may_wait` said no.
    pub(crate) fn claim_layer(&mut self, chain_id: &Digest, may_wait: &dyn Fn() -> bool) -> Result<()> {
        self.claim_while(Claim::Layer(chain_id.clone()), may_wait)
    }

    /// # Errors
    /// `Unavailable` where `may_wait` said no.
    pub(crate) fn claim_blob(&mut self, digest: &Digest, may_wait: &dyn Fn() -> bool) -> Result<()> {
        self.claim_while(Claim::Blob(digest.clone()), may_wait)
    }

    fn claim_while(&mut self, claim: Claim, may_wait: &dyn Fn() -> bool) -> Result<()> {
        let mut claimed = self.images.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        while claimed.contains(&claim) && !self.held.contains(&claim) {
            if !may_wait() {
                return Err(Error::unavailable("the pull was given up"));
            }
            let waited = self.images.unclaimed.wait_timeout(claimed, PATIENCE);
            claimed = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        claimed.insert(claim.clone());
        self.held.push(claim);
        Ok(())
    }
}

impl Drop for Claims<'_> {
    fn drop(&mut self) {
        let mut claimed = self.images.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        for claim in &self.held {
            claimed.remove(claim);
        }
        self.images.unclaimed.notify_all();
    }
}
