//! Layers of an image, made by several threads and committed in order.
//!
//! A layer is claimed before it is made, until it is committed: others who want it wait and then have it. They wait for that
//! layer, not for all of the image: what is made is committed as soon as somebody waits for it and what is below is there.
//! Who finds all that is left claimed waits for any of it. Nobody waits for one who waits for him: a layer that is held
//! rests on layers below alone, and the lowest of those that are held is being made.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use snapshot::Stage;
use values::{Digest, Error, Result};

use crate::{
    claims::{Claim, Claimed, Held},
    images::Images,
    lease::Lease,
};

/// The layer that was made, and bytes of its files.
pub(crate) type Staged = Option<(Stage, u64)>;

/// What is to be made, and how.
pub(crate) struct Assembly<'a> {
    /// Chain ids, lowest first; none where what is made is no root filesystem.
    pub(crate) chain: &'a [Digest],
    pub(crate) diff_ids: &'a [Digest],
    /// Positions to be worked on, in order.
    pub(crate) todo: Vec<usize>,
    pub(crate) threads: usize,
    /// Makes what is at a position, and pins what it needs. `None`: nothing is to be committed.
    pub(crate) make: &'a (dyn Fn(Order<'_>, &mut Lease<'_>) -> Result<Staged> + Sync),
    /// Nobody wants it any more.
    pub(crate) is_over: &'a (dyn Fn() -> bool + Sync),
    /// The layer at a position is there.
    pub(crate) done: &'a (dyn Fn(usize) + Sync),
}

/// One thing to be made.
#[derive(Clone, Copy)]
pub(crate) struct Order<'a> {
    pub(crate) position: usize,
    /// The layer is there: somebody else may have made it.
    pub(crate) is_there: bool,
    /// It is of no use any more: another failed, say.
    pub(crate) is_over: &'a (dyn Fn() -> bool + Sync),
}

/// A layer that waits for those below it.
struct Made<'i> {
    stage: Stage,
    bytes: u64,
    _held: Held<'i>,
}

struct State<'i> {
    todo: Vec<usize>,
    made: BTreeMap<usize, Made<'i>>,
    /// By position: nothing is to be waited for.
    settled: Vec<bool>,
    /// Threads at work.
    workers: usize,
}

impl State<'_> {
    /// The position of the lowest layer that is not there.
    fn lowest(&self) -> usize {
        self.settled.iter().position(|settled| !settled).unwrap_or(self.settled.len())
    }

    /// Positions from the lowest on that can be committed now, if they are made.
    fn ready(&self) -> Vec<usize> {
        let from = self.lowest();
        let rest = (from..self.settled.len()).take_while(|i| self.settled[*i] || self.made.contains_key(i));
        rest.filter(|i| !self.settled[*i]).collect()
    }
}

struct Crew<'a, 'i> {
    images: &'i Images,
    plan: &'a Assembly<'a>,
    /// Layers are made on top of those below, which must be there.
    in_order: bool,
    state: Mutex<State<'i>>,
    failed: AtomicBool,
    /// Of the first that failed: the others fail because of it.
    why: Mutex<Option<Error>>,
}

impl Images {
    /// Makes, commits and pins all that is to do of a plan.
    ///
    /// # Errors
    /// The first of making or committing; what blobs were placed for it are put aside then, for a later try.
    pub(crate) fn assemble<'i>(&'i self, plan: &Assembly<'_>, lease: &mut Lease<'i>) -> Result<()> {
        if plan.todo.is_empty() {
            return Ok(());
        }
        let in_order = !self.snapshots.is_parallel();
        let threads = if in_order { 1 } else { plan.threads.min(plan.todo.len()).max(1) };
        let mut settled = vec![true; plan.chain.len()];
        plan.todo.iter().filter(|i| **i < plan.chain.len()).for_each(|i| settled[*i] = false);
        let state = State { todo: plan.todo.clone(), made: BTreeMap::new(), settled, workers: threads };
        let crew = Crew {
            images: self,
            plan,
            in_order,
            state: Mutex::new(state),
            failed: AtomicBool::new(false),
            why: Mutex::default(),
        };
        let leases: Vec<Option<Lease<'i>>> = std::thread::scope(|scope| {
            let crew = &crew;
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(move || crew.work())).collect();
            crew.commit_all(lease);
            workers.into_iter().map(|worker| worker.join().ok()).collect()
        });
        if leases.iter().any(Option::is_none) {
            crew.fail(Error::internal("making a layer failed unexpectedly"));
        }
        // what is made and not committed goes, and with it its claims
        let left = crew.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let why = crew.why.into_inner().unwrap_or_else(PoisonError::into_inner);
        let missing = !left.todo.is_empty() || !left.made.is_empty();
        drop(left);
        match why.or_else(|| missing.then(|| Error::unavailable("the pull was given up"))) {
            None => leases.into_iter().flatten().for_each(|other| lease.absorb(other)),
            Some(why) => {
                leases.into_iter().flatten().for_each(Lease::put_aside);
                return Err(why);
            }
        }
        Ok(())
    }
}

