//! Layers that were committed a short while ago. A clean end forgets them; so what is found of them at the next start was
//! committed shortly before an unclean one, and is looked at.
//!
//! All is synced before it is visible, and a process that dies takes nothing of that along. What is looked at is whether the
//! disk kept its word.

use std::{
    collections::{BTreeMap, HashSet},
    sync::PoisonError,
    time::Duration,
};

use store::{Batch, Durability};
use values::{Digest, Result, Timestamp};

use crate::{
    images::Images,
    records::{RECENT, RecentRecord},
    verify::{Finding, Remedy, Verification, Verified},
};

/// By then whatever keeps data back has written it.
const RECENT_FOR: Duration = Duration::from_secs(120);

impl Images {
    pub(crate) fn note_recent(&self, batch: &mut Batch, layer: &Digest, at: Timestamp) -> Result<()> {
        batch.put(&RECENT, layer.as_str(), &RecentRecord { at, boot: self.boot.clone() })
    }

    /// Forgets layers that are not recent any more. How long until there is more to forget, if there is any.
    ///
    /// # Errors
    /// Those of the store.
    pub fn settle(&self) -> Result<Option<Duration>> {
        let now = Timestamp::now();
        let mut batch = Batch::new();
        let mut youngest = None;
        self.store.for_each(&RECENT, |layer, record| {
            if now.secs - record.at.secs >= RECENT_FOR.as_secs() as i64 {
                batch.delete(&RECENT, layer);
            } else {
                youngest = youngest.max(Some(record.at.secs));
            }
            Ok(())
        })?;
        self.store.commit(batch, Durability::Process)?;
        // one wait for all of them; a clock that was set back does not make it longer
        Ok(youngest.map(|at| RECENT_FOR.saturating_sub(Duration::from_secs(now.secs.saturating_sub(at).max(0) as u64))))
    }

    /// A clean end: nothing is to be looked at.
    ///
    /// # Errors
    /// Those of the store.
    pub fn close(&self) -> Result<()> {
        let mut batch = Batch::new();
        self.store.keys(&RECENT).iter().for_each(|layer| batch.delete(&RECENT, layer));
        self.store.commit(batch, Durability::Process)
    }

    /// Layers that were recent at an unclean end. After a loss of power they are looked at before anybody uses them, else (the
    /// kernel has gone on, and with it what it holds of the disk) by [`Images::verify_recent`].
    pub(crate) fn find_recent(&self) -> Result<()> {
        let mut found: BTreeMap<bool, HashSet<Digest>> = BTreeMap::new();
        self.store.for_each(&RECENT, |layer, record| {
            if let Ok(layer) = layer.parse() {
                found.entry(record.boot == self.boot && !self.boot.is_empty()).or_default().insert(layer);
            }
            Ok(())
        })?;
        *self.recent.lock().unwrap_or_else(PoisonError::into_inner) = found.remove(&false).unwrap_or_default();
        let nobody = |_: &Digest| Vec::new();
        if let Some(verified) = self.verify_recent(&nobody, &|| false)? {
            self.note_problems(verified.findings.iter().map(described));
        }
        *self.recent.lock().unwrap_or_else(PoisonError::into_inner) = found.remove(&true).unwrap_or_default();
        Ok(())
    }

    /// Looks at layers which were committed shortly before an unclean end of this daemon, and repairs them; `None`: there are
    /// none.
    ///
    /// # Errors
    /// As [`Images::verify`].
    pub fn verify_recent(
        &self,
        running_on: &(dyn Fn(&Digest) -> Vec<String> + Sync),
        is_over: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Verified>> {
        let recent = std::mem::take(&mut *self.recent.lock().unwrap_or_else(PoisonError::into_inner));
        if recent.is_empty() {
            return Ok(None);
        }
        let how = Verification { repair: true, running_on, tell: &|_, _| {}, is_over };
        let layers = self.layers_lowest_first(Some(&recent));
        let verified = self.verify_parts(&how, &self.needs()?, &layers, false)?;
        let mut batch = Batch::new();
        recent.iter().for_each(|layer| batch.delete(&RECENT, layer.as_str()));
        self.store.commit(batch, Durability::Process)?;
        Ok(Some(verified))
    }
}

/// For a log.
fn described(finding: &Finding) -> String {
    let remedy = match &finding.remedy {
        Remedy::Done(done) => done,
        Remedy::Wanted(wanted) => wanted,
    };
    format!("committed just before an unclean end: {}: {}: {remedy}", finding.part, finding.why)
}
