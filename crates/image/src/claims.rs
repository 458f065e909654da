//! Who is busy with what: a layer is made by one at a time, a blob fetched by one.

use std::{
    collections::HashMap,
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use values::{Digest, Error, Result};

use crate::images::Images;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Claim {
    /// By its chain id.
    Layer(Digest),
    Blob(Digest),
}

/// What is being worked on, and whether somebody else waits for it.
pub(crate) type Claimed = HashMap<Claim, bool>;

/// Something that nobody else works on while this lives.
pub(crate) struct Held<'a> {
    images: &'a Images,
    claim: Claim,
}

/// How often one who waits looks whether he still has to.
const PATIENCE: Duration = Duration::from_millis(250);

impl Images {
    pub(crate) fn claimed(&self) -> MutexGuard<'_, Claimed> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until something of what is claimed changes, or a moment.
    pub(crate) fn wait_for_claims<'a>(&self, claimed: MutexGuard<'a, Claimed>) -> MutexGuard<'a, Claimed> {
        self.unclaimed.wait_timeout(claimed, PATIENCE).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Under the lock: takes what nobody has.
    pub(crate) fn hold(&self, claimed: &mut Claimed, claim: Claim) -> Held<'_> {
        claimed.insert(claim.clone(), false);
        Held { images: self, claim }
    }

    /// Under the lock: says that what others have is waited for; who has it may then be done with it sooner.
    pub(crate) fn want<'a>(&self, claimed: &mut Claimed, claims: impl Iterator<Item = &'a Digest>) {
        let mut is_new = false;
        for layer in claims {
            if let Some(wanted) = claimed.get_mut(&Claim::Layer(layer.clone())) {
                is_new |= !std::mem::replace(wanted, true);
            }
        }
        if is_new {
            self.unclaimed.notify_all();
        }
    }

    /// Waits until nobody else has it.
    ///
    /// # Errors
    /// `Unavailable` where `may_wait` said no.
    pub(crate) fn claim(&self, claim: Claim, may_wait: &dyn Fn() -> bool) -> Result<Held<'_>> {
        let mut claimed = self.claimed();
        while let Some(wanted) = claimed.get_mut(&claim) {
            if !may_wait() {
                return Err(Error::unavailable("the pull was given up"));
            }
            if !std::mem::replace(wanted, true) {
                self.unclaimed.notify_all();
            }
            claimed = self.wait_for_claims(claimed);
        }
        Ok(self.hold(&mut claimed, claim))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.images.claimed().remove(&self.claim);
        self.images.unclaimed.notify_all();
    }
}