impl<'i> Crew<'_, 'i> {
    fn state(&self) -> MutexGuard<'_, State<'i>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || (self.plan.is_over)()
    }

    fn fail(&self, error: Error) {
        if !self.failed.swap(true, Ordering::Relaxed) {
            *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    }

    /// To those who wait: look again.
    fn changed(&self) {
        let _claimed = self.images.claimed();
        self.images.unclaimed.notify_all();
    }

    /// One thread's share.
    fn work(&self) -> Lease<'i> {
        let mut lease = self.images.lease();
        let ends = Ends(self);
        while let Some((i, held)) = self.next() {
            let chain = self.plan.chain.get(..=i);
            let is_there = chain.is_some_and(|chain| lease.layer(&chain[i]) && self.images.snapshots.has(chain));
            let order = Order { position: i, is_there, is_over: &|| self.is_over() };
            match (self.plan.make)(order, &mut lease) {
                Ok(made) => self.deliver(i, made, held),
                Err(e) => self.fail(e),
            }
        }
        drop(ends);
        lease
    }

    /// The next position nobody else is working on, claimed; `None`: there is nothing left to do.
    fn next(&self) -> Option<(usize, Option<Held<'i>>)> {
        let mut claimed = self.images.claimed();
        loop {
            if self.is_over() {
                return None;
            }
            let mut state = self.state();
            let lowest = if self.in_order { state.lowest() } else { usize::MAX };
            let layer = |i: &usize| self.plan.chain.get(*i).map(|id| Claim::Layer(id.clone()));
            let is_free = |i: &usize| *i <= lowest && layer(i).is_none_or(|claim| !claimed.contains_key(&claim));
            if let Some(place) = state.todo.iter().position(is_free) {
                let i = state.todo.remove(place);
                let held = layer(&i).map(|claim| self.images.hold(&mut claimed, claim));
                return Some((i, held));
            }
            if state.todo.is_empty() {
                return None;
            }
            let wanted = state.todo.iter().filter_map(|i| self.plan.chain.get(*i));
            self.images.want(&mut claimed, wanted);
            drop(state);
            claimed = self.images.wait_for_claims(claimed);
        }
    }

    fn deliver(&self, i: usize, made: Option<(Stage, u64)>, held: Option<Held<'i>>) {
        match (made, held) {
            (Some((stage, bytes)), Some(held)) => {
                self.state().made.insert(i, Made { stage, bytes, _held: held });
                self.changed();
            }
            (_, held) => {
                if let Some(settled) = self.state().settled.get_mut(i) {
                    *settled = true;
                }
                drop(held);
                (self.plan.done)(i);
                self.changed();
            }
        }
    }

    /// Until all threads have ended, and what they made is there.
    fn commit_all(&self, lease: &mut Lease<'i>) {
        loop {
            let (batch, is_last) = self.batch();
            if self.failed.load(Ordering::Relaxed) {
                if is_last {
                    return;
                }
                continue;
            }
            let positions: Vec<usize> = batch.iter().map(|(i, _)| *i).collect();
            match self.commit(batch, lease) {
                Ok(()) => {
                    let mut state = self.state();
                    positions.iter().for_each(|i| state.settled[*i] = true);
                    drop(state);
                    positions.into_iter().for_each(|i| (self.plan.done)(i));
                    self.changed();
                }
                Err(e) => self.fail(e),
            }
            if is_last {
                return;
            }
        }
    }

    /// What is to be committed now; whether nothing more comes.
    fn batch(&self) -> (Vec<(usize, Made<'i>)>, bool) {
        let mut claimed = self.images.claimed();
        loop {
            let mut state = self.state();
            let ready = state.ready();
            let is_last = state.workers == 0;
            if is_last || !ready.is_empty() && (self.in_order || self.is_wanted(&ready, &claimed)) {
                let take = |i: usize| Some((i, state.made.remove(&i)?));
                return (ready.into_iter().filter_map(take).collect(), is_last);
            }
            drop(state);
            claimed = self.images.wait_for_claims(claimed);
        }
    }

    fn is_wanted(&self, ready: &[usize], claimed: &Claimed) -> bool {
        ready.iter().any(|i| claimed.get(&Claim::Layer(self.plan.chain[*i].clone())) == Some(&true))
    }

    fn commit(&self, batch: Vec<(usize, Made<'i>)>, lease: &mut Lease<'i>) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut kept = Vec::new();
        let mut staged = Vec::new();
        for (i, made) in batch {
            staged.push((made.stage, self.plan.chain[i].clone()));
            kept.push((i, made.bytes, made._held));
        }
        self.images.snapshots.commit(staged)?;
        for (i, bytes, _) in &kept {
            let below = i.checked_sub(1).map(|below| &self.plan.chain[below]);
            lease.add_layer(&self.plan.chain[*i], &self.plan.diff_ids[*i], below, *bytes);
        }
        // known before they are free: who waits finds them
        drop(kept);
        Ok(())
    }
}

/// A thread's end, however it comes.
struct Ends<'c, 'a, 'i>(&'c Crew<'a, 'i>);

impl Drop for Ends<'_, '_, '_> {
    fn drop(&mut self) {
        self.0.state().workers -= 1;
        self.0.changed();
    }
}
